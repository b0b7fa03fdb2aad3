"""The doctor finds what is broken."""

import shutil

import pytest

from chandelle.cli import checks


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


@pytest.mark.parametrize("error", [ImportError("no module"), ValueError("bad")])
def test_a_check_that_breaks_does_not_stop_the_others(run, monkeypatch, error):
    def broken():
        raise error

    monkeypatch.setitem(checks._CHECKS, "devices", broken)
    result = run("doctor")
    assert result.code == 1
    assert f"FAIL devices           {type(error).__name__}: {error}" in result.out
    assert "ok   arithmetic" in result.out
