"""Where a product came from: versions, hashes of files."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_SOURCES = Path(__file__).parents[1]
_PACKAGES = ("chandelle", "jax", "jaxlib", "numpy", "scipy", "astropy", "pyarrow", "blackjax")


def versions() -> dict[str, str]:
    """Versions of chandelle, Python and the libraries its numbers depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_version(*parts: str) -> str:
    """Version of the code in some parts of the package, and of the data that they ship.

    Parameters
    ----------
    *parts : str
        Names of folders of the package, ``"physics"``.

    Returns
    -------
    str
        Version of chandelle, and a hash of the files: another for any change in them.
    """
    digest = hashlib.sha256()
    for part in sorted(parts):
        for path in sorted((_SOURCES / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(_SOURCES).as_posix()
                digest.update(f"{name}\0{sha256_file(path)}\n".encode())
    return f"{version('chandelle')}+{digest.hexdigest()[:12]}"
