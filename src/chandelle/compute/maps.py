"""``ch.map``: any function over many items, with receipts, resumed where it was, tried again."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chandelle.compute.drive import Driver, Policy
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import Place, open_engine
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task, canonical_json
from chandelle.compute.values import read_value, write_value
from chandelle.compute.work import function_of
from chandelle.core.errors import ChandelleError, InputError

_CALL = "chandelle.compute.maps:run_item"
_KEY_LENGTH = 20


class MapError(ChandelleError):
    """Some items have no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Stands for the result of an item that has none.

    Parameters
    ----------
    item : object
        The item.
    reason, error : str
        As its receipt says.
    """

    item: object
    reason: str
    error: str


def map(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    on: Place = "local",
    folder: str | Path = "chandelle-map",
    name: str | None = None,
    keep_failures: bool = False,
    memory_gb: float = 2.0,
    policy: Policy | None = None,
    progress: Callable[[Tally], None] | None = None,
) -> list[Any]:
    """Call a function with each item, on a laptop or a batch system; a second call resumes.

    Parameters
    ----------
    function : callable
        Takes an item. Its results are kept under its source: a changed function runs again; what
        else it uses, other functions or values around it, is not looked at.
    items : iterable
        Numbers, words, and lists or dictionaries of them: names of files rather than their content.
    on : str or dask Client
        As `open_engine` takes it.
    folder : str or Path
        Where results and receipts are kept; jobs must see it too.
    name : str, optional
        Of the work; that of the function if absent.
    keep_failures : bool
        Whether items that failed stand as `Failure` in the list, instead of an error at the end.
    memory_gb : float
        Memory that a call needs.
    policy : Policy, optional
        What is done about failures.
    progress : callable, optional
        Is told how far it is.

    Returns
    -------
    list
        One result an item, in their order.

    Raises
    ------
    MapError
        If items have no result; the others have theirs in `folder`.
    InputError
        If an item cannot be written down, or the function cannot get to the workers.

    Examples
    --------
    >>> import tempfile
    >>> import chandelle as ch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ch.map(abs, [-1, 2, -3], on="serial", folder=folder)
    [1, 2, 3]
    """
    home, stage = Path(folder), name or getattr(function, "__name__", "function")
    reference = _reference(function)
    make = partial(_task, stage=stage, reference=reference, memory_gb=memory_gb)
    tasks = [make(item, code=_code_of(function)) for item in (_plain(item) for item in items)]
    single = {task.id: task for task in tasks}
    functions = {} if reference else {_CALL: partial(run_item, function=function)}
    engine = open_engine(on, home, functions=functions)
    try:
        driver = Driver(engine, home, stage, policy=policy, report=progress)
        driver.run(single.values(), total=len(single))
    finally:
        engine.close()
    results = list(_results(home, stage, tasks))
    failed = [result for result in results if isinstance(result, Failure)]
    if failed and not keep_failures:
        first = failed[0]
        raise MapError(
            f"{stage}: {len(failed)} of {len(tasks)} items have no result, first {first.item!r}: "
            f"{first.error}; keep_failures=True gives the others"
        )
    return results


def run_item(task: Task, folder: Path, function: Callable[[Any], Any] | None = None) -> None:
    """Call the function of a task with its item, and write what it gives."""
    call = function or function_of(task.settings["function"])
    write_value(folder / task.outputs[0], call(task.settings["item"]))


def _task(item: Any, *, stage: str, reference: str, code: str, memory_gb: float) -> Task:
    text = canonical_json([item, reference, code])
    key = hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
    return Task(
        stage=stage,
        key=key,
        call=_CALL,
        outputs=(f"results/{stage}/{key[:2]}/{key}.npz",),
        settings={"item": item, "function": reference},
        code=code,
        memory_gb=memory_gb,
    )


def _results(folder: Path, stage: str, tasks: list[Task]) -> Iterator[Any]:
    ledger = Ledger(folder, stage)
    for task in tasks:
        receipt = ledger.read(task.id)
        if receipt is not None and receipt.is_done:
            yield read_value(folder / task.outputs[0])
        else:
            reason, error = (receipt.reason, receipt.error) if receipt else ("lost", "no receipt")
            yield Failure(item=task.settings["item"], reason=reason, error=error)


def _plain(item: Any) -> Any:
    """An item as JSON holds it.

    Raises
    ------
    InputError
        If it does not.
    """
    if isinstance(item, np.generic):
        return item.item()
    if isinstance(item, Path):
        return str(item)
    canonical_json(item)
    return item


def _reference(function: Callable) -> str:
    """``"module:name"`` where a worker can import the function by it, else nothing."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or "<" in name:
        return ""
    try:
        return f"{module}:{name}" if function_of(f"{module}:{name}") is function else ""
    except InputError:
        return ""


def _code_of(function: Callable) -> str:
    """What tells a function from its other versions: its source, or its name without one."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        text = repr(getattr(function, "__qualname__", function))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
