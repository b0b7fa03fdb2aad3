"""A scheduler of dask here whose workers are jobs of Slurm, with certificates of its own."""

import logging
import math
import shutil
import sys
from pathlib import Path
from typing import Any

from dask_jobqueue.slurm import SLURMCluster
from distributed import Security

from chandelle.compute.clients import DASHBOARD, PRELOAD, settings
from chandelle.compute.preload import DRAIN_AT
from chandelle.compute.profile import Profile
from chandelle.compute.resources import exports
from chandelle.compute.slurm import literal
from chandelle.core.atomic import remove_leftovers, temporary_name
from chandelle.core.cache import writable_folder
from chandelle.core.errors import InputError

_log = logging.getLogger(__name__)
_MARGIN_S = 60.0
"""Of the walltime, for what is neither the start of a worker nor a task."""
_KEYS = ("ca.pem", "key.pem")


class JobCluster(SLURMCluster):
    """A scheduler here whose workers are jobs of Slurm; none is asked for yet.

    Its certificates and the logs of the jobs lie in a folder that only its owner can read. Both
    go when it is closed; logs stay where a worker was lost.

    Parameters
    ----------
    profile : Profile
        What the place wants to know.
    memory_gb : float, optional
        Of a job; the first class of the profile if absent.

    Raises
    ------
    InputError
        If there is no folder that the nodes see too.
    """

    def __init__(self, profile: Profile, memory_gb: float | None = None) -> None:
        self.folder, self.has_lost = _private_folder(), False
        job_gb = memory_gb or profile.memory_gb[0]
        scratch: dict[str, Any] = {"local_directory": profile.scratch} if profile.scratch else {}
        with settings():
            super().__init__(
                queue=profile.partition or None,
                account=profile.account or None,
                cores=1,
                processes=1,
                memory=f"{profile.limit_gb(job_gb):.3f}GB",
                job_mem=f"{round(job_gb * 1000)}M",
                walltime=_clock(profile.walltime_min),
                interface=profile.interface or None,
                python=sys.executable,
                death_timeout=profile.death_timeout_s,
                worker_extra_args=["--preload", PRELOAD],
                job_extra_directives=_directives(profile, self.folder),
                job_script_prologue=[*exports(), _life(profile), *profile.prologue],
                scheduler_options={"dashboard_address": DASHBOARD},
                security=_certificates(self.folder),
                protocol="tls://",
                silence_logs="error",
                **scratch,
            )

    async def _close(self) -> None:
        """End the jobs, then remove what was written for them."""
        if self.folder.exists() and self.scheduler is not None:
            events = [event for _, event in self.scheduler.get_events("all")]
            self.has_lost |= any(
                event.get("action") == "remove-worker" and event["processing-tasks"]
                for event in events
            )
        await super()._close()
        _clean(self.folder, keep_logs=self.has_lost)


def _directives(profile: Profile, folder: Path) -> list[str]:
    """Further options of sbatch."""
    options = [f'--output="{literal(folder)}/%J.log"']
    options += [f"--licenses={','.join(profile.licenses)}"] if profile.licenses else []
    options += [f"--qos={profile.qos}"] if profile.qos else []
    return [*options, *profile.directives]


def _life(profile: Profile) -> str:
    """Line of shell that tells a worker from when on its job is too old for another task."""
    life_s = 60.0 * (profile.walltime_min - profile.task_min) - _MARGIN_S
    return f"export {DRAIN_AT}=$(( $(date +%s) + {max(life_s, _MARGIN_S / 2):.0f} ))"


def _private_folder() -> Path:
    """A folder for certificates and logs that only its owner can read, in the user's cache."""
    cache = writable_folder("dask")
    if cache is None:
        raise InputError(
            "jobs read their certificates in the folder of the cache, and there is none (it is off "
            "or cannot be written): set CHANDELLE_CACHE to a folder that the nodes see"
        )
    remove_leftovers(cache / "run")  # of drivers that were killed
    folder = cache / temporary_name("run")
    folder.mkdir(mode=0o700)
    return folder


def _certificates(folder: Path) -> Security:
    """Certificates of one run, in files that the jobs read."""
    made = Security.temporary()
    cert, key = (folder / name for name in _KEYS)
    for path, text in ((cert, made.tls_ca_file), (key, made.tls_client_key)):
        path.touch(mode=0o600)
        path.write_text(str(text), encoding="ascii")
    whose = ("client", "scheduler", "worker")
    roles = {f"tls_{role}_{kind}" for role in whose for kind in ("cert", "key")}
    own = {name: str(cert) if name.endswith("cert") else str(key) for name in roles}
    return Security(require_encryption=True, tls_ca_file=str(cert), **own)


def _clean(folder: Path, *, keep_logs: bool) -> None:
    """Remove the certificates, and the logs unless they tell of a loss."""
    if not keep_logs:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in _KEYS:
        (folder / name).unlink(missing_ok=True)
    kept = folder.with_name(folder.name.strip(".").removesuffix(".tmp"))
    folder.rename(kept)
    _log.warning("workers were lost; what their jobs said: %s", kept)


def _clock(minutes: float) -> str:
    """Minutes as Slurm writes them."""
    hours, rest = divmod(math.ceil(minutes), 60)
    return f"{hours:02d}:{rest:02d}:00"
