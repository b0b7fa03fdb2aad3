"""Charge in the pixels of a quadrant before it is read: what adds to it and what moves it.

Arrays are electrons in float32, which holds whole electrons up to 1.6e7 exactly.
"""

import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.simulate.frames.deviates import poisson, uniform

Pixels = NDArray[np.floating]


def place_hot_pixels(
    shape: tuple[int, int],
    *,
    fraction: float,
    current: float,
    key: Key[Array, ""],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Draw where the hot pixels of a quadrant are, and what they leak.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    fraction : float
        Mean part of the pixels that is hot.
    current : float, electron/s
        Mean of their dark currents, which follow an exponential law.
    key : Key
        Of the quadrant.

    Returns
    -------
    row, column : NDArray, shape (pixel,)
        Where; a pixel may stand twice.
    current : NDArray, shape (pixel,), electron/s
        Dark current on top of that of all pixels.
    """
    n = poisson(key, "hot pixels", mean=fraction * shape[0] * shape[1])
    row, column, rank = uniform(key, "places of hot pixels", shape=(3, n))
    return _cell(row, shape[0]), _cell(column, shape[1]), -current * np.log1p(-rank)


def place_dead_columns(n_columns: int, *, mean: float, key: Key[Array, ""]) -> NDArray[np.int64]:
    """Draw which columns of a quadrant are dead: a Poisson number of that mean, in order."""
    n = poisson(key, "dead columns", mean=mean)
    return np.unique(_cell(uniform(key, "places of dead columns", shape=n), n_columns))


def _cell(position: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Cells of positions between 0 and 1."""
    return np.minimum((position * n).astype(np.int64), n - 1)


def check_deficit(deficit: float, *, full_well: float) -> None:
    """Refuse a relative fall of the variance per electron [1/electron] that empties pixels.

    Raises
    ------
    InputError
        If it is above 1 over the full well.
    """
    if deficit * full_well > 1.0:
        raise InputError(
            f"brighter_fatter: {deficit:g} per electron is too much for a full well of "
            f"{full_well:g} electrons; give at most {1.0 / full_well:.2g}"
        )


def push_charge(electrons: Pixels, *, deficit: float, full_well: float) -> None:
    r"""Move charge from full pixels to emptier neighbors: brighter is fatter; in place.

    Across the border of pixels i and j goes

    .. math:: F_{i \to j} = \frac{a}{16} (Q_i^2 - Q_j^2)

    the gradient of the charge times the charge at the border, Q counted up to the full well. So
    a flat of mean mu has its variance lowered by the part a mu, which its covariances with the four
    neighbors hold, each a mu^2 / 4, in the first order. Nothing crosses the edge.

    Parameters
    ----------
    electrons : NDArray, shape (y, x), electron
        Charge drawn, changed in place; its sum stays, but for rounding.
    deficit : float, 1/electron
        a: relative fall of the variance of a flat per electron of its mean.
    full_well : float, electron
        Beyond it charge pushes no harder.

    Raises
    ------
    InputError
        If a times the full well is above 1: pixels would empty themselves.

    References
    ----------
    P. Antilogus et al., 2014, JINST 9, C03048 (the effect, and its sign in flats).
    """
    check_deficit(deficit, full_well=full_well)
    push = np.minimum(electrons, np.float32(full_well))
    push *= push
    push *= np.float32(deficit / 16.0)
    for charge, pushed in ((electrons, push), (electrons.T, push.T)):
        flux = np.diff(pushed, axis=0)  # from the next row to this one
        charge[:-1] += flux
        charge[1:] -= flux


def bleed(electrons: Pixels, *, full_well: float) -> float:
    """Let charge above the full well run along its column, in place.

    Half of it goes each way, from pixel to pixel until it finds room.

    Parameters
    ----------
    electrons : NDArray, shape (y, x), electron
        Changed in place; none is above the full well afterwards.
    full_well : float, electron
        Most charge that a pixel holds.

    Returns
    -------
    float, electron
        What ran over the two ends of the columns.
    """
    columns = np.flatnonzero((electrons > full_well).any(axis=0))
    charge = electrons[:, columns].astype(np.float64)
    excess = np.maximum(charge - full_well, 0.0)
    charge -= excess
    lost = 0.0
    for step in (1, -1):
        carried = np.zeros(len(columns))
        for level, half in zip(charge[::step], 0.5 * excess[::step], strict=True):
            taken = np.minimum(carried, full_well - level)
            level += taken
            carried += half - taken
        lost += float(carried.sum())
    electrons[:, columns] = charge
    return lost
