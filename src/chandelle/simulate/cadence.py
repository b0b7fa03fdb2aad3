"""When a survey looks: nights, weather, moon, and the depth of each visit."""

import math
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

NEW_MOON_MJD = 51549.76
SYNODIC_DAYS = 29.530589


@dataclass(frozen=True, slots=True, kw_only=True)
class BandCadence:
    """How often and how deep one band is taken.

    Attributes
    ----------
    band : str
        Name of the passband.
    interval_days : float
        Mean time between visits; visits fall on whole nights, so 2.5 alternates 2 and 3.
    depth : float, AB mag
        Point source at 5 sigma in one visit, dark night.
    zp_electron : float, AB mag
        Source that gives one photo-electron in a visit; sets the Poisson noise.
    moon_loss : float, mag
        Depth lost under a full moon.
    """

    band: str
    interval_days: float
    depth: float
    zp_electron: float
    moon_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One survey: where in redshift, how often, through what weather.

    Attributes
    ----------
    name : str
        Goes into the column `survey` and the names of the supernovae.
    bands : tuple of BandCadence
    z_min, z_max : float
        Range of cosmological redshift.
    mjd_start, season_days : float, d
        Maxima fall into this season.
    clear_fraction, spell_nights : float
        Share of clear nights; mean length of a cloudy spell.
    moon_limit : float
        No visits while more than this fraction of the moon is lit; 1 never stops.
    depth_scatter : float, mag
        Scatter of the depth from visit to visit (seeing, transparency).
    """

    name: str
    bands: tuple[BandCadence, ...]
    z_min: float
    z_max: float
    mjd_start: float
    season_days: float
    clear_fraction: float
    spell_nights: float
    moon_limit: float = 1.0
    depth_scatter: float = 0.15


def _ztf_band(band: str, interval_days: float, depth: float, moon_loss: float) -> BandCadence:
    # 26.285 mag is one count of a 30 s visit, 6.2 electrons a count (headers of science images).
    zp_electron = 26.285 + 2.5 * math.log10(6.2)
    return BandCadence(
        band=band,
        interval_days=interval_days,
        depth=depth,
        zp_electron=zp_electron,
        moon_loss=moon_loss,
    )


def _deep_band(band: str, depth: float) -> BandCadence:
    # About 26 mag for one electron a second on a 4 m telescope, 1800 s a visit.
    zp_electron = 26.0 + 2.5 * math.log10(1800.0)
    return BandCadence(
        band=band, interval_days=3.5, depth=depth, zp_electron=zp_electron, moon_loss=0.2
    )


ZTF = Survey(
    name="ZTF",
    bands=(
        _ztf_band("ztfg", 2.5, 20.8, 0.9),
        _ztf_band("ztfr", 2.5, 20.6, 0.6),
        _ztf_band("ztfi", 4.0, 20.3, 0.4),
    ),
    z_min=0.015,
    z_max=0.1,
    mjd_start=58200.0,
    season_days=700.0,
    clear_fraction=0.75,
    spell_nights=2.5,
)
"""ZTF-like: 1.2 m, g r i, median depths of the survey."""

DEEP = Survey(
    name="DEEP",
    bands=(
        _deep_band("lsstg", 25.3),
        _deep_band("lsstr", 24.9),
        _deep_band("lssti", 24.7),
        _deep_band("lsstz", 23.9),
    ),
    z_min=0.1,
    z_max=0.8,
    mjd_start=53000.0,
    season_days=700.0,
    clear_fraction=0.8,
    spell_nights=2.0,
    moon_limit=0.9,
)
"""SNLS- and HSC-like: g r i z every three to four days in dark time; LSST passbands stand in."""


def moon_fraction(mjd: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Lit fraction of the moon, from its mean period."""
    return 0.5 * (1.0 - jnp.cos(2.0 * jnp.pi * (mjd - NEW_MOON_MJD) / SYNODIC_DAYS))


def clear_nights(survey: Survey, n_nights: int, *, key: Key[Array, ""]) -> Bool[Array, " night"]:
    """Draw which nights are clear: a two-state Markov chain, so that clouds come in spells.

    Parameters
    ----------
    survey : Survey
        Its share of clear nights and the mean length of a cloudy spell.
    n_nights : int
        Length of the calendar.
    key : key
        Random key.

    Returns
    -------
    Array, shape (night,)
        True where the dome opens.
    """
    clears = 1.0 / survey.spell_nights
    clouds = clears * (1.0 - survey.clear_fraction) / survey.clear_fraction
    uniform = jax.random.uniform(key, (n_nights,))

    def next_night(is_clear: Array, u: Array) -> tuple[Array, Array]:
        following = jnp.where(is_clear, u >= clouds, u < clears)
        return following, following

    return jax.lax.scan(next_night, uniform[0] < survey.clear_fraction, uniform)[1]


class Visits(eqx.Module):
    """Visits to one supernova, all bands in one list of fixed length.

    Attributes
    ----------
    mjd : Array, shape (obs,), d
    band : Array, shape (obs,)
        Index into the survey's bands.
    depth : Array, shape (obs,), AB mag
        5 sigma.
    is_taken : Array, shape (obs,)
        False for a visit lost to weather or moon, or outside the light curve.
    """

    mjd: Float[Array, " obs"]
    band: Int[Array, " obs"]
    depth: Float[Array, " obs"]
    is_taken: Bool[Array, " obs"]


def visits(
    survey: Survey,
    clear: Bool[Array, " night"],
    *,
    first_mjd: float,
    start: Float[Array, ""],
    stop: Float[Array, ""],
    longest: float,
    key: Key[Array, ""],
) -> Visits:
    """Draw the visits to one supernova.

    Parameters
    ----------
    survey : Survey
        Cadence and depth.
    clear : Array, shape (night,)
        The weather, shared by all supernovae of the survey.
    first_mjd : float, d
        First night of `clear`.
    start, stop : Array, d
        Light curve of this supernova.
    longest : float, d
        Longest light curve of the survey; fixes the length of the list.
    key : key
        Random key of this supernova.

    Returns
    -------
    Visits
        All bands one after the other.
    """
    nights, bands = _calendar(survey, longest)
    key_phase, key_hour, key_depth = jax.random.split(key, 3)
    interval = jnp.asarray([b.interval_days for b in survey.bands])
    phase = jax.random.uniform(key_phase, interval.shape) * interval
    night = jnp.floor(start + phase[bands] + nights)
    mjd = night + jax.random.uniform(key_hour, night.shape, minval=0.15, maxval=0.45)
    moon = moon_fraction(mjd)
    loss = jnp.asarray([b.moon_loss for b in survey.bands])[bands] * moon**2
    scatter = survey.depth_scatter * jax.random.normal(key_depth, night.shape)
    depth = jnp.asarray([b.depth for b in survey.bands])[bands] - loss + scatter
    is_clear = clear[(night - first_mjd).astype(int)]
    is_taken = is_clear & (mjd < stop) & (moon <= survey.moon_limit)
    return Visits(mjd=mjd, band=bands, depth=depth, is_taken=is_taken)


def _calendar(survey: Survey, longest: float) -> tuple[Float[Array, " obs"], Int[Array, " obs"]]:
    """Planned nights after the first, and the band of each."""
    nights, bands = [], []
    for i, band in enumerate(survey.bands):
        planned = np.arange(0.0, longest, band.interval_days)
        nights.append(planned)
        bands.append(np.full(len(planned), i))
    return jnp.asarray(np.concatenate(nights)), jnp.asarray(np.concatenate(bands))
