"""The galaxies of the simulated sky: one host a supernova, and those of the field."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for, keys_for
from chandelle.core.typing import ArrayLike
from chandelle.physics.distance import Cosmology, distance_modulus
from chandelle.products.passband import Passband
from chandelle.products.product import Meta
from chandelle.products.targets import Targets
from chandelle.simulate.frames.galaxy_light import (
    abs_mag_of_mass,
    apparent_less_absolute,
    draw_offsets,
    draw_shapes,
    mass_of_abs_mag,
    moved,
    observed_magnitudes,
)
from chandelle.simulate.frames.named_draws import normals, uniforms
from chandelle.simulate.frames.star_catalog import positions_in_disk
from chandelle.simulate.frames.star_colors import REFERENCE_WAVE, band_extinction, band_waves
from chandelle.simulate.frames.star_counts import disk_area
from chandelle.simulate.frames.truth_tables import TrueGalaxies, table_with_magnitudes
from chandelle.simulate.truth import Truth

COUNT_ANCHORS = ((17.77, 92.0), (19.5, 864.0), (22.0, 46.0 * 3600.0 * 10 ** (0.31 * (21.6 - 25))))
"""Magnitude r and galaxies a square degree brighter than it: M. Strauss et al., 2002, AJ 124, 1810
(92 to 17.77); C. Hahn et al., 2023, AJ 165, 253 (864 to 19.5); LSST Science Book, 2009,
arXiv:0912.0201, sect. 3.7.2, 46 x 10^(0.31 (i - 25)) a square arcminute, with r - i = 0.4."""
FAINTEST_MAG = 24.0
HOST_LOGMASSES = (7.0, 11.8)
"""To what the masses of hosts are held: a Gaussian population has a tail beyond real galaxies."""

_RED_FRACTION = 0.4
_Z_MEDIAN, _Z_GROWTH, _Z_MAX = 0.10, 0.15, 1.5
_MEDIAN_OF_GAMMA_2 = 1.678346990
_distance_modulus = eqx.filter_jit(distance_modulus)


def draw_hosts(
    targets: Targets,
    truth: Truth,
    *,
    passbands: Sequence[str | Passband],
    seed: int,
) -> TrueGalaxies:
    """Draw the host of each supernova around it.

    Mass and, where there is one, local color g - z are those of the truth; the color of the
    whole has a scatter of 0.1 mag about the local one, or 0.2 about a mean that rises from 0.7
    to 1.3 with the mass. Mass and color give the luminosity, mass the shape. The supernova stays
    where it is, and the center lies so that the supernova is a random place of its light.

    Parameters
    ----------
    targets : Targets
        Names, positions, redshifts and E(B-V).
    truth : Truth
        Of the same supernovae in the same order, with `host_logmass_true` and `mu_true`.
    passbands : sequence of str or Passband
        A column of AB magnitudes each, dust of the Milky Way included.
    seed : int
        Root of all random numbers.

    Returns
    -------
    TrueGalaxies
        One a supernova, in the order of the targets; each has a key of its name, whoever else
        is drawn.

    Raises
    ------
    InputError
        If targets and truth are not of the same supernovae, or a mass, a distance or a position
        is missing, or as `band_waves`.

    Examples
    --------
    >>> targets = Targets.from_columns({"sn": ["a"], "ra": [10.0], "dec": [2.0], "z_hel": [0.05]})
    >>> drawn = {f"{name}_true": [0.0] for name in ("t0", "x0", "x1", "c")}
    >>> drawn |= {"mu_true": [36.7], "host_logmass_true": [10.5]}
    >>> truth = Truth.from_columns({"sn": ["a"], **drawn})
    >>> draw_hosts(targets, truth, passbands=["ztfr"], seed=1)["sn"].tolist()
    ['a']
    """
    require_x64()
    waves = band_waves(passbands)
    _check_pair(targets, truth)
    names = [str(name) for name in targets["sn"]]
    n = len(names)
    root = keys_for(key_for(seed, "hosts"), names)
    logmass = np.clip(truth["host_logmass_true"], *HOST_LOGMASSES)
    z, mu = targets["z_hel"], truth["mu_true"]
    noise = normals(root, ["color"], n)["color"]
    gz = _color_of_mass(logmass) + 0.2 * noise
    if "local_color_true" in truth.table.column_names:
        local = truth["local_color_true"]
        gz = np.where(np.isfinite(local), local + 0.1 * noise, gz)
    shapes = draw_shapes(root, logmass, z, mu)
    east, north = draw_offsets(root, shapes)
    ra, dec = moved(targets["ra"], targets["dec"], -east, -north)
    columns = {
        "galaxy": np.array([f"host-{name}" for name in names], dtype=str),
        "sn": np.array(names, dtype=str),
        "ra": ra,
        "dec": dec,
        "z": z,
        **shapes,
    }
    ebv = np.nan_to_num(targets["mwebv"])
    mags = observed_magnitudes(abs_mag_of_mass(logmass, gz), gz, z, mu, waves, ebv)
    return TrueGalaxies(
        table=table_with_magnitudes(columns, mags),
        meta=Meta(origin="simulated", provenance={"hosts": {"seed": seed, "n": n}}),
    )


def galaxy_counts(mag: ArrayLike) -> NDArray[np.float64]:
    """Field galaxies a square degree brighter than a magnitude, outside of the Milky Way's dust.

    The parabola of log10 N(<r) in r through `COUNT_ANCHORS`: a slope of 0.65 at r = 16 and of
    0.45 at r = 22.

    Parameters
    ----------
    mag : array, shape (mag,), mag
        r, AB, 12 to 24.

    Returns
    -------
    NDArray, shape (mag,), deg^-2
        Cumulative counts.

    Raises
    ------
    InputError
        Beyond 12 to 24, where the parabola says nothing.

    Examples
    --------
    >>> galaxy_counts([17.77, 19.5]).round(6).tolist()
    [92.0, 864.0]
    """
    mag = np.asarray(mag, dtype=float)
    if not ((mag >= 12.0) & (mag <= FAINTEST_MAG)).all():
        raise InputError(f"galaxy counts are known from r = 12 to {FAINTEST_MAG:g}, got {mag}")
    c0, c1, c2 = _count_parabola()
    return np.asarray(10.0 ** (c0 + c1 * mag + c2 * mag**2), dtype=np.float64)


def draw_galaxies(
    ra: float,
    dec: float,
    radius: float,
    *,
    passbands: Sequence[str | Passband],
    mag_range: tuple[float, float] = (16.0, 22.0),
    seed: int,
    ebv: float = 0.0,
    cosmology: Cosmology | None = None,
) -> TrueGalaxies:
    r"""Draw the galaxies of the field in a disk on the sky, without clustering.

    Their number is Poisson with the mean of `galaxy_counts`. Redshifts follow

    .. math:: p(z) \propto z^2 e^{-(z/z_0)^{3/2}}

    with a median of 0.10 at r = 17.8 that grows as 10^(0.15 (r - 17.8)), 0.43 at r = 22 (chosen
    after the SDSS main sample and deep surveys); 0.4 of them are red (g - z = 1.3, else 0.7,
    both with a scatter of 0.15, chosen). Magnitude, color and distance give the mass, the mass
    the shape.

    Parameters
    ----------
    ra, dec : float, deg
        Center, ICRS.
    radius : float, deg
        Of the disk.
    passbands : sequence of str or Passband
        A column of AB magnitudes each.
    mag_range : tuple of float, mag
        Observed magnitudes r, AB, dust included.
    seed : int
        Root of all random numbers; another center draws others.
    ebv : float, mag
        E(B-V) of the Milky Way in front of all.
    cosmology : Cosmology, optional
        Of distances; flat with Om = 0.3, H0 = 70.

    Returns
    -------
    TrueGalaxies
        The provenance says the expected number.

    Raises
    ------
    InputError
        If the range or the disk is not one, or as `galaxy_counts` and `band_waves`.

    Examples
    --------
    >>> len(draw_galaxies(150.0, 2.2, 0.2, passbands=["ztfr"], seed=1)) > 100
    True
    """
    require_x64()
    waves = band_waves(passbands)
    low, high = mag_range
    if not low < high:
        raise InputError(f"mag_range must be two magnitudes, bright to faint, got {mag_range}")
    dust = band_extinction(REFERENCE_WAVE, ebv)
    ends = galaxy_counts([low - dust, high - dust])
    mean = float(ends[1] - ends[0]) * disk_area(radius)
    root = key_for(seed, "galaxies", f"{ra:.9f} {dec:.9f}")
    n = int(jax.random.poisson(key_for(root, "count"), mean))
    u = uniforms(root, ["mag", "is_red", "z1", "z2"], n)
    mag = _mag_of_count(ends[0] + u["mag"] * (ends[1] - ends[0]))
    z = _redshifts(mag, u["z1"], u["z2"])
    mean_color = np.where(u["is_red"] < _RED_FRACTION, 1.3, 0.7)
    gz = mean_color + 0.15 * normals(root, ["color"], n)["color"]
    mu = _moduli(z, cosmology)
    abs_mag = mag - apparent_less_absolute(gz, z, mu, REFERENCE_WAVE)
    place = positions_in_disk(root, ra, dec, radius, n)
    columns = {
        "galaxy": np.array([f"galaxy{i:06d}" for i in range(n)], dtype=str),
        "sn": np.array([""] * n, dtype=str),
        "ra": place[0],
        "dec": place[1],
        "z": z,
        **draw_shapes(root, mass_of_abs_mag(abs_mag, gz), z, mu),
    }
    mags = observed_magnitudes(abs_mag, gz, z, mu, waves, np.full(n, float(ebv)))
    facts = {
        "ra": ra,
        "dec": dec,
        "radius_deg": radius,
        "mag_range": list(mag_range),
        "ebv": ebv,
        "seed": seed,
        "expected": mean,
    }
    return TrueGalaxies(
        table=table_with_magnitudes(columns, mags),
        meta=Meta(origin="simulated", provenance={"galaxies": facts}),
    )


def _check_pair(targets: Targets, truth: Truth) -> None:
    """Refuse targets and truth that do not fit together or lack what a host needs."""
    if targets["sn"].tolist() != truth["sn"].tolist():
        raise InputError(
            f"targets and truth must be of the same supernovae in the same order, got "
            f"{len(targets)} and {len(truth)}; select both with the same rows"
        )
    needed = {
        "host_logmass_true": truth["host_logmass_true"],
        "mu_true": truth["mu_true"],
        "ra": targets["ra"],
        "dec": targets["dec"],
        "z_hel": targets["z_hel"],
    }
    for name, values in needed.items():
        bad = ~np.isfinite(values)
        if bad.any():
            raise InputError(
                f"a host needs {name}, which is missing for {bad.sum()} of {len(bad)} supernovae; "
                "draw them from a population with it, such as supernova_population()"
            )


def _color_of_mass(logmass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rest-frame g - z [mag] of the galaxies of a mass, from blue to red about 10^10."""
    return 0.7 + 0.6 / (1.0 + np.exp(-(logmass - 10.0) / 0.25))


