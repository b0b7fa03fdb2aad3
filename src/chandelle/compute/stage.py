"""A stage as tasks: what it reads and writes, its settings, and how it plans its work in steps."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from chandelle.compute.known import KnownIdentities
from chandelle.compute.ledger import Ledger
from chandelle.compute.receipt import Receipt
from chandelle.compute.task import Task
from chandelle.core.config import StageConfig
from chandelle.core.errors import ChandelleError

_AT_ONCE = 20_000
"""Receipts that are held at once: 100 MB or so."""


class NotReadyError(ChandelleError):
    """A step cannot be planned: what it reads is not there yet."""


class Home:
    """The folder of a run, as planners see it.

    Parameters
    ----------
    folder : Path
        Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known = KnownIdentities(folder)

    def inputs(self, *paths: str | Path) -> dict[str, str]:
        """Identities of what a task reads.

        Raises
        ------
        NotReadyError
            If one is not there.
        """
        for path in paths:
            if not (self.folder / path).exists():
                raise NotReadyError(f"{self.folder / path} is not there")
        return self._known.inputs(paths)

    def receipt_of(self, task: Task) -> Receipt:
        """Receipt of a finished task of an earlier step.

        Raises
        ------
        NotReadyError
            If it is not finished.
        """
        receipt = Ledger(self.folder, task.stage).read(task.id)
        if receipt is None or not receipt.is_done:
            raise NotReadyError(f"{task.stage} {task.key} is not done")
        return receipt

    def receipts_of(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Receipt | None]]:
        """Tasks of an earlier step, each with its receipt; None for one that is not done.

        Much faster than one by one, where receipts were gathered into a manifest.
        """
        waiting = iter(tasks)
        while some := list(islice(waiting, _AT_ONCE)):
            found = Ledger(self.folder, some[0].stage).read_many(task.id for task in some)
            for task in some:
                receipt = found.get(task.id)
                yield task, receipt if receipt is not None and receipt.is_done else None


class Plan(Sequence[Task]):
    """Tasks that are made when they are asked for, so that many take no memory.

    Parameters
    ----------
    make : callable
        Gives the task of a number.
    count : int
        How many there are.
    """

    def __init__(self, make: Callable[[int], Task], count: int) -> None:
        self._make, self._count = make, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self._make(k) for k in range(self._count)[number]]
        return self._make(range(self._count)[number])

    def __iter__(self) -> Iterator[Task]:
        return map(self._make, range(self._count))


Planner = Callable[[Home, Any], Sequence[Task]]
"""Plans the tasks of one step from the folder and the settings of the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of the chain.

    Parameters
    ----------
    name : str
        That of its command.
    writes : str
        Its product, a path in the folder of the run.
    config : type
        Its settings.
    steps : mapping of str to callable
        Planners by the name of the step, which is that of its receipts. The tasks of a step are
        independent of each other; those of the next read what they wrote.
    """

    name: str
    writes: str
    config: type[StageConfig]
    steps: Mapping[str, Planner]
