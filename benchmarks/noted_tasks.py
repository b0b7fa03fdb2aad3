"""What the benchmarks let tasks do: nothing, or work of a second that notes when and where."""

import json
import os
import signal
import time
from pathlib import Path

import psutil

from chandelle.compute.task import Task
from chandelle.compute.usage import job_id
from chandelle.core.atomic import atomic_file


def nothing(task: Task, folder: Path) -> None:
    """Take no time."""


def noted(task: Task, folder: Path) -> None:
    """Take a second or so; at the first attempt fail in the middle in the way it is told to."""
    settings = task.settings
    number = settings["number"]
    notes = folder / "notes"
    notes.mkdir(exist_ok=True)
    attempt = len(list(notes.glob(f"{number}-*.json")))
    note = notes / f"{number}-{attempt}-{time.time_ns()}.json"
    begun = {"number": number, "job": job_id(), "worker": os.getpid(), "began": time.time()}
    begun["process"] = psutil.Process().create_time()
    _write(note, begun)
    fault = settings["fault"] if attempt == 0 or settings["fault"] == "data" else ""
    time.sleep(settings["wall_s"] * (settings["until"] if fault else 1.0))
    _write(note, begun | {"ended": time.time(), "fault": fault})
    if fault == "transient":
        raise ConnectionError(f"{task.key}: the archive is away")
    if fault == "data":
        raise ValueError(f"{task.key}: expected a number, got a pear")
    if fault == "worker":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "job":
        _end_job()
    with atomic_file(folder / task.outputs[0]) as temporary:
        temporary.write_text(str(number**2))


def _write(path: Path, facts: dict) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(facts))


def _end_job() -> None:
    """Kill all of this batch job: the nanny of a worker first, so that it starts none anew."""
    job = os.environ["SLURM_JOB_ID"]
    family = [psutil.Process(), *psutil.Process().parents()]
    for process in reversed(family):
        if _is_of(process, job):
            process.kill()


def _is_of(process: psutil.Process, job: str) -> bool:
    try:
        return process.environ().get("SLURM_JOB_ID") == job
    except psutil.Error:
        return False
