"""What each worker of dask does first, those that replace lost ones too."""

from typing import Any

from chandelle.compute.programs import keep_programs
from chandelle.compute.resources import pin_to_core


def dask_setup(worker: Any) -> None:
    """Keep compiled programs; hold a worker of one thread and a number for a name to its core."""
    keep_programs()
    name = str(worker.name)
    if worker.state.nthreads == 1 and name.isdigit():
        pin_to_core(int(name))
