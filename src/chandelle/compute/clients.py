"""Dask clients for a laptop and for Slurm: encrypted, a thread a worker, a dashboard for you."""

import logging
import math
import platform
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import dask.config
from distributed import Client, LocalCluster, Security

from chandelle.compute.profile import Profile, load_profile
from chandelle.compute.resources import ONE_THREAD
from chandelle.core.errors import InputError
from chandelle.core.threads import cores

_told = logging.getLogger("chandelle.dashboard")
_told.setLevel(logging.INFO)
DASHBOARD = "127.0.0.1:0"
PRELOAD = "chandelle.compute.preload"
_SETTINGS: Mapping[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.worker.multiprocessing-method": "spawn",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.9,
    "distributed.worker.memory.terminate": 0.95,
}
"""A lost worker is told at once; one task at a worker, so that no other is blamed with it."""


def settings() -> AbstractContextManager:
    """Settings of dask while a cluster is started."""
    threads = {f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in ONE_THREAD.items()}
    return dask.config.set({**_SETTINGS, **threads})


def new_client(ncpu: int | None = None, profile: str | Profile | None = None) -> Client:
    """Start workers and give a dask client to them.

    Parameters
    ----------
    ncpu : int, optional
        How many calls run at a time: ``new_client(10)`` gives ten slots even on two cores, for work
        that waits. One a core if absent; with a batch system, what its profile says.
    profile : str or Profile, optional
        ``"cc-in2p3"``, one of your own, a path to a TOML file; this machine if absent.

    Returns
    -------
    dask.distributed.Client
        Its connections are encrypted, its dashboard listens on this machine alone; how to see it
        from another is said on stderr, and by `tunnel`. ``client.shutdown()`` ends the workers too.

    Raises
    ------
    InputError
        If there is no such profile, or this is a script without its guard.
    """
    if ncpu is not None and ncpu < 1:
        raise InputError(f"ncpu must be at least 1, got {ncpu}")
    chosen = profile if isinstance(profile, Profile) else load_profile(profile or "laptop")
    cluster = _slurm(chosen, ncpu) if chosen.kind == "slurm" else _local(ncpu)
    return Client(cluster)


def _local(ncpu: int | None) -> LocalCluster:
    """Workers on this machine, no more than cores; slots beyond are threads of theirs."""
    _refuse_unguarded()
    n_core = len(cores())
    slots = ncpu or n_core
    n_worker = min(slots, n_core)
    return local_cluster(n_worker, threads=math.ceil(slots / n_worker))


def local_cluster(n_worker: int, *, threads: int = 1) -> LocalCluster:
    """Workers in processes of their own on this machine; one thread a worker is held to a core."""
    with settings():
        cluster = LocalCluster(
            n_workers=n_worker,
            threads_per_worker=threads,
            processes=True,
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address=DASHBOARD,
            silence_logs=logging.ERROR,
            preload=[PRELOAD],
        )
    _tell_dashboard(cluster)
    return cluster


def _slurm(profile: Profile, ncpu: int | None) -> Any:
    """Jobs of one worker each, replaced when they end."""
    cluster = slurm_cluster(profile)
    jobs = ncpu or profile.jobs
    cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
    return cluster


def slurm_cluster(profile: Profile, memory_gb: float | None = None) -> Any:
    """A scheduler here whose workers are jobs of Slurm; none is asked for yet.

    Parameters
    ----------
    profile : Profile
        What the place wants to know.
    memory_gb : float, optional
        Of a job; the first class of the profile if absent.

    Returns
    -------
    JobCluster
        Without jobs; `adapt` or `scale` ask for them.
    """
    from chandelle.compute.job_cluster import JobCluster

    cluster = JobCluster(profile, memory_gb)
    _tell_dashboard(cluster)
    return cluster


def _tell_dashboard(cluster: Any) -> None:
    """Say where the dashboard of new workers is, as a record of ``chandelle.dashboard``.

    Whoever waits for workers wants to see them, so it is shown where else only warnings are. Where
    no log was set up, as in a notebook, it goes to stderr. What silences warnings silences it.
    """
    link = cluster.dashboard_link
    if not link or not logging.getLogger("chandelle").isEnabledFor(logging.WARNING):
        return
    is_heard = _told.hasHandlers()
    handler = logging.NullHandler() if is_heard else logging.StreamHandler(sys.stderr)
    _told.addHandler(handler)
    try:
        _told.info("dashboard: %s", _way_to(link))
    finally:
        _told.removeHandler(handler)


def tunnel(client: Client) -> str:
    """Say how to see the dashboard of a client from another machine.

    Parameters
    ----------
    client : Client
        Of `new_client`.

    Returns
    -------
    str
        The address, and the command that leads there.
    """
    return _way_to(client.dashboard_link or "")


def _way_to(link: str) -> str:
    """Address of a dashboard of this machine, and the command that leads there from another."""
    port = link.rsplit(":", 1)[-1].split("/")[0]
    return f"{link}  (from elsewhere: ssh -N -L {port}:127.0.0.1:{port} {platform.node()})"


def _refuse_unguarded() -> None:
    """Raise in a process that a worker starts, where a script asks for workers again."""
    import multiprocessing

    if multiprocessing.parent_process() is not None:
        raise InputError(
            "workers cannot be started while the script is read by a worker: put the calls of the "
            'script under `if __name__ == "__main__":`'
        )
