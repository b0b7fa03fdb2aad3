"""The doctor finds what is broken."""

import re
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from distributed import LocalCluster

import chandelle
from chandelle.cli import checks, place_checks
from chandelle.compute.programs import processor_signature


def test_a_sound_installation(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CHANDELLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    result = run("doctor")
    assert result.code == 0, result.out
    assert "all is well" in result.out
    assert "FAIL" not in result.out
    for word in ("jax", "float64", "cpu", "cores", "files intact"):
        assert word in result.out


def test_a_damaged_file(run, tmp_path, monkeypatch):
    kept = checks.files("chandelle.instrument")
    shutil.copytree(kept / "data", tmp_path / "data")
    monkeypatch.setattr(checks, "files", lambda _: tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run("doctor").code == 0
    damaged = tmp_path / "data" / "passbands" / "ztfg.dat"
    damaged.write_text(damaged.read_text().replace("5", "6", 1))
    (tmp_path / "data" / "vega.npz").unlink()
    result = run("doctor")
    assert result.code == 1
    (line,) = [line for line in result.out.splitlines() if line.startswith("FAIL")]
    assert "passbands/ztfg.dat" in line
    assert "vega.npz" in line
    assert "1 of" in result.out.splitlines()[-1]


def test_folders_that_take_no_files(run, tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    monkeypatch.setenv("CHANDELLE_CACHE", str(in_the_way / "cache"))
    monkeypatch.chdir(tmp_path)
    result = run("doctor")
    assert result.code == 1
    assert "FAIL cache" in result.out


def test_what_the_cache_holds(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CHANDELLE_CACHE", "off")
    assert "off" in line_of(run("doctor"), "cache")
    monkeypatch.setenv("CHANDELLE_CACHE", str(tmp_path))
    for name, size in (("xla/" + processor_signature(), 2_500_000), ("numba/a", 700_000)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "program").write_bytes(b"x" * size)
    said = line_of(run("doctor"), "cache")
    assert "programs of XLA 2.5 MB, of numba 0.7 MB" in said
    assert str(tmp_path) in said


def test_only_fetching_uses_the_network():
    package = Path(chandelle.__file__).parent
    clients = re.compile(r"^\s*(?:import|from) (?:urllib|http|requests|aiohttp|httpx|ftplib)", re.M)
    found = {path.name for path in package.rglob("*.py") if clients.search(path.read_text())}
    assert found == {"download.py", "failures.py"}  # the latter knows their errors by name


def test_old_leap_seconds_are_told(run, monkeypatch):
    monkeypatch.setattr(place_checks, "_LEAP_SECONDS", timedelta(days=99_999))
    assert "upgrade astropy-iers-data" in line_of(run("doctor"), "network")


@pytest.mark.parametrize("error", [ImportError("no module"), ValueError("bad")])
def test_a_check_that_breaks_does_not_stop_the_others(run, monkeypatch, error):
    def broken():
        raise error

    monkeypatch.setitem(checks._CHECKS, "devices", broken)
    result = run("doctor")
    assert result.code == 1
    assert f"FAIL devices           {type(error).__name__}: {error}" in result.out
    assert "ok   arithmetic" in result.out


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def line_of(result, name):
    return next(line for line in result.out.splitlines() if line[5:].startswith(name))


def test_where_work_can_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("doctor")
    assert "cc-in2p3, gpu, laptop" in line_of(result, "profiles")
    assert "none here" in line_of(result, "Slurm")
    assert "GB free" in line_of(result, "memory")
    assert "not needed" in line_of(result, "network")
    assert f"none in {tmp_path}" in line_of(result, "profiles")
    program(tmp_path, "sinfo", "echo htc up; echo gpu down")
    result = run("doctor", "--on", "slurm:cc-in2p3")
    assert "htc up, gpu down" in line_of(result, "Slurm")
    assert "partition htc is up" in line_of(result, "slurm:cc-in2p3")
    program(tmp_path, "sinfo", "echo flash up")
    assert "FAIL slurm:cc-in2p3" in run("doctor", "--on", "slurm:cc-in2p3").out
    program(tmp_path, "sinfo", "echo 'Unable to contact slurm controller' >&2; exit 1")
    assert "Unable to contact" in line_of(run("doctor"), "Slurm")
    result = run("doctor", "--on", "slurm-array:cc-in2p3")
    assert result.code == 1
    assert "Unable to contact" in line_of(result, "slurm-array")
    (tmp_path / "chandelle" / "profiles").mkdir(parents=True)
    (tmp_path / "chandelle" / "profiles" / "big.toml").write_text("kind = 'slurm'")
    assert f"big in {tmp_path}" in line_of(run("doctor"), "profiles")
    (tmp_path / "chandelle" / "profiles" / "mine.toml").write_text("kind = 'sun'")
    assert "mine.toml" in line_of(run("doctor"), "profiles")


def test_a_scheduler_that_answers_and_one_that_does_not(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as cluster:
        address = cluster.scheduler_address
        assert "answers, with 1 workers" in run("doctor", "--on", address).out
    monkeypatch.setattr("chandelle.cli.place_checks._TIMEOUT_S", 0.5)
    result = run("doctor", "--on", address)
    assert result.code == 1
    assert "does not answer" in result.out
