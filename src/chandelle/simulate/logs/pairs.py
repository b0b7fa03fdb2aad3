"""Exposures in cells of the sky, and the compiled loops that pair them with targets."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from chandelle.core.compiled import compiled, compiled_entry

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Pointings(NamedTuple):
    """Exposures, cell by cell of the sky, in order of time in each.

    Attributes
    ----------
    first : array, shape (cell + 1,)
        Place of the first exposure of each cell; the last entry is the number of exposures.
    row, mjd : array, shape (exposure,)
        Row in the log, and time.
    axes : array, shape (exposure, 3, 3)
        Unit vectors to the pointing, and to the east and the north of it.
    turn : array, shape (exposure, 2)
        Cosine and sine of the rotation of the focal plane.
    """

    first: Ints
    row: Ints
    mjd: Floats
    axes: Floats
    turn: Floats


class Near(NamedTuple):
    """Targets, their times, and the cells near each: `cell[first[k]]` to `cell[first[k + 1]]`."""

    direction: Floats
    start: Floats
    stop: Floats
    first: Ints
    cell: Ints


class Places(NamedTuple):
    """Room for pairs: rows of both, place in the tangent plane and turned into the focal plane."""

    target: Ints
    exposure: Ints
    xi: Floats
    eta: Floats
    turned_xi: Floats
    turned_eta: Floats


def directions(ra: Floats, dec: Floats) -> Floats:
    """Unit vectors to positions [deg], shape (position, 3)."""
    alpha, delta = np.radians(ra), np.radians(dec)
    return np.column_stack(
        [np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha), np.sin(delta)]
    )


def pointings_of(
    mjd: Floats, ra: Floats, dec: Floats, rotation: Floats, *, size: float
) -> Pointings:
    """Put exposures into cells.

    Parameters
    ----------
    mjd, ra, dec, rotation : array, shape (exposure,), d and deg
        When, where to, and the angle of the focal plane.
    size : float
        Side of the cubes that cut the unit sphere into cells.

    Returns
    -------
    Pointings
        In all cells that are not empty.
    """
    toward = directions(ra, dec)
    # Cubes of a side are counted along three axes; -1 to 1 is at most so many.
    x, y, z = np.floor(toward / size).astype(np.int64).T
    n = 2 * int(np.ceil(1.0 / size)) + 2
    _, cell = np.unique((x * n + y) * n + z, return_inverse=True)
    order = np.lexsort((mjd, cell))
    # One is 90 deg ahead along the equator, the other up the meridian.
    east, north = directions(ra + 90.0, np.zeros(len(ra))), directions(ra, dec + 90.0)
    turn = np.radians(rotation)
    return Pointings(
        first=np.concatenate([[0], np.cumsum(np.bincount(cell))]).astype(np.int64),
        row=order.astype(np.int64),
        mjd=mjd[order],
        axes=np.stack([toward, east, north], axis=1)[order],
        turn=np.column_stack([np.cos(turn), np.sin(turn)])[order],
    )


def near_cells(
    pointings: Pointings, direction: Floats, start: Floats, stop: Floats, *, chord: float
) -> Near:
    """Find the cells that may hold an exposure within a chord of each target."""
    counts = np.diff(pointings.first)
    toward = pointings.axes[:, 0]
    middle = np.add.reduceat(toward, pointings.first[:-1]) / counts[:, None]
    reach = np.linalg.norm(toward - np.repeat(middle, counts, axis=0), axis=1).max()
    pairs = KDTree(direction).sparse_distance_matrix(
        KDTree(middle), chord + reach, output_type="coo_matrix"
    )
    rows = pairs.tocsr()
    return Near(
        direction=direction,
        start=start,
        stop=stop,
        first=rows.indptr.astype(np.int64),
        cell=rows.indices.astype(np.int64),
    )


def room_for(n: int) -> Places:
    """Make room for n pairs."""
    columns = [np.empty(n) for _ in range(4)]
    return Places(np.empty(n, np.int64), np.empty(n, np.int64), *columns)


@compiled
def _first_after(mjd: Floats, low: int, high: int, time: float) -> int:
    """First place from `low` to `high` whose time is not before one."""
    while low < high:
        middle = (low + high) // 2
        if mjd[middle] < time:
            low = middle + 1
        else:
            high = middle
    return low


@compiled_entry
def count_shown(pointings: Pointings, near: Near, count: Ints) -> None:
    """Count, for each target, the exposures of the cells near it that are in its time."""
    for k in range(len(count)):
        count[k] = 0
        for at in range(near.first[k], near.first[k + 1]):
            cell = near.cell[at]
            low, high = pointings.first[cell], pointings.first[cell + 1]
            low = _first_after(pointings.mjd, low, high, near.start[k])
            while low < high and pointings.mjd[low] <= near.stop[k]:
                count[k] += 1
                low += 1


@compiled_entry
def fill_places(
    pointings: Pointings, near: Near, first: int, last: int, chord: float, places: Places
) -> int:
    r"""Fill the pairs of targets `first` to `last` with exposures within a chord.

    With the unit vectors p to the pointing, e and n to the east and north of it, and v to the
    target, the gnomonic projection is

    .. math:: \xi = \frac{e \cdot v}{p \cdot v}, \quad \eta = \frac{n \cdot v}{p \cdot v}

    and the focal plane is turned by the rotation.

    Parameters
    ----------
    pointings, near : Pointings, Near
        Exposures and targets.
    first, last : int
        Range of targets.
    chord : float
        Largest distance on the unit sphere, below the square root of 2.
    places : Places
        Room for as many pairs as `count_shown` counts.

    Returns
    -------
    int
        Number of pairs, target by target; those of a target in the order of the cells.

    References
    ----------
    M. R. Calabretta and E. W. Greisen, 2002, A&A 395, 1077, section 5.1.3.
    """
    n, degree = 0, 180.0 / np.pi
    for k in range(first, last):
        x, y, z = near.direction[k]
        for at in range(near.first[k], near.first[k + 1]):
            cell = near.cell[at]
            low, high = pointings.first[cell], pointings.first[cell + 1]
            low = _first_after(pointings.mjd, low, high, near.start[k])
            while low < high and pointings.mjd[low] <= near.stop[k]:
                axes, i = pointings.axes[low], low
                low += 1
                dx, dy, dz = x - axes[0, 0], y - axes[0, 1], z - axes[0, 2]
                if dx * dx + dy * dy + dz * dz > chord * chord:
                    continue
                scale = degree / (x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2])
                xi = (x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2]) * scale
                eta = (x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2]) * scale
                cos, sin = pointings.turn[i]
                places.target[n], places.exposure[n] = k, pointings.row[i]
                places.xi[n], places.eta[n] = xi, eta
                places.turned_xi[n] = cos * xi - sin * eta
                places.turned_eta[n] = sin * xi + cos * eta
                n += 1
    return n
