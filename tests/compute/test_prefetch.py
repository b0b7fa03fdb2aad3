"""Items loaded ahead: in order, never more than said, errors in their place, no thread left."""

import gc
import threading
import time
import weakref
from itertools import count

import pytest

from chandelle.compute.prefetch import prefetch
from chandelle.core.errors import InputError


class Image:
    """Something large."""

    def __init__(self, number: int) -> None:
        self.number = number


class Loader:
    """Makes images and knows which are alive."""

    def __init__(self) -> None:
        self.alive: weakref.WeakSet[Image] = weakref.WeakSet()
        self.loaded: list[int] = []
        self.most = 0

    def __call__(self, number: int) -> Image:
        image = Image(number)
        self.alive.add(image)
        self.most = max(self.most, len(self.alive))
        self.loaded.append(number)
        return image


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def wait_for(condition) -> None:
    until = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_no_more_wait_than_said_for_a_slow_caller(depth):
    load, seen = Loader(), []
    for image in prefetch(count(), load, depth=depth):
        seen.append(image.number)
        wait_for(lambda: len(load.loaded) == len(seen) + depth)
        time.sleep(0.02)
        assert len(load.alive) == depth + 1
        assert len(load.loaded) == len(seen) + depth
        if len(seen) == 8:
            break
    assert seen == list(range(8))
    assert load.most <= depth + 2


def test_a_fast_caller_gets_all_in_order_and_memory_stays_bounded():
    load = Loader()
    numbers = []
    for image in prefetch(range(500), load, depth=3):
        numbers.append(image.number)
    assert numbers == list(range(500))
    assert load.most <= 5
    del image
    gc.collect()
    assert len(load.alive) == 0
    assert threads() == []


def test_the_next_is_loaded_while_the_caller_works():
    begun = [threading.Event() for _ in range(4)]

    def load(number: int) -> int:
        begun[number].set()
        return number

    for number in prefetch(range(4), load, depth=1):
        if number < 3:
            assert begun[number + 1].wait(10.0)


@pytest.mark.parametrize("who", ["load", "items"])
def test_errors_come_in_the_place_of_their_item(who):
    def items():
        for number in range(9):
            if who == "items" and number == 3:
                raise OSError("item 3")
            yield number

    def load(number: int) -> int:
        if who == "load" and number == 3:
            raise OSError("item 3")
        return number

    found, seen = prefetch(items(), load, depth=4), []
    with pytest.raises(OSError, match="item 3"):
        for number in found:
            seen.append(number)
    assert seen == [0, 1, 2]
    assert list(found) == []
    assert threads() == []


def test_who_leaves_early_leaves_no_thread_and_loads_no_more():
    load = Loader()
    images = prefetch(count(), load, depth=2)
    assert next(images).number == 0
    assert len(threads()) == 1
    images.close()
    assert threads() == []
    n_loaded = len(load.loaded)
    assert n_loaded <= 3
    time.sleep(0.05)
    assert len(load.loaded) == n_loaded
    gc.collect()
    assert len(load.alive) == 0


def test_an_end_that_load_raises_is_no_end_of_the_items():
    def load(number: int) -> int:
        return next(iter(())) if number == 1 else number

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(prefetch(range(3), load))


def test_nothing_to_load_and_no_depth():
    assert list(prefetch([], Loader())) == []
    with pytest.raises(InputError, match="depth must be at least 1, got 0"):
        prefetch([1], Loader(), depth=0)
