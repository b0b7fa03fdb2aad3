"""The checks of ``chandelle doctor``; each is a function that says what it found."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from chandelle.cli.place_checks import memory, network, profiles, reach, slurm
from chandelle.core.errors import ChandelleError
from chandelle.core.provenance import sha256_file, versions

_PYTHON = (3, 11)
_MODULUS = 42.261185
"""Distance modulus at z = 0.5, flat LCDM with Om = 0.3, H0 = 70 (astropy 8.0.2), to 1e-6 mag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one check found."""

    name: str
    is_ok: bool
    detail: str


def run_checks(*, on: str | None = None) -> list[Check]:
    """Run every check; one that breaks counts as failed and does not stop the others."""
    checks = dict(_CHECKS)
    if on is not None:
        checks[on] = lambda: reach(on)
    return [_attempt(name, check) for name, check in checks.items()]


def _attempt(name: str, check: Callable[[], tuple[bool, str]]) -> Check:
    try:
        is_ok, detail = check()
    except (ChandelleError, ImportError, OSError, RuntimeError, ValueError) as error:
        is_ok, detail = False, f"{type(error).__name__}: {error}"
    return Check(name=name, is_ok=is_ok, detail=detail)


def _python() -> tuple[bool, str]:
    found = f"{platform.python_version()} at {sys.executable}, {platform.platform()}"
    return sys.version_info[:2] >= _PYTHON, found


def _libraries() -> tuple[bool, str]:
    found = versions()
    absent = [name for name, version in found.items() if version == "absent"]
    return not absent, ", ".join(f"{name} {version}" for name, version in found.items())


def _precision() -> tuple[bool, str]:
    from chandelle.core.precision import require_x64

    require_x64()
    import jax.numpy as jnp

    found = jnp.ones(1).dtype
    return found == jnp.float64, f"JAX computes in {found}"


def _devices() -> tuple[bool, str]:
    import jax

    devices = [str(device) for device in jax.devices()]
    return bool(devices), f"{', '.join(devices)}; {os.cpu_count()} cores"


def _shipped_data() -> tuple[bool, str]:
    folder = Path(str(files("chandelle.instrument"))) / "data"
    lines = (folder / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    broken = [
        name
        for name, digest in expected.items()
        if not (folder / name).is_file() or sha256_file(folder / name) != digest
    ]
    found = f"{len(expected) - len(broken)} of {len(expected)} files intact in {folder}"
    return not broken, f"{found}; broken: {', '.join(broken)}; reinstall" if broken else found


def _arithmetic() -> tuple[bool, str]:
    import jax.numpy as jnp

    from chandelle.physics.distance import Cosmology, distance_modulus

    z = jnp.asarray([0.5])
    found = float(distance_modulus(z, z, Cosmology(Om=0.3))[0])
    return abs(found - _MODULUS) < 1e-6, f"distance modulus {found:.6f}, expected {_MODULUS:.6f}"


def _writes(folder: Path) -> tuple[bool, str]:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".chandelle-doctor-"):
        pass
    return True, f"{folder} takes files"


def _cache() -> tuple[bool, str]:
    from chandelle.compute.programs import programs_folder
    from chandelle.core.cache import cache_folder

    if os.environ.get("CHANDELLE_CACHE") == "off":
        return True, "off: each process compiles what it needs"
    _, found = _writes(cache_folder())
    own = _size_of(programs_folder())
    return True, f"{found}; programs of XLA {own}, of numba {_size_of(cache_folder() / 'numba')}"


def _size_of(folder: Path | None) -> str:
    """Say how much a folder holds."""
    files_in = [path for path in folder.rglob("*") if path.is_file()] if folder else []
    return f"{sum(path.stat().st_size for path in files_in) / 1e6:.1f} MB"


_CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "python": _python,
    "libraries": _libraries,
    "precision": _precision,
    "devices": _devices,
    "shipped data": _shipped_data,
    "arithmetic": _arithmetic,
    "cache": _cache,
    "this folder": lambda: _writes(Path.cwd()),
    "memory": memory,
    "profiles": profiles,
    "Slurm": slurm,
    "network": network,
    "temporary folder": lambda: _writes(Path(tempfile.gettempdir())),
}
