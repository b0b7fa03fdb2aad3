"""Sun, moon, stars and nights against astropy's ephemeris and transformations."""

import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers

from chandelle.simulate.logs.night import (
    Site,
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

PALOMAR = Site(latitude=33.3563, longitude=-116.865)
PACHON = Site(latitude=-30.2446, longitude=-70.7494)
SITES = [PALOMAR, PACHON]
# 2000 to 2025: dates for which astropy carries the rotation of the Earth.
MJD = np.linspace(51550.0, 60950.0, 1503)


@pytest.fixture(autouse=True)
def _offline():
    with iers.conf.set_temp("auto_download", False):
        yield


def sky_of(mjd, site):
    where = EarthLocation.from_geodetic(lon=site.longitude, lat=site.latitude, height=0.0)
    return AltAz(obstime=Time(mjd, format="mjd"), location=where)


@pytest.mark.parametrize("site", SITES)
def test_altitude_of_the_sun(site):
    seen = get_body("sun", Time(MJD, format="mjd")).transform_to(sky_of(MJD, site))
    ours = altitude(*sun_position(MJD), sidereal_time(MJD, site.longitude), latitude=site.latitude)
    assert np.abs(ours - seen.alt.deg).max() < 0.02


@pytest.mark.parametrize("site", SITES)
def test_moon_with_its_parallax(site):
    frame = sky_of(MJD, site)
    body = get_body("moon", Time(MJD, format="mjd"), frame.location)
    # The parallax takes the geodetic latitude for the geocentric one: 0.003 deg.
    ours = altitude(
        *moon_position(MJD, site), sidereal_time(MJD, site.longitude), latitude=site.latitude
    )
    assert np.abs(ours - body.transform_to(frame).alt.deg).max() < 0.06


def test_lit_fraction():
    time = Time(MJD, format="mjd")
    lit = 0.5 * (1.0 - np.cos(get_body("sun", time).separation(get_body("moon", time)).rad))
    # astropy's line leaves out that the sun is not infinitely far: up to 0.0013.
    assert np.abs(moon_fraction(MJD) - lit).max() < 0.003


@pytest.mark.parametrize("site", SITES)
def test_stars_and_airmass(site):
    rng = np.random.default_rng(1)
    n = 400
    ra, dec = rng.uniform(0.0, 360.0, n), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))
    for mjd in (51600.3, 56000.6, 60900.1):
        frame = sky_of(np.array([mjd]), site)
        seen = SkyCoord(ra, dec, unit="deg").transform_to(frame)
        local = sidereal_time(np.full(n, mjd), site.longitude)
        ours = altitude(*of_date(ra, dec, mjd), local, latitude=site.latitude)
        assert np.abs(ours - seen.alt.deg).max() < 0.02
        high = seen.alt.deg > 24.0
        assert np.abs(airmass(ours)[high] / seen.secz.value[high] - 1.0).max() < 0.012
    assert airmass(np.array([-5.0]))[0] == np.inf


def test_separation():
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0.0, 360.0, (2, 50)), rng.uniform(-90.0, 90.0, (2, 50))
    one, two = SkyCoord(ra[0], dec[0], unit="deg"), SkyCoord(ra[1], dec[1], unit="deg")
    assert np.allclose(
        separation(ra[0], dec[0], ra[1], dec[1]), one.separation(two).deg, atol=1e-9, rtol=0.0
    )


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("limit", [-12.0, -18.0])
def test_nights_begin_and_end_where_the_sun_says(site, limit):
    night = np.arange(58000, 58730)
    start, stop = night_bounds(night, site, sun_limit=limit)
    for edge in (start, stop):
        sun = get_body("sun", Time(edge, format="mjd")).transform_to(sky_of(edge, site))
        assert np.abs(sun.alt.deg - limit).max() < 0.03
    length = (stop - start) * 24.0
    assert length.min() > 6.0
    assert length.max() < 13.0
    assert (np.diff(start) > 0.9).all()


def test_polar_day_has_no_night_and_polar_night_no_day():
    pole = Site(latitude=85.0, longitude=10.0)
    start, stop = night_bounds(np.array([58290, 58473]), pole, sun_limit=-12.0)
    assert stop[0] == start[0]
    assert stop[1] - start[1] == 1.0
