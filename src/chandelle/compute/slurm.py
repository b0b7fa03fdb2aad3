"""The commands of Slurm that tasks need: submit an array, see what is left of it, take it back."""

import math
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from chandelle.compute.profile import Profile
from chandelle.compute.resources import exports
from chandelle.core.errors import ChandelleError, InputError

_TIMEOUT_S = 60.0


class SlurmError(ChandelleError):
    """A command of Slurm failed."""


def sbatch_options(profile: Profile, *, name: str, memory_gb: float, log: str) -> list[str]:
    """Options of sbatch for jobs of one core; the name of the log, not its folder, has patterns."""
    options = [
        f"--job-name={name}",
        "--ntasks=1",
        "--cpus-per-task=1",
        f"--mem={round(1000 * (memory_gb + profile.overhead_gb))}M",
        f"--time={math.ceil(profile.walltime_min)}",
        f"--output={literal(Path(log).parent)}/{Path(log).name}",
        "--no-requeue",
    ]
    for option, value in (
        ("partition", profile.partition),
        ("account", profile.account),
        ("licenses", ",".join(profile.licenses)),
        ("qos", profile.qos),
    ):
        options += [f"--{option}={value}"] if value else []
    return [*options, *profile.directives]


def literal(path: Path) -> str:
    """Path as part of the name of a log, where ``%`` begins a number."""
    return str(path).replace("%", "%%")


def job_script(profile: Profile, command: str) -> str:
    """Shell script of a job: one thread, the site's prologue, the command."""
    scratch = [f"export TMPDIR={profile.scratch}"] if profile.scratch else []
    return "\n".join(["#!/bin/sh", *exports(), *scratch, *profile.prologue, f"exec {command}", ""])


def submit(script: str, options: Sequence[str]) -> str:
    """Submit a script; the number of the job."""
    said = _run(["sbatch", "--parsable", *options], text=script)
    return said.strip().split(";")[0]


def elements_left() -> list[tuple[str, int, str]]:
    """Elements of arrays of this user that have not ended: array, number, state."""
    said = _run(["squeue", "--me", "--noheader", "--array", "--format=%F %K %T"])
    rows = (line.split() for line in said.splitlines() if line.strip())
    return [(row[0], int(row[1]), row[2]) for row in rows if row[1].isdigit()]


def own_jobs() -> dict[str, str]:
    """Jobs of this user that have not ended, with their states."""
    said = _run(["squeue", "--me", "--noheader", "--format=%A %T"])
    return dict(line.split() for line in said.splitlines() if line.strip())


def partitions() -> dict[str, str]:
    """Partitions of the cluster, each with its state: ``{"htc": "up"}``."""
    said = _run(["sinfo", "--noheader", "--format=%R %a"])
    return dict(line.split() for line in said.splitlines() if line.strip())


def cancel(job: str) -> None:
    """Take a job back."""
    _run(["scancel", job])


def _run(command: list[str], *, text: str | None = None) -> str:
    found = shutil.which(command[0])
    if found is None:
        raise InputError(f"{command[0]}: not found; is this a machine of a Slurm cluster?")
    try:
        done = subprocess.run(  # noqa: S603 - a command of Slurm with our options
            [found, *command[1:]],
            input=text,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{command[0]}: no answer in {_TIMEOUT_S:g} s") from error
    if done.returncode:
        raise SlurmError(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
