"""Run one task where it is: call its function, hash its outputs, write its receipt."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from chandelle.compute.failures import MissingOutputError, reason_of, stops_the_run, told
from chandelle.compute.identity import identity_of
from chandelle.compute.ledger import Ledger
from chandelle.compute.programs import keep_programs
from chandelle.compute.receipt import Reason, Receipt
from chandelle.compute.task import Task
from chandelle.compute.usage import Usage, host, job_id
from chandelle.core.atomic import remove_leftovers
from chandelle.core.errors import InputError
from chandelle.core.provenance import versions

_log = logging.getLogger(__name__)
_ERROR_LENGTH = 4000
_versions = cache(versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What comes back from a worker: less than a kilobyte."""

    id: str
    reason: Reason = ""
    error: str = ""
    is_place: bool = False
    """Whether every other task would fail alike: a full or read-only disk."""
    wall_s: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether the task has its outputs."""
        return not self.reason


def run_task(
    task: Task, folder: Path, *, attempt: int = 1, function: Callable | None = None
) -> Outcome:
    """Run a task and write its receipt, unless a whole receipt says that it is done.

    Only failures that would come again leave a receipt; of the others the driver decides.

    Parameters
    ----------
    task : Task
        What to do.
    folder : Path
        Folder of the run.
    attempt : int
        Which run it is.
    function : callable, optional
        What ``task.call`` names, where this process cannot import it.

    Returns
    -------
    Outcome
        Done, or why not.
    """
    ledger, usage = Ledger(folder, task.stage), Usage()
    try:
        former = ledger.read(task.id)
        if former is not None and former.is_done:
            return Outcome(id=task.id, wall_s=0.0)
        keep_programs()
        if attempt > 1:
            remove_leftovers(*(folder / name for name in task.outputs))
        with usage:
            facts = (function or function_of(task.call))(task, folder)
            outputs = _outputs_of(task, folder)
        receipt = receipt_of(task, usage, attempt=attempt, outputs=outputs, facts=facts or {})
        ledger.write(receipt)
    except Exception as error:  # noqa: BLE001 - whatever a task raises is its outcome
        return _failed(task, folder, usage, error, attempt=attempt)
    return Outcome(id=task.id, wall_s=usage.wall_s)


def function_of(call: str) -> Any:
    """Import what ``"package.module:function"`` names.

    Raises
    ------
    InputError
        If there is no such function.
    """
    module, _, name = call.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"{call}: expected package.module:function that this process can import, {error}"
        ) from error
    return found


def receipt_of(
    task: Task,
    usage: Usage,
    *,
    attempt: int,
    outputs: Mapping[str, Mapping[str, Any]] | None = None,
    facts: Mapping[str, Any] | None = None,
    reason: Reason = "",
    error: str = "",
) -> Receipt:
    """Write down what a run came to."""
    return Receipt(
        id=task.id,
        stage=task.stage,
        key=task.key,
        status="failed" if reason else "done",
        reason=reason,
        error=error,
        inputs=task.inputs,
        outputs=outputs or {},
        settings=task.settings,
        code=task.code,
        seed=task.seed,
        started=usage.started,
        ended=usage.ended,
        wall_s=round(usage.wall_s, 3),
        cpu_s=round(usage.cpu_s, 3),
        peak_gb=round(usage.peak_gb, 3),
        host=host(),
        job=job_id(),
        attempt=attempt,
        versions=_versions(),
        facts=facts or {},
    )


def _outputs_of(task: Task, folder: Path) -> dict[str, dict[str, Any]]:
    """Hash what the task wrote."""
    found = {}
    for name in task.outputs:
        path = folder / name
        if not path.exists():
            raise MissingOutputError(f"{task.stage} {task.key}: wrote no {name}")
        identity = identity_of(path)
        found[name] = {
            "sha256": identity.sha256,
            "bytes": identity.size,
            "files": identity.n_files,
        }
    return found


def _failed(task: Task, folder: Path, usage: Usage, error: Exception, *, attempt: int) -> Outcome:
    """Say why a task failed; where it would fail again, leave a receipt that says so."""
    reason = reason_of(error, {str(folder / name) for name in task.inputs})
    text = told(error)[:_ERROR_LENGTH]
    if reason in {"data", "program"}:
        receipt = receipt_of(task, usage, attempt=attempt, reason=reason, error=text)
        try:
            Ledger(folder, task.stage).write(receipt)
        except OSError as trouble:
            _log.warning("%s %s: no receipt of its failure: %s", task.stage, task.key, trouble)
    return Outcome(
        id=task.id,
        reason=reason,
        error=text[:600],
        is_place=stops_the_run(error, folder),
        wall_s=usage.wall_s,
    )
