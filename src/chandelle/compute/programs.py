"""Programs that XLA compiled, kept for the next process that needs the same.

They hold machine code of one kind of processor, and a home folder is shared by many: each kind, and
each version of jaxlib, has a folder of its own, which a process finds out where it runs. The folder
is given by the environment as long as JAX is not imported, so who needs no JAX imports none.
numba keys what it keeps by the processor itself (`core.compiled`).
"""

import hashlib
import os
import platform
import sys
from functools import cache
from pathlib import Path

from chandelle.core.cache import writable_folder
from chandelle.core.provenance import versions

_CPUINFO = Path("/proc/cpuinfo")
_MODEL_KEYS = ("model name", "flags", "Features", "CPU part")
_KIND = "xla"
_FOLDER, _SHORTEST = "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
_SHORTEST_S = 0.03
"""Time to compile that is worth a file: all programs, down to single sums, would be hundreds."""


@cache
def processor_signature(cpuinfo: Path = _CPUINFO) -> str:
    """Name the kind of processor and the jaxlib: equal where one can run the other's programs."""
    facts = [platform.machine(), platform.processor(), versions()["jaxlib"]]
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        facts += sorted({line for line in lines if line.startswith(_MODEL_KEYS)})
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def programs_folder() -> Path | None:
    """Folder of the programs for this processor; None where none can be kept."""
    return writable_folder(_KIND, processor_signature())


def keep_programs() -> None:
    """Let JAX keep compiled programs, whether it is imported or not; what the user chose stays.

    A folder that another machine chose for itself, and handed on in the environment of a job, is
    replaced by that of this one.
    """
    folder = programs_folder()
    if folder is None:
        return
    config = sys.modules["jax"].config if "jax" in sys.modules else None
    chosen = config.jax_compilation_cache_dir if config else os.environ.get(_FOLDER)
    if chosen and Path(chosen).parent != folder.parent:
        return
    if config is None:
        os.environ[_FOLDER] = str(folder)
        os.environ.setdefault(_SHORTEST, str(_SHORTEST_S))
        return
    config.update("jax_compilation_cache_dir", str(folder))
    if _SHORTEST not in os.environ:
        config.update("jax_persistent_cache_min_compile_time_secs", _SHORTEST_S)
