"""Checks of ``chandelle doctor`` about where work can run."""

import shutil

from chandelle.core.errors import InputError

_TIMEOUT_S = 10.0


def memory() -> tuple[bool, str]:
    """Memory of this machine, and cores that this process may use."""
    import psutil

    from chandelle.core.threads import cores

    found = psutil.virtual_memory()
    free, total = found.available / 1e9, found.total / 1e9
    return True, f"{free:.1f} of {total:.1f} GB free; {len(cores())} cores may be used here"


def profiles() -> tuple[bool, str]:
    """Profiles that are known, each read."""
    from chandelle.compute.profile import load_profile, profile_folders

    paths = [path for folder in profile_folders() for path in sorted(folder.glob("*.toml"))]
    for path in paths:
        load_profile(path)
    own = profile_folders()[0]
    return True, f"{', '.join(dict.fromkeys(path.stem for path in paths))}; yours go to {own}"


def slurm() -> tuple[bool, str]:
    """Partitions, where there is Slurm."""
    from chandelle.compute.slurm import SlurmError, partitions

    if shutil.which("sinfo") is None:
        return True, "none here; --on local works"
    try:
        found = partitions()
    except SlurmError as error:
        return True, f"does not answer, so --on local alone works here: {error}"
    return True, ", ".join(f"{name} {state}" for name, state in found.items()) or "no partition"


def network() -> tuple[bool, str]:
    """What needs the network."""
    return True, "not needed; `chandelle fetch` uses it when asked, a cluster for its own workers"


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
