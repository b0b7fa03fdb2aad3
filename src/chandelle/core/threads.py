"""How many threads a process may use."""

import os


def cores() -> list[int]:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def usable_threads(threads: int | None) -> int:
    """Number of threads: as asked, or one a core that this process may use."""
    return len(cores()) if threads is None else max(threads, 1)
