"""Plans of small tasks, and what came of them."""

from pathlib import Path

from chandelle.compute.drive import Driver, Policy
from chandelle.compute.engine import Engine, SerialEngine
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task

FAST = Policy(backoff_s=0.01, memory_gb=(0.5, 1.0))


def task(number: int, call: str = "square", **changes) -> Task:
    """Task of the function `call` of `task_bodies`."""
    settings = {"number": number} | changes.pop("settings", {})
    return Task(
        stage="squares",
        key=f"k{number}",
        call=f"task_bodies:{call}",
        outputs=(f"out/{number}.txt",),
        settings=settings,
        **changes,
    )


def drive(
    folder: Path, tasks: list[Task], policy: Policy = FAST, *, engine: Engine | None = None
) -> Tally:
    """Run tasks; in this process if no engine is given."""
    driver = Driver(engine or SerialEngine(folder), folder, "squares", policy=policy)
    return driver.run(tasks, total=len(tasks))


def begun(folder: Path) -> int:
    """How many runs of tasks were begun."""
    return len(list((folder / "notes").iterdir()))
