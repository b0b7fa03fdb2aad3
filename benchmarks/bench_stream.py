"""CPU and peak memory of `chandelle fit-lightcurves` on Parquet, against 60 CPU s and 2 GB.

Run: python benchmarks/bench_stream.py [number of supernovae]
Each figure is that of a process of its own. A quarter of the supernovae is fitted too: memory must
not grow with their number. "in order of time" is a set whose epochs lie across each other.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
from peers import light_curve_helpers, register_passbands

from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.products.lightcurves import LightCurves

_N = 40_000
_DRAWN = 2000
_CPU_S, _PEAK_GB = 60.0, 2.0


def _drawn() -> LightCurves:
    """Supernovae drawn by sncosmo, 40 to 69 epochs each (54 in the mean) in 3 or 4 bands."""
    helpers = light_curve_helpers()
    register_passbands()
    epochs, targets = helpers.draw_sample(helpers.sncosmo_salt3(), _DRAWN, seed=11)
    return read_lightcurves(epochs, targets=targets, origin="simulated")


def _repeated(lcs: LightCurves, n: int) -> LightCurves:
    """The same under other names, until there are `n`."""

    def renamed(table: pa.Table, turn: int) -> pa.Table:
        names = pa.array([f"{name}-{turn}" for name in table["sn"].to_pylist()])
        return table.set_column(0, table.schema.field(0), names)

    turns = range(-(-n // len(lcs.targets)))
    table = pa.concat_tables([renamed(lcs.table, turn) for turn in turns])
    targets = pa.concat_tables([renamed(lcs.targets.table, turn) for turn in turns])
    many = replace(lcs, table=table, targets=replace(lcs.targets, table=targets))
    return many.select_targets(np.arange(n))


def _run(what: str, folders: tuple[Path, ...], out: Path, *options: str) -> tuple[float, float]:
    """CPU [s] and peak memory [GB] of one fit."""
    command = [sys.executable, "-m", "chandelle", "fit-lightcurves", *map(str, folders)]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "-o", str(out), *options], stdout=subprocess.PIPE, text=True
    )
    said = process.stdout.read() if process.stdout else ""
    _, code, usage = os.wait4(process.pid, 0)
    if code:
        raise SystemExit(f"fit-lightcurves failed on {what}")
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
    print(
        f"{what:34} {cpu:6.1f} CPU s, {time.perf_counter() - start:6.1f} s, {peak:.2f} GB", end=""
    )
    print(f"; {said.split(',')[0].strip()}")
    return cpu, peak


def _write(folder: Path, n: int) -> None:
    """Write the sets that are fitted."""
    many = _repeated(_drawn(), n)
    many.select_targets(np.arange(10)).write(folder / "few")
    many.select_targets(np.arange(n // 4)).write(folder / "quarter")
    many.select_targets(np.arange(n // 4, n)).write(folder / "rest")
    many.write(folder / "whole")
    many.select(np.argsort(many["mjd"], kind="stable")).write(folder / "mixed")


def main() -> None:
    """Write the sets, fit each, print what it took."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else _N
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "fits.parquet"
        os.environ["CHANDELLE_CACHE"] = f"{name}/cache"
        # By a process of its own: the peak of a child is never below what its parent holds.
        writer = get_context("spawn").Process(target=_write, args=(folder, n))
        writer.start()
        writer.join()
        _run("10, nothing compiled before", (folder / "few",), out)
        _run("10, compiled before", (folder / "few",), out)
        _, peak_quarter = _run(f"{n // 4}", (folder / "quarter",), out)
        cpu, peak = _run(f"{n}", (folder / "whole",), out)
        _run(f"{n}, in two folders", (folder / "quarter", folder / "rest"), out)
        _run(f"{n}, in order of time", (folder / "mixed",), out)
        _run(f"{n}, with model covariance", (folder / "whole",), out, "--model-cov")
        _run(f"{n}, with derivatives", (folder / "whole",), out, "--derivatives")
    print(f"{n}: {cpu:.1f} of {_CPU_S:.0f} CPU s, {peak:.2f} of {_PEAK_GB:.0f} GB")
    print(f"peak memory of {n} over that of {n // 4}: {peak / peak_quarter:.2f}")


if __name__ == "__main__":
    main()
