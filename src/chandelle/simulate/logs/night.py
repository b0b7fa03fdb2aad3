"""The sky above a site: sidereal time, sun, moon, altitudes, airmass, the length of nights.

All positions are of date, so that altitudes and separations agree with each other; `of_date`
brings ICRS positions there. Held to astropy for 2000 to 2025: sun 0.02 deg, moon 0.06 deg, stars
0.02 deg (no nutation, aberration, refraction or UT1 - UTC).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

J2000_MJD = 51544.5
AU_EARTH_RADII = 23454.78
"""Mean distance of the sun in equatorial radii of the Earth."""
_EARTH_RADIUS_KM = 6378.14

# Meeus 1998, table 47.A: multiples of D, M, M', F; longitude [1e-6 deg], distance [1e-3 km].
_MOON_LONGITUDE = np.array(
    [
        (0, 0, 1, 0, 6288774, -20905355),
        (2, 0, -1, 0, 1274027, -3699111),
        (2, 0, 0, 0, 658314, -2955968),
        (0, 0, 2, 0, 213618, -569925),
        (0, 1, 0, 0, -185116, 48888),
        (0, 0, 0, 2, -114332, -3149),
        (2, 0, -2, 0, 58793, 246158),
        (2, -1, -1, 0, 57066, -152138),
        (2, 0, 1, 0, 53322, -170733),
        (2, -1, 0, 0, 45758, -204586),
        (0, 1, -1, 0, -40923, -129620),
        (1, 0, 0, 0, -34720, 108743),
        (0, 1, 1, 0, -30383, 104755),
        (2, 0, 0, -2, 15327, 10321),
        (0, 0, 1, 2, -12528, 0),
        (0, 0, 1, -2, 10980, 79661),
        (4, 0, -1, 0, 10675, -34782),
        (0, 0, 3, 0, 10034, -23210),
        (4, 0, -2, 0, 8548, -21636),
        (2, 1, -1, 0, -7888, 24208),
        (2, 1, 0, 0, -6766, 30824),
        (1, 0, -1, 0, -5163, -8379),
    ],
    dtype=float,
)
# Meeus 1998, table 47.B: multiples of D, M, M', F; latitude [1e-6 deg].
_MOON_LATITUDE = np.array(
    [
        (0, 0, 0, 1, 5128122),
        (0, 0, 1, 1, 280602),
        (0, 0, 1, -1, 277693),
        (2, 0, 0, -1, 173237),
        (2, 0, -1, 1, 55413),
        (2, 0, -1, -1, 46271),
        (2, 0, 0, 1, 32573),
        (0, 0, 2, 1, 17198),
        (2, 0, 1, -1, 9266),
        (0, 0, 2, -1, 8822),
        (2, -1, 0, -1, 8216),
        (2, 0, -2, -1, 4324),
        (2, 0, 1, 1, 4200),
    ],
    dtype=float,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a telescope stands: latitude north and longitude east, deg."""

    latitude: float
    longitude: float


def _centuries(mjd: Floats) -> Floats:
    return (mjd - J2000_MJD) / 36525.0


def _unit(lon: Floats, lat: Floats) -> Floats:
    """Vectors of unit length, shape (..., 3), of angles in deg."""
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def _angles(vector: Floats) -> tuple[Floats, Floats]:
    """Longitude in 0..360 and latitude, deg, of vectors of any length."""
    x, y, z = np.moveaxis(vector, -1, 0)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def _equatorial(lon: Floats, lat: Floats, mjd: Floats) -> Floats:
    """Unit vectors in the equator of date from the ecliptic of date."""
    obliquity = np.radians(23.439291 - 0.0130042 * _centuries(mjd))
    x, y, z = np.moveaxis(_unit(lon, lat), -1, 0)
    cos, sin = np.cos(obliquity), np.sin(obliquity)
    return np.stack([x, y * cos - z * sin, y * sin + z * cos], axis=-1)


def sidereal_time(mjd: Floats, longitude: float) -> Floats:
    """Mean local sidereal time.

    Parameters
    ----------
    mjd : array, d
        UTC (it stands for UT1, 0.9 s away at most).
    longitude : float, deg
        East.

    Returns
    -------
    array, deg
        In 0..360.

    References
    ----------
    J. Meeus, 1998, Astronomical Algorithms, eq. 12.4, without the terms of higher order.
    """
    return (280.46061837 + 360.98564736629 * (mjd - J2000_MJD) + longitude) % 360.0


