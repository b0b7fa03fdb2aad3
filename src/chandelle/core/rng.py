"""Random keys named after what they draw, so no answer depends on chunking or worker count."""

import hashlib

import jax
from jaxtyping import Array, Key


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
        digest = hashlib.sha256(str(name).encode()).digest()
        key = jax.random.fold_in(key, int.from_bytes(digest[:4], "little"))
    return key
