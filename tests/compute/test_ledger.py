"""Receipts that are cut, gathered, written by others meanwhile, or asked for by the thousand."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_tasks import drive, task

from chandelle.compute import manifest, stage
from chandelle.compute.ledger import Ledger
from chandelle.compute.receipt import Receipt

TASKS = [task(k) for k in range(6)]
IDS = [one.id for one in TASKS]


@pytest.fixture
def gathered(tmp_path) -> Ledger:
    """Receipts of all tasks but the last in a manifest, that of the last a file."""
    drive(tmp_path, TASKS[:5])
    ledger = Ledger(tmp_path, "squares")
    assert ledger.compact(beyond=0) == 5
    drive(tmp_path, TASKS)
    return ledger


def manifests(ledger: Ledger) -> list[Path]:
    return sorted(ledger.folder.glob("manifest-*.parquet"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("hurt", [cut, lambda path: path.write_bytes(b"")])
def test_a_manifest_that_cannot_be_read_does_not_count(gathered, tmp_path, caplog, hurt):
    hurt(manifests(gathered)[0])
    assert list(gathered.entries()) == [IDS[5]]
    assert [receipt.id for receipt in gathered.receipts()] == [IDS[5]]
    assert gathered.read(IDS[0]) is None
    assert list(gathered.read_many(IDS)) == [IDS[5]]
    assert caplog.text.count("count as not done") == 1
    tally = drive(tmp_path, TASKS)
    assert (tally.done, tally.skipped) == (5, 1)
    assert drive(tmp_path, TASKS).skipped == 6


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_group_that_cannot_be_read_does_not_count_and_the_others_do(
    gathered, tmp_path, caplog, column
):
    [file] = manifests(gathered)
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(column)
    content = bytearray(file.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + 40] = b"\xff" * 40
    file.write_bytes(content)
    lost, *kept = sorted(IDS[:5])
    assert gathered.entries().keys() == gathered.read_many(IDS).keys() == {*kept, IDS[5]}
    assert {receipt.id for receipt in gathered.receipts()} == {*kept, IDS[5]}
    assert (gathered.read(lost), gathered.read(kept[0]).is_done) == (None, True)
    assert caplog.text.count("count as not done") == 1
    tally = drive(tmp_path, TASKS)
    assert (tally.done, tally.skipped) == (1, 5)
    gathered.forget([kept[0]])
    assert gathered.entries().keys() == {lost, *kept[1:], IDS[5]}


def test_forgetting_puts_a_manifest_aside_that_cannot_be_read(gathered):
    cut(manifests(gathered)[0])
    gathered.forget([IDS[1]])
    assert manifests(gathered) == []
    assert list(gathered.folder.glob("unreadable-manifest-*"))
    assert list(gathered.entries()) == [IDS[5]]


def test_a_table_of_another_kind_is_no_manifest(gathered, caplog):
    other = gathered.folder / "manifest-other.parquet"
    pq.write_table(pa.table({"sn": ["a"]}), other)
    assert gathered.entries().keys() == set(IDS)
    assert gathered.read("absent") is None
    assert "manifest-other.parquet" in caplog.text


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: set(ledger.entries()),
        lambda ledger: {receipt.id for receipt in ledger.receipts()},
        lambda ledger: set(ledger.read_many(IDS)),
    ],
)
def test_a_manifest_written_anew_while_it_is_read_loses_nothing(gathered, monkeypatch, ask):
    """Another driver forgets a task between the look into the folder and the look into the file."""
    opened = pq.ParquetFile

    def slow(file: Path, **how) -> object:
        monkeypatch.undo()
        manifest.remove_receipts(file, {IDS[0]})
        assert not file.exists()
        return opened(file, **how)

    monkeypatch.setattr(pq, "ParquetFile", slow)
    assert ask(gathered) == set(IDS[1:])


def test_receipts_gathered_while_they_are_counted_are_counted(tmp_path, monkeypatch):
    drive(tmp_path, TASKS)
    ledger, other = Ledger(tmp_path, "squares"), Ledger(tmp_path, "squares")
    paths = ledger._paths

    def interrupted() -> Iterator[Path]:
        yield next(walk := paths())
        other.compact(beyond=0)
        yield from walk

    monkeypatch.setattr(ledger, "_paths", interrupted)
    assert ledger.entries().keys() == set(IDS)


def test_a_file_counts_before_a_manifest(gathered):
    failed = replace(gathered.read(IDS[0]), status="failed", reason="lost")
    path = gathered.path_of(IDS[0])
    path.parent.mkdir(exist_ok=True)
    path.write_text(failed.to_json())
    assert gathered.entries()[IDS[0]].outcome == "lost"
    assert gathered.read_many(IDS)[IDS[0]] == failed


def test_a_failure_never_takes_the_place_of_a_gathered_success(gathered):
    gathered.write(replace(gathered.read(IDS[0]), status="failed", reason="lost"))
    assert gathered.read(IDS[0]).is_done
    assert gathered.entries()[IDS[0]].outcome == "done"


def test_many_are_read_as_each_is(gathered):
    asked = [IDS[5], "absent", *IDS[1:4], IDS[1]]
    expected = {name: gathered.read(name) for name in asked if name != "absent"}
    assert gathered.read_many(asked) == expected
    assert gathered.read_many([]) == {}
    assert gathered.read_many(["0" * 32, "f" * 32]) == {}
    assert Ledger(gathered.folder.parents[1], "unknown").read_many(IDS) == {}


def test_tasks_are_paired_with_what_is_done(gathered, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "_AT_ONCE", 2)
    path = gathered.path_of(IDS[5])
    path.write_text(replace(gathered.read(IDS[5]), status="failed", reason="data").to_json())
    plan = [*TASKS, task(99)]
    found = list(stage.Home(tmp_path).receipts_of(plan))
    assert [one for one, _ in found] == plan
    assert [receipt and receipt.id for _, receipt in found] == [*IDS[:5], None, None]


def test_an_entry_more_is_no_matter_and_one_less_is(gathered, tmp_path, caplog):
    path = gathered.path_of(IDS[5])
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"energy_j": 3.0}))
    assert gathered.read(IDS[5]) == Receipt.from_json(json.dumps(values))
    assert drive(tmp_path, TASKS).skipped == 6
    assert caplog.text == ""
    del values["wall_s"]
    path.write_text(json.dumps(values))
    assert gathered.read(IDS[5]) is None
    assert "not a whole receipt: wall_s is missing" in caplog.text
    path.write_text(json.dumps(values | {"schema": 2}))
    assert gathered.read(IDS[5]) is None
    assert "of another version than 1" in caplog.text
