"""``ch.run``: the chain of a survey, each stage where something is missing or stale."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chandelle.compute.drive import Driver, Policy
from chandelle.compute.engine import Engine
from chandelle.compute.lazy_engine import LazyEngine
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import Place, open_engine
from chandelle.compute.stage import NotReadyError, Stage
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task
from chandelle.core.errors import ChandelleError, InputError
from chandelle.pipeline.survey import Survey

_log = logging.getLogger(__name__)
Report = Callable[[str, Tally], None]
"""Is told of a step how far it is."""


class TasksFailedError(ChandelleError):
    """Tasks of a stage failed for good; the stages after it did not run."""


@dataclass(slots=True)
class RunResult:
    """What a run came to.

    Parameters
    ----------
    folder : Path
        Of the survey.
    tallies : dict of str to Tally
        By step, in their order.
    """

    folder: Path
    tallies: dict[str, Tally] = field(default_factory=dict)

    @property
    def n_done(self) -> int:
        """Tasks that ran now; none where all was up to date."""
        return sum(tally.done for tally in self.tallies.values())

    def __repr__(self) -> str:
        lines = [f"run of {self.folder}: {self.n_done} tasks done now"]
        lines += [f"  {step:20} {text_of(tally)}" for step, tally in self.tallies.items()]
        return "\n".join(lines)


def text_of(tally: Tally) -> str:
    """Say in words how far a step is, ``"12 of 25 done, 3 of them before, 1 failed (data)"``."""
    text = f"{tally.done + tally.skipped} of {tally.total} done"
    text += f", {tally.skipped} of them before" if tally.skipped else ""
    text += f", {tally.running} running" if tally.running else ""
    text += f", {tally.retried} tried again" if tally.retried else ""
    if tally.failed:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(tally.failed.items()))
        text += f", {tally.n_failed} failed ({reasons})"
    return text


def run(
    folder: str | Path,
    *,
    on: Place = "local",
    start: str | None = None,
    until: str | None = None,
    policy: Policy | None = None,
    progress: Report | None = None,
) -> RunResult:
    """Run the chain of a survey: what is missing, or was made from other inputs or settings.

    A second call goes on where the first was ended, however that came about. Settings stand in
    ``survey.toml``, a table a stage.

    Parameters
    ----------
    folder : str or Path
        Of the survey: with `lightcurves/` or `saltfits/fits.parquet`, or a ``survey.toml`` with a
        table ``[simulate]``.
    on : str or dask Client
        Where tasks run: ``"serial"``, ``"local:N"``, ``"slurm:PROFILE"``,
        ``"slurm-array:PROFILE"``, ``"tcp://ADDRESS"``, or a client.
    start, until : str, optional
        First and last stage: simulate, fit-lightcurves, standardize, cosmology, report.
    policy : Policy, optional
        What is done about failures.
    progress : callable, optional
        Is told the name of a step and its `Tally`.

    Returns
    -------
    RunResult
        What each step came to.

    Raises
    ------
    TasksFailedError
        If tasks failed for good; those that could run did.
    BlindedError
        If cosmology is asked of data that nobody has said may be looked at.
    InputError
        If settings or products are unusable.

    Examples
    --------
    >>> import tempfile
    >>> import chandelle as ch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ch.simulate_lightcurves(n_low=3, n_high=2).write(folder)
    ...     first = ch.run(folder, on="serial", until="fit-lightcurves")
    ...     second = ch.run(folder, on="serial", until="fit-lightcurves")
    >>> first.n_done, second.n_done
    (3, 0)
    """
    survey = Survey(Path(folder))
    stages = survey.stages(start=start, until=until)
    with engine_for(on, survey.folder) as engine:
        result = RunResult(survey.folder)
        for stage in stages:
            run_stage(stage, survey, engine, result, policy=policy, progress=progress)
    return result


@contextmanager
def engine_for(on: Place, folder: Path) -> Iterator[Engine]:
    """Open the engine when the first task needs it, close it at the end."""
    engine = LazyEngine(lambda: open_engine(on, folder))
    try:
        yield engine
    finally:
        engine.close()


def run_stage(
    stage: Stage,
    survey: Survey,
    engine: Engine,
    result: RunResult,
    *,
    policy: Policy | None = None,
    progress: Report | None = None,
) -> None:
    """Run the steps of one stage, one after the other.

    Parameters
    ----------
    stage : Stage
        What to run.
    survey : Survey
        Its folder and settings.
    engine : Engine
        Where.
    result : RunResult
        Gets the tallies.
    policy, progress
        As `run` takes them.

    Raises
    ------
    TasksFailedError
        If a step has dead letters that the next cannot do without, or the last has any.
    """
    config = survey.config(stage)
    failed = ""
    for step, plan in stage.steps.items():
        try:
            tasks = plan(survey.home, config)
        except NotReadyError as error:
            raise TasksFailedError(failed or f"{step}: {error}") from error
        report = None if progress is None else _told(step, progress)
        driver = Driver(engine, survey.folder, step, policy=policy, report=report)
        result.tallies[step] = tally = driver.run(tasks, total=len(tasks))
        if tally.n_failed:
            failed = _failures(survey.folder, step, tally, tasks)
            _log.warning("%s", failed)
    if failed and result.tallies[step].n_failed:
        raise TasksFailedError(failed)


def _told(step: str, progress: Report) -> Callable[[Tally], None]:
    return lambda tally: progress(step, tally)


def _failures(folder: Path, step: str, tally: Tally, tasks: Sequence[Task]) -> str:
    """Say what failed, with the first error, and what helps."""
    ledger = Ledger(folder, step)
    planned = {task.id for task in tasks}
    first = next(
        found for found in ledger.receipts() if not found.is_done and found.id in planned
    )
    return (
        f"{step}: {text_of(tally)}; first {first.key}: {first.error}\n"
        f"see chandelle explain {folder} {first.key}; when it is mended: chandelle retry {folder} "
        "--failed"
    )


def forget(
    folder: str | Path, *, keys: Sequence[str] = (), failed: bool = False
) -> dict[str, int]:
    """Forget receipts, so that the next run does their tasks again.

    Parameters
    ----------
    folder : str or Path
        Of the survey.
    keys : sequence of str
        Tasks, by key, ``STEP/KEY`` or the beginning of their id.
    failed : bool
        All dead letters.

    Returns
    -------
    dict of str to int
        How many were forgotten, by step.

    Raises
    ------
    InputError
        If neither is given, or no task has such a name.
    """
    if not keys and not failed:
        raise InputError("name tasks, or say that all failed ones are to run again (--failed)")
    survey = Survey(Path(folder))
    steps = [step for stage in survey.stages() for step in stage.steps]
    missing, counts = set(keys), dict[str, int]()
    for step in steps:
        ledger = Ledger(survey.folder, step)
        chosen = []
        for task_id, entry in ledger.entries().items():
            names = {name for name in keys if is_named(name, step, entry.key, task_id)}
            missing -= names
            if names or (failed and entry.outcome != "done"):
                chosen.append(task_id)
        ledger.forget(chosen)
        counts[step] = len(chosen)
    if missing:
        raise InputError(
            f"{folder}: no task {', '.join(sorted(missing))} has a receipt; chandelle status "
            f"{folder} shows the steps, receipts/ the tasks"
        )
    return {step: count for step, count in counts.items() if count}


def is_named(name: str, step: str, key: str, task_id: str) -> bool:
    """Whether a user's name for a task means this one: its key, ``STEP/KEY``, or 6 digits of its id
    or more.
    """
    return name in {key, f"{step}/{key}"} or (len(name) >= 6 and task_id.startswith(name))
