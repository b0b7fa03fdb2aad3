"""Where a product came from: versions, hashes of files."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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
