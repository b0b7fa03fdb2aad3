"""What the commands say, and where: results on stdout, log and progress on stderr.

Progress is drawn on a terminal only, so a log file or a pipe stays clean.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from rich.console import Console
from rich.logging import RichHandler

_log = logging.getLogger(__name__)
_out: ContextVar[Console] = ContextVar("out")


def set_up(*, quiet: bool, verbose: bool) -> None:
    """Route the log of chandelle to stderr at the level asked for, and silence `say` if quiet."""
    _out.set(Console(quiet=quiet, highlight=False, markup=False, soft_wrap=True))
    logger = logging.getLogger("chandelle")
    for handler in [h for h in logger.handlers if isinstance(h, RichHandler)]:
        logger.removeHandler(handler)
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING
    console = Console(stderr=True, highlight=False)
    logger.addHandler(RichHandler(level, console, show_path=verbose, log_time_format="%H:%M:%S"))
    logger.setLevel(level)


def say(text: str) -> None:
    """Write a result, one or more lines, to stdout."""
    _out.get(Console(highlight=False, markup=False, soft_wrap=True)).print(text)


def complain(text: str) -> None:
    """Write an error to stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"chandelle: {text}")


@dataclass(slots=True)
class Clock:
    """What a step took; set when it ends."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def step(what: str) -> Iterator[Clock]:
    """Show on a terminal that something runs; log how long it took when it is done."""
    console = Console(stderr=True, highlight=False, quiet=_is_quiet())
    clock, wall, cpu = Clock(), time.perf_counter(), time.process_time()
    if console.is_terminal:
        with console.status(f"{what} ..."):
            yield clock
    else:
        yield clock
    clock.wall_s, clock.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    facts = {"wall_s": clock.wall_s, "cpu_s": clock.cpu_s}
    _log.info("%s: %.1f s, %.1f s of CPU", what, clock.wall_s, clock.cpu_s, extra=facts)


def _is_quiet() -> bool:
    console = _out.get(None)
    return console is not None and console.quiet
