"""The stars of a part of the sky: drawn from the counts, then where and how bright at a time."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for
from chandelle.products.passband import Passband
from chandelle.products.product import Meta
from chandelle.simulate.frames.named_draws import normals, uniforms
from chandelle.simulate.frames.star_colors import (
    REFERENCE_WAVE,
    band_extinction,
    band_waves,
    giant_ri,
    locus_magnitudes,
    magnitudes_at,
    main_sequence_ri,
)
from chandelle.simulate.frames.star_counts import (
    POPULATIONS,
    absolute_cells,
    count_cells,
    disk_area,
    magnitude_cells,
)
from chandelle.simulate.frames.star_motions import position_of, proper_motions, unit_vectors
from chandelle.simulate.frames.truth_tables import TrueStars, table_with_magnitudes

EPOCH_MJD = 57388.5
"""J2016.0, of positions and of the phases of variable stars."""
VARIABLE_FRACTION = 0.03
AMPLITUDES_MAG = (0.02, 0.5)
PERIODS_D = (0.2, 300.0)
"""How many stars vary, and the ranges of amplitude and period, both uniform in the logarithm: a
choice of ours, to test with. Most real variables are of the lower end."""
COLOR_SCATTER_MAG = np.array([0.10, 0.03, 0.0, 0.03, 0.04, 0.05])
"""One sigma of u - r, g - r, r - r, i - r, z - r and y - r about the locus, independent."""

_DAYS_OF_YEAR = 365.25
_RADIANS_OF_MAS = np.pi / 180.0 / 3.6e6


def draw_stars(
    ra: float,
    dec: float,
    radius: float,
    *,
    passbands: Sequence[str | Passband],
    mag_range: tuple[float, float] = (11.0, 22.0),
    density: float = 1.0,
    seed: int,
    ebv: float = 0.0,
) -> TrueStars:
    """Draw the stars of a disk on the sky.

    Their number is Poisson with the mean `density` times `expected_stars`. Each has a component
    of the Galaxy, an apparent and an absolute magnitude, thus a distance; colors of the stellar
    locus with a scatter; a velocity, thus a proper motion. Some vary. Counts are those of the
    center all over the disk.

    Parameters
    ----------
    ra, dec : float, deg
        Center, ICRS.
    radius : float, deg
        Of the disk.
    passbands : sequence of str or Passband
        A column of AB magnitudes each: ugrizy interpolated to the mean wavelength.
    mag_range : tuple of float, mag
        Apparent magnitudes r, AB, of the mean over time, dust included.
    density : float
        Times the counts of the model.
    seed : int
        Root of all random numbers; another center draws others.
    ebv : float, mag
        E(B-V) of the Milky Way in front of all.

    Returns
    -------
    TrueStars
        The provenance says the expected number.

    Raises
    ------
    InputError
        If `density` is negative, or as `expected_stars` and `band_waves`.

    Examples
    --------
    >>> stars = draw_stars(150.0, 2.2, 0.2, passbands=["ztfg", "ztfr"], seed=1)
    >>> bool(len(stars) > 100), stars["star"][0]
    (True, 'star000000')
    """
    require_x64()
    if not (np.isfinite(density) and density >= 0.0):
        raise InputError(f"density must be >= 0, got {density}; 1 is the Galaxy")
    waves = band_waves(passbands)
    root = key_for(seed, "stars", f"{ra:.9f} {dec:.9f}")
    mags, width = magnitude_cells(mag_range)
    cells = count_cells(ra, dec, mags, ebv=ebv) * width * disk_area(radius) * density
    mean = float(cells.sum())
    n = int(jax.random.poisson(key_for(root, "count"), mean))
    kind, mag, abs_mag = _drawn_cells(root, cells, mags, width, n)
    modulus = mag - band_extinction(REFERENCE_WAVE, ebv) - abs_mag
    is_giant = np.array([population.is_giant for population in POPULATIONS])[kind]
    component = np.array([population.component for population in POPULATIONS])[kind]
    ri = np.where(is_giant, giant_ri(abs_mag), main_sequence_ri(abs_mag))
    star_ra, star_dec = positions_in_disk(root, ra, dec, radius, n)
    velocity = np.stack(list(normals(root, ["u", "v", "w"], n).values()), axis=-1)
    pm_ra, pm_dec = proper_motions(
        star_ra, star_dec, 10.0 ** (0.2 * modulus - 2.0), component, velocity
    )
    scatter = np.stack(list(normals(root, list("ugrizy"), n).values()), axis=-1)
    filters = locus_magnitudes(ri) + COLOR_SCATTER_MAG * scatter
    filters += (mag - band_extinction(REFERENCE_WAVE, ebv))[:, None]
    observed = magnitudes_at(filters, {"g": 4750.8, "i": 7519.3}, ebv=ebv)
    columns = {
        "star": np.array([f"star{i:06d}" for i in range(n)], dtype=str),
        "ra": star_ra,
        "dec": star_dec,
        "pm_ra_cosdec": pm_ra,
        "pm_dec": pm_dec,
        "color": observed["g"] - observed["i"],
        **_variability(root, n),
    }
    facts = {
        "ra": ra,
        "dec": dec,
        "radius_deg": radius,
        "mag_range": list(mag_range),
        "density": density,
        "ebv": ebv,
        "seed": seed,
        "expected": mean,
    }
    return TrueStars(
        table=table_with_magnitudes(columns, magnitudes_at(filters, waves, ebv=ebv)),
        meta=Meta(origin="simulated", provenance={"stars": facts}),
    )


def star_positions(stars: TrueStars, mjd: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Where the stars are at a time, without parallax and aberration.

    .. math:: \hat r(t) \propto \hat r_0 + (\mu_\alpha \hat e + \mu_\delta \hat n)\, t

    Straight motion across the line of sight, exact at any declination.

    Parameters
    ----------
    stars : TrueStars
        At J2016.0.
    mjd : float, d
        When.

    Returns
    -------
    NDArray, NDArray, shape (star,), deg
        Right ascension and declination, ICRS.
    """
    to, east, north = unit_vectors(stars["ra"], stars["dec"])
    turn = _RADIANS_OF_MAS * (mjd - EPOCH_MJD) / _DAYS_OF_YEAR
    moved = to + turn * (stars["pm_ra_cosdec"][:, None] * east + stars["pm_dec"][:, None] * north)
    return position_of(moved)


