"""What a scaling says, and how it is kept."""

from dataclasses import replace

import pytest
from made_scaling import made_scaling

from chandelle.compute.profile import Profile
from chandelle.compute.scaling_result import Scaling
from chandelle.compute.scaling_size import Measurement
from chandelle.compute.scaling_text import memory, seconds, span
from chandelle.core.errors import InputError

SITE = Profile(kind="slurm", partition="htc", memory_gb=(4.0, 16.0), walltime_min=60.0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 µs"),
        (3.21e-5, "32.1 µs"),
        (0.25, "250 ms"),
        (12.34, "12.3 s"),
        (600.0, "10 min"),
        (7200.0, "2 h"),
        (3e5, "3.47 d"),
        (9e9, "285 yr"),
    ],
)
def test_times_in_words(value, words):
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0.0123, "12.3 MB"), (2.0, "2 GB"), (2500.0, "2.5 TB"), (3e6, "3 PB")]
)
def test_memories_in_words(value, words):
    assert memory(value) == words


def test_spans_name_their_unit_once():
    law = made_scaling().law("cpu_s")
    assert span(law.predict(1000)).endswith(" s)")
    assert span(law.predict(1000)).count(" s") == 2


def test_the_projection_of_a_known_law():
    found = made_scaling(2.0, seconds_at_100=0.01, gb_at_100=0.001)
    lsst = found.project(400_000)
    assert lsst.factor == pytest.approx(400 / 3)
    assert lsst.cpu_s.low < 0.01 * 4000.0**2 < lsst.cpu_s.high
    assert lsst.wall_s.low < 0.011 * 4000.0**2 < lsst.wall_s.high
    assert lsst.peak_gb.low < 0.1 + 0.001 * 4000.0**2 < lsst.peak_gb.high
    assert lsst.cpu_s.low95 < lsst.cpu_s.low < lsst.cpu_s.median


def test_the_report_of_what_does_not_fit():
    text = made_scaling(2.0, first_s=3.0).report()
    lines = text.splitlines()
    assert lines[0] == "my.py:func: 1 thread on here (2 cores, 24 GB)"
    assert lines[2].split() == ["N", "CPU", "wall", "first", "call", "memory"]
    assert lines[3].split() == ["100", "1", "s", "1.1", "s", "4", "s", "110", "MB"]
    assert "CPU time grows as N^p, p = 2.00 ± 0.01" in lines
    assert "memory grows as N^p, p = 2.00 ±" in text
    assert "beside 100 MB at any size (100 MB after the imports)" in text
    assert "ztf             40 000   44.4 h (4" in text
    assert "the first call takes 3 s more" in text
    assert "lsst is 133 times the largest size measured, 3 000" in text
    assert "ztf is" not in text
    assert "lsst: 160 TB of memory is more than this machine has, 24 GB" in text
    assert repr(made_scaling(2.0, first_s=3.0)) == text


def test_what_was_compiled_and_kept_is_told():
    text = made_scaling(first_s=1.0, cold_s=30.0).report()
    assert "the very first one took 30 s" in text


def test_a_quiet_report_has_no_remarks():
    text = made_scaling(sizes=(3000, 10_000, 30_000), gb_at_100=1e-4).report()
    assert "- " not in text


def test_other_targets():
    text = made_scaling().report(targets={"des": 2000})
    assert "des            2 000   20 s (" in text
    assert "lsst" not in text


@pytest.mark.parametrize(
    ("n", "line"),
    [
        (3000, "a on htc: 1 job of 60 min and 4 GB"),
        (60_000, "a on htc: 1 job of 60 min and 16 GB"),
        (
            400_000,
            "a on htc: 2 jobs of 60 min, if it can be divided evenly; 16 GB, its largest, do not",
        ),
    ],
)
def test_jobs_of_a_site(n, line):
    found = made_scaling(seconds_at_100=1.0, gb_at_100=0.01)
    assert line in found.report(targets={"a": n}, profile=SITE)


def test_the_largest_size_that_a_job_takes():
    found = made_scaling()
    assert found.largest(400_000) == 400_000
    assert found.largest(400_000, cpu_s=1e-9) == 0
    held = found.largest(400_000, peak_gb=15.75)
    assert found.law("peak_gb").predict(held).high95 < 15.75
    assert found.law("peak_gb").predict(1.02 * held).high95 > 15.75
    text = found.report(targets={"a": 400_000}, profile=SITE)
    assert f"htc: one job of 60 min and 16 GB takes N = {held:,} at most".replace(",", " ") in text


def test_a_power_that_is_not_settled_is_told():
    rows = made_scaling().measurements
    last = replace(rows[-1], cpu_runs=(90.0, 90.0, 90.0))
    text = str(replace(made_scaling(), measurements=(*rows[:-1], last)))
    assert "between the two largest sizes CPU time grows as N^2.00" in text


def test_waiting_is_told():
    rows = made_scaling().measurements
    last = replace(rows[-1], wall_runs=(96.0, 93.0, 99.0))
    text = str(replace(made_scaling(), measurements=(*rows[:-1], last)))
    assert "wall time is up to 3.1 times CPU time: it waits" in text


def test_what_does_not_grow_is_told():
    text = str(made_scaling(0.0))
    assert "CPU time does not grow up to N = 3 000" in text
    assert "memory that does not grow yet may do so later" in text


@pytest.mark.parametrize("name", ["found.json", "found.parquet"])
def test_a_scaling_is_kept(tmp_path, name):
    failed = Measurement(n=10_000, status="killed", reason="its process died")
    found = made_scaling(1.5)
    found = replace(found, measurements=(*found.measurements, failed))
    found.write(tmp_path / name)
    back = Scaling.read(tmp_path / name)
    assert str(back) == str(found)
    assert back.measurements[:-1] == found.measurements[:-1]
    assert back.measurements[-1].reason == failed.reason


def test_the_table():
    frame = made_scaling().to_pandas()
    assert frame["n"].tolist() == [100, 300, 1000, 3000]
    assert frame["cpu_s"].tolist() == [1.0, 3.0, 10.0, 30.0]
    assert frame["wall_s"][0] == pytest.approx(1.1)


def test_files_that_hold_no_scaling(tmp_path):
    found = made_scaling()
    with pytest.raises(InputError, match=r"ends in \.json or \.parquet"):
        found.write(tmp_path / "found.csv")
    for text in ("[]", "{}", "no JSON", '{"measurements": [{"n": 1}]}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match="expected measurements of chandelle"):
            Scaling.read(tmp_path / "bad.json")
    made_scaling().to_pandas().to_parquet(tmp_path / "bare.parquet")
    with pytest.raises(InputError, match="expected measurements of chandelle"):
        Scaling.read(tmp_path / "bare.parquet")


def test_costs_and_profiles_that_are_none():
    with pytest.raises(InputError, match="expected cpu_s, wall_s or peak_gb"):
        made_scaling().law("money")
    with pytest.raises(InputError, match="profile nowhere: expected one of"):
        made_scaling().report(profile="nowhere")
