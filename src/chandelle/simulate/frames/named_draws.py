"""Random numbers for many objects at once, one key a quantity."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from chandelle.core.rng import key_for

_LEAST = 2**12


def uniforms(
    root: Key[Array, "*object"], names: Sequence[str], n: int
) -> dict[str, NDArray[np.float64]]:
    """Draw uniform numbers in [0, 1) for each of some quantities.

    Parameters
    ----------
    root : key or keys, shape (object,)
        One for all objects, or one an object, so that each is the same whoever else is drawn.
    names : sequence of str
        Quantities; the numbers of one do not depend on which others are drawn.
    n : int
        Objects.

    Returns
    -------
    dict of str to NDArray, shape (object,)
        By name.

    Examples
    --------
    >>> root = key_for(1, "stars")
    >>> a = uniforms(root, ["a", "b"], 2)["b"]
    >>> bool((a == uniforms(root, ["b"], 2)["b"]).all())
    True
    """
    return _drawn(jax.random.uniform, root, names, n)


def normals(
    root: Key[Array, "*object"], names: Sequence[str], n: int
) -> dict[str, NDArray[np.float64]]:
    """Draw standard normal numbers for each of some quantities.

    Parameters
    ----------
    root : key or keys, shape (object,)
        As `uniforms`.
    names : sequence of str
        Quantities.
    n : int
        Objects.

    Returns
    -------
    dict of str to NDArray, shape (object,)
        By name.
    """
    return _drawn(jax.random.normal, root, names, n)


def _drawn(
    draw: Callable, root: Key[Array, "*object"], names: Sequence[str], n: int
) -> dict[str, NDArray[np.float64]]:
    if n == 0:
        return {name: np.zeros(0) for name in names}
    # Of few lengths, so that few programs serve any number of objects.
    size = max(_LEAST, 1 << (n - 1).bit_length())
    if root.ndim == 0:
        values = [draw(key_for(root, name), (size,), dtype=float) for name in names]
    else:
        keys = root[np.arange(size) % n]
        values = [
            jax.vmap(lambda key, name=name: draw(key_for(key, name), dtype=float))(keys)
            for name in names
        ]
    return {name: np.array(drawn[:n]) for name, drawn in zip(names, values, strict=True)}
