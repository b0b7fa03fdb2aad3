"""Checks of ``chandelle doctor`` about where work can run."""

import shutil
from datetime import datetime, timedelta

from chandelle.core.errors import InputError

_TIMEOUT_S = 10.0
_LEAP_SECONDS = timedelta(days=150)
"""astropy looks for a newer table of leap seconds where its own ends sooner."""


def memory() -> tuple[bool, str]:
    """Memory of this machine, and cores that this process may use."""
    import psutil

    from chandelle.compute.resources import memory_here
    from chandelle.core.threads import cores

    free, total = psutil.virtual_memory().available / 1e9, memory_here()
    return True, f"{free:.1f} of {total:.1f} GB free; {len(cores())} cores may be used here"


def profiles() -> tuple[bool, str]:
    """Profiles that are known and where they are, each read."""
    from chandelle.compute.profile import load_profile, profile_folders

    own, shipped = (sorted(folder.glob("*.toml")) for folder in profile_folders())
    for path in (*own, *shipped):
        load_profile(path)
    mine, others = (", ".join(path.stem for path in paths) for paths in (own, shipped))
    return True, f"{mine or 'none'} in {profile_folders()[0]}; {others} come with chandelle"


def slurm() -> tuple[bool, str]:
    """Partitions, where there is Slurm."""
    from chandelle.compute.slurm import SlurmError, partitions

    if shutil.which("sinfo") is None:
        return True, "none here; --on local works"
    try:
        found = partitions()
    except SlurmError as error:
        first = str(error).splitlines()[0]
        return True, f"does not answer, so --on local alone works here: {first}"
    return True, ", ".join(f"{name} {state}" for name, state in found.items()) or "no partition"


def network() -> tuple[bool, str]:
    """What would need the network: nothing of ours but fetching; astropy, with old leap seconds."""
    from astropy.utils import iers

    said = "not needed; `chandelle fetch` uses it when asked, a cluster for its own workers"
    until = iers.LeapSeconds.from_iers_leap_seconds(iers.IERS_LEAP_SECOND_FILE).expires
    if until.to_datetime() - datetime.now() < _LEAP_SECONDS:
        said += (
            f"; where times change their scale astropy asks for leap seconds, its own are known to "
            f"{until.iso[:10]}: pip install --upgrade astropy-iers-data"
        )
    return True, said


def reach(on: str) -> tuple[bool, str]:
    """Whether a place answers."""
    kind, _, rest = on.partition(":")
    if kind in {"slurm", "slurm-array"}:
        return _reach_slurm(rest)
    if kind in {"tcp", "tls"}:
        return _reach_scheduler(on)
    if kind in {"serial", "local"}:
        return True, "this machine"
    raise InputError(f"--on {on}: expected slurm:PROFILE, slurm-array:PROFILE or tcp://ADDRESS")


def _reach_slurm(name: str) -> tuple[bool, str]:
    from chandelle.compute.profile import load_profile
    from chandelle.compute.slurm import partitions

    profile, found = load_profile(name), partitions()
    if profile.partition and profile.partition not in found:
        return False, f"no partition {profile.partition}; there are {', '.join(found)}"
    state = found.get(profile.partition, "")
    where = f"partition {profile.partition} is {state}" if state else "the default partition"
    size = f"{profile.jobs} jobs of {profile.memory_gb[0]:g} GB at a time"
    return state in {"", "up"}, f"{where}; {size}"


def _reach_scheduler(address: str) -> tuple[bool, str]:
    from distributed import Client, Security

    try:
        with Client(
            address, timeout=_TIMEOUT_S, security=Security(), set_as_default=False
        ) as client:
            workers = client.scheduler_info(n_workers=0)["n_workers"]
    except (OSError, TimeoutError) as error:
        return False, f"does not answer: {error}"
    return workers > 0, f"answers, with {workers} workers"
