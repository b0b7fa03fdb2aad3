"""Random keys named after what they draw, so no answer depends on chunking or worker count."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Key, UInt32
from numpy.typing import NDArray

_FNV_START, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


def key_for(root: int | Key[Array, ""], *names: str | int) -> Key[Array, ""]:
    """Derive the random key of one named thing from the root of a run.

    Parameters
    ----------
    root : int or key
        The seed of the run, or an earlier key.
    *names : str or int
        What the key is for, from the general to the particular (``"lightcurves", "sn0042"``).

    Returns
    -------
    key
        The same for the same root and names, whatever else was drawn before.

    Examples
    --------
    >>> bool((key_for(1, "scene", "a") == key_for(1, "scene", "a")).all())
    True
    >>> bool((key_for(1, "scene", "a") == key_for(1, "scene", "b")).all())
    False
    """
    key = jax.random.key(root) if isinstance(root, int) else root
    for high, low in name_numbers(names).tolist():
        key = jax.random.fold_in(jax.random.fold_in(key, high), low)
    return key


def keys_for(root: Key[Array, ""], names: Sequence[str | int]) -> Key[Array, " name"]:
    """Derive the keys that `key_for` gives for each of many names, at once.

    Parameters
    ----------
    root : key
        An earlier key.
    names : sequence of str or int
        What each key is for.

    Returns
    -------
    key, shape (name,)
        One a name.

    Examples
    --------
    >>> root = key_for(1, "scene")
    >>> bool((keys_for(root, ["a", "b"])[1] == key_for(root, "b")).all())
    True
    """
    numbers = name_numbers(names)
    # Of few lengths, so that few programs serve any number.
    size = 1 << max(len(numbers) - 1, 15).bit_length()
    padded = np.pad(numbers, ((0, size - len(numbers)), (0, 0)))
    return _folded(root, padded)[: len(numbers)]


@jax.jit
def _folded(root: Key[Array, ""], numbers: UInt32[Array, "name 2"]) -> Key[Array, " name"]:
    """Fold the number of each name into a key."""
    return jax.vmap(lambda pair: jax.random.fold_in(jax.random.fold_in(root, pair[0]), pair[1]))(
        numbers
    )


def name_numbers(names: Sequence[str | int]) -> NDArray[np.uint32]:
    """Give what each of many names is folded into a key as: a hash of 64 bits, FNV-1a.

    With 64 bits two of a million names share a number with a chance of 3e-8. A hash of plain
    arithmetic is made of all names at once, a byte of each after the other.

    Parameters
    ----------
    names : sequence of str or int
        An integer counts as the text of its digits.

    Returns
    -------
    array, shape (name, 2)
        The upper and the lower 32 bits.

    References
    ----------
    G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake and T. Hansen, The FNV Non-Cryptographic Hash
    Algorithm, IETF.

    Examples
    --------
    >>> high, low = name_numbers(["foobar"])[0]
    >>> f"{high:x}{low:x}"
    '85944171f73967e8'
    """
    texts = [str(name).encode() for name in names]
    size = np.fromiter(map(len, texts), np.int64, len(texts))
    data, start = np.frombuffer(b"".join(texts), np.uint8), np.cumsum(size) - size
    number = np.full(len(texts), _FNV_START, np.uint64)
    for place in range(size.max(initial=0)):
        rows = np.flatnonzero(size > place)
        number[rows] = (number[rows] ^ data[start[rows] + place]) * _FNV_PRIME
    return np.column_stack([number >> 32, number & 0xFFFFFFFF]).astype(np.uint32)
