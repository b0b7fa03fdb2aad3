"""Profiles: what a place wants to know of a job, as TOML; three come with the package."""

import os
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError

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
        Classes of memory of a job, rising. Jobs have the first; a task that needs more runs alone
        in one of the next.
    overhead_gb : float
        Memory of a job that is not the task's: the worker and its nanny.
    walltime_min, task_min : float
        Longest life of a job, and the longest task: a worker takes no task that it may not finish.
    jobs : int
        Jobs at a time unless asked otherwise.
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
    memory_gb: tuple[float, ...] = Field(default=(4.0, 8.0, 16.0, 32.0, 64.0), min_length=1)
    overhead_gb: float = Field(default=0.25, ge=0)
    walltime_min: float = Field(default=480.0, gt=0)
    task_min: float = Field(default=30.0, gt=0)
    jobs: int = Field(default=10, ge=1)
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
