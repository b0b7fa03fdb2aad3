"""Steps of a run while they go on: lines that move on a terminal, a line a while in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from chandelle.cli.console import is_quiet
from chandelle.compute.tally import Tally

_EVERY_S = 30.0
Told = Callable[[str, Tally], None]


@contextmanager
def live_steps() -> Iterator[Told]:
    """Give a function that shows the tally of a step."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if not console.is_terminal or console.is_dumb_terminal or is_quiet():
        yield _lines(console)
        return
    columns = (
        TextColumn("{task.description:20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[more]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        rows = {}

        def show(step: str, tally: Tally) -> None:
            if step not in rows:
                rows[step] = progress.add_task(step, total=tally.total, more="")
            count = tally.total - tally.left
            progress.update(rows[step], completed=count, more=_more(tally))

        yield show


def _lines(console: Console) -> Told:
    """Show a step by a line now and then, and one at its end."""
    last: dict[str, float] = {}
    ended: set[str] = set()

    def show(step: str, tally: Tally) -> None:
        now = time.monotonic()
        is_end = tally.left == 0 and step not in ended
        is_due = now - last.get(step, float("-inf")) > _EVERY_S and step not in ended
        if (is_end or is_due) and not is_quiet():
            last[step] = now
            console.print(f"{step}: {tally.total - tally.left} of {tally.total}{_more(tally)}")
        if is_end:
            ended.add(step)

    return show


def _more(tally: Tally) -> str:
    """What else there is to say, ``", 4 running, 1 failed"``."""
    parts = {"running": tally.running, "tried again": tally.retried, "failed": tally.n_failed}
    return "".join(f", {n} {what}" for what, n in parts.items() if n)