def sun_position(mjd: Floats) -> tuple[Floats, Floats]:
    """Right ascension and declination of the sun, of date.

    Parameters
    ----------
    mjd : array, d
        UTC.

    Returns
    -------
    ra, dec : array, deg
        Within 0.02 deg.

    References
    ----------
    J. Meeus, 1998, Astronomical Algorithms, chapter 25 (low accuracy).

    Examples
    --------
    >>> ra, dec = sun_position(np.array([58197.677]))  # the equinox of March 2018
    >>> float(np.abs(dec[0]).round(2))
    0.0
    """
    t = _centuries(mjd)
    anomaly = np.radians(357.52911 + 35999.05029 * t)
    center = (
        (1.914602 - 0.004817 * t) * np.sin(anomaly)
        + 0.019993 * np.sin(2.0 * anomaly)
        + 0.000289 * np.sin(3.0 * anomaly)
    )
    longitude = 280.46646 + 36000.76983 * t + center - 0.00569
    return _angles(_equatorial(longitude, np.zeros_like(longitude), mjd))


def _moon_vector(mjd: Floats) -> Floats:
    """Geocentric vectors to the moon in the equator of date, shape (..., 3), Earth radii."""
    t = _centuries(mjd)
    elongation = 297.8501921 + 445267.1114034 * t
    sun_anomaly = 357.5291092 + 35999.0502909 * t
    anomaly = 134.9633964 + 477198.8675055 * t
    node = 93.2720950 + 483202.0175233 * t
    arguments = np.radians(np.stack([elongation, sun_anomaly, anomaly, node], axis=-1))
    phases = arguments @ _MOON_LONGITUDE[:, :4].T
    longitude = 218.3164477 + 481267.88123421 * t + 1e-6 * np.sin(phases) @ _MOON_LONGITUDE[:, 4]
    distance = 385000.56 + 1e-3 * np.cos(phases) @ _MOON_LONGITUDE[:, 5]
    latitude = 1e-6 * np.sin(arguments @ _MOON_LATITUDE[:, :4].T) @ _MOON_LATITUDE[:, 4]
    return _equatorial(longitude, latitude, mjd) * (distance / _EARTH_RADIUS_KM)[..., None]


def moon_position(mjd: Floats, site: Site) -> tuple[Floats, Floats]:
    """Right ascension and declination of the moon as seen from a site, of date.

    Parameters
    ----------
    mjd : array, d
        UTC.
    site : Site
        The parallax is up to 1 deg.

    Returns
    -------
    ra, dec : array, deg
        Within 0.06 deg.

    References
    ----------
    J. Meeus, 1998, Astronomical Algorithms, chapter 47, the largest terms.
    """
    local = sidereal_time(mjd, site.longitude)
    observer = _unit(local, np.full_like(local, site.latitude))
    return _angles(_moon_vector(mjd) - observer)


def moon_fraction(mjd: Floats) -> Floats:
    """Lit fraction of the moon.

    Parameters
    ----------
    mjd : array, d
        UTC.

    Returns
    -------
    array
        0 new, 1 full.

    References
    ----------
    J. Meeus, 1998, Astronomical Algorithms, eqs. 48.1 to 48.3.
    """
    moon = _moon_vector(mjd)
    distance = np.linalg.norm(moon, axis=-1)
    cos = np.sum(moon * _unit(*sun_position(mjd)), axis=-1) / distance
    phase = np.arctan2(AU_EARTH_RADII * np.sqrt(1.0 - cos**2), distance - AU_EARTH_RADII * cos)
    return 0.5 * (1.0 + np.cos(phase))


