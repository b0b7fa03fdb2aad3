"""What the tests of tasks let them do."""

import os
import signal
import time
from pathlib import Path

import psutil

from chandelle.compute.task import Task
from chandelle.core.atomic import atomic_file


def square(task: Task, folder: Path) -> dict:
    """Write the square of a number."""
    number = task.settings["number"]
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_text(str(number**2))
    _note(task, folder)
    return {"number": number}


def bad_data(task: Task, folder: Path) -> None:
    """Find the data unusable."""
    _note(task, folder)
    raise ValueError(f"{task.key}: expected a number, got a pear")


def flaky(task: Task, folder: Path) -> dict:
    """Lose the network twice, then do it."""
    _note(task, folder)
    if runs_of(task, folder) < 3:
        raise ConnectionError("the archive is away")
    return square(task, folder)


def poison(task: Task, folder: Path) -> None:
    """Kill the process it runs in."""
    _note(task, folder)
    os.kill(os.getpid(), signal.SIGKILL)


def dies(task: Task, folder: Path) -> None:
    """Kill the process it runs in, and write nothing."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies_once(task: Task, folder: Path) -> dict:
    """Kill its process at the first time, then do it."""
    if runs_of(task, folder) == 0:
        _note(task, folder)
        os.kill(os.getpid(), signal.SIGKILL)
    return square(task, folder)


def greedy(task: Task, folder: Path) -> dict:
    """Take the memory it is told to, and hold it so long."""
    _note(task, folder)
    held = bytearray(int(task.settings["take_gb"] * 1e9))
    held[::4096] = b"1" * len(held[::4096])
    time.sleep(task.settings.get("hold_s", 0.5))
    del held
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_text(str(task.settings["number"] ** 2))
    return {}


_kept: list[bytearray] = []


def keeps(task: Task, folder: Path) -> dict:
    """Fill the memory of its process up to what it is told, and never give it back."""
    room = int(task.settings["take_gb"] * 1e9) - psutil.Process().memory_info().rss
    held = bytearray(max(room, 0))
    held[::4096] = b"1" * len(held[::4096])
    _kept.append(held)
    time.sleep(1.0)
    return square(task, folder)


def forgets(task: Task, folder: Path) -> None:
    """Write nothing."""


def runs_of(task: Task, folder: Path) -> int:
    """How often a task was begun."""
    notes = folder / "notes"
    return len(list(notes.glob(f"{task.key}-*"))) if notes.is_dir() else 0


def _note(task: Task, folder: Path) -> None:
    notes = folder / "notes"
    notes.mkdir(exist_ok=True)
    (notes / f"{task.key}-{os.getpid()}-{time.time_ns()}").touch()


def slow_square(task: Task, folder: Path) -> dict:
    """Take three seconds for it."""
    _note(task, folder)
    time.sleep(3.0)
    return square(task, folder)


def fifth_square(task: Task, folder: Path) -> dict:
    """Take a fifth of a second for it, some of it while writing."""
    _note(task, folder)
    time.sleep(0.1)
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_text(str(task.settings["number"])[:1])
        time.sleep(0.1)
        temporary.write_text(str(task.settings["number"] ** 2))
    return {}


def stopped_once(task: Task, folder: Path) -> dict:
    """Be told to end in the middle of the first write, then do it."""
    first = runs_of(task, folder) == 0
    _note(task, folder)
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_text("half of")
        if first:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5.0)
        temporary.write_text(str(task.settings["number"] ** 2))
    return {}


def fills(task: Task, folder: Path) -> dict:
    """Write ten kilobytes a task."""
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_bytes(b"x" * 10_000)
    return {}


def compiles(task: Task, folder: Path) -> dict:
    """Let JAX compile programs; say how many, and how many of them had been kept."""
    import jax
    import jax.numpy as jnp

    counts = {"compile_requests_use_cache": 0, "cache_hits": 0}

    def count(event: str, **_: object) -> None:
        name = event.rsplit("/", 1)[-1]
        if name in counts:
            counts[name] += 1

    jax.monitoring.register_event_listener(count)
    steps = jax.jit(jax.grad(lambda x: jnp.linalg.cholesky(jnp.eye(5) * x).sum()))
    value = float(steps(float(task.settings["number"])))
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_text(repr(value))
    return {"asked": counts["compile_requests_use_cache"], "kept": counts["cache_hits"]}


def lasting(task: Task, folder: Path) -> dict:
    """Take as long as it is told to."""
    _note(task, folder)
    time.sleep(task.settings["last_s"])
    return square(task, folder)


def hangs_once(task: Task, folder: Path) -> dict:
    """Wait four minutes in the middle of the first write, then do it."""
    waits_until = time.monotonic() + (240.0 if runs_of(task, folder) == 0 else 0.0)
    _note(task, folder)
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_text("half of")
        while time.monotonic() < waits_until:
            time.sleep(0.1)
        temporary.write_text(str(task.settings["number"] ** 2))
    return {}
