"""A place that takes no answer is named before the work begins."""

import pytest

from chandelle.cli.outputs import check_file, check_folder
from chandelle.core.errors import InputError


def test_good_places(tmp_path):
    check_file(tmp_path / "new" / "fits.parquet")
    check_folder(tmp_path / "new" / "diagram")
    check_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "is a folder"),
        ("fits.csv", r"got \.csv; give .*fits\.parquet"),
        ("fits", "got no suffix"),
        ("file/fits.parquet", "file is a file"),
    ],
)
def test_no_place_for_a_file(tmp_path, name, says):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=says):
        check_file(tmp_path / name)


@pytest.mark.parametrize("name", ["file", "file/diagram"])
def test_no_place_for_a_folder(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        check_folder(tmp_path / name)


def test_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr("chandelle.cli.outputs.os.access", lambda *_: False)
    with pytest.raises(InputError, match="takes no files; write elsewhere"):
        check_folder(tmp_path / "diagram")


@pytest.mark.parametrize(
    "command", [("standardize", "x"), ("cosmology", "x"), ("fit-lightcurves", "x")]
)
def test_commands_ask_first(run, tmp_path, command):
    (tmp_path / "file").touch()
    done = run(*command, "-o", tmp_path / "file" / "a.parquet")
    assert done.code == 2
    assert "file is a file, expected a folder" in done.err


@pytest.mark.parametrize("command", ["demo", "simulate"])
def test_chains_ask_first(run, tmp_path, command):
    (tmp_path / "file").touch()
    done = run(command, tmp_path / "file")
    assert done.code == 2
    assert "is a file, expected a folder" in done.err