def _count_parabola() -> NDArray[np.float64]:
    """Coefficients, lowest first, of log10 N(<r)."""
    mags, counts = (np.array(values) for values in zip(*COUNT_ANCHORS, strict=True))
    return np.linalg.solve(np.vander(mags, 3, increasing=True), np.log10(counts))


def _mag_of_count(count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert `galaxy_counts`: the magnitude brighter than which there are so many."""
    c0, c1, c2 = _count_parabola()
    return (-c1 + np.sqrt(c1**2 - 4.0 * c2 * (c0 - np.log10(count)))) / (2.0 * c2)


def _redshifts(
    mag: NDArray[np.float64], u1: NDArray[np.float64], u2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Redshifts of galaxies of observed magnitudes: (z / z0)^1.5 is a sum of two exponentials."""
    median = _Z_MEDIAN * 10.0 ** (_Z_GROWTH * (mag - 17.8))
    wait = -np.log1p(-u1) - np.log1p(-u2)
    z = median * (wait / _MEDIAN_OF_GAMMA_2) ** (2.0 / 3.0)
    return np.clip(z, 1e-3, _Z_MAX)


def _moduli(z: NDArray[np.float64], cosmology: Cosmology | None) -> NDArray[np.float64]:
    """Distance moduli [mag], shape (galaxy,)."""
    cosmology = Cosmology(Om=jnp.asarray(0.3)) if cosmology is None else cosmology
    # From a table: one program for any number of galaxies.
    u = np.linspace(np.log1p(1e-3), np.log1p(_Z_MAX), 2048)
    nodes = np.expm1(u)
    table = np.asarray(_distance_modulus(jnp.asarray(nodes), jnp.asarray(nodes), cosmology))
    # Smooth once the logarithm of the distance is taken of u.
    smooth = table - 5.0 * np.log10(u)
    return np.interp(np.log1p(z), u, smooth) + 5.0 * np.log10(np.log1p(z))
