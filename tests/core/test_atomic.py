"""A write is whole or absent; what the dead leave of one goes, what others are at stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chandelle.core import atomic
from chandelle.core.atomic import atomic_file, atomic_folder, remove_leftovers, sweep_leftovers
from chandelle.core.errors import InputError

HERE = atomic._here()
DAY_S = 86_400.0


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


def test_a_write_leaves_the_umask_of_other_threads_alone(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "umask")
    with atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("x")
    with atomic_folder(tmp_path / "d") as folder:
        (folder / "x").write_text("x")
    assert _names(tmp_path) == ["a", "d"]


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_folder_is_open_as_the_umask_says(tmp_path, mask):
    umask = os.umask(mask)
    try:
        with atomic_folder(tmp_path / "d") as folder:
            (folder / "x").write_text("x")
    finally:
        os.umask(umask)
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o777 & ~mask


def test_every_file_and_folder_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced: list[tuple[str, bool]] = []
    path = tmp_path / "d"

    def note(where: Path) -> None:
        name = "/".join(where.relative_to(tmp_path).parts[1:]) if where != tmp_path else ".."
        synced.append((name, path.exists()))

    monkeypatch.setattr(atomic, "_sync", note)
    with atomic_folder(path) as folder:
        (folder / "sub" / "deep").mkdir(parents=True)
        (folder / "f").write_text("x")
        (folder / "sub" / "deep" / "g").write_text("y")
    before = [name for name, is_there in synced if not is_there]
    assert sorted(before) == ["", "f", "sub", "sub/deep", "sub/deep/g"]
    assert before.index("sub/deep/g") < before.index("sub/deep") < before.index("sub")
    assert before[-1] == ""
    assert synced[-1] == ("..", True)


@pytest.fixture(scope="module")
def dead() -> int:
    """Number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def leave(folder: Path, name: str, host: str, pid: int, *, age_s: float = 0, end="tmp") -> Path:
    path = folder / f".{name}.{host}-{pid}.0a1b.{end}"
    path.touch()
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    return path


def test_a_second_try_removes_what_the_dead_left_of_its_output_alone(tmp_path, dead):
    gone = [
        leave(tmp_path, "a.txt", HERE, dead),
        leave(tmp_path, "a.txt", "other-node", 1, age_s=2 * DAY_S),
        leave(tmp_path, "b.txt", HERE, dead),
    ]
    kept = [
        leave(tmp_path, "a.txt", HERE, os.getpid()),
        leave(tmp_path, "a.txt", "third-node", 1),
        leave(tmp_path, "a.txt.txt", HERE, dead),
        leave(tmp_path, "c.txt", HERE, dead),
    ]
    assert remove_leftovers(tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "no" / "x") == 3
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert not any(path.exists() for path in gone)


def test_the_end_of_a_step_removes_what_other_machines_left(tmp_path, dead):
    (tmp_path / "a.txt").touch()
    folder = tmp_path / f".d.{HERE}-{dead}.0a1b.tmp"
    (folder / "sub").mkdir(parents=True)
    for name, host, pid, age_s in [
        ("a.txt", "n1", 7, 0),
        ("lost.txt", "n1", 7, 2 * DAY_S),
        ("b.txt", HERE, dead, 0),
    ]:
        leave(tmp_path, name, host, pid, age_s=age_s)
    kept = [
        leave(tmp_path, "a.txt.b", "n1", 7),
        leave(tmp_path, "b.txt", "n1", 7, age_s=DAY_S / 2),
        leave(tmp_path, "a.txt", HERE, os.getpid()),
        tmp_path / "a.txt",
        tmp_path / ".bashrc",
        tmp_path / ".a.txt.swp",
    ]
    for path in kept:
        path.touch()
    assert sweep_leftovers(tmp_path, {"a.txt"}) == 4
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert sweep_leftovers(tmp_path / "none", ()) == 0


def test_a_machine_with_dots_in_its_name_is_told_from_the_name(tmp_path, monkeypatch, dead):
    monkeypatch.setattr(atomic.platform, "node", lambda: "n1.in2p3.fr")
    left = tmp_path / atomic.temporary_name("a.b.txt").replace(f"-{os.getpid()}.", f"-{dead}.")
    left.touch()
    assert remove_leftovers(tmp_path / "a.b.txt.n1", tmp_path / "a") == 0
    assert remove_leftovers(tmp_path / "a.b.txt") == 1


def test_the_last_copy_of_an_older_folder_stays(tmp_path, dead):
    aside = leave(tmp_path, "d", HERE, dead, end="old")
    assert sweep_leftovers(tmp_path, {"d"}) == 0
    assert aside.exists()
    (tmp_path / "d").mkdir()
    assert sweep_leftovers(tmp_path, {"d"}) == 1


def test_age_is_by_the_clock_of_the_disk(tmp_path, monkeypatch):
    left = leave(tmp_path, "a.txt", "n1", 7)
    ahead = left.stat().st_mtime + 365 * DAY_S
    monkeypatch.setattr("time.time", lambda: ahead)
    assert sweep_leftovers(tmp_path, ()) == 0
    os.utime(left, (ahead - 366.5 * DAY_S, ahead - 366.5 * DAY_S))
    assert sweep_leftovers(tmp_path, ()) == 1


def test_a_folder_is_read_once_whatever_is_in_it(tmp_path, monkeypatch):
    for number in range(20):
        leave(tmp_path, f"{number}", "n1", 7)
    reads = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda where: (reads.append(where), scandir(where))[1])
    assert sweep_leftovers(tmp_path, {str(number) for number in range(20)}) == 20
    assert reads == [tmp_path]


def test_a_folder_that_is_written_to_deep_inside_is_not_old(tmp_path):
    folder = tmp_path / ".d.elsewhere-1.0a1b.tmp"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "now").touch()
    for path in (folder, folder / "deep"):
        os.utime(path, (0.0, 0.0))
    assert sweep_leftovers(tmp_path, ()) == 0
    os.utime(folder / "deep" / "now", (0.0, 0.0))
    assert sweep_leftovers(tmp_path, ()) == 1
