"""Redshifts in the frame of the cosmic microwave background."""

from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from chandelle.core.typing import ArrayLike
from chandelle.core.units import C_KM_S

DIPOLE_KM_S = 369.82
"""Velocity of the Sun against the microwave background [km/s] (Planck 2018 I)."""
DIPOLE_GALACTIC = (264.021, 48.253)
"""Its direction in galactic coordinates [deg]."""


def cmb_redshift(z_hel: ArrayLike, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    r"""Take the motion of the Sun out of heliocentric redshifts.

    .. math:: 1 + z_{cmb} = (1 + z_{hel}) / (1 - (v / c) \cos\theta)

    with theta the angle to the direction in which the Sun moves.

    Parameters
    ----------
    z_hel : array, shape (sn,)
        Heliocentric redshifts.
    ra, dec : array, shape (sn,), deg
        Positions (ICRS).

    Returns
    -------
    array, shape (sn,)
        NaN where the redshift or the position is.

    References
    ----------
    Planck Collaboration I, 2020, A&A 641, A1.
    """
    apex: Any = SkyCoord(*DIPOLE_GALACTIC, unit="deg", frame="galactic").icrs
    longitude = np.radians(np.asarray(ra, dtype=float) - apex.ra.to_value(units.deg))
    latitude = np.radians(np.asarray(dec, dtype=float))
    pole = apex.dec.to_value(units.rad)
    cosine = np.sin(latitude) * np.sin(pole)
    cosine = cosine + np.cos(latitude) * np.cos(pole) * np.cos(longitude)
    return (1 + np.asarray(z_hel, dtype=float)) / (1 - DIPOLE_KM_S / C_KM_S * cosine) - 1
