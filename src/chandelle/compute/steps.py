"""The steps of a stage, one after the other: each planned when what it reads is there."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from chandelle.compute.drive import Driver, Policy
from chandelle.compute.engine import Engine
from chandelle.compute.ledger import Ledger
from chandelle.compute.stage import Home, NotReadyError, Plan, Stage
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task
from chandelle.core.config import StageConfig
from chandelle.core.errors import ChandelleError

_log = logging.getLogger(__name__)
Report = Callable[[str, Tally], None]
"""Is told of a step how far it is."""


class Resources(StageConfig):
    """What the tasks of a stage are given, whatever their answer: not part of their names.

    `memory_gb` is the memory of each, as the stage says if absent. With `isolated` each runs in a
    process of its own.
    """

    memory_gb: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    isolated: bool = Field(default=False, strict=True)

    def give(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Give them to the tasks of a plan."""
        changes: dict[str, Any] = {"is_isolated": True} if self.isolated else {}
        changes |= {} if self.memory_gb is None else {"memory_gb": self.memory_gb}
        if not changes:
            return tasks
        return Plan(lambda number: replace(tasks[number], **changes), len(tasks))


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to.

    Parameters
    ----------
    tally : Tally
        Of its tasks.
    facts : mapping
        What its task says of its product, where there is one alone and it is done.
    """

    tally: Tally
    facts: Mapping[str, Any]


class TasksFailedError(ChandelleError):
    """Tasks of a stage failed for good; what comes after it did not run."""


def run_steps(
    stage: Stage,
    config: StageConfig,
    home: Home,
    engine: Engine,
    *,
    policy: Policy | None = None,
    progress: Report | None = None,
    resources: Resources | None = None,
) -> dict[str, StepResult]:
    """Run the steps of a stage.

    Parameters
    ----------
    stage : Stage
        What to run.
    config : StageConfig
        Its settings.
    home : Home
        Folder of the run.
    engine : Engine
        Where.
    policy : Policy, optional
        What is done about failures.
    progress : callable, optional
        Is told the name of a step and its tally.
    resources : Resources, optional
        What each task is given; as the stage says if absent.

    Returns
    -------
    dict of str to StepResult
        What each step came to.

    Raises
    ------
    TasksFailedError
        If a step has dead letters that the next cannot do without, or the last has any.
    """
    results: dict[str, StepResult] = {}
    failures = ""
    for step, plan in stage.steps.items():
        try:
            tasks = (resources or Resources()).give(plan(home, config))
        except NotReadyError as error:
            raise TasksFailedError(failures or f"{step}: {error}") from error
        report = None if progress is None else partial(progress, step)
        driver = Driver(engine, home.folder, step, policy=policy, report=report)
        tally = driver.run(tasks, total=len(tasks))
        results[step] = StepResult(tally, _facts_of(home, tasks, tally))
        failures = _failures(home.folder, step, tally, tasks) if tally.n_failed else ""
        if failures:
            _log.warning("%s", failures)
    if failures:
        raise TasksFailedError(failures)
    return results


def _facts_of(home: Home, tasks: Sequence[Task], tally: Tally) -> Mapping[str, Any]:
    """What the task of a step says, where there is one alone and it is done."""
    return home.receipt_of(tasks[0]).facts if len(tasks) == 1 and not tally.n_failed else {}


def _failures(folder: Path, step: str, tally: Tally, tasks: Sequence[Task]) -> str:
    """Say what failed, with the first error, and what helps."""
    ledger = Ledger(folder, step)
    failed = {task_id for task_id, entry in ledger.entries().items() if entry.outcome != "done"}
    first = next((task for task in tasks if task.id in failed), None)
    receipt = ledger.read(first.id) if first is not None else None
    what = f"; first {receipt.key}: {receipt.error}" if receipt is not None else ""
    name = f"{step}/{receipt.key}" if receipt is not None else "TASK"
    return (
        f"{step}: {tally.text}{what}\nchandelle explain {folder} {name} tells more; when it is "
        f"mended: chandelle retry {folder} --failed"
    )
