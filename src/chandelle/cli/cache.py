"""Compiled programs between runs of the shell commands: XLA's are kept, a wait for them is told.

XLA's programs hold machine code for one kind of processor. A home folder shared by different
machines would hand them to the wrong one, so each kind gets a folder of its own.
``CHANDELLE_CACHE`` moves the cache (`core.cache`).
"""

import hashlib
import logging
import platform
from pathlib import Path

from chandelle.core.cache import writable_folder
from chandelle.core.provenance import versions

_log = logging.getLogger(__name__)
_CPUINFO = Path("/proc/cpuinfo")
_MODEL_KEYS = ("model name", "flags", "Features", "CPU part")


def processor_signature() -> str:
    """Name the kind of processor: equal on machines that can run each other's machine code."""
    facts = [platform.machine(), platform.processor(), versions()["jaxlib"]]
    if _CPUINFO.is_file():
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
        facts += sorted({line for line in lines if line.startswith(_MODEL_KEYS)})
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def use_compilation_cache() -> None:
    """Let JAX keep compiled programs; without a writable folder it compiles as always."""
    folder = writable_folder("xla", processor_signature())
    if folder is None:
        _log.info("no compilation cache: off, or its folder is not writable")
        return
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def fit_step(what: str) -> str:
    """Say of a step that fits light curves that it compiles first, where it does."""
    from chandelle.core.compiled import has_machine_code

    return what if has_machine_code("fit_targets") else f"{what}, compiling first (once)"
