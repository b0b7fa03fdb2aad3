"""A write is whole or absent."""

import os
from pathlib import Path

import pytest

from chandelle.core.atomic import atomic_file, atomic_folder
from chandelle.core.errors import InputError


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert _names(path.parent) == ["a.txt"]


def test_file_is_readable_as_the_umask_says(tmp_path):
    umask = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "a") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(umask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="cut"), atomic_file(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("cut")
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_folder_replaces_the_old_one(tmp_path):
    path = tmp_path / "d"
    (path / "sub").mkdir(parents=True)
    (path / "sub" / "stale").write_text("x")
    with atomic_folder(path) as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "fresh").write_text("y")
    assert sorted(p.name for p in path.rglob("*")) == ["fresh", "sub"]
    assert _names(tmp_path) == ["d"]


def test_failed_folder_leaves_the_old_one(tmp_path):
    path = tmp_path / "d"
    path.mkdir()
    (path / "old").write_text("x")
    with pytest.raises(RuntimeError), atomic_folder(path) as temporary:
        (temporary / "half").write_text("y")
        raise RuntimeError
    assert _names(tmp_path) == ["d"]
    assert _names(path) == ["old"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_name_with_dots_keeps_its_neighbors(tmp_path, kind):
    (tmp_path / "a").write_text("neighbor")
    manager = atomic_file if kind == "file" else atomic_folder
    with manager(tmp_path / "a.b.c") as temporary:
        if kind == "file":
            temporary.write_text("x")
    assert _names(tmp_path) == ["a", "a.b.c"]


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path):
    path = tmp_path / "thesis"
    path.mkdir()
    (path / "chapter").write_text("x")
    with pytest.raises(InputError, match="chapter"), atomic_folder(path) as temporary:
        (temporary / "epochs").write_text("y")
    assert _names(path) == ["chapter"]
    with pytest.raises(InputError, match="is a file"), atomic_folder(path / "chapter"):
        pass
    assert _names(tmp_path) == ["thesis"]
    assert _names(path) == ["chapter"]
