"""Motions of stars: solar motion, rotation and velocity ellipsoids, seen as proper motions."""

from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from chandelle.simulate.frames.star_counts import SUN_HEIGHT_PC, SUN_RADIUS_PC

ROTATION_KM_S = 220.0
"""Speed of the local standard of rest, the same at all radii."""
SOLAR_MOTION_KM_S = np.array([11.1, 12.24, 7.25])
"""U, V, W of the Sun (R. Schonrich, J. Binney, W. Dehnen, 2010, MNRAS 403, 1829)."""
DISPERSIONS_KM_S = {
    "thin": np.array([35.0, 20.0, 16.0]),
    "thick": np.array([67.0, 38.0, 35.0]),
    "halo": np.array([160.0, 90.0, 90.0]),
}
"""Of U, V, W (T. Bensby, S. Feltzing, I. Lundstrom, 2003, A&A 410, 527, table 1)."""
LAGS_KM_S = {"thin": 15.0, "thick": 46.0, "halo": 220.0}
"""By how much a component rotates slower than the local standard of rest (the same table)."""
KM_S_OF_MAS_YR_KPC = 4.740470463533348
"""km/s of a proper motion of 1 mas/yr at 1 kpc."""


def unit_vectors(
    ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Directions to positions on the sky, and eastwards and northwards there.

    Parameters
    ----------
    ra, dec : NDArray, shape (star,), deg
        ICRS.

    Returns
    -------
    tuple of NDArray, shape (star, 3)
        Unit vectors towards the star, to the east and to the north.
    """
    a, d = np.radians(ra), np.radians(dec)
    zero = np.zeros_like(a)
    to = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
    east = np.stack([-np.sin(a), np.cos(a), zero], axis=-1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=-1)
    return to, east, north


def position_of(to: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension and declination [deg] of directions of any length, shape (star, 3)."""
    ra = np.degrees(np.arctan2(to[:, 1], to[:, 0])) % 360.0
    return ra, np.degrees(np.arctan2(to[:, 2], np.hypot(to[:, 0], to[:, 1])))


def galactic_axes() -> NDArray[np.float64]:
    """Rotation from galactic to ICRS axes, shape (3, 3): its columns are the galactic axes."""
    axes = np.eye(3)
    place: Any = SkyCoord(*axes, frame="galactic", representation_type="cartesian").icrs
    return np.asarray(place.cartesian.xyz.value)


def proper_motions(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    distance_kpc: NDArray[np.float64],
    component: np.ndarray,
    normal: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Proper motions of stars whose peculiar velocities are drawn.

    .. math:: \mu = \frac{(v - v_\odot) \cdot \hat e}{4.740\, d}

    with the velocity v of a component that rotates with 220 km/s less its lag about the center
    of the Galaxy, plus its velocity ellipsoid, whose axes point to the center, along the
    rotation and to the pole at the star.

    Parameters
    ----------
    ra, dec : NDArray, shape (star,), deg
        ICRS.
    distance_kpc : NDArray, shape (star,), kpc
        From the Sun.
    component : NDArray, shape (star,)
        ``thin``, ``thick`` or ``halo``.
    normal : NDArray, shape (star, 3)
        Standard normal numbers: peculiar velocity in units of the dispersions.

    Returns
    -------
    NDArray, NDArray, shape (star,), mas/yr
        Eastwards (times cos dec) and northwards.
    """
    to, east, north = unit_vectors(ra, dec)
    axes = galactic_axes()
    seen = 1e3 * distance_kpc[:, None] * (to @ axes)
    # From the center of the Galaxy, x from the Sun to the center, y along the rotation.
    place = seen + np.array([-SUN_RADIUS_PC, 0.0, SUN_HEIGHT_PC])
    radius = np.maximum(np.hypot(place[:, 0], place[:, 1]), 1.0)
    inwards = np.stack([-place[:, 0], -place[:, 1]], axis=-1) / radius[:, None]
    along = np.stack([-inwards[:, 1], inwards[:, 0]], axis=-1)
    names, index = np.unique(component, return_inverse=True)
    lag = np.array([LAGS_KM_S[name] for name in names])[index]
    peculiar = normal * np.array([DISPERSIONS_KM_S[name] for name in names]).reshape(-1, 3)[index]
    rotation = ROTATION_KM_S - lag + peculiar[:, 1]
    velocity = np.empty_like(seen)
    velocity[:, :2] = peculiar[:, :1] * inwards + rotation[:, None] * along
    velocity[:, 2] = peculiar[:, 2]
    velocity -= SOLAR_MOTION_KM_S + np.array([0.0, ROTATION_KM_S, 0.0])
    icrs = velocity @ axes.T / (KM_S_OF_MAS_YR_KPC * distance_kpc[:, None])
    return (icrs * east).sum(axis=-1), (icrs * north).sum(axis=-1)
