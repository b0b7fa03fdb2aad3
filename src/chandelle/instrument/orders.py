"""The three orders of a quadrant's array: as stored, as read, and as on the CCD.

``raw`` is the order of the file. ``read`` is the order of time: the first pixel read is [0, 0],
and the overscan follows the last column. ``sky`` runs along the axes of the CCD. They differ by
flips of the two axes alone, so every change is its own inverse. The overscan of a quadrant is
stored in the same order as its science pixels.
"""

from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Array, Shaped

from chandelle.instrument.ccd import Quadrant

Order = Literal["raw", "read", "sky"]
"""Names of the orders."""

_A = TypeVar("_A", Shaped[Array, "*batch y x"], Shaped[np.ndarray, "*batch y x"])


def reorder(pixels: _A, quadrant: Quadrant, *, source: Order, target: Order) -> _A:
    """Bring the array of a quadrant from one order into another.

    Parameters
    ----------
    pixels : array, shape (..., y, x)
        Science or overscan pixels of the quadrant, NumPy or JAX.
    quadrant : Quadrant
        It says how it is read and stored.
    source, target : "raw", "read" or "sky"
        Order of `pixels`, and order wanted.

    Returns
    -------
    array, shape (..., y, x)
        Flipped where the two orders differ.

    Examples
    --------
    >>> from chandelle.instrument.camera_files import load_camera
    >>> quadrant = load_camera("ztf").quadrant(ccdid=1, qid=2)
    >>> row = np.arange(4)[None, :]
    >>> reorder(row, quadrant, source="raw", target="read")
    array([[3, 2, 1, 0]])
    """
    signs = {
        "raw": (quadrant.raw_x, quadrant.raw_y),
        "read": (quadrant.read_x, quadrant.read_y),
        "sky": (1, 1),
    }
    along_x, along_y = (
        start * stop for start, stop in zip(signs[source], signs[target], strict=True)
    )
    return pixels[..., ::along_y, ::along_x]
