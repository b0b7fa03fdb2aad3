"""Random numbers of pixels: GalSim's generators, seeded from the keys of chandelle."""

from collections.abc import Callable

import galsim
import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from chandelle.core.errors import InputError

_STEP = 1 << 18
"""Pixels drawn at once."""


def deviate(key: Key[Array, ""]) -> galsim.BaseDeviate:
    """Seed a generator of GalSim from a key.

    Parameters
    ----------
    key : Key
        Of what is drawn, by `chandelle.core.rng.key_for`.

    Returns
    -------
    galsim.BaseDeviate
        The same stream for the same key; there are 2^31 streams.

    Examples
    --------
    >>> from chandelle.core.rng import key_for
    >>> one, same, other = (deviate(key_for(1, "readout", name)) for name in "aab")
    >>> one.raw() == same.raw(), one.raw() == other.raw()
    (True, False)
    """
    # GalSim seeds from the clock where the number is 0.
    return galsim.BaseDeviate(1 + (int(jax.random.bits(key, dtype=np.uint32)) >> 1))


def add_normal(pixels: NDArray[np.float32], sigma: float, key: Key[Array, ""]) -> None:
    """Add Gaussian noise of one width to an array, in place."""
    _draw(galsim.GaussianDeviate(deviate(key), sigma=sigma).add_generate, pixels)


def draw_poisson(pixels: NDArray[np.float32], key: Key[Array, ""]) -> None:
    """Put numbers drawn from a Poisson law in place of their expectations, none negative."""
    _draw(galsim.PoissonDeviate(deviate(key)).generate_from_expectation, pixels)


def uniform(key: Key[Array, ""], *shape: int) -> NDArray[np.float64]:
    """Draw numbers between 0 and 1; no program is compiled for a new shape."""
    return _filled(galsim.UniformDeviate(deviate(key)), shape)


def normal(key: Key[Array, ""], *shape: int) -> NDArray[np.float64]:
    """Draw unit normal numbers; no program is compiled for a new shape."""
    return _filled(galsim.GaussianDeviate(deviate(key)), shape)


def poisson(key: Key[Array, ""], mean: float) -> int:
    """Draw one number from a Poisson law."""
    return int(galsim.PoissonDeviate(deviate(key), mean=mean)()) if mean > 0.0 else 0


def _filled(law: galsim.BaseDeviate, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = np.empty(shape)
    law.generate(values)
    return values


def _draw(fill: Callable[[NDArray[np.float64]], None], pixels: NDArray[np.float32]) -> None:
    """Draw an array step by step, through a copy in float64: GalSim would make one of it all.

    Given float32, it would also compare the two number by number where nothing has changed.
    """
    if not pixels.flags.c_contiguous:
        raise InputError("pixels drawn in place must lie row after row in memory; give a copy")
    flat = pixels.reshape(-1)
    room = np.empty(min(_STEP, flat.size))
    for start in range(0, flat.size, _STEP):
        part = flat[start : start + _STEP]
        copy = room[: part.size]
        copy[:] = part
        fill(copy)
        part[:] = copy
