"""Where tasks run, as a user says it: ``on="local:8"``, ``"slurm:cc-in2p3"``, a client."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from distributed import Client, Security

from chandelle.compute.clients import local_cluster
from chandelle.compute.dask_engine import DaskEngine
from chandelle.compute.engine import Engine, Functions, SerialEngine
from chandelle.compute.profile import Profile, load_profile
from chandelle.compute.resources import machine_gb
from chandelle.compute.slurm_array import SlurmArrayEngine
from chandelle.compute.slurm_engine import SlurmEngine
from chandelle.core.errors import InputError
from chandelle.core.threads import cores

KINDS = "serial, local[:N], slurm:PROFILE, slurm-array:PROFILE, tcp://ADDRESS, tls://ADDRESS"
Place = str | Client


def open_engine(on: Place, folder: Path, *, functions: Functions | None = None) -> Engine:
    """Open the engine that a user names, as `find_engine` finds it."""
    return find_engine(on, folder, functions=functions)()


def find_engine(
    on: Place, folder: Path, *, functions: Functions | None = None
) -> Callable[[], Engine]:
    """Find what opens the engine that a user names, nothing started yet.

    Parameters
    ----------
    on : str or dask Client
        ``"serial"``; ``"local"`` or ``"local:N"``, N workers on this machine; ``"slurm:PROFILE"``,
        workers that are jobs; ``"slurm-array:PROFILE"``, arrays of jobs without dask;
        ``"tcp://ADDRESS"``, a scheduler that runs; or a client of your own.
    folder : Path
        Folder of the run.
    functions : mapping, optional
        Functions that workers cannot import.

    Returns
    -------
    callable
        Opens it; to be closed.

    Raises
    ------
    InputError
        If there is no such place.
    """
    if not isinstance(on, str):
        return partial(DaskEngine, on, folder, functions=functions)
    kind, _, rest = on.partition(":")
    if on == "serial":
        return partial(SerialEngine, folder, functions)
    if kind == "local":
        return partial(_local_engine, _workers(on, rest), folder, functions)
    if kind in {"tcp", "tls"} and rest.startswith("//"):
        return partial(_engine_at, on, folder, functions)
    if kind == "slurm" and rest:
        return partial(SlurmEngine, _slurm_profile(on, rest), folder, functions=functions)
    if kind == "slurm-array" and rest:
        if functions:
            raise InputError(f"on={on!r}: a job can only run functions of files it can import")
        return partial(SlurmArrayEngine, _slurm_profile(on, rest), folder)
    raise InputError(f"on={on!r}: expected one of {KINDS}")


def _engine_at(address: str, folder: Path, functions: Functions | None) -> Engine:
    client = Client(address, security=Security(), set_as_default=False)
    return DaskEngine(client, folder, functions=functions, close=lambda: _end(client))


def _workers(on: str, rest: str) -> int:
    if not rest:
        return len(cores())
    if not rest.isdigit() or int(rest) < 1:
        raise InputError(f"on={on!r}: expected local or local:N, N workers")
    return int(rest)


def _local_engine(n_worker: int, folder: Path, functions: Functions | None) -> Engine:
    cluster = local_cluster(n_worker)
    client = Client(cluster, set_as_default=False)

    def revive() -> str:
        cluster.scale(n_worker)
        return f"{n_worker} workers were asked for anew"

    def close() -> None:
        client.close()
        cluster.close()

    how = {"revive": revive, "close": close, "memory_gb": machine_gb()}
    return DaskEngine(client, folder, functions=functions, **how)


def _slurm_profile(on: str, name: str) -> Profile:
    profile = load_profile(name)
    if profile.kind != "slurm":
        raise InputError(f"on={on!r}: the profile is of kind {profile.kind}")
    return profile


def _end(client: Client) -> None:
    client.close()