def star_magnitudes(stars: TrueStars, passband: str, mjd: float) -> NDArray[np.float64]:
    r"""AB magnitudes at a time.

    .. math:: m(t) = \bar m + a \sin[2\pi ((t - t_0) / P + \phi)]

    with J2016.0 as t_0; the same amplitude in all passbands.

    Parameters
    ----------
    stars : TrueStars
        With magnitudes in the passband.
    passband : str
        Its name.
    mjd : float, d
        When.

    Returns
    -------
    NDArray, shape (star,), mag
        Of constant stars, their column.

    Raises
    ------
    InputError
        If the stars were drawn without that passband.
    """
    amplitude = stars["amplitude"]
    turns = (mjd - EPOCH_MJD) / stars["period_d"] + stars["phase"]
    wave = np.sin(2.0 * np.pi * np.where(amplitude > 0.0, turns, 0.0))
    return stars.magnitudes(passband) + amplitude * wave


def _drawn_cells(
    root: Key[Array, ""],
    cells: NDArray[np.float64],
    mags: NDArray[np.float64],
    width: float,
    n: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Draw population, apparent and absolute magnitude of n stars; uniform inside a cell."""
    u = uniforms(root, ["cell", "mag", "abs_mag"], n)
    total = np.cumsum(cells.ravel())
    index = np.searchsorted(total, u["cell"] * total[-1], side="right")
    kind, row, column = np.unravel_index(np.minimum(index, total.size - 1), cells.shape)
    centers, abs_width = absolute_cells()
    mag = mags[row] + width * (u["mag"] - 0.5)
    return kind, mag, centers[column] + abs_width * (u["abs_mag"] - 0.5)


def positions_in_disk(
    root: Key[Array, ""], ra: float, dec: float, radius: float, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw positions uniform in a disk on the sphere.

    Parameters
    ----------
    root : key
        Of the objects.
    ra, dec, radius : float, deg
        Center, ICRS, and radius.
    n : int
        Objects.

    Returns
    -------
    NDArray, NDArray, shape (object,), deg
        Right ascension and declination.
    """
    u = uniforms(root, ["ring", "turn"], n)
    away = 2.0 * np.arcsin(np.sin(0.5 * np.radians(radius)) * np.sqrt(u["ring"]))
    turn = 2.0 * np.pi * u["turn"]
    to, east, north = unit_vectors(np.array([ra]), np.array([dec]))
    aside = np.sin(turn)[:, None] * east + np.cos(turn)[:, None] * north
    return position_of(np.cos(away)[:, None] * to + np.sin(away)[:, None] * aside)


def _variability(root: Key[Array, ""], n: int) -> dict[str, NDArray[np.float64]]:
    """Draw which stars vary, and how."""
    u = uniforms(root, ["is_variable", "amplitude", "period", "phase"], n)
    is_variable = u["is_variable"] < VARIABLE_FRACTION

    def between(low: float, high: float, part: NDArray[np.float64]) -> NDArray[np.float64]:
        return low * (high / low) ** part

    return {
        "amplitude": np.where(is_variable, between(*AMPLITUDES_MAG, u["amplitude"]), 0.0),
        "period_d": np.where(is_variable, between(*PERIODS_D, u["period"]), np.nan),
        "phase": np.where(is_variable, u["phase"], np.nan),
    }
