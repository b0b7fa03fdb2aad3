"""Plans of small tasks, and what came of them."""

import time
from collections.abc import Callable
from pathlib import Path

from chandelle.compute.drive import Driver, Policy
from chandelle.compute.engine import Engine, SerialEngine
from chandelle.compute.ledger import Ledger
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
    folder: Path,
    tasks: list[Task],
    policy: Policy = FAST,
    *,
    engine: Engine | None = None,
    report: Callable[[Tally], None] | None = None,
) -> Tally:
    """Run tasks; in this process if no engine is given."""
    place = engine or SerialEngine(folder)
    driver = Driver(place, folder, "squares", policy=policy, report=report)
    return driver.run(tasks, total=len(tasks))


def begun(folder: Path) -> int:
    """How many runs of tasks were begun."""
    return len(list((folder / "notes").iterdir()))


def files(folder: Path) -> dict[str, bytes]:
    """All that stands among the outputs, temporary files too."""
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def squares(tasks: list[Task]) -> dict[str, bytes]:
    """What `files` finds after an undisturbed run of squares."""
    return {f"{n}.txt": str(n**2).encode() for n in (task.settings["number"] for task in tasks)}


def receipt_files(folder: Path) -> list[Path]:
    """Every file among the receipts of tasks, temporary ones too."""
    return sorted(path for path in (folder / "receipts" / "squares").glob("??/*"))


def assert_stands_once(folder: Path, tasks: list[Task], *, given_up: tuple[Task, ...] = ()) -> None:
    """Each task has its output and one receipt of success, or one receipt of failure and no output;
    nothing else lies about.
    """
    ledger = Ledger(folder, "squares")
    assert files(folder) == squares(tasks)
    assert receipt_files(folder) == sorted(ledger.path_of(t.id) for t in [*tasks, *given_up])
    assert all(ledger.read(task.id).is_done for task in tasks)
    assert not any(ledger.read(task.id).is_done for task in given_up)


def wait_until(holds: Callable[[], object], *, at_most_s: float = 60.0) -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + at_most_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def notes_of(folder: Path, one: Task) -> list[tuple[int, int]]:
    """Process and time [ns] of each beginning of a task, in order."""
    found = (path.name.rsplit("-", 2) for path in (folder / "notes").glob(f"{one.key}-*"))
    return sorted(((int(pid), int(at)) for _, pid, at in found), key=lambda note: note[1])
