"""How many threads a process may use."""

import os


def usable_threads(threads: int | None) -> int:
    """Number of threads: as asked, or one a core that this process may use."""
    if threads is not None:
        return max(threads, 1)
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
