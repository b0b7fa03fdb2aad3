"""Random numbers of pixels: GalSim's generators, seeded from the keys of chandelle."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import galsim
import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from chandelle.core.errors import InputError

_STEP = 1 << 18
"""Pixels drawn at once."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let GalSim use one thread: more give the same numbers, and cost twice the CPU."""
    before = galsim.utilities.get_omp_threads()
    galsim.utilities.set_omp_threads(1)
    try:
        yield
    finally:
        galsim.utilities.set_omp_threads(before)


def deviate(key: Key[Array, ""], *names: str | int) -> galsim.BaseDeviate:
    """Seed a generator of GalSim from a key.

    Parameters
    ----------
    key : Key
        By `chandelle.core.rng.key_for`.
    *names : str or int
        What is drawn, as `key_for` takes names; hashed here, which is 100 times quicker.

    Returns
    -------
    galsim.BaseDeviate
        The same stream for the same key and names. There are 2^31: of a million draws about 230
        pairs share one.

    Examples
    --------
    >>> from chandelle.core.rng import key_for
    >>> one, same, other = (deviate(key_for(1, "readout"), name) for name in "aab")
    >>> one.raw() == same.raw(), one.raw() == other.raw()
    (True, False)
    """
    text = np.asarray(jax.random.key_data(key)).tobytes() + repr(names).encode()
    number = int.from_bytes(hashlib.sha256(text).digest()[:4], "little") >> 1
    return galsim.BaseDeviate(number or 1)  # GalSim seeds 0 from the clock


def add_normal(
    pixels: NDArray[np.float32], sigma: float, key: Key[Array, ""], *names: str | int
) -> None:
    """Add Gaussian noise of one width to an array, in place."""
    _draw(galsim.GaussianDeviate(deviate(key, *names), sigma=sigma).add_generate, pixels)


def draw_poisson(pixels: NDArray[np.float32], key: Key[Array, ""], *names: str | int) -> None:
    """Put numbers drawn from a Poisson law in place of their expectations, none negative."""
    _draw(galsim.PoissonDeviate(deviate(key, *names)).generate_from_expectation, pixels)


def uniform(
    key: Key[Array, ""], *names: str | int, shape: int | tuple[int, ...]
) -> NDArray[np.float64]:
    """Draw numbers between 0 and 1; no program is compiled for a new shape."""
    values = np.empty(shape)
    with one_thread():
        galsim.UniformDeviate(deviate(key, *names)).generate(values)
    return values


def normal(
    key: Key[Array, ""], *names: str | int, shape: int | tuple[int, ...]
) -> NDArray[np.float64]:
    """Draw unit normal numbers; no program is compiled for a new shape."""
    values = np.empty(shape)
    with one_thread():
        galsim.GaussianDeviate(deviate(key, *names)).generate(values)
    return values


def poisson(key: Key[Array, ""], *names: str | int, mean: float) -> int:
    """Draw one number from a Poisson law."""
    return int(galsim.PoissonDeviate(deviate(key, *names), mean=mean)()) if mean > 0.0 else 0


def _draw(fill: Callable[[NDArray[np.float64]], None], pixels: NDArray[np.float32]) -> None:
    """Draw an array step by step, through a copy in float64: GalSim would make one of it all.

    Given float32, it would also compare the two number by number where nothing has changed.
    """
    if not pixels.flags.c_contiguous:
        raise InputError("pixels drawn in place must lie row after row in memory; give a copy")
    flat = pixels.reshape(-1)
    room = np.empty(min(_STEP, flat.size))
    with one_thread():
        for start in range(0, flat.size, _STEP):
            part = flat[start : start + _STEP]
            copy = room[: part.size]
            copy[:] = part
            fill(copy)
            part[:] = copy
