"""How many stars: a thin and a thick disk and a halo, counted along a line of sight."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.typing import ArrayLike
from chandelle.simulate.frames.star_colors import (
    REFERENCE_WAVE,
    band_extinction,
    giant_ri,
    main_sequence_ri,
    visual_magnitude,
)

SUN_RADIUS_PC, SUN_HEIGHT_PC = 8000.0, 25.0
"""Place of the Sun in the Galaxy."""
_EDGES = np.linspace(-3.0, 16.0, 381)
_HALO_SLOPE, _HALO_FLATTENING = 2.5, 0.55
_THICK_FRACTION, _HALO_FRACTION = 0.09, 0.00125
_THICK_HEIGHT_PC, _THIN_LENGTH_PC, _THICK_LENGTH_PC = 665.0, 2600.0, 3600.0
_STEP = 0.05
_DEG2 = (np.pi / 180.0) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StarPopulation:
    """Stars of one component of the Galaxy and one state of evolution.

    Attributes
    ----------
    component : str
        ``thin``, ``thick`` or ``halo``.
    is_giant : bool
        Whether they have left the main sequence.
    fraction : float
        Local density over that of the thin disk.
    height_pc, length_pc : float
        Scales of a disk, NaN for the halo.
    """

    component: str
    is_giant: bool
    fraction: float
    height_pc: float = np.nan
    length_pc: float = np.nan


POPULATIONS = (
    StarPopulation(
        component="thin",
        is_giant=False,
        fraction=1.0,
        height_pc=330.0,
        length_pc=_THIN_LENGTH_PC,
    ),
    StarPopulation(
        component="thin",
        is_giant=True,
        fraction=1.0,
        height_pc=250.0,
        length_pc=_THIN_LENGTH_PC,
    ),
    *(
        StarPopulation(
            component="thick",
            is_giant=is_giant,
            fraction=_THICK_FRACTION,
            height_pc=_THICK_HEIGHT_PC,
            length_pc=_THICK_LENGTH_PC,
        )
        for is_giant in (False, True)
    ),
    StarPopulation(component="halo", is_giant=False, fraction=_HALO_FRACTION),
    StarPopulation(component="halo", is_giant=True, fraction=_HALO_FRACTION),
)
"""The Galaxy: heights, fractions and the halo of Chen et al. 2001 (the middle of their ranges),
lengths of Juric et al. 2008, giants of the thin disk as high as in Bahcall & Soneira 1980.

With this luminosity function, the larger fractions of Juric et al. (0.12, 0.0051; heights of 300
and 900 pc) give 2.4 times the stars that SDSS counted (Chen et al.), these 1.1 to 1.2 times."""


def luminosity_function(visual: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Stars about the Sun, all components and states together.

    .. math::

        \Phi(M_V) = n_* \frac{10^{\beta (M_V - M_*)}}
                    {[1 + 10^{-(\alpha - \beta)\delta (M_V - M_*)}]^{1/\delta}}

    with n = 4.03e-3, M = 1.28, alpha = 0.74, beta = 0.04, 1/delta = 3.40; constant beyond
    M_V = 15, none beyond 16.5.

    Parameters
    ----------
    visual : NDArray, mag
        Absolute magnitude in V.

    Returns
    -------
    NDArray, pc^-3 mag^-1
        Local density.

    References
    ----------
    J. Bahcall, R. Soneira, 1980, ApJS 44, 73.

    Examples
    --------
    >>> (1e4 * luminosity_function(np.array([0.0, 5.0, 12.0]))).round(1).tolist()
    [1.0, 33.1, 105.9]
    """
    x = np.minimum(visual, 15.0) - 1.28
    bright = 1.0 + 10.0 ** (-(0.74 - 0.04) / 3.40 * x)
    return np.where(visual > 16.5, 0.0, 4.03e-3 * 10.0 ** (0.04 * x) / bright**3.40)


