"""All receipts of a folder: which tasks are done, which are dead letters, what each came to.

``receipts/<stage>/<first two letters>/<id>.json``, one a task, written by whoever ran it; many are
gathered into ``manifest-<number>.parquet`` beside them (`manifest`). No server, no lock: a receipt
is whole or absent, two of one task say the same, and a reader takes what it finds.
"""

import logging
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from chandelle.compute import manifest
from chandelle.compute.receipt import Receipt
from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError

_log = logging.getLogger(__name__)
COMPACT_BEYOND = 100_000
"""Receipts of a stage that lie about as files before they are gathered."""
ARRAYS = "arrays"
"""Beside the stages, what arrays of jobs and the driver tell each other."""


def stages_in(folder: Path) -> list[str]:
    """Stages that have receipts in the folder of a run."""
    home = folder / "receipts"
    if not home.is_dir():
        return []
    names = (entry.name for entry in home.iterdir() if entry.is_dir())
    return sorted(name for name in names if name != ARRAYS)


class Entry(NamedTuple):
    """What a ledger knows of a task at a glance: its key, and ``"done"`` or why it failed."""

    key: str
    outcome: str


def certain(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Leave out successes that share their key with another.

    Two drivers with other settings, at the same time in one folder, wrote the same outputs: nobody
    knows whose stand there.

    Parameters
    ----------
    entries : mapping of str to Entry
        Of a stage.

    Returns
    -------
    dict of str to Entry
        Those that can be trusted.
    """
    done = Counter(entry.key for entry in entries.values() if entry.outcome == "done")
    return {
        task_id: entry
        for task_id, entry in entries.items()
        if entry.outcome != "done" or done[entry.key] == 1
    }


class Ledger:
    """The receipts of one stage in one folder.

    Parameters
    ----------
    folder : Path
        Of the run.
    stage : str
        Its name.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self.folder = folder / "receipts" / stage
        self.stage = stage

    def path_of(self, task_id: str) -> Path:
        """Where the receipt of a task stands."""
        return self.folder / task_id[:2] / f"{task_id}.json"

    def write(self, receipt: Receipt) -> None:
        """Write a receipt; a failure never takes the place of a success."""
        if not receipt.is_done:
            former = self.read(receipt.id)
            if former is not None and former.is_done:
                return
        with atomic_file(self.path_of(receipt.id)) as temporary:
            temporary.write_text(receipt.to_json(), encoding="utf-8")

    def read(self, task_id: str) -> Receipt | None:
        """Receipt of one task; None where there is none, or not a whole one."""
        found = self._read(self.path_of(task_id))
        if found is not None:
            return found
        return self._gathered([task_id]).get(task_id)

    def read_many(self, task_ids: Iterable[str]) -> dict[str, Receipt]:
        """Receipts of tasks by id, without those that have none: what `read` says of each.

        Files are looked for in the lists of their folders, and each manifest is read once.
        """
        left = set(task_ids)
        found: dict[str, Receipt] = {}
        for path in self._paths():
            if path.stem in left:
                receipt = self._read(path)
                if receipt is not None:
                    found[receipt.id] = receipt
        found |= self._gathered(sorted(left - found.keys()))
        # A list of a folder that another machine writes to may be some seconds old.
        for task_id in left - found.keys():
            receipt = self._read(self.path_of(task_id))
            if receipt is not None:
                found[task_id] = receipt
        return found

    def _gathered(self, task_ids: list[str]) -> dict[str, Receipt]:
        """Receipts of tasks from manifests, by their ids in order."""
        found: dict[str, Receipt] = {}
        for file in manifest.files_of(self.folder) if task_ids else ():
            for receipt in manifest.find_receipts(file, task_ids):
                found.setdefault(receipt.id, receipt)
        return found

    def receipts(self) -> Iterator[Receipt]:
        """Every whole receipt, one a task: where two stand, the one that is a file."""
        seen: set[str] = set()
        for path in self._paths():
            receipt = self._read(path)
            if receipt is not None:
                seen.add(receipt.id)
                yield receipt
        for file in manifest.files_of(self.folder):
            for receipt in manifest.read_manifest(file):
                if receipt.id not in seen:
                    seen.add(receipt.id)
                    yield receipt

    def entries(self) -> dict[str, Entry]:
        """Key and outcome of every task that has a receipt, by its id.

        Files come before manifests, here and wherever both are read: what another driver gathers
        meanwhile is in its manifest before its file is gone.
        """
        found: dict[str, Entry] = {}
        for path in self._paths():
            receipt = self._read(path)
            if receipt is not None:
                outcome = "done" if receipt.is_done else receipt.reason
                found[receipt.id] = Entry(receipt.key, outcome)
        for file in manifest.files_of(self.folder):
            for task_id, key in manifest.keys_in(file):
                found.setdefault(task_id, Entry(key, "done"))
        return found

    def forget(self, task_ids: Collection[str]) -> None:
        """Remove the receipts of tasks that are to run again."""
        for task_id in task_ids:
            self.path_of(task_id).unlink(missing_ok=True)
        if task_ids:
            for file in manifest.files_of(self.folder):
                manifest.remove_receipts(file, set(task_ids))

    def compact(self, *, beyond: int = COMPACT_BEYOND) -> int:
        """Gather the receipts of finished tasks into a manifest where more than `beyond` lie about.

        Returns
        -------
        int
            How many were gathered.
        """
        shards = list(self._shards())
        if sum(len(_paths_in(shard)) for shard in shards) <= beyond:
            return 0
        done = (manifest.group_of(self._done_in(shard)) for shard in shards)
        gathered = manifest.write_manifest(self.folder, done)
        for task_id in gathered:
            self.path_of(task_id).unlink(missing_ok=True)
        return len(gathered)

    def _done_in(self, shard: Path) -> list[Receipt]:
        found = (self._read(path) for path in _paths_in(shard))
        return [receipt for receipt in found if receipt is not None and receipt.is_done]

    def _paths(self) -> Iterator[Path]:
        for shard in self._shards():
            yield from _paths_in(shard)

    def _shards(self) -> Iterator[Path]:
        """Folders of files, by the first letters of their names."""
        if self.folder.is_dir():
            with os.scandir(self.folder) as entries:
                names = sorted(entry.name for entry in entries if len(entry.name) == 2)
            yield from (self.folder / name for name in names)

    def _read(self, path: Path) -> Receipt | None:
        try:
            receipt = Receipt.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (InputError, UnicodeDecodeError) as error:
            _log.warning("%s: %s; its task counts as not done", path, error)
            return None
        if receipt.id != path.stem:
            _log.warning("%s: is the receipt of %s; it does not count", path, receipt.id)
            return None
        return receipt


def _paths_in(shard: Path) -> list[Path]:
    """Receipts that are files of one folder, in order."""
    with os.scandir(shard) as entries:
        names = sorted(entry.name for entry in entries)
    return [shard / name for name in names if name.endswith(".json") and not name.startswith(".")]
