"""How many threads a process may use, and work shared out among them."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

_Chunk = TypeVar("_Chunk")
_Room = TypeVar("_Room")
_Result = TypeVar("_Result")


def cores() -> list[int]:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def usable_threads(threads: int | None) -> int:
    """Number of threads: as asked, or one a core that this process may use."""
    return len(cores()) if threads is None else max(threads, 1)


def share_out(
    work: Callable[[_Chunk, _Room], _Result], chunks: Sequence[_Chunk], rooms: Sequence[_Room]
) -> Iterator[_Result]:
    """Work on chunks in as many threads as there are rooms to work in.

    The first chunk is done alone, so that what it compiles is compiled once.

    Parameters
    ----------
    work : callable
        Works on a chunk in a room; frees the interpreter's lock while it does.
    chunks, rooms : sequence
        What is worked on; no two threads have one room at a time.

    Yields
    ------
    result
        What `work` gave, in the order in which it came.
    """
    if not chunks:
        return
    yield work(chunks[0], rooms[0])
    if len(rooms) == 1:
        for chunk in chunks[1:]:
            yield work(chunk, rooms[0])
        return
    free, running = list(rooms), dict[Future[_Result], _Room]()
    with ThreadPoolExecutor(len(rooms)) as pool:
        for chunk in chunks[1:]:
            if not free:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    free.append(running.pop(future))
                    yield future.result()
            room = free.pop()
            running[pool.submit(work, chunk, room)] = room
        for future in running:
            yield future.result()
