"""Random keys named after what they draw, so no answer depends on chunking or worker count."""

import hashlib
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray


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
    for name in names:
        key = jax.random.fold_in(key, _number(name))
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
    padded = np.pad(numbers, (0, size - len(numbers)))
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(root, padded)[: len(numbers)]


def name_numbers(names: Sequence[str | int]) -> NDArray[np.uint32]:
    """Give what each of many names is folded into a key as, shape (name,)."""
    return np.array([_number(name) for name in names], dtype=np.uint32)


def _number(name: str | int) -> int:
    """What a name is folded in as."""
    return int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:4], "little")
