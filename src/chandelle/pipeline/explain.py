"""``chandelle explain``: all that is known of a task, in words."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chandelle.compute.ledger import Ledger, stages_in
from chandelle.compute.receipt import Receipt
from chandelle.compute.task import Task
from chandelle.core.errors import InputError
from chandelle.pipeline.run import is_named
from chandelle.pipeline.status import status_of
from chandelle.pipeline.survey import Survey, is_survey

_WHY = {
    "data": "its data or settings are unusable, and would be again",
    "program": "an error in the program; it would come again",
    "transient": "the place failed (disk, network), and did so at every further try",
    "memory": "it needs more memory than the largest class has",
    "lost": "its process died, also alone with more memory",
}


def explain(folder: str | Path, name: str) -> str:
    """Tell all that is known of a task.

    Parameters
    ----------
    folder : str or Path
        Of a run.
    name : str
        The task: its key, ``STEP/KEY``, or the beginning of its id.

    Returns
    -------
    str
        Lines: what came of it, where and when, how its inputs and settings differ from those of
        now, and what would help.

    Raises
    ------
    InputError
        If there is no such task.
    """
    folder = Path(folder)
    waits = {one.step: one.waits for one in status_of(folder) if one.waits}
    receipts = list(_receipts(folder, name))
    planned = _planned(folder, name, waits, [(one.stage, one.key) for one in receipts])
    told = [_of_receipt(folder, receipt, planned, waits) for receipt in receipts]
    known = {receipt.id for receipt in receipts}
    told += [
        f"{task.stage} {task.key} ({task.id}): has not run with the inputs, settings and code of "
        f"now; chandelle run {folder} does it"
        for tasks in planned.values()
        for task in tasks
        if task.id not in known
    ]
    if not told:
        raise InputError(
            f"{folder}: no task {name}; expected a key, STEP/KEY or the beginning of an id, of the "
            f"steps {', '.join(stages_in(folder)) or '(none has run yet)'}"
        )
    return "\n\n".join(told)


def _receipts(folder: Path, name: str) -> Iterator[Receipt]:
    """Receipts of tasks of a name."""
    for step in stages_in(folder):
        ledger = Ledger(folder, step)
        entries = ledger.entries()
        for task_id, entry in entries.items():
            if is_named(name, step, entry.key, task_id, of=len(entries)):
                receipt = ledger.read(task_id)
                if receipt is not None:
                    yield receipt


def _planned(
    folder: Path, name: str, waits: Mapping[str, str], also: Sequence[tuple[str, str]]
) -> dict[str, list[Task]]:
    """Tasks as they would be run now, by step, of the steps that can be planned: those of a name,
    and those of the same step and key as a receipt of that name.
    """
    planned = dict[str, list[Task]]()
    if not is_survey(folder):
        return planned
    survey = Survey(folder)
    for stage in survey.stages():
        for step, plan in stage.steps.items():
            if step in waits:
                continue
            tasks = plan(survey.home, survey.config(stage))
            planned[step] = [
                task
                for task in tasks
                if is_named(name, step, task.key, task.id, of=len(tasks))
                or (step, task.key) in also
            ]
    return planned


def _of_receipt(
    folder: Path,
    receipt: Receipt,
    planned: Mapping[str, Sequence[Task]],
    waits: Mapping[str, str],
) -> str:
    """Tell what a receipt says, and whether it still holds."""
    lines = [f"{receipt.stage} {receipt.key} ({receipt.id}): {receipt.status}"]
    if not receipt.is_done:
        lines += [f"  because  {_WHY.get(receipt.reason, receipt.reason)}", f"  {receipt.error}"]
    job = f", job {receipt.job}" if receipt.job else ""
    lines += [
        f"  ran      {receipt.started} to {receipt.ended} on {receipt.host}{job}, run "
        f"{receipt.attempt}",
        f"  took     {receipt.wall_s:g} s, {receipt.cpu_s:g} s of CPU, {receipt.peak_gb:g} GB",
        f"  seed     {receipt.seed}",
        f"  code     {receipt.code or 'not told'}",
    ]
    lines += [f"  reads    {path}" for path in receipt.inputs]
    lines += [
        f"  wrote    {path}  {facts['bytes']} bytes{'' if (folder / path).exists() else ', gone'}"
        for path, facts in receipt.outputs.items()
    ]
    lines += [f"  settings {name} = {value!r}" for name, value in receipt.settings.items()]
    lines += [f"  fact     {name} = {value!r}" for name, value in receipt.facts.items()]
    lines += [f"  next     {line}" for line in _next(folder, receipt, planned, waits)]
    return "\n".join(lines)


def _next(
    folder: Path,
    receipt: Receipt,
    planned: Mapping[str, Sequence[Task]],
    waits: Mapping[str, str],
) -> list[str]:
    """What a run would do with the task now."""
    if receipt.stage in waits:
        return [f"not known yet: {waits[receipt.stage]}"]
    if receipt.stage in planned:
        tasks = {task.key: task for task in planned[receipt.stage]}
        now = tasks.get(receipt.key)
        if now is None:
            return [f"stale: {receipt.stage} has no task {receipt.key} any more"]
        if now.id != receipt.id:
            return [f"stale: {change}" for change in _changes(receipt, now)] or ["stale"]
    if receipt.is_done and not all((folder / path).exists() for path in receipt.outputs):
        return ["the next run makes what is gone again"]
    if receipt.is_done:
        return ["nothing: it is done; chandelle verify reads its outputs again"]
    return [f"mend the cause, then chandelle retry {folder} {receipt.stage}/{receipt.key}"]


def _changes(receipt: Receipt, now: Task) -> Iterator[str]:
    """What differs between a receipt and the task as it would be run now."""
    for path in sorted(receipt.inputs.keys() | now.inputs.keys()):
        if receipt.inputs.get(path) != now.inputs.get(path):
            yield f"{path} has changed" if path in now.inputs else f"{path} is no longer read"
    before, after = _flat(receipt.settings), _flat(now.settings)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name} was {before.get(name)!r}, is {after.get(name)!r}"
    if receipt.code != now.code:
        yield f"the code was {receipt.code}, is {now.code}"


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Settings in tables as one table, ``fit.model``."""
    found = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value
    return found
