"""When a survey looks: nights, weather, moon, and the depth of each visit."""

import math
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from chandelle.core.errors import InputError

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


class Weather(eqx.Module):
    """The nights of a survey, shared by its supernovae; `clear[0]` is the night `first_mjd`."""

    clear: Bool[Array, " night"]
    first_mjd: Float[Array, ""]


def clear_nights(
    clear_fraction: Float[Array, ""],
    spell_nights: Float[Array, ""],
    n_nights: int,
    *,
    key: Key[Array, ""],
) -> Bool[Array, " night"]:
    """Draw which nights are clear: a two-state Markov chain, so that clouds come in spells.

    Parameters
    ----------
    clear_fraction : Array
        Share of clear nights.
    spell_nights : Array
        Mean length of a cloudy spell.
    n_nights : int
        Length of the calendar.
    key : key
        Random key.

    Returns
    -------
    Array, shape (night,)
        True where the dome opens.
    """
    clears = 1.0 / spell_nights
    clouds = clears * (1.0 - clear_fraction) / clear_fraction
    uniform = jax.random.uniform(key, (n_nights,))

    def next_night(is_clear: Array, u: Array) -> tuple[Array, Array]:
        following = jnp.where(is_clear, u >= clouds, u < clears)
        return following, following

    return jax.lax.scan(next_night, uniform[0] < clear_fraction, uniform)[1]


class Plan(eqx.Module):
    """A survey as arrays of fixed shapes, so that one compiled program serves all surveys.

    Attributes
    ----------
    night : Array, shape (obs,), d
        Planned nights after the first visit of a band, all bands in one list.
    band : Array, shape (obs,)
        Row of the band in the arrays below.
    is_planned : Array, shape (obs,)
        False on the padding.
    interval_days, depth, zp_electron, moon_loss : Array, shape (band,)
        As in `BandCadence`, padded with zeros.
    mjd_start, season_days, moon_limit, depth_scatter : Array
        As in `Survey`.
    """

    night: Float[Array, " obs"]
    band: Int[Array, " obs"]
    is_planned: Bool[Array, " obs"]
    interval_days: Float[Array, " band"]
    depth: Float[Array, " band"]
    zp_electron: Float[Array, " band"]
    moon_loss: Float[Array, " band"]
    mjd_start: Float[Array, ""]
    season_days: Float[Array, ""]
    moon_limit: Float[Array, ""]
    depth_scatter: Float[Array, ""]

    @classmethod
    def of(cls, survey: Survey, *, longest: float, n_obs: int, n_band: int) -> "Plan":
        """Lay a survey out for light curves of at most `longest` days."""
        nights = [np.arange(0.0, longest, band.interval_days) for band in survey.bands]
        band = np.repeat(np.arange(len(nights)), [len(each) for each in nights])
        missing = n_obs - len(band)
        if missing < 0 or len(nights) > n_band:
            raise InputError(f"{survey.name}: {len(band)} visits do not fit into {n_obs}")

        def column(name: str) -> Array:
            values = [getattr(band, name) for band in survey.bands]
            return jnp.asarray(np.pad(values, (0, n_band - len(values))))

        return cls(
            night=jnp.asarray(np.pad(np.concatenate(nights), (0, missing))),
            band=jnp.asarray(np.pad(band, (0, missing))),
            is_planned=jnp.arange(n_obs) < len(band),
            interval_days=column("interval_days"),
            depth=column("depth"),
            zp_electron=column("zp_electron"),
            moon_loss=column("moon_loss"),
            mjd_start=jnp.asarray(survey.mjd_start),
            season_days=jnp.asarray(survey.season_days),
            moon_limit=jnp.asarray(survey.moon_limit),
            depth_scatter=jnp.asarray(survey.depth_scatter),
        )


class Visits(eqx.Module):
    """Visits to one supernova, all bands in one list of fixed length.

    Attributes
    ----------
    mjd : Array, shape (obs,), d
    band : Array, shape (obs,)
        Row of the band in the plan.
    depth : Array, shape (obs,), AB mag
        5 sigma.
    is_taken : Array, shape (obs,)
        False for a visit lost to weather or moon, or outside the light curve.
    """

    mjd: Float[Array, "*sn obs"]
    band: Int[Array, "*sn obs"]
    depth: Float[Array, "*sn obs"]
    is_taken: Bool[Array, "*sn obs"]


def visits(
    plan: Plan,
    weather: Weather,
    *,
    start: Float[Array, ""],
    stop: Float[Array, ""],
    key: Key[Array, ""],
) -> Visits:
    """Draw the visits to one supernova.

    Parameters
    ----------
    plan : Plan
        Cadence and depth.
    weather : Weather
        Shared by all supernovae of the survey.
    start, stop : Array, d
        Light curve of this supernova.
    key : key
        Random key of this supernova.

    Returns
    -------
    Visits
        All bands one after the other.
    """
    key_phase, key_hour, key_depth = jax.random.split(key, 3)
    phase = jax.random.uniform(key_phase, plan.interval_days.shape) * plan.interval_days
    night = jnp.floor(start + phase[plan.band] + plan.night)
    mjd = night + jax.random.uniform(key_hour, night.shape, minval=0.15, maxval=0.45)
    moon = moon_fraction(mjd)
    scatter = plan.depth_scatter * jax.random.normal(key_depth, night.shape)
    depth = plan.depth[plan.band] - plan.moon_loss[plan.band] * moon**2 + scatter
    is_clear = weather.clear[(night - weather.first_mjd).astype(int)]
    is_taken = plan.is_planned & is_clear & (mjd < stop) & (moon <= plan.moon_limit)
    return Visits(mjd=mjd, band=plan.band, depth=depth, is_taken=is_taken)