def main_sequence_fraction(visual: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Fraction of the stars of the disk that are on the main sequence.

    .. math:: f = 0.44 \exp[1.5\times 10^{-4} (M_V + 8)^{3.5}], \qquad M_V < 3.7

    Parameters
    ----------
    visual : NDArray, mag
        Absolute magnitude in V.

    Returns
    -------
    NDArray
        1 beyond 3.7.

    References
    ----------
    J. Bahcall, R. Soneira, 1980, ApJS 44, 73.
    """
    bright = np.clip(visual, -8.0, 3.7)
    fraction = 0.44 * np.exp(1.5e-4 * (bright + 8.0) ** 3.5)
    return np.where(visual < 3.7, np.minimum(fraction, 1.0), 1.0)


def star_counts(ra: float, dec: float, mag: ArrayLike, *, ebv: float = 0.0) -> NDArray[np.float64]:
    r"""Stars a square degree and a magnitude in one direction.

    .. math::

        A(m) = \frac{\ln 10}{5} \sum_k \int \Phi_k(M)\, \nu_k(d)\, d^3\, dM, \qquad
        d = 10^{(m - M)/5 + 1}\,\mathrm{pc}

    with the local luminosity function of Bahcall & Soneira shared among thin disk, thick disk
    (0.09 of it) and halo (0.00125), whose densities relative to the Sun's place are those of
    `relative_density`. Thick disk and halo are old: only giants are brighter than M_V = 3.7.
    Main-sequence stars of the thin disk are flatter the younger they are: 90 pc up to M_V = 2,
    330 pc from 5 on, linear between (Bahcall & Soneira). No white dwarfs, no bulge, no spiral
    arms; an unresolved binary counts as its stars.

    Measured: 1.1 to 1.2 times the 2080 stars a square degree brighter than g = 21 at
    49 < \|b\| < 64 (Chen et al.), 0.9 times the 7400 of r < 21.5 of Juric et al., 1.1 times the
    1440 of V < 20 at the pole of Bahcall & Soneira; but 0.65 and 0.75 times Tycho-2 at the pole
    and at b = 30 (25 and 50 to about V = 11.85): the brightest stars are too few.

    Parameters
    ----------
    ra, dec : float, deg
        ICRS.
    mag : array, shape (mag,), mag
        Apparent magnitude r, AB.
    ebv : float, mag
        E(B-V) in front of all.

    Returns
    -------
    NDArray, shape (mag,), deg^-2 mag^-1
        Expected counts.

    Raises
    ------
    InputError
        If the position is not on the sky or E(B-V) is negative.

    References
    ----------
    B. Chen et al., 2001, ApJ 553, 184.
    M. Juric et al., 2008, ApJ 673, 864, sect. 4.1.
    J. Bahcall, R. Soneira, 1980, ApJS 44, 73.

    Examples
    --------
    >>> star_counts(192.86, 27.13, [20.0]).round(-2).tolist()
    [600.0]
    """
    mag = np.atleast_1d(np.asarray(mag, dtype=float))
    return count_cells(ra, dec, mag, ebv=ebv).sum(axis=(0, 2))


def expected_stars(
    ra: float,
    dec: float,
    radius: float,
    *,
    mag_range: tuple[float, float] = (11.0, 22.0),
    ebv: float = 0.0,
) -> float:
    """Number of stars that are expected in a disk, with the counts of its center.

    Parameters
    ----------
    ra, dec : float, deg
        Center, ICRS.
    radius : float, deg
        Of the disk.
    mag_range : tuple of float, mag
        Apparent magnitudes r, AB.
    ebv : float, mag
        E(B-V) in front of all.

    Returns
    -------
    float
        The mean of the Poisson number.

    Raises
    ------
    InputError
        As `star_counts`, or if the radius or the range is not one.
    """
    mags, step = magnitude_cells(mag_range)
    return float(star_counts(ra, dec, mags, ebv=ebv).sum() * step * disk_area(radius))


def magnitude_cells(mag_range: tuple[float, float]) -> tuple[NDArray[np.float64], float]:
    """Centers of cells of about 0.05 mag that fill a range, and their width [mag]."""
    low, high = mag_range
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(f"mag_range must be two magnitudes, bright to faint, got {mag_range}")
    n = int(np.ceil((high - low) / _STEP))
    edges = np.linspace(low, high, n + 1)
    return 0.5 * (edges[1:] + edges[:-1]), (high - low) / n


def disk_area(radius: float) -> float:
    """Solid angle [deg2] of a disk of some radius [deg] on the sphere."""
    if not 0.0 < radius <= 180.0:
        raise InputError(f"radius must be in (0, 180] deg, got {radius}")
    return float(4.0 * np.pi * np.sin(0.5 * np.radians(radius)) ** 2 / _DEG2)


def absolute_cells() -> tuple[NDArray[np.float64], float]:
    """Centers of the cells of absolute magnitude r, and their width [mag]."""
    return 0.5 * (_EDGES[1:] + _EDGES[:-1]), float(_EDGES[1] - _EDGES[0])


def count_cells(
    ra: float, dec: float, mag: NDArray[np.float64], *, ebv: float
) -> NDArray[np.float64]:
    """Counts of each population in cells of absolute magnitude.

    Parameters
    ----------
    ra, dec : float, deg
        ICRS.
    mag : NDArray, shape (mag,), mag
        Apparent magnitude r, AB.
    ebv : float, mag
        E(B-V) in front of all.

    Returns
    -------
    NDArray, shape (population, mag, cell), deg^-2 mag^-1
        Whose sum over populations and cells is `star_counts`.
    """
    require_x64()
    longitude, latitude = galactic(ra, dec)
    centers, width = absolute_cells()
    modulus = mag[:, None] - band_extinction(REFERENCE_WAVE, ebv) - centers
    distance = 10.0 ** (0.2 * modulus + 1.0)
    volume = _DEG2 * np.log(10.0) / 5.0 * distance**3 * width
    return np.stack(
        [
            local_density(population)
            * relative_density(population, longitude, latitude, distance, centers)
            * volume
            for population in POPULATIONS
        ]
    )


def galactic(ra: float, dec: float) -> tuple[float, float]:
    """Galactic longitude and latitude [deg] of a position [deg, ICRS]."""
    if not (np.isfinite(ra) and -90.0 <= dec <= 90.0):
        raise InputError(f"a position needs a finite ra and -90 <= dec <= 90, got ({ra}, {dec})")
    place: Any = SkyCoord(ra, dec, unit="deg").galactic
    return float(place.l.deg), float(place.b.deg)


def local_density(population: StarPopulation) -> NDArray[np.float64]:
    """Density about the Sun of a population in each cell, shape (cell,) [pc^-3 mag^-1]."""
    color = giant_ri if population.is_giant else main_sequence_ri
    centers, width = absolute_cells()
    visual = visual_magnitude(centers, color(centers))
    jacobian = np.diff(visual_magnitude(_EDGES, color(_EDGES))) / width
    on_sequence = main_sequence_fraction(visual)
    if population.is_giant:
        part = 1.0 - on_sequence
    else:
        is_alive = (population.component == "thin") | (visual >= 3.7)
        part = np.where(is_alive, on_sequence, 0.0)
    share = population.fraction / (1.0 + _THICK_FRACTION + _HALO_FRACTION)
    return share * luminosity_function(visual) * part * jacobian


def relative_density(
    population: StarPopulation,
    longitude: float,
    latitude: float,
    distance: NDArray[np.float64],
    abs_mag: NDArray[np.float64],
) -> NDArray[np.float64]:
    r"""Density at a distance over that at the Sun.

    .. math::

        \nu = e^{(R_0 - R)/L}\, e^{(|Z_0| - |Z|)/H}, \qquad
        \nu_{halo} = \left[\frac{R_0}{\sqrt{R^2 + (Z/q)^2}}\right]^n

    Parameters
    ----------
    population : StarPopulation
        Whose.
    longitude, latitude : float, deg
        Galactic.
    distance : NDArray, shape (mag, cell), pc
        From the Sun.
    abs_mag : NDArray, shape (cell,), mag
        In r: the height of the thin disk depends on it.

    Returns
    -------
    NDArray, shape (mag, cell)
        The ratio.
    """
    lon, lat = np.radians(longitude), np.radians(latitude)
    along = SUN_RADIUS_PC - distance * np.cos(lat) * np.cos(lon)
    radius = np.hypot(along, distance * np.cos(lat) * np.sin(lon))
    height = SUN_HEIGHT_PC + distance * np.sin(lat)
    if population.component == "halo":
        far = np.sqrt(radius**2 + (height / _HALO_FLATTENING) ** 2)
        return (SUN_RADIUS_PC / far) ** _HALO_SLOPE
    scale = np.full_like(abs_mag, population.height_pc)
    if population.component == "thin" and not population.is_giant:
        visual = visual_magnitude(abs_mag, main_sequence_ri(abs_mag))
        scale = np.interp(visual, [2.0, 5.0], [90.0, population.height_pc])
    outwards = (SUN_RADIUS_PC - radius) / population.length_pc
    return np.exp(outwards + (SUN_HEIGHT_PC - np.abs(height)) / scale)
