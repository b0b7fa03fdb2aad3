"""What identifies inputs: all content, through links too, and what is remembered of it."""

import os
from pathlib import Path

import pytest

from chandelle.compute.identity import identity_of
from chandelle.compute.known import KnownIdentities


@pytest.fixture
def linked(tmp_path) -> tuple[Path, Path]:
    """A folder with a link to another, and a file in that."""
    tree, real = tmp_path / "tree", tmp_path / "real"
    tree.mkdir()
    (real / "deep").mkdir(parents=True)
    (tree / "own.txt").write_text("own")
    (real / "deep" / "a.txt").write_text("1")
    (tree / "part").symlink_to(real)
    return tree, real / "deep" / "a.txt"


def test_a_file_behind_a_linked_folder_is_content(linked):
    tree, file = linked
    before = identity_of(tree)
    assert (before.n_files, before.size) == (2, 4)
    file.write_text("2")
    after = identity_of(tree)
    assert after.sha256 != before.sha256


def test_a_change_behind_a_linked_folder_is_noticed_by_what_is_known(linked, tmp_path):
    _, file = linked
    before = KnownIdentities(tmp_path).inputs(["tree"])
    assert KnownIdentities(tmp_path).inputs(["tree"]) == before
    file.write_text("more than before")
    assert KnownIdentities(tmp_path).inputs(["tree"]) != before


def test_a_link_is_as_good_as_a_copy(linked, tmp_path):
    tree, _ = linked
    copy = tmp_path / "copy"
    (copy / "part" / "deep").mkdir(parents=True)
    (copy / "own.txt").write_text("own")
    (copy / "part" / "deep" / "a.txt").write_text("1")
    assert identity_of(copy) == identity_of(tree)


def test_links_that_lead_back_end(linked):
    tree, _ = linked
    before = identity_of(tree)
    (tree / "part" / "deep" / "up").symlink_to(tree)
    (tree / "here").symlink_to(".")
    assert identity_of(tree) == before
    (tree / "twice").symlink_to(tree / "part")
    assert identity_of(tree).n_files == 3


def test_temporary_files_are_not_content(linked):
    tree, _ = linked
    before = identity_of(tree)
    (tree / ".own.txt.node-1.0.tmp").write_text("x")
    (tree / ".d.node-1.0.tmp").mkdir()
    (tree / ".d.node-1.0.tmp" / "x").write_text("x")
    assert identity_of(tree) == before


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"x": 5}', '{"x": [[1, 2, 3], ["a"]]}', '{"x": null}', "\xff"]
)
def test_what_is_known_is_forgotten_where_it_cannot_be_read(tmp_path, text):
    (tmp_path / "x").write_text("1")
    expected = {"x": identity_of(tmp_path / "x").sha256}
    path = tmp_path / "receipts" / "identities.json"
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    assert KnownIdentities(tmp_path).inputs(["x"]) == expected
    os.utime(tmp_path / "x", (1, 1))
    assert KnownIdentities(tmp_path).inputs(["x"]) == expected


def test_a_wrong_entry_of_what_is_known_is_hashed_again(tmp_path):
    (tmp_path / "x").write_text("1")
    known = KnownIdentities(tmp_path)
    expected = known.inputs(["x"])
    path = tmp_path / "receipts" / "identities.json"
    text = path.read_text()
    for wrong in ('["a"]', "5", '{"sha256": 1}', "[1, 2, 3]"):
        path.write_text(text.replace(text[text.rindex('["') : -2], wrong))
        assert KnownIdentities(tmp_path).inputs(["x"]) == expected
