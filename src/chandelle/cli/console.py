"""What the commands say, and where: results on stdout, log and progress on stderr.

Progress is drawn on a terminal only, so a log file or a pipe stays clean.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_log = logging.getLogger(__name__)
_out: ContextVar[Console] = ContextVar("out")
_drawn: ContextVar[Progress | None] = ContextVar("drawn", default=None)


@contextmanager
def session(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """Send the log of chandelle to stderr, and silence `say` if quiet, while a command runs."""
    logger = logging.getLogger("chandelle")
    former, level = logger.level, logging.WARNING
    if quiet or verbose:
        level = logging.ERROR if quiet else logging.DEBUG
    handler = _log_handler()
    out = _out.set(Console(quiet=quiet, highlight=False, emoji=False, markup=False, soft_wrap=True))
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(former)
        logger.removeHandler(handler)
        _out.reset(out)


def _log_handler() -> logging.Handler:
    """Log in color on a terminal, else one line a record with its date."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if console.is_terminal:
        return RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


def say(text: str) -> None:
    """Write a result, one or more lines, to stdout; what a step draws stands aside."""
    drawn = _drawn.get()
    if drawn is not None:
        drawn.stop()
    _out.get(Console(highlight=False, emoji=False, markup=False, soft_wrap=True)).print(text)
    if drawn is not None:
        drawn.start()


def complain(text: str) -> None:
    """Write an error to stderr."""
    Console(stderr=True, highlight=False, emoji=False, markup=False, soft_wrap=True).print(
        f"chandelle: {text}"
    )


@dataclass(slots=True)
class Step:
    """A step that runs: tell it how far it is; when it ends it knows what it took."""

    show: Callable[[int, int], None]
    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def step(what: str) -> Iterator[Step]:
    """Show on a terminal that something runs and how far it is; log what it took."""
    console = Console(stderr=True, highlight=False, emoji=False)
    is_shown = console.is_terminal and not console.is_dumb_terminal and not is_quiet()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    wall, cpu = time.perf_counter(), time.process_time()
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as progress:
        task = progress.add_task(what, total=None)
        running = Step(lambda done, total: progress.update(task, completed=done, total=total))
        token = _drawn.set(progress if is_shown else None)
        try:
            yield running
        finally:
            _drawn.reset(token)
    running.wall_s, running.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    facts = {"wall_s": running.wall_s, "cpu_s": running.cpu_s}
    _log.info("%s: %.1f s, %.1f s of CPU", what, running.wall_s, running.cpu_s, extra=facts)


def is_quiet() -> bool:
    """Whether the user wants to hear nothing but errors."""
    console = _out.get(None)
    return console is not None and console.quiet
