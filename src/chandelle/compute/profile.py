"""Profiles: what a place wants to know of a job, as TOML; three come with the package."""

import math
import os
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from chandelle.compute.resources import MEMORY_GB
from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError

_WORKER_SHARE, _LEAST_GB = 0.85, 0.1
"""Of the memory of a job, what a worker of dask may take: its nanny and the allocator have the
rest."""
_SHIPPED = Path(str(files("chandelle.compute"))) / "profiles"


class Profile(StageConfig):
    """What a place wants to know of a job.

    Parameters
    ----------
    kind : "local" or "slurm"
        This machine, or a batch system.
    partition, account, licenses, qos
        As sbatch takes them; left out where empty.
    memory_gb : tuple of float
        Classes of memory of a job, rising. A task runs in a job of the first that holds it; where
        that was too little, in one of the next.
    overhead_gb : float
        Memory of a job that is not the task's: the worker and its nanny.
    walltime_min, task_min : float
        Longest life of a job, and the longest task: a worker takes no task that it may not finish.
    jobs : int
        Jobs at a time unless asked otherwise; with dask, of each class of memory.
    idle_s : float
        How long a job of dask may have nothing to do before it is given back.
    directives, prologue : tuple of str
        Further options of sbatch (``--gres=gpu:1``), lines of shell before the work.
    scratch : str
        Folder for temporary files of a job.
    interface : str
        Network interface by which workers meet the scheduler; the default one if empty.
    death_timeout_s : float
        How long a worker looks for its scheduler.
    """

    kind: Literal["local", "slurm"]
    partition: str = ""
    account: str = ""
    licenses: tuple[str, ...] = ()
    qos: str = ""
    memory_gb: tuple[float, ...] = Field(default=MEMORY_GB, min_length=1)
    overhead_gb: float = Field(default=0.25, ge=0)
    walltime_min: float = Field(default=480.0, gt=0)
    task_min: float = Field(default=30.0, gt=0)
    jobs: int = Field(default=10, ge=1)
    idle_s: float = Field(default=60.0, gt=0)
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    scratch: str = ""
    interface: str = ""
    death_timeout_s: float = Field(default=300.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> "Profile":
        if list(self.memory_gb) != sorted(set(self.memory_gb)) or self.memory_gb[0] <= 0:
            raise ValueError(f"memory_gb must be positive and rise, got {self.memory_gb}")
        if self.task_min >= self.walltime_min:
            raise ValueError(
                f"walltime_min ({self.walltime_min:g}) must exceed task_min ({self.task_min:g})"
            )
        return self

    def limit_gb(self, job_gb: float) -> float:
        """Memory at which dask ends a worker, itself and its task [GB]; the rest is the nanny's."""
        return max(job_gb * _WORKER_SHARE, _LEAST_GB)

    def worker_gb(self, job_gb: float) -> float:
        """Memory that a task of dask may take in a job [GB]; the rest is for worker and nanny."""
        return max(self.limit_gb(job_gb) - self.overhead_gb, _LEAST_GB)

    def job_gb(self, task_gb: float) -> float:
        """Class of the smallest job that holds a task of dask; beyond them, as much as it takes."""
        beyond = math.ceil((task_gb + self.overhead_gb) / _WORKER_SHARE)
        return next((gb for gb in self.memory_gb if self.worker_gb(gb) >= task_gb), float(beyond))


def profile_folders() -> list[Path]:
    """Where profiles are looked for by name: the user's own first, then those of the package."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [home / "chandelle" / "profiles", _SHIPPED]


def load_profile(name: str | Path) -> Profile:
    """Read a profile.

    Parameters
    ----------
    name : str or Path
        ``"cc-in2p3"``, ``"gpu"``, ``"laptop"``, one of your own in
        ``~/.config/chandelle/profiles/NAME.toml``, or the path of a TOML file.

    Returns
    -------
    Profile
        Checked.

    Raises
    ------
    InputError
        If there is none, or it is not one.

    Examples
    --------
    >>> load_profile("cc-in2p3").partition
    'htc'
    """
    if str(name).endswith(".toml"):
        return Profile.from_toml(name)
    for folder in profile_folders():
        path = folder / f"{name}.toml"
        if path.is_file():
            return Profile.from_toml(path)
    known = sorted({path.stem for folder in profile_folders() for path in folder.glob("*.toml")})
    raise InputError(f"profile {name}: expected one of {', '.join(known)}, or a path to a .toml")
