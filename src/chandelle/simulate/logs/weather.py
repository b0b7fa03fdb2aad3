"""Weather and seeing: which nights are open, which have clouds, and how sharp the air is."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS = 193
"""Points of a night at which the seeing is drawn: 5 min apart over 16 h."""
STEP_DAYS = 5.0 / 1440.0
_YEAR_DAYS = 365.25
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Statistics of nights and seeing.

    Attributes
    ----------
    clear_fraction : float
        Share of nights with an open dome, mean over the year.
    season_amplitude, best_day : float
        The share swings by this over a year, highest on this day of the year.
    spell_nights : float
        Mean length of a closed spell.
    photometric_fraction : float
        Share of the open nights without any cloud.
    seeing_median : float, arcsec
        Full width at half maximum at 500 nm at zenith.
    night_scatter, hour_scatter : float
        Scatter of ln(seeing) from night to night, and in a night.
    hours : float, h
        The seeing in a night forgets with this time constant.
    """

    clear_fraction: float
    season_amplitude: float = 0.0
    best_day: float = 180.0
    spell_nights: float = 2.5
    photometric_fraction: float = 0.6
    seeing_median: float
    night_scatter: float = 0.2
    hour_scatter: float = 0.12
    hours: float = 1.5


def clear_share(night: NDArray[np.int64], weather: Weather) -> Floats:
    """Share of open nights at a time of the year.

    Parameters
    ----------
    night : array of int, d
        Whole MJD.
    weather : Weather
        Mean, amplitude and best day.

    Returns
    -------
    array
        Within 0.02 and 0.98.
    """
    day = (night - 51544.0) % _YEAR_DAYS
    swing = np.cos(2.0 * np.pi * (day - weather.best_day) / _YEAR_DAYS)
    return np.clip(weather.clear_fraction + weather.season_amplitude * swing, 0.02, 0.98)


def open_nights(night: NDArray[np.int64], uniform: Floats, weather: Weather) -> NDArray[np.bool_]:
    r"""Draw which nights are open: a two-state Markov chain with seasons.

    A closed night is followed by an open one with probability :math:`q = 1/\mathrm{spell}`, an
    open one by a closed one with :math:`q (1 - f)/f`, so that a share f is open. Where that
    exceeds 1 (a bad season) it is 1 and q is lowered to :math:`f/(1 - f)`.

    Parameters
    ----------
    night : array of int, shape (night,), d
        Whole MJD, one after the other.
    uniform : array, shape (night,)
        One uniform number a night, drawn with the key of the night.
    weather : Weather
        Share, seasons, spells.

    Returns
    -------
    array of bool, shape (night,)
        True where the dome opens; the first nights are the same however many follow.
    """
    share = clear_share(night, weather)
    clears = np.minimum(1.0 / weather.spell_nights, share / (1.0 - share))
    clouds = clears * (1.0 - share) / share
    is_open = np.zeros(len(night), dtype=bool)
    for i, u in enumerate(uniform):
        if i == 0:
            is_open[i] = u < share[i]
        else:
            is_open[i] = u >= clouds[i] if is_open[i - 1] else u < clears[i]
    return is_open


def seeing_track(normal: Floats, weather: Weather) -> Floats:
    r"""Seeing through one night at 500 nm at zenith.

    .. math:: \ln s_k = \ln s_{median} + \sigma_n n_0 + \sigma_h a_k, \qquad
              a_k = \rho a_{k-1} + \sqrt{1 - \rho^2}\, n_k, \quad \rho = e^{-5 min/\tau}

    Parameters
    ----------
    normal : array, shape (1 + STEPS,)
        Unit normal numbers of the night.
    weather : Weather
        Median, scatters, time constant.

    Returns
    -------
    array, shape (STEPS,), arcsec
        Every 5 min.
    """
    rho = math.exp(-STEP_DAYS * 24.0 / weather.hours)
    walk = np.empty(STEPS)
    walk[0] = normal[1]
    for k in range(1, STEPS):
        walk[k] = rho * walk[k - 1] + math.sqrt(1.0 - rho**2) * normal[1 + k]
    scatter = weather.night_scatter * normal[0] + weather.hour_scatter * walk
    return weather.seeing_median * np.exp(scatter)


def delivered_seeing(zenith: Floats, airmass: Floats, wave: Floats, instrument: Floats) -> Floats:
    r"""Full width at half maximum on the detector.

    .. math:: s = \sqrt{\left[s_0 X^{0.6} (\lambda / 500 nm)^{-0.2}\right]^2 + s_{inst}^2}

    Parameters
    ----------
    zenith : array, arcsec
        Of the air at 500 nm at zenith.
    airmass : array
        X.
    wave : array, angstrom
        Mean wavelength of the band.
    instrument : array, arcsec
        Of optics and pixels.

    Returns
    -------
    array, arcsec
        Full width at half maximum.

    References
    ----------
    F. Roddier, 1981, Progress in Optics 19, 281 (Kolmogorov turbulence).

    Examples
    --------
    >>> one = np.ones(1)
    >>> delivered_seeing(one, one, 5000.0 * one, 0.75 * one)
    array([1.25])
    """
    air = zenith * airmass**0.6 * (wave / 5000.0) ** -0.2
    return np.hypot(air, instrument)
