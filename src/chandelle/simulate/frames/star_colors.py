"""Colors of stars: the stellar locus in ugrizy, the photometric parallax, and any passband."""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import load_passband
from chandelle.physics.dust import extinction
from chandelle.products.passband import Passband

FILTERS = "ugrizy"
FILTER_WAVES = np.array([3572.2, 4750.8, 6204.3, 7519.3, 8992.3, 9712.0])
"""Mean wavelengths [angstrom]: SDSS ugriz (filter service of the Spanish Virtual Observatory),
LSST y."""
REFERENCE_WAVE = float(FILTER_WAVES[2])
"""Mean wavelength [angstrom] of r, in which counts are given."""

_PARALLAX = (3.2, 13.30, -11.50, 5.40, -0.70)
_BLUEST, _REDDEST = -0.3, 2.0
_RI = np.arange(_BLUEST, _REDDEST + 0.005, 0.01)
_KNOTS = np.array(  # r - i, u - g, i - z
    [
        [-0.30, 0.30, -0.180],
        [-0.15, 1.00, -0.100],
        [0.05, 0.94, -0.020],
        [0.15, 1.17, 0.033],
        [0.25, 1.60, 0.112],
        [0.35, 2.22, 0.183],
        [0.45, 2.47, 0.248],
        [0.55, 2.55, 0.298],
        [0.65, 2.60, 0.352],
        [0.75, 2.62, 0.405],
        [0.85, 2.65, 0.468],
        [0.95, 2.65, 0.511],
        [1.15, 2.65, 0.605],
        [1.45, 2.65, 0.765],
        [2.00, 2.65, 1.080],
    ]
)
_Z_Y_SLOPE = 0.5
_GIANT_GR, _GIANT_SLOPE, _GIANT_TOP = 0.45, 0.12, 1.25
_TURNOFF = 3.7
_V_SLOPE, _V_ZERO = 0.41, -0.01