def of_date(ra: Floats, dec: Floats, mjd: float) -> tuple[Floats, Floats]:
    """Turn ICRS positions to the equator and equinox of a date.

    Parameters
    ----------
    ra, dec : array, deg
        ICRS.
    mjd : float, d
        Date.

    Returns
    -------
    ra, dec : array, deg
        Of date.

    References
    ----------
    J. Meeus, 1998, Astronomical Algorithms, eqs. 21.3 and 21.4.
    """
    t = (mjd - J2000_MJD) / 36525.0
    zeta, z, theta = np.radians(
        np.array(
            [
                2306.2181 * t + 0.30188 * t**2,
                2306.2181 * t + 1.09468 * t**2,
                2004.3109 * t - 0.42665 * t**2,
            ]
        )
        / 3600.0
    )
    x, y, w = np.moveaxis(_unit(ra + np.degrees(zeta), dec), -1, 0)
    rotated = [np.cos(theta) * x - np.sin(theta) * w, y, np.sin(theta) * x + np.cos(theta) * w]
    lon, lat = _angles(np.stack(rotated, axis=-1))
    return (lon + np.degrees(z)) % 360.0, lat


def altitude(ra: Floats, dec: Floats, sidereal: Floats, *, latitude: float) -> Floats:
    """Altitude above the horizon, without refraction.

    Parameters
    ----------
    ra, dec : array, deg
        Of date.
    sidereal : array, deg
        Local sidereal time, of a shape that broadcasts.
    latitude : float, deg
        Of the site.

    Returns
    -------
    array, deg
        -90..90.
    """
    lat, dec, hour = np.radians(latitude), np.radians(dec), np.radians(sidereal - ra)
    sin = np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(hour)
    return np.degrees(np.arcsin(np.clip(sin, -1.0, 1.0)))


def airmass(altitude: Floats) -> Floats:
    r"""Relative airmass.

    .. math:: X = \left[\sin\left(h + \frac{244}{165 + 47 h^{1.1}}\right)\right]^{-1}

    Parameters
    ----------
    altitude : array, deg
        h.

    Returns
    -------
    array
        Infinite below the horizon.

    References
    ----------
    K. A. Pickering, 2002, DIO 12, 3, page 20.

    Examples
    --------
    >>> airmass(np.array([90.0, 30.0, -1.0])).round(2)
    array([1.  , 1.99,  inf])
    """
    above = np.maximum(altitude, 0.0)
    mass = 1.0 / np.sin(np.radians(above + 244.0 / (165.0 + 47.0 * above**1.1)))
    return np.where(altitude > 0.0, mass, np.inf)


def separation(ra: Floats, dec: Floats, other_ra: Floats, other_dec: Floats) -> Floats:
    """Angle between directions, deg, from their vectors (exact at small angles).

    Parameters
    ----------
    ra, dec, other_ra, other_dec : array, deg
        Of shapes that broadcast.

    Returns
    -------
    array, deg
        0..180.
    """
    half = 0.5 * np.linalg.norm(_unit(ra, dec) - _unit(other_ra, other_dec), axis=-1)
    return 2.0 * np.degrees(np.arcsin(np.clip(half, 0.0, 1.0)))


def night_bounds(
    night: NDArray[np.int64], site: Site, *, sun_limit: float
) -> tuple[Floats, Floats]:
    """When the sun goes below and comes back above an altitude.

    Parameters
    ----------
    night : array of int, d
        Whole MJD of the local midnight.
    site : Site
        Where.
    sun_limit : float, deg
        Altitude of the sun, -12 or -18.

    Returns
    -------
    start, stop : array, d
        MJD; equal where the sun stays above, a day apart where it stays below.
    """
    # Mean local midnight, then the true one: the equation of time is up to 16 min.
    midnight: Floats = (night + (-site.longitude / 360.0) % 1.0).astype(np.float64)
    ra, _ = sun_position(midnight)
    off = (sidereal_time(midnight, site.longitude) - ra) % 360.0 - 180.0
    midnight = np.subtract(midnight, off / 360.0)
    return _crossing(midnight, -1.0, site, sun_limit), _crossing(midnight, 1.0, site, sun_limit)


def _crossing(midnight: Floats, side: float, site: Site, sun_limit: float) -> Floats:
    lat = np.radians(site.latitude)
    when: Floats = midnight.astype(np.float64)
    for _ in range(4):
        dec = np.radians(sun_position(when)[1])
        cos = np.sin(np.radians(sun_limit)) - np.sin(lat) * np.sin(dec)
        hour = np.degrees(np.arccos(np.clip(cos / (np.cos(lat) * np.cos(dec)), -1.0, 1.0)))
        # The hour angle at midnight is 180 deg; the sun gains a turn a day.
        when = (midnight + side * (180.0 - hour) / 360.0).astype(np.float64)
    return when
