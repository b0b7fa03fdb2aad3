"""The log of a survey: nights, weather, schedule and conditions put together."""

from collections.abc import Sequence
from dataclasses import asdict

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for, keys_for
from chandelle.instrument.passbands import load_passband
from chandelle.products.exposures import Exposures
from chandelle.products.product import Meta
from chandelle.simulate.logs.clouds import mean_cloud_loss
from chandelle.simulate.logs.draws import MOST_EXPOSURES, NightDraws, draw_night, night_clouds
from chandelle.simulate.logs.fields import dithered
from chandelle.simulate.logs.night import (
    airmass,
    altitude,
    moon_fraction,
    moon_position,
    night_bounds,
    of_date,
    separation,
    sidereal_time,
    sun_position,
)
from chandelle.simulate.logs.scheduler import Visits, first_due, schedule
from chandelle.simulate.logs.settings import LogSettings
from chandelle.simulate.logs.sky import limiting_magnitude, sky_brightness
from chandelle.simulate.logs.weather import (
    STEP_DAYS,
    STEPS,
    delivered_seeing,
    open_nights,
    seeing_track,
)

_DAY_S = 86400.0


def make_log(settings: LogSettings, *, seed: int, nights: int) -> Exposures:
    """Draw the log of a survey.

    Every night has a random key of its own, named after survey and date, so the first ten nights
    are the same whether ten or a hundred are made.

    Parameters
    ----------
    settings : LogSettings
        The survey; `ztf.ZTF_LOG`, `deep.DEEP_LOG`, `lsst.LSST_LOG`, or one of these changed by
        `dataclasses.replace`.
    seed : int
        Root of all random numbers.
    nights : int
        Nights from `settings.first_night` on, open or closed.

    Returns
    -------
    Exposures
        Of origin "simulated", in order of time.

    Raises
    ------
    InputError
        If `nights` is not positive, a band is unknown, a night asks for more than 2048
        exposures, or nothing was observed.
    """
    require_x64()
    if nights < 1:
        raise InputError(f"{settings.survey}: nights must be at least 1, got {nights}")
    waves = np.array([load_passband(band.name).mean_wave for band in settings.bands])
    dates = settings.first_night + np.arange(nights)
    root = key_for(seed, "exposures", settings.survey)
    draws = [draw_night(key) for key in keys_for(root, dates.tolist())]
    uniform = np.array([float(each.is_open) for each in draws])
    is_open = open_nights(dates, uniform, settings.weather)
    start, stop = night_bounds(dates, settings.site, sun_limit=settings.sun_limit)
    due = first_due(settings)
    parts = []
    for i in np.flatnonzero(is_open):
        visits, due = schedule(
            settings, due, nights_past=int(i), start=float(start[i]), stop=float(stop[i])
        )
        if len(visits.start):
            parts.append(_observed(settings, visits, int(dates[i]), draws[i], waves))
    if not parts:
        raise InputError(
            f"{settings.survey}: nothing observed in {nights} nights from MJD "
            f"{settings.first_night} ({int(is_open.sum())} open); make more nights, or look at "
            "fields, airmass_limit and moon_limit"
        )
    columns: dict[str, Sequence | np.ndarray] = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }
    facts = {"survey": settings.survey, "seed": seed, "nights": nights}
    weather = {"weather": asdict(settings.weather), "clouds": asdict(settings.clouds)}
    meta = Meta(origin="simulated", provenance={"log": {**facts, **weather}})
    return Exposures.from_columns(columns, meta=meta)


def log_clouds(exposures: Exposures, settings: LogSettings, *, seed: int) -> NDArray[np.float64]:
    """Cloud coefficients of the exposures of a simulated log, drawn again from its seed.

    Parameters
    ----------
    exposures : Exposures
        Of `make_log`, or some rows of it.
    settings : LogSettings
        With which it was made.
    seed : int
        With which it was made.

    Returns
    -------
    array, shape (exposure, 1 + MODES)
        A row is what `clouds.cloud_loss` takes.
    """
    require_x64()
    root = key_for(seed, "exposures", settings.survey)
    dates, of_night = np.unique(exposures["night"], return_inverse=True)
    mjd = exposures["mjd"]
    of_nights = np.split(np.argsort(of_night, kind="stable"), np.cumsum(np.bincount(of_night))[:-1])
    found = None
    for rows, date, key in zip(of_nights, dates, keys_for(root, dates.tolist()), strict=True):
        part = night_clouds(
            mjd[rows],
            int(date),
            draw_night(key),
            weather=settings.weather,
            clouds=settings.clouds,
        )
        found = np.empty((len(mjd), part.shape[1])) if found is None else found
        found[rows] = part
    if found is None:
        raise InputError("log_clouds: the log has no exposure")
    return found