def absolute_magnitude(ri: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Absolute r magnitude of a main-sequence star.

    .. math:: M_r = 3.2 + 13.30 x - 11.50 x^2 + 5.40 x^3 - 0.70 x^4, \qquad x = r - i

    Parameters
    ----------
    ri : NDArray, mag
        r - i, from -0.3 to 2; measured from 0.1 to 1.5.

    Returns
    -------
    NDArray, mag
        AB.

    References
    ----------
    M. Juric et al., 2008, ApJ 673, 864, eq. 2 ("bright" normalization).

    Examples
    --------
    >>> absolute_magnitude(np.array([0.1, 1.0])).round(2).tolist()
    [4.42, 9.7]
    """
    return np.asarray(np.polynomial.polynomial.polyval(ri, _PARALLAX), dtype=np.float64)


def main_sequence_ri(abs_mag: NDArray[np.float64]) -> NDArray[np.float64]:
    """Color r - i of a main-sequence star, the inverse of `absolute_magnitude`.

    Parameters
    ----------
    abs_mag : NDArray, mag
        In r; held at the ends of the relation, -2.0 and 15.8.

    Returns
    -------
    NDArray, mag
        r - i.
    """
    return np.interp(abs_mag, absolute_magnitude(_RI), _RI)


def locus_gr(ri: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Color g - r on the stellar locus.

    .. math:: g - r = 1.39 (1 - \exp[-4.9 x^3 - 2.45 x^2 - 1.68 x - 0.050]), \qquad x = r - i

    Parameters
    ----------
    ri : NDArray, mag
        r - i.

    Returns
    -------
    NDArray, mag
        g - r.

    References
    ----------
    M. Juric et al., 2008, ApJ 673, 864, eq. 4.
    """
    exponent = np.polynomial.polynomial.polyval(ri, (-0.050, -1.68, -2.45, -4.9))
    return 1.39 * (1.0 - np.exp(exponent))


def giant_ri(abs_mag: NDArray[np.float64]) -> NDArray[np.float64]:
    """Color r - i of an evolved star, on the same locus.

    g - r rises by 0.12 a magnitude from 0.45 at M_r = 3.7 to at most 1.25: about the colors of
    subgiants and of the red clump (0.8 at M_r = 0.6). A choice of ours, without a metallicity.

    Parameters
    ----------
    abs_mag : NDArray, mag
        In r.

    Returns
    -------
    NDArray, mag
        r - i.
    """
    gr = np.minimum(_GIANT_GR + _GIANT_SLOPE * (_TURNOFF - abs_mag), _GIANT_TOP)
    return np.interp(gr, locus_gr(_RI), _RI)


def visual_magnitude(abs_mag: NDArray[np.float64], ri: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Vega magnitude V of a star on the locus.

    .. math:: V = r + 0.41 (g - r) - 0.01

    Parameters
    ----------
    abs_mag : NDArray, mag
        r, AB, absolute or apparent.
    ri : NDArray, mag
        r - i.

    Returns
    -------
    NDArray, mag
        V.

    References
    ----------
    S. Jester et al., 2005, AJ 130, 873, table 1.
    """
    return abs_mag + _V_SLOPE * locus_gr(ri) + _V_ZERO


def locus_magnitudes(ri: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitudes in ugrizy of stars on the locus, less their r.

    g - r is `locus_gr`. u - g up to r - i = 0.85 and i - z up to 1.45 are medians of the 540
    unresolved objects of SDSS DR9 brighter than r = 20 in the field D3 of the CFHT supernova
    survey, rounded; the rest, and z - y = 0.5 (i - z), are about the colors of A stars and of
    late M dwarfs, by choice. u of metal-poor stars is too faint by some tenths.

    Parameters
    ----------
    ri : NDArray, shape (star,), mag
        r - i.

    Returns
    -------
    NDArray, shape (star, 6), mag
        u - r, g - r, 0, i - r, z - r, y - r, AB.

    References
    ----------
    C. Ahn et al., 2012, ApJS 203, 21 (SDSS DR9).
    """
    gr = locus_gr(ri)
    u_g = np.interp(ri, _KNOTS[:, 0], _KNOTS[:, 1])
    i_z = np.interp(ri, _KNOTS[:, 0], _KNOTS[:, 2])
    z = -ri - i_z
    return np.stack([u_g + gr, gr, np.zeros_like(ri), -ri, z, z - _Z_Y_SLOPE * i_z], axis=-1)


def band_waves(passbands: Sequence[str | Passband]) -> dict[str, float]:
    """Mean wavelength [angstrom] of each passband.

    Parameters
    ----------
    passbands : sequence of str or Passband
        Names that ship with chandelle, or passbands of a user.

    Returns
    -------
    dict of str to float
        By name.

    Raises
    ------
    InputError
        For an unknown name, or one given twice.
    """
    known = [p if isinstance(p, Passband) else load_passband(p) for p in passbands]
    waves = {passband.name: passband.mean_wave for passband in known}
    if len(waves) < len(known):
        raise InputError(
            f"passbands must differ, got {', '.join(p.name for p in known)}; give each once"
        )
    return waves


def magnitudes_at(
    magnitudes: NDArray[np.float64], waves: Mapping[str, float], *, ebv: float = 0.0
) -> dict[str, NDArray[np.float64]]:
    """Magnitudes in passbands from those in ugrizy, linear in the logarithm of wavelength.

    Parameters
    ----------
    magnitudes : NDArray, shape (star, 6), mag
        In ugrizy, AB, without dust.
    waves : mapping of str to float, angstrom
        Mean wavelength of each passband; beyond u and y the last slope goes on.
    ebv : float, mag
        E(B-V) of the Milky Way in front of all (R_V = 3.1, Fitzpatrick 1999).

    Returns
    -------
    dict of str to NDArray, shape (star,), mag
        AB, by passband.
    """
    knots = np.log(FILTER_WAVES)
    result = {}
    for name, wave in waves.items():
        x = np.log(wave)
        right = int(np.clip(np.searchsorted(knots, x), 1, len(knots) - 1))
        part = (x - knots[right - 1]) / (knots[right] - knots[right - 1])
        dust = band_extinction(wave, ebv)
        result[name] = (1.0 - part) * magnitudes[:, right - 1] + part * magnitudes[:, right] + dust
    return result


def band_extinction(wave: float, ebv: float) -> float:
    """Extinction [mag] by the Milky Way at a wavelength [angstrom], Fitzpatrick 1999, R_V = 3.1.

    Parameters
    ----------
    wave : float, angstrom
        Mean wavelength of a passband.
    ebv : float, mag
        E(B-V).

    Returns
    -------
    float, mag
        The extinction.

    Raises
    ------
    InputError
        If E(B-V) is negative or not a number.
    """
    if not ebv >= 0.0:
        raise InputError(f"ebv must be >= 0 mag, got {ebv}; 0 is no dust")
    if ebv == 0.0:
        return 0.0
    return ebv * float(_unit_extinction(jnp.asarray(wave, dtype=float)))


@eqx.filter_jit
def _unit_extinction(wave: Float[Array, ""]) -> Float[Array, ""]:
    """Extinction of E(B-V) = 1 mag; the law is linear in it."""
    return extinction(wave, ebv=1.0)
