"""A million rows are checked column by column: in seconds, and never row by row."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from bench_ingest import make_frame

import chandelle
from chandelle.lightcurve.ingest import read_lightcurves

N = 1_000_000
HOME = str(Path(chandelle.__file__).parent)


@pytest.fixture(scope="module")
def frames():
    """A million epochs, one in a hundred bad, and their 16 000 targets."""
    return make_frame(N)


def lines_run(call: Callable[[], Any]) -> int:
    """Count the lines of chandelle that a call executes, each turn of a loop anew."""
    count = 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(HOME) else None

    former = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(former)
    return count


def test_a_million_rows_take_seconds(frames):
    frame, targets = frames
    read_lightcurves(frame[:100], targets=targets)
    start = time.process_time()
    lcs = read_lightcurves(frame, targets=targets)
    taken = time.process_time() - start
    rejected = Counter()
    for row in lcs.rejected.to_pylist():
        rejected[row["reason"]] += row["count"]
    bad = {"flux_nan": frame["flux"].isna(), "err_not_positive": frame["fluxerr"] < 0}
    assert rejected == {reason: int(rows.sum()) for reason, rows in bad.items()}
    assert len(lcs) == N - sum(rejected.values())
    good = ~(bad["flux_nan"] | bad["err_not_positive"])
    assert np.sort(lcs["mjd"]).tolist() == np.sort(frame["mjd"][good]).tolist()
    assert taken < 5.0


@pytest.mark.parametrize("kind", ["str", "object"])
def test_no_line_runs_once_a_row(frames, kind):
    """Ten times the rows of as many supernovae take few more lines; loops over those are free."""
    frame, targets = frames
    frame = frame.astype(dict.fromkeys(["name", "band", "zpsys"], kind))
    few = lines_run(lambda: read_lightcurves(frame[:: N // 100_000], targets=targets))
    many = lines_run(lambda: read_lightcurves(frame, targets=targets))
    assert few > 1000
    assert many - few < 0.1 * (N - 100_000)
