"""Whose arrays of jobs are: a driver says so in the folder of each, and that it is still there.

``driver.json`` holds its machine and process; it is touched every few seconds. A driver of this
machine is known by its process. One of another counts as alive while its file is touched, by the
clock of the file system alone: machines may not agree on the time.
"""

import contextlib
import json
import os
import platform
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from chandelle.core.atomic import atomic_file

FILE = "driver.json"
_BEAT_S = 15.0
_OLD_S = 180.0
"""Beyond this a driver is dead: longer than a file system of the network shows an earlier time."""
_SAME_START_S = 10.0
"""By how much the start of one process may seem to differ."""

Life = Literal["alive", "dead", "unclear"]


def claim(folder: Path) -> None:
    """Say that an array is this process's."""
    facts = {"host": platform.node(), "pid": os.getpid(), "started": _started(os.getpid())}
    (folder / FILE).write_text(json.dumps(facts), encoding="utf-8")


def release(folder: Path) -> None:
    """Say that an array is nobody's any more."""
    with contextlib.suppress(OSError), atomic_file(folder / FILE) as temporary:
        temporary.write_text(json.dumps({"host": None}), encoding="utf-8")


class Pulse:
    """Touches the claims of a driver as long as its process lives."""

    def __init__(self) -> None:
        self._folders: set[Path] = set()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, folder: Path) -> None:
        """Keep a claim alive."""
        self._folders.add(folder)
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="claims", daemon=True)
            self._thread.start()

    def drop(self, folder: Path) -> None:
        """Let a claim be."""
        self._folders.discard(folder)

    def stop(self) -> None:
        """Let all be."""
        self._end.set()

    def _beat(self) -> None:
        while not self._end.wait(_BEAT_S):
            for folder in tuple(self._folders):
                with contextlib.suppress(OSError):
                    os.utime(folder / FILE)


@dataclass(slots=True)
class Claim:
    """The claim on an array, as another driver sees it.

    Parameters
    ----------
    folder : Path
        Of the array.
    """

    folder: Path
    _seen: float | None = None

    def life(self) -> Life:
        """Whether the driver that made it is alive; unclear until it has been seen for a while."""
        try:
            touched = (self.folder / FILE).stat().st_mtime
            is_old = _clock(self.folder.parent) - touched > _OLD_S
            text = (self.folder / FILE).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return "dead"
        except OSError:
            return "unclear"
        try:
            facts = json.loads(text)
        except ValueError:  # damaged: somebody alive would have touched it
            return "dead" if is_old else "unclear"
        if facts["host"] is None:
            return "dead"
        if facts["host"] == platform.node():
            return "alive" if _is_process(facts, is_touched=not is_old) else "dead"
        if is_old:
            return "dead"
        first, self._seen = self._seen, touched
        return "unclear" if first in {None, touched} else "alive"


def _is_process(facts: dict[str, Any], *, is_touched: bool) -> bool:
    """Whether a process of this machine is there and still the same."""
    started = _started(facts["pid"])
    if started is None:
        return False
    return is_touched or abs(started - facts["started"]) < _SAME_START_S


def _started(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _clock(folder: Path) -> float:
    """Time of a file system."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-") as file:
        return os.fstat(file.fileno()).st_mtime
