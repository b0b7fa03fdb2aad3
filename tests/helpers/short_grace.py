"""Arrays of jobs on a file system that shows at once what was written: losses are told soon."""

from pathlib import Path

from chandelle.compute.engine import Engine
from chandelle.compute.places import open_engine as open_any
from chandelle.compute.profile import load_profile
from chandelle.compute.slurm_array import SlurmArrayEngine

GRACE_S = 5.0


def open_engine(on: str, folder: Path) -> Engine:
    """Open an engine as the package does, but for the wait for late files."""
    kind, _, profile = on.partition(":")
    if kind != "slurm-array":
        return open_any(on, folder)
    return SlurmArrayEngine(load_profile(profile), folder, grace_s=GRACE_S)
