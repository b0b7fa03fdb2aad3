"""Constants and the few unit conversions of the package; `astropy.units` stops here.

Fluxes are nJy on the AB scale: a band flux divided by that of the AB reference spectrum, times
3631e9. sncosmo defines AB by the same 3631 Jy, so magnitudes agree to the last bit.
"""

import math

import numpy as np
from numpy.typing import NDArray

from chandelle.core.typing import ArrayLike

C_KM_S = 299_792.458
"""Speed of light [km/s]."""
C_ANGSTROM_S = 2.99792458e18
"""Speed of light [angstrom/s]."""
HC_ERG_ANGSTROM = 6.62607015e-27 * C_ANGSTROM_S
"""Planck's constant times c [erg angstrom]."""
AB_JY = 3631.0
"""Flux density of AB magnitude zero [Jy]."""
ZP_NJY = 2.5 * math.log10(AB_JY * 1e9)
"""AB magnitude of 1 nJy: 31.40006..."""
LN10_OVER_2P5 = math.log(10.0) / 2.5


def nanojansky_from_zp(flux: ArrayLike, zp: ArrayLike) -> NDArray[np.float64]:
    """Convert a flux of AB zero point `zp` [mag] to nJy."""
    return np.asarray(np.asarray(flux) * 10.0 ** (-0.4 * (np.asarray(zp) - ZP_NJY)))
