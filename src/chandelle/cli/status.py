"""``chandelle status``, ``verify`` and ``explain``: how far a run is, and what came of it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from chandelle.cli.console import complain, say, step

if TYPE_CHECKING:
    from chandelle.pipeline.status import StepStatus

_EVERY_S = 2.0
_EMPTY_LOOKS = 5
"""Without a driver in sight; between two steps, and before a run begins, there is none."""
_SHARE = 5.0
"""Looking takes no more than a fifth of the time."""


def status(directory: Path, /, *, live: bool = False) -> int:
    """Say how far a run is: done, running, failed by reason, left, rate, time to the end.

    Parameters
    ----------
    directory
        The survey, or a folder that ch.map was given.
    live
        Look again and again, until all is done or nobody has been at work for a while.

    Returns
    -------
    int
        0 unless tasks have failed for good.
    """
    from chandelle.pipeline.status import status_of

    found = status_of(directory)
    if live:
        found = _watch(directory, found)
    else:
        say(_text(found))
    return int(any(one.failed for one in found))


def _watch(directory: Path, found: "list[StepStatus]") -> "list[StepStatus]":
    """Show how far a run is while somebody is at work."""
    from chandelle.pipeline.status import status_of

    with Live(_table(found), console=Console(highlight=False, emoji=False)) as shown:
        empty = 0
        while empty < _EMPTY_LOOKS and not all(one.is_complete for one in found):
            begun = time.monotonic()
            found = status_of(directory)
            shown.update(_table(found))
            empty = 0 if any(one.drivers for one in found) else empty + 1
            time.sleep(max(_EVERY_S, _SHARE * (time.monotonic() - begun)))
    return found


_HEADS = ("step", "done", "of", "running", "failed", "left", "rate", "to go", "")


def _rows(found: "list[StepStatus]") -> list[tuple[str, ...]]:
    """Cells of the table of steps."""
    return [
        (
            one.step,
            str(one.done),
            str(one.total) if not one.waits else "",
            str(one.running or ""),
            ", ".join(f"{n} {reason}" for reason, n in sorted(one.failed.items())),
            str(one.left or ""),
            _rate(one.rate),
            _duration(one.eta_s),
            _remark(one),
        )
        for one in found
    ]


def _remark(one: "StepStatus") -> str:
    parts = [one.waits] if one.waits else []
    parts += [f"{one.stale} stale"] if one.stale else []
    parts += [f"driver {driver}" for driver in one.drivers]
    return "; ".join(parts)


def _text(found: "list[StepStatus]") -> str:
    """Table of steps in plain text."""
    rows = [_HEADS, *_rows(found)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADS))]
    lines = ("  ".join(f"{cell:{w}}" for cell, w in zip(r, widths, strict=True)) for r in rows)
    return "\n".join(line.rstrip() for line in lines)


def _table(found: "list[StepStatus]") -> Table:
    table = Table(*_HEADS, box=None)
    for row in _rows(found):
        table.add_row(*row)
    return table


def _rate(per_s: float) -> str:
    """Tasks a second, a minute or an hour."""
    for unit, seconds in (("s", 1.0), ("min", 60.0), ("h", 3600.0)):
        if per_s * seconds >= 1.0:
            return f"{per_s * seconds:.3g}/{unit}"
    return f"{per_s * 3600.0:.2g}/h" if per_s else ""


def _duration(seconds: float | None) -> str:
    """Hours, minutes, seconds."""
    if not seconds:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def verify(directory: Path, /, *, forget: bool = False) -> int:
    """Read every output of a run again and compare it with the receipt of its task.

    Parameters
    ----------
    directory
        The survey, or a folder that ch.map was given.
    forget
        Forget the receipts of outputs that are gone, cut off or changed: the next run makes them
        again.

    Returns
    -------
    int
        0 if all are as they were written.
    """
    from chandelle.pipeline.verify import verify as verify_run

    with step("verify") as running:
        verdict = verify_run(directory, forget=forget, progress=running.show)
    for one in verdict.broken:
        complain(f"{one.step} {one.key}: {directory / one.path} {one.found}")
    say(
        f"{verdict.n_tasks} tasks, {verdict.n_bytes / 1e9:.3g} GB read, "
        f"{len(verdict.broken)} outputs are not what was written"
    )
    if verdict.broken and forget:
        say("their receipts are forgotten: the next run makes them again")
    elif verdict.broken:
        complain(f"to make them again: chandelle verify {directory} --forget, then chandelle run")
    return int(bool(verdict.broken))


def explain(directory: Path, task: str, /) -> None:
    """Tell all that is known of a task: what came of it, why, where, and what would help.

    Parameters
    ----------
    directory
        The survey, or a folder that ch.map was given.
    task
        Its key, STEP/KEY, the step if it has one task, or the beginning of its id.
    """
    from chandelle.pipeline.explain import explain as explain_task

    say(explain_task(directory, task))