def _observed(
    settings: LogSettings, visits: Visits, night: int, draws: NightDraws, waves: NDArray
) -> dict[str, NDArray]:
    """Conditions and depths of the exposures of one night, as columns."""
    n, band, fields = len(visits.start), visits.band, settings.fields
    if n > MOST_EXPOSURES:
        raise InputError(
            f"{settings.survey}: {n} exposures in the night {night}, at most {MOST_EXPOSURES}; "
            "lengthen the exposures"
        )
    exptime = _of_band(settings, band, "exptime_s")
    mjd = visits.start + 0.5 * exptime / _DAY_S
    ra, dec = dithered(
        fields.ra[visits.field],
        fields.dec[visits.field],
        np.asarray(draws.dither)[:n],
        radius=settings.dither_deg,
    )
    conditions = _conditions(settings, ra, dec, mjd)
    zenith = _zenith_seeing(settings, mjd, night, draws)
    instrument = _of_band(settings, band, "instrument_fwhm")
    seeing = delivered_seeing(zenith, conditions["airmass"], waves[band], instrument)
    loss = _cloud_loss(settings, mjd, night, draws)
    shown = ("airmass", "moon_fraction", "moon_altitude", "sun_altitude")
    return {
        "exposure": np.array([f"{settings.survey}-{night}-{i:04d}" for i in range(n)]),
        "mjd": mjd,
        "night": np.full(n, night),
        "field": fields.number[visits.field],
        "ra": ra,
        "dec": dec,
        "rotation": settings.rotation_deg * np.asarray(draws.rotation)[:n] + 0.0,
        "band": np.array([each.name for each in settings.bands])[band],
        "exptime_s": exptime,
        "seeing_arcsec": seeing,
        "cloud_mag": loss,
        **_photometry(settings, band, conditions, seeing, loss, waves[band]),
        **{name: conditions[name] for name in shown},
        "survey": np.full(n, settings.survey),
    }


def _of_band(settings: LogSettings, band: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """One property of the band of each exposure."""
    return np.array([getattr(each, name) for each in settings.bands], dtype=float)[band]


def _zenith_seeing(
    settings: LogSettings, mjd: NDArray, night: int, draws: NightDraws
) -> NDArray[np.float64]:
    """Seeing of the air at zenith, between the points of the night's track."""
    track = seeing_track(np.asarray(draws.seeing), settings.weather)
    # The track is centered on the local midnight.
    middle = night + (-settings.site.longitude / 360.0) % 1.0
    return np.interp(mjd, middle + STEP_DAYS * (np.arange(STEPS) - (STEPS - 1) / 2), track)


def _cloud_loss(
    settings: LogSettings, mjd: NDArray, night: int, draws: NightDraws
) -> NDArray[np.float64]:
    """Loss to clouds, mean over the field; one compiled program serves all nights."""
    clouds = night_clouds(mjd, night, draws, weather=settings.weather, clouds=settings.clouds)
    padded = jnp.asarray(np.pad(clouds, ((0, MOST_EXPOSURES - len(mjd)), (0, 0))))
    return np.asarray(mean_cloud_loss(padded, width=jnp.asarray(settings.field_width)))[: len(mjd)]


def _photometry(
    settings: LogSettings,
    band: NDArray[np.int64],
    conditions: dict[str, NDArray],
    seeing: NDArray,
    loss: NDArray,
    wave: NDArray,
) -> dict[str, NDArray[np.float64]]:
    """Zero point, sky and depth.

    The law of the sky gives what arrives at the ground; the column has it in the calibration of
    `zp`, so that 10^(0.4 (zp - sky_mag)) are electrons an arcsec2. Clouds dim stars, not the sky.
    """
    exptime, extinction, dark = (
        _of_band(settings, band, name) for name in ("exptime_s", "extinction", "sky_mag")
    )
    names = ("altitude", "moon_fraction", "moon_altitude", "moon_separation", "sun_altitude")
    where = {name: conditions[name] for name in names}
    dimming = extinction * (conditions["airmass"] - 1.0) + loss
    zp = _of_band(settings, band, "zp_second") + 2.5 * np.log10(exptime) - dimming
    sky = sky_brightness(dark, wave=wave, extinction=extinction, **where) - dimming
    detector = settings.detector
    read_variance = _of_band(settings, band, "reads") * detector.read_noise**2
    depth = limiting_magnitude(
        zp,
        sky,
        seeing,
        pixel_arcsec=detector.pixel_arcsec,
        pixel_variance=read_variance + detector.dark_current * exptime,
        noise_factor=_of_band(settings, band, "noise_factor"),
    )
    return {"sky_mag": sky, "zp": zp, "depth": depth}


def _conditions(
    settings: LogSettings, ra: NDArray, dec: NDArray, mjd: NDArray
) -> dict[str, NDArray[np.float64]]:
    """Where field, moon and sun stand."""
    site = settings.site
    local = sidereal_time(mjd, site.longitude)
    seen_ra, seen_dec = of_date(ra, dec, float(mjd[0]))
    height = altitude(seen_ra, seen_dec, local, latitude=site.latitude)
    moon = moon_position(mjd, site)
    return {
        "altitude": height,
        "airmass": airmass(height),
        "moon_fraction": moon_fraction(mjd),
        "moon_altitude": altitude(*moon, local, latitude=site.latitude),
        "moon_separation": separation(seen_ra, seen_dec, *moon),
        "sun_altitude": altitude(*sun_position(mjd), local, latitude=site.latitude),
    }
