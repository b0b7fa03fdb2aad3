"""``chandelle verify``: is every output still what its task wrote."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from chandelle.compute.identity import identity_of
from chandelle.compute.ledger import Ledger, stages_in
from chandelle.compute.receipt import Receipt
from chandelle.core.errors import InputError
from chandelle.core.threads import cores

_AHEAD = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An output that is not what its receipt says.

    Parameters
    ----------
    step, key, id : str
        The task.
    path : str
        The output.
    found : str
        What is there now, in words.
    """

    step: str
    key: str
    id: str
    path: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was looked at, and what is broken.

    Parameters
    ----------
    n_tasks, n_bytes : int
        Finished tasks whose outputs were read, and their size.
    broken : tuple of Broken
        Outputs that differ.
    """

    n_tasks: int
    n_bytes: int
    broken: tuple[Broken, ...]


def verify(
    folder: str | Path,
    *,
    forget: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Read every output again and compare it with the receipt of its task.

    Parameters
    ----------
    folder : str or Path
        Of a run.
    forget : bool
        Remove the receipts of broken outputs, so that the next run makes them again.
    progress : callable, optional
        Is told how many tasks were looked at, and how many there are.

    Returns
    -------
    Verdict
        With the outputs that are gone, cut off or changed.

    Raises
    ------
    InputError
        If there are no receipts.
    """
    folder = Path(folder)
    ledgers = [Ledger(folder, step) for step in stages_in(folder)]
    if not ledgers:
        raise InputError(f"{folder}: expected the folder of a run, found no receipts in it")
    total = sum(len(ledger.entries()) for ledger in ledgers)
    seen = n_tasks = n_bytes = 0
    broken: list[Broken] = []
    with ThreadPoolExecutor(len(cores())) as pool:
        for ledger in ledgers:
            waiting = ledger.receipts()
            while some := list(islice(waiting, _AHEAD)):
                done = [receipt for receipt in some if receipt.is_done]
                for found in pool.map(partial(_broken_of, folder), done):
                    broken += found
                seen, n_tasks = seen + len(some), n_tasks + len(done)
                n_bytes += sum(_size_of(receipt) for receipt in done)
                if progress is not None:
                    progress(seen, total)
    if forget:
        for ledger in ledgers:
            ledger.forget([one.id for one in broken if one.step == ledger.stage])
    return Verdict(n_tasks=n_tasks, n_bytes=n_bytes, broken=tuple(broken))


def _size_of(receipt: Receipt) -> int:
    return sum(facts["bytes"] for facts in receipt.outputs.values())


def _broken_of(folder: Path, receipt: Receipt) -> list[Broken]:
    """Outputs of a task that differ from its receipt."""
    task = {"step": receipt.stage, "key": receipt.key, "id": receipt.id}
    return [
        Broken(path=path, found=found, **task)
        for path, facts in receipt.outputs.items()
        for found in _differences(folder / path, facts)
    ]


def _differences(path: Path, facts: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with an output, if anything."""
    try:
        found = identity_of(path)
    except InputError:
        yield "is gone"
    except OSError as error:
        yield f"cannot be read: {error.strerror}"
    else:
        if found.size != facts["bytes"]:
            yield f"has {found.size} bytes, its task wrote {facts['bytes']}"
        elif found.sha256 != facts["sha256"]:
            yield "has the size that its task wrote, but another content"
