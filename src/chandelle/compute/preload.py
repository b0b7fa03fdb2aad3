"""What each worker of a local cluster does first, those that replace lost ones too."""

from typing import Any

from chandelle.compute.resources import pin_to_core


def dask_setup(worker: Any) -> None:
    """Hold a worker of one thread to the core of its number."""
    name = str(worker.name)
    if worker.state.nthreads == 1 and name.isdigit():
        pin_to_core(int(name))
