"""The next items are read while the present one is worked on; how many wait is bounded."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from chandelle.core.errors import InputError

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
_END = object()


def prefetch(
    items: Iterable[Item], load: Callable[[Item], Loaded], *, depth: int = 2
) -> Generator[Loaded, None, None]:
    """Load items in a thread, ahead of who works on them.

    No more than `depth` are loaded and wait: with the one that the caller has, ``depth + 1`` are
    in memory, and one more for the moment of going from one to the next unless the caller lets go
    of its own first.

    Parameters
    ----------
    items : iterable
        What to load, file names for example; read in the thread too, and no further than loaded.
    load : callable
        Takes an item; reading, fetching and decoding profit, which let other threads run.
    depth : int
        How many wait at most.

    Returns
    -------
    generator
        What `load` gives, in the order of the items. What it raises comes in the place of its
        item, and ends it. The thread ends with the generator, which may be left early (``break``)
        or closed.

    Raises
    ------
    InputError
        If `depth` is none.

    Examples
    --------
    >>> list(prefetch(["a", "b", "c"], str.upper))
    ['A', 'B', 'C']
    """
    if depth < 1:
        raise InputError(f"depth must be at least 1, got {depth}")
    return _ahead(items, load, depth)


def _ahead(
    items: Iterable[Item], load: Callable[[Item], Loaded], depth: int
) -> Generator[Loaded, None, None]:
    source = iter(items)

    def step() -> list[Loaded]:
        item = next(source, _END)
        return [] if item is _END else [load(item)]  # type: ignore[arg-type]

    waiting: deque[Future[list[Loaded]]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
    try:
        while True:
            while len(waiting) <= depth:
                waiting.append(pool.submit(step))
            taken = waiting.popleft().result()
            if not taken:
                return
            # Popped, so that nothing here holds what the caller has.
            yield taken.pop()
    finally:
        pool.shutdown(cancel_futures=True)
