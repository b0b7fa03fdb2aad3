"""Light of galaxies: their spectra between two types, mass, size, bulge, and where it lies."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from chandelle.simulate.frames.named_draws import normals, uniforms
from chandelle.simulate.frames.star_colors import band_extinction
from chandelle.simulate.frames.star_motions import position_of, unit_vectors

BULGE_B = 7.669249443
"""b of the de Vaucouleurs profile, exp(-b (r/R)^(1/4)): half of the light inside R."""
DISK_SCALES = 1.678346990
"""Half-light radius of an exponential disk in scale lengths."""
LEAST_THICKNESS, BULGE_THICKNESS = 0.2, 0.6
"""Axis ratios seen edge-on of disks and bulges."""

_KNOT_WAVES = np.array([1500.0, 2300.0, 3572.2, 4750.8, 6204.3, 7519.3, 8992.3, 12500.0, 22000.0])
_BLUE = np.array([2.05, 1.75, 1.30, 0.35, 0.0, -0.15, -0.20, -0.30, -0.10])
_RED = np.array([6.50, 5.50, 2.54, 0.77, 0.0, -0.38, -0.65, -1.05, -1.20])
_R, _G, _I, _Z = 4, 3, 5, 6
_ARCSEC_OF_RADIAN = 180.0 * 3600.0 / np.pi
_SIZE_SCATTER = 0.34


def spectrum(gz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rest-frame AB magnitudes of galaxies less their r, at nine wavelengths.

    Between those of a blue galaxy (g - z = 0.55) and of a red one (1.42), linear in g - z, held
    to 0.4 and 1.7. The two are near the synthetic colors of irregulars and of ellipticals of
    Fukugita et al. 1995 in ugriz; the ultraviolet and the infrared are rounded typical values.

    Parameters
    ----------
    gz : NDArray, shape (galaxy,), mag
        Rest-frame g - z.

    Returns
    -------
    NDArray, shape (galaxy, 9), mag
        AB, at 1500 to 22 000 angstrom.

    References
    ----------
    M. Fukugita, K. Shimasaku, T. Ichikawa, 1995, PASP 107, 945, table 3.
    """
    blue, red = (colors[_G] - colors[_Z] for colors in (_BLUE, _RED))
    part = (np.clip(gz, 0.4, 1.7) - blue) / (red - blue)
    return _BLUE + part[:, None] * (_RED - _BLUE)


def apparent_less_absolute(
    gz: NDArray[np.float64], z: NDArray[np.float64], mu: NDArray[np.float64], wave: float
) -> NDArray[np.float64]:
    r"""Apparent magnitude at a wavelength less the absolute rest-frame r.

    .. math::

        m(\lambda) - M_r = [M(\lambda / (1 + z)) - M_r] + \mu - 2.5 \log_{10}(1 + z)

    exact for a narrow band; the spectrum is linear between its knots in the logarithm of
    wavelength.

    Parameters
    ----------
    gz : NDArray, shape (galaxy,), mag
        Rest-frame g - z.
    z : NDArray, shape (galaxy,)
        Heliocentric redshift.
    mu : NDArray, shape (galaxy,), mag
        Distance modulus.
    wave : float, angstrom
        Mean wavelength of the passband.

    Returns
    -------
    NDArray, shape (galaxy,), mag
        AB, without dust of the Milky Way.

    References
    ----------
    D. Hogg et al., 2002, arXiv:astro-ph/0210394.
    """
    colors, knots = spectrum(gz), np.log(_KNOT_WAVES)
    x = np.log(wave / (1.0 + z))
    right = np.clip(np.searchsorted(knots, x), 1, len(knots) - 1)
    part = (x - knots[right - 1]) / (knots[right] - knots[right - 1])
    row = np.arange(len(z))
    rest = (1.0 - part) * colors[row, right - 1] + part * colors[row, right]
    return rest + mu - 2.5 * np.log10(1.0 + z)


