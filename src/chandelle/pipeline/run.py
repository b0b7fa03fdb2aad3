"""``ch.run``: the chain of a survey, each stage where something is missing or stale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chandelle.compute.drive import Policy
from chandelle.compute.lazy_engine import engine_for
from chandelle.compute.ledger import Ledger, stages_in
from chandelle.compute.places import Place
from chandelle.compute.stage import Stage
from chandelle.compute.steps import Report, run_steps
from chandelle.compute.tally import Tally
from chandelle.core.errors import InputError
from chandelle.pipeline.survey import Survey


@dataclass(slots=True)
class RunResult:
    """What a run came to.

    Parameters
    ----------
    folder : Path
        Of the survey.
    tallies : dict of str to Tally
        By step, in their order.
    facts : dict of str to mapping
        What the task of a step says of its product, where there is one alone: how many
        supernovae, which status.
    """

    folder: Path
    tallies: dict[str, Tally] = field(default_factory=dict)
    facts: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def n_done(self) -> int:
        """Tasks that ran now; none where all was up to date."""
        return sum(tally.done for tally in self.tallies.values())

    def __repr__(self) -> str:
        lines = [f"run of {self.folder}: {self.n_done} tasks done now"]
        for step, tally in self.tallies.items():
            facts = ", ".join(f"{name} {_plain(fact)}" for name, fact in self.facts[step].items())
            lines.append(f"  {step:20} {tally.text}{'; ' if facts else ''}{facts}")
        return "\n".join(lines)


def _plain(fact: Any) -> str:
    """A fact in words, ``"ok 98, no_detection 2"``."""
    if isinstance(fact, dict):
        return ", ".join(f"{name} {value}" for name, value in fact.items()) or "none"
    return str(fact)


def run(
    folder: str | Path,
    *,
    on: Place = "local",
    start: str | None = None,
    until: str | None = None,
    replace: bool = False,
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
    replace : bool
        Replace products that no run has made here.
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
        If settings or products are unusable, or a product is there that no run has made.

    Examples
    --------
    >>> import tempfile
    >>> import chandelle as ch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ch.simulate_lightcurves(n={"ZTF": 3, "DEEP": 2}).write(folder)
    ...     first = ch.run(folder, on="serial", until="fit-lightcurves")
    ...     second = ch.run(folder, on="serial", until="fit-lightcurves")
    >>> first.n_done, second.n_done
    (3, 0)
    """
    survey = Survey(Path(folder))
    stages = check(survey, start=start, until=until, replace=replace)
    result = RunResult(survey.folder)
    with engine_for(on, survey.folder) as engine:
        for stage in stages:
            config, home = survey.config(stage), survey.home
            how = {"policy": policy, "progress": progress, "resources": survey.resources(stage)}
            for step, came in run_steps(stage, config, home, engine, **how).items():
                result.tallies[step], result.facts[step] = came.tally, came.facts
    return result


def check(
    survey: Survey, *, start: str | None = None, until: str | None = None, replace: bool = False
) -> list[Stage]:
    """See that a chain can be run, before any of it runs.

    Parameters
    ----------
    survey : Survey
        Its folder and settings.
    start, until, replace
        As for `run`.

    Returns
    -------
    list of Stage
        What there is to run.

    Raises
    ------
    InputError
        If a stage or a setting is unknown, or a product is there that no run has made.
    """
    stages = survey.stages(start=start, until=until)
    for stage in stages:
        survey.config(stage)
        survey.resources(stage)
        if not replace:
            _refuse_to_lose(stage, survey.folder)
    return stages


def _refuse_to_lose(stage: Stage, folder: Path) -> None:
    """Raise where the product of a stage is there and no run has made it."""
    is_own = any(Ledger(folder, step).entries() for step in stage.steps)
    if (folder / stage.writes).exists() and not is_own:
        raise InputError(
            f"{folder / stage.writes}: is there, and no run has made it; begin after {stage.name} "
            "(--from), move it away, or have it replaced (--replace)"
        )


def forget(folder: str | Path, *, keys: Sequence[str] = (), failed: bool = False) -> dict[str, int]:
    """Forget receipts, so that the next run does their tasks again.

    Parameters
    ----------
    folder : str or Path
        Of a survey, or another that tasks were run in.
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
        If neither is given, no task has such a name, or tasks of several steps have it; then
        nothing is forgotten.
    """
    if not keys and not failed:
        raise InputError("name tasks, or say that all failed ones are to run again (--failed)")
    meant: dict[str, dict[str, str]] = {name: {} for name in keys}
    chosen = dict[str, set[str]]()
    for step in stages_in(Path(folder)):
        entries = Ledger(Path(folder), step).entries()
        chosen[step] = set()
        for task_id, entry in entries.items():
            names = [n for n in keys if is_named(n, step, entry.key, task_id, of=len(entries))]
            for name in names:
                meant[name][f"{step}/{entry.key}"] = step
            if names or (failed and entry.outcome != "done"):
                chosen[step].add(task_id)
    _check_names(folder, meant)
    for step, task_ids in chosen.items():
        Ledger(Path(folder), step).forget(task_ids)
    return {step: len(task_ids) for step, task_ids in chosen.items() if task_ids}


def _check_names(folder: str | Path, meant: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse names that mean no task, or tasks of several steps."""
    missing = sorted(name for name, tasks in meant.items() if not tasks)
    if missing:
        raise InputError(
            f"{folder}: no task {', '.join(missing)} has a receipt; chandelle status {folder} "
            "shows the steps, receipts/ the tasks"
        )
    for name, tasks in meant.items():
        if len(set(tasks.values())) > 1:
            raise InputError(f"{name} may be {', '.join(sorted(tasks))}; say which")


def is_named(name: str, step: str, key: str, task_id: str, *, of: int) -> bool:
    """Whether a user's name for a task means this one, `of` so many of its step.

    It is its key, ``STEP/KEY``, the step where it is the only one, or 6 digits of its id or more.
    """
    names = {key, f"{step}/{key}", *([step] if of == 1 else [])}
    return name in names or (len(name) >= 6 and task_id.startswith(name))
