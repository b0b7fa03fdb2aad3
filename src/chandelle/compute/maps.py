"""``ch.map``: any function over many items, with receipts, resumed where it was, tried again."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from chandelle.compute.drive import Driver, Policy
from chandelle.compute.fingerprint import fingerprint
from chandelle.compute.isolated import refuse_unsent
from chandelle.compute.ledger import ARRAYS, Ledger
from chandelle.compute.places import Place, open_engine
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task, canonical_json
from chandelle.compute.values import form_of, item_of, read_value, write_value
from chandelle.compute.work import function_of
from chandelle.core.errors import ChandelleError, InputError

_CALL = "chandelle.compute.maps:run_item"
_KEY_LENGTH = 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


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
    version: str | None = None,
    keep_failures: bool = False,
    memory_gb: float = 2.0,
    isolated: bool = False,
    policy: Policy | None = None,
    progress: Callable[[Tally], None] | None = None,
) -> list[Any]:
    """Call a function with each item, on a laptop or a batch system; a second call resumes.

    Parameters
    ----------
    function : callable
        Takes an item. Its results are kept under its compiled code and what it holds: defaults,
        variables of functions around it, the object of a method, arguments of a partial; and the
        global numbers, words, functions and classes that it reads. Where one of these changed it
        runs again, with another version of Python too. Not seen are global lists, arrays and other
        objects, what it reaches by the name of a module, other packages, files: see `version`.
    items : iterable
        Numbers, words, paths, and lists, tuples or dictionaries of them: names of files rather
        than their content.
    on : str or dask Client
        As `open_engine` takes it.
    folder : str or Path
        Where results and receipts are kept; jobs must see it too.
    name : str, optional
        Of the work, letters, digits and ``_.-``; that of the function if absent.
    version : str, optional
        Your own word for what the function answers, instead of what it is made of: results are
        kept until you change it, whatever else changes.
    keep_failures : bool
        Whether items that failed stand as `Failure` in the list, instead of an error at the end.
    memory_gb : float
        Memory that a call needs.
    isolated : bool
        Whether each call runs in a process of its own, which is ended beyond `memory_gb` and tried
        again with more; its crash costs no worker.
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
        If an item cannot be written down, the function cannot get to the workers or be told from
        its other versions, a name is not one, or a result is not what was written.

    Examples
    --------
    >>> import tempfile
    >>> import chandelle as ch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ch.map(abs, [-1, 2, -3], on="serial", folder=folder)
    [1, 2, 3]
    """
    home, stage = Path(folder), _stage_of(function, name)
    reference, code = _reference(function), _code_of(function, version)
    how = {"memory_gb": memory_gb, "is_isolated": isolated}
    tasks = [_task(item, stage=stage, reference=reference, code=code, how=how) for item in items]
    single = {task.id: task for task in tasks}
    functions = {} if reference else {_CALL: partial(run_item, function=function)}
    if isolated and functions:
        refuse_unsent(function)
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
    write_value(folder / task.outputs[0], call(item_of(task.settings["item"])))


def _task(item: Any, *, stage: str, reference: str, code: str, how: dict[str, Any]) -> Task:
    form = form_of(item)
    text = canonical_json([form, reference, code])
    key = hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
    return Task(
        stage=stage,
        key=key,
        call=_CALL,
        outputs=(f"results/{stage}/{key[:2]}/{key}.npz",),
        # What every place gets, this process too: the order of keys is that of the text.
        settings={"item": json.loads(canonical_json(form)), "function": reference},
        code=code,
        **how,
    )


def _results(folder: Path, stage: str, tasks: list[Task]) -> Iterator[Any]:
    receipts = Ledger(folder, stage).read_many(task.id for task in tasks)
    for task in tasks:
        receipt = receipts.get(task.id)
        if receipt is not None and receipt.is_done:
            yield _read(folder, task)
        else:
            reason, error = (receipt.reason, receipt.error) if receipt else ("lost", "no receipt")
            yield Failure(item=item_of(task.settings["item"]), reason=reason, error=error)


def _read(folder: Path, task: Task) -> Any:
    """Read a result.

    Raises
    ------
    InputError
        If its file is gone or damaged.
    """
    try:
        return read_value(folder / task.outputs[0])
    except InputError as error:
        raise InputError(
            f"{error}; to make it again: chandelle verify {folder} --forget, then the same call"
        ) from error


def _stage_of(function: Callable, name: str | None) -> str:
    """Name of the work, which is that of folders too.

    Raises
    ------
    InputError
        If it cannot be.
    """
    inner = function
    while isinstance(inner, partial):
        inner = inner.func
    own = getattr(inner, "__name__", type(inner).__name__)
    stage = name if name is not None else {"<lambda>": "lambda"}.get(own, own)
    if not _NAME.fullmatch(stage) or stage == ARRAYS:
        whose = "name" if name is not None else "the function's name"
        raise InputError(
            f"{whose} {stage!r}: expected letters, digits and _.- (not first - or .), and not "
            f"{ARRAYS!r}, which is taken; give name="
        )
    return stage


def _reference(function: Callable) -> str:
    """``"module:name"`` where a worker can import the function by it, else nothing."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or "<" in name:
        return ""
    try:
        return f"{module}:{name}" if function_of(f"{module}:{name}") is function else ""
    except InputError:
        return ""


def _code_of(function: Callable, version: str | None) -> str:
    """What tells a function from its other versions: what it is made of, or its user's word."""
    text = fingerprint(function) if version is None else f"version {version}"
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
