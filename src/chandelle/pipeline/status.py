"""How far a run is: of every step what is done, runs, failed, is left, and how long that takes.

Read from receipts, from the plan, and from what a driver at work shows; nothing is asked of it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chandelle.compute.beacon import Sighting, sightings
from chandelle.compute.ledger import Ledger, certain, stages_in
from chandelle.compute.stage import NotReadyError
from chandelle.compute.task import Task
from chandelle.core.errors import BlindedError, InputError
from chandelle.pipeline.survey import Survey, is_survey


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStatus:
    """How far a step is.

    Parameters
    ----------
    step : str
        Its name.
    total, done : int
        Tasks planned, and those that are done.
    failed : dict of str to int
        Dead letters by reason.
    stale : int
        Tasks that were done, or failed, with other inputs, settings or code, and are to run again.
    running : int
        Tasks that a driver has handed out.
    rate : float
        Tasks finished in a second, by the drivers that are at work.
    waits : str
        Why it cannot be planned yet; empty where it can.
    drivers : tuple of str
        Processes at work, ``"4711 on cca001"``.
    """

    step: str
    total: int = 0
    done: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    stale: int = 0
    running: int = 0
    rate: float = 0.0
    waits: str = ""
    drivers: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """Tasks that are neither done nor given up."""
        return self.total - self.done - sum(self.failed.values())

    @property
    def is_complete(self) -> bool:
        """Whether all of it is done."""
        return not self.waits and self.done == self.total

    @property
    def eta_s(self) -> float | None:
        """Time it still takes at the present rate [s]; None where nobody is at work."""
        return self.left / self.rate if self.rate > 0 else None


def status_of(folder: str | Path) -> list[StepStatus]:
    """Look how far a run is.

    Parameters
    ----------
    folder : str or Path
        Of a survey, or another that tasks were run in.

    Returns
    -------
    list of StepStatus
        In the order of the chain.

    Raises
    ------
    InputError
        If it is neither.
    """
    folder = Path(folder)
    if not is_survey(folder) and stages_in(folder):
        return [_seen(folder, step) for step in stages_in(folder)]
    survey = Survey(folder)
    stages = survey.stages()
    found: list[StepStatus] = []
    for stage in stages:
        config = survey.config(stage)
        for step, plan in stage.steps.items():
            behind = next((before for before in found if not before.is_complete), None)
            if behind is not None:
                found.append(StepStatus(step=step, waits=f"waits for {behind.step}"))
                continue
            try:
                tasks = plan(survey.home, config)
            except (NotReadyError, BlindedError, InputError) as error:
                found.append(StepStatus(step=step, waits=str(error)))
            else:
                found.append(_planned(folder, step, tasks))
    return found


def _planned(folder: Path, step: str, tasks: Sequence[Task]) -> StepStatus:
    """Compare a plan with the receipts."""
    entries = Ledger(folder, step).entries()
    former = {entry.key for entry in entries.values()}
    entries = certain(entries)
    done, stale, failed = 0, 0, Counter[str]()
    for task in tasks:
        entry = entries.get(task.id)
        if entry is None:
            stale += task.key in former
        elif entry.outcome != "done":
            failed[entry.outcome] += 1
        else:
            done += all((folder / name).exists() for name in task.outputs)
    seen = sightings(Ledger(folder, step).folder)
    return StepStatus(
        step=step, total=len(tasks), done=done, stale=stale, failed=dict(failed), **_at_work(seen)
    )


def _seen(folder: Path, step: str) -> StepStatus:
    """What receipts and drivers say where there is no plan to compare with."""
    ledger = Ledger(folder, step)
    outcomes = Counter(entry.outcome for entry in ledger.entries().values())
    done = outcomes.pop("done", 0)
    seen = sightings(ledger.folder)
    total = max([done + outcomes.total(), *(one.tally.total for one in seen)])
    return StepStatus(step=step, total=total, done=done, failed=dict(outcomes), **_at_work(seen))


def _at_work(seen: Sequence[Sighting]) -> dict:
    """What drivers at work say together."""
    return {
        "running": sum(one.tally.running for one in seen),
        "rate": float(sum(one.rate for one in seen)),
        "drivers": tuple(f"{one.pid} on {one.host}" for one in seen),
    }
