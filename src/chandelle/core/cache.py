"""Where chandelle keeps compiled programs between runs, so that only the first run compiles.

``CHANDELLE_CACHE`` moves the cache, ``CHANDELLE_CACHE=off`` does without.
"""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Folder of the user's cache (``CHANDELLE_CACHE``, or where the system keeps caches)."""
    chosen = os.environ.get("CHANDELLE_CACHE", "")
    if chosen not in {"", "off"}:
        return Path(chosen)
    import pooch

    return Path(pooch.os_cache("chandelle"))


def writable_folder(*parts: str) -> Path | None:
    """Make a folder of the cache; None where caching is off or the place cannot be written."""
    if os.environ.get("CHANDELLE_CACHE") == "off":
        return None
    folder = cache_folder().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