def observed_magnitudes(
    abs_mag: NDArray[np.float64],
    gz: NDArray[np.float64],
    z: NDArray[np.float64],
    mu: NDArray[np.float64],
    waves: Mapping[str, float],
    ebv: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Total AB magnitudes of galaxies in passbands, with dust of the Milky Way.

    Parameters
    ----------
    abs_mag : NDArray, shape (galaxy,), mag
        Absolute, rest-frame r, AB.
    gz, z, mu : NDArray, shape (galaxy,)
        As `apparent_less_absolute`.
    waves : mapping of str to float, angstrom
        Mean wavelength of each passband.
    ebv : NDArray, shape (galaxy,), mag
        E(B-V) of the Milky Way.

    Returns
    -------
    dict of str to NDArray, shape (galaxy,), mag
        By passband.
    """
    return {
        name: abs_mag + apparent_less_absolute(gz, z, mu, wave) + band_extinction(wave, 1.0) * ebv
        for name, wave in waves.items()
    }


def abs_mag_of_mass(logmass: NDArray[np.float64], gz: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Absolute rest-frame r of a galaxy of some stellar mass and color.

    .. math:: \log_{10} M_* = 1.15 + 0.70 (g - i) - 0.4 M_i

    Parameters
    ----------
    logmass : NDArray, shape (galaxy,)
        log10 of the stellar mass in suns.
    gz : NDArray, shape (galaxy,), mag
        Rest-frame g - z.

    Returns
    -------
    NDArray, shape (galaxy,), mag
        AB.

    References
    ----------
    E. Taylor et al., 2011, MNRAS 418, 1587, eq. 8.

    Examples
    --------
    >>> abs_mag_of_mass(np.array([10.7]), np.array([1.2])).round(1).tolist()
    [-21.8]
    """
    colors = spectrum(gz)
    gi = colors[:, _G] - colors[:, _I]
    return (1.15 + 0.70 * gi - logmass) / 0.4 - colors[:, _I]


def mass_of_abs_mag(abs_mag: NDArray[np.float64], gz: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 of the stellar mass [suns]: the inverse of `abs_mag_of_mass`.

    Parameters
    ----------
    abs_mag : NDArray, shape (galaxy,), mag
        Absolute, rest-frame r, AB.
    gz : NDArray, shape (galaxy,), mag
        Rest-frame g - z.

    Returns
    -------
    NDArray, shape (galaxy,)
        log10 of suns.
    """
    return -0.4 * (abs_mag - abs_mag_of_mass(np.zeros_like(abs_mag), gz))


def draw_shapes(
    root: Key[Array, "*galaxy"],
    logmass: NDArray[np.float64],
    z: NDArray[np.float64],
    mu: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    r"""Draw bulge fraction, radii, axis ratios and position angles of galaxies.

    Half-light radii in kpc follow the mass: that of the disk, and that of the bulge by the law
    of early types with the bulge's part of the mass, held to 0.1 to 1 of the disk's,

    .. math::

        R_d = 0.10\, M^{0.14} (1 + M / 3.98\times 10^{10})^{0.25}, \qquad
        R_b = 2.88\times 10^{-6} (f_b M)^{0.56}

    both with a scatter of 0.34 in ln R. The fraction of light in the bulge is a logistic in the
    mass, 0.35 at 10^10.4, with a scatter (chosen). Disks are oblate spheroids of thickness 0.2
    and bulges of 0.6 seen from a random direction.

    Parameters
    ----------
    root : key or keys, shape (galaxy,)
        As `uniforms` takes them.
    logmass : NDArray, shape (galaxy,)
        log10 of the stellar mass in suns.
    z : NDArray, shape (galaxy,)
        Redshift.
    mu : NDArray, shape (galaxy,), mag
        Distance modulus, of luminosity distance.

    Returns
    -------
    dict of str to NDArray, shape (galaxy,)
        Columns of `TrueGalaxies`.

    References
    ----------
    S. Shen et al., 2003, MNRAS 343, 978, table 1.
    """
    n = len(logmass)
    g = normals(root, ["bulge_fraction", "disk_radius", "bulge_radius"], n)
    u = uniforms(root, ["inclination", "angle"], n)
    logit = (logmass - 10.4) / 0.4 + 0.8 * g["bulge_fraction"]
    fraction = 0.7 / (1.0 + np.exp(-logit))
    mass = 10.0**logmass
    disk = 0.10 * mass**0.14 * (1.0 + mass / 3.98e10) ** 0.25
    disk *= np.exp(_SIZE_SCATTER * g["disk_radius"])
    bulge = 2.88e-6 * (fraction * mass) ** 0.56 * np.exp(_SIZE_SCATTER * g["bulge_radius"])
    kpc = 1e3 * 10.0 ** (0.2 * mu - 5.0) / (1.0 + z) ** 2 / _ARCSEC_OF_RADIAN
    cosine = u["inclination"]
    return {
        "logmass": logmass,
        "bulge_fraction": fraction,
        "bulge_radius_arcsec": np.clip(bulge, 0.1 * disk, disk) / kpc,
        "disk_radius_arcsec": disk / kpc,
        "axis_ratio": _seen(LEAST_THICKNESS, cosine),
        "bulge_axis_ratio": _seen(BULGE_THICKNESS, cosine),
        "position_angle": 180.0 * u["angle"],
    }


def _seen(thickness: float, cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axis ratio of an oblate spheroid seen at an inclination."""
    return np.sqrt(thickness**2 + (1.0 - thickness**2) * cosine**2)


def draw_offsets(
    root: Key[Array, "*galaxy"], shapes: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Draw one place a galaxy from its light: how far east and north of the center.

    The radius of the light of a disk is a sum of two exponentials in scale lengths; in a bulge
    :math:`b (r/R)^{1/4}` is a sum of eight. Exact, no table.

    Parameters
    ----------
    root : key or keys, shape (galaxy,)
        As `uniforms` takes them.
    shapes : mapping of str to NDArray, shape (galaxy,)
        As `draw_shapes` gives them.

    Returns
    -------
    NDArray, NDArray, shape (galaxy,), arcsec
        East and north of the center.
    """
    n = len(shapes["bulge_fraction"])
    u = uniforms(root, ["is_in_bulge", "around", *(f"wait{i}" for i in range(8))], n)
    waits = np.stack([-np.log1p(-u[f"wait{i}"]) for i in range(8)])
    is_bulge = u["is_in_bulge"] < shapes["bulge_fraction"]
    disk = shapes["disk_radius_arcsec"] / DISK_SCALES * waits[:2].sum(axis=0)
    bulge = shapes["bulge_radius_arcsec"] * (waits.sum(axis=0) / BULGE_B) ** 4
    radius = np.where(is_bulge, bulge, disk)
    ratio = np.where(is_bulge, shapes["bulge_axis_ratio"], shapes["axis_ratio"])
    turn = 2.0 * np.pi * u["around"]
    major = radius / np.sqrt(ratio) * np.cos(turn)
    minor = radius * np.sqrt(ratio) * np.sin(turn)
    sine, cosine = (f(np.radians(shapes["position_angle"])) for f in (np.sin, np.cos))
    return major * sine + minor * cosine, major * cosine - minor * sine


def moved(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    east: NDArray[np.float64],
    north: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions [deg] that lie some way east and north [arcsec] in the tangent plane.

    Parameters
    ----------
    ra, dec : NDArray, shape (place,), deg
        From where; the tangent plane touches the sphere there.
    east, north : NDArray, shape (place,), arcsec
        How far.

    Returns
    -------
    NDArray, NDArray, shape (place,), deg
        Right ascension and declination.
    """
    to, e, n = unit_vectors(ra, dec)
    step = east[:, None] * e + north[:, None] * n
    return position_of(to + step / _ARCSEC_OF_RADIAN)
