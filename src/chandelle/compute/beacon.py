"""What a driver at work shows to others: how far it is, every few seconds, as a small file.

``receipts/<stage>/driver-<host>-<pid>.json``; gone when the driver ends. Where it was killed, the
file is left: it does not count on that machine, nor elsewhere once it is old, and the next driver
there removes it.
"""

import contextlib
import json
import logging
import os
import platform
import tempfile
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from chandelle.compute.tally import Tally
from chandelle.core.atomic import atomic_file

_log = logging.getLogger(__name__)
_EVERY_S = 2.0
_RATE_S = 300.0
_FRESH_S = 60.0
"""A file older than this was left by a driver that is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A driver that was seen at work.

    Parameters
    ----------
    host, pid
        Its process.
    tally : Tally
        How far it was.
    rate : float
        Tasks it finishes in a second, over the last minutes.
    """

    host: str
    pid: int
    tally: Tally
    rate: float

    @property
    def is_this_process(self) -> bool:
        """Whether it is the one that asks."""
        return self.pid == os.getpid() and self.host == platform.node()


class Beacon:
    """Shows the tally of a driver while it works, by a thread of its own.

    Parameters
    ----------
    folder : Path
        Receipts of the stage.
    tally : Tally
        Of the driver; read when shown.
    """

    def __init__(self, folder: Path, tally: Tally) -> None:
        self._path = folder / f"driver-{platform.node()}-{os.getpid()}.json"
        self._tally = tally
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="beacon", daemon=True)
        self._finished: deque[tuple[float, int]] = deque()

    def __enter__(self) -> "Beacon":
        for path in filter(_was_killed, self._path.parent.glob("driver-*.json")):
            with contextlib.suppress(OSError):
                path.unlink()
        for other in sightings(self._path.parent):
            if not other.is_this_process:
                _log.warning(
                    "%s: another driver is at work here (process %d on %s): nothing is lost, but "
                    "some tasks may run twice",
                    self._path.parent.name,
                    other.pid,
                    other.host,
                )
        try:
            self._show()
            self._thread.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Show no more, also where the run is interrupted at its first or last moment."""
        self._ended.set()
        try:
            if self._thread.is_alive():
                self._thread.join()
        finally:
            # On a disk that has become read-only even what is not there cannot be removed.
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _beat(self) -> None:
        """Show how far it is now and then, a task in this process or not."""
        while not self._ended.wait(_EVERY_S):
            self._show()

    def _show(self) -> None:
        """Write how far it is."""
        now = time.monotonic()
        facts = {"host": platform.node(), "pid": os.getpid(), "rate": self._rate(now)}
        # The driver goes on counting meanwhile; a dict is copied at once.
        facts["tally"] = asdict(replace(self._tally, failed=dict(self._tally.failed)))
        try:
            with atomic_file(self._path) as temporary:
                temporary.write_text(json.dumps(facts))
        except OSError as error:
            _log.debug("%s: %s", self._path, error)

    def _rate(self, now: float) -> float:
        """Tasks a second over the last minutes."""
        self._finished.append((now, self._tally.done))
        while now - self._finished[0][0] > _RATE_S:
            self._finished.popleft()
        (since, before), (until, after) = self._finished[0], self._finished[-1]
        return (after - before) / (until - since) if until > since else 0.0


def _was_killed(path: Path) -> bool:
    """Whether a driver of this machine left the file and is no more."""
    start = f"driver-{platform.node()}-"
    pid = path.stem.removeprefix(start)
    return path.stem.startswith(start) and pid.isdigit() and not psutil.pid_exists(int(pid))


def _now_of(folder: Path) -> float:
    """Time by the clock that stamps the files of a folder: on a file server, not this machine's."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()


def sightings(folder: Path) -> list[Sighting]:
    """Drivers at work on a stage, by what they show in the folder of its receipts."""
    found = []
    paths = sorted(folder.glob("driver-*.json"))
    now = _now_of(folder) if paths else 0.0
    for path in paths:
        try:
            if now - path.stat().st_mtime > _FRESH_S or _was_killed(path):
                continue
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            facts["tally"] = Tally(**facts["tally"])
            found.append(Sighting(**facts))
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.debug("%s: %s", path, error)
    return found
