"""Whole logs: rules of observing, cadence, depths, determinism, the beginning of a longer log."""

import dataclasses

import astropy.units as u
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers

from chandelle.core.errors import InputError
from chandelle.simulate.logs.clouds import MODES, cloud_loss
from chandelle.simulate.logs.deep import DEEP_LOG
from chandelle.simulate.logs.lsst import LSST_LOG
from chandelle.simulate.logs.make import log_clouds, make_log
from chandelle.simulate.logs.settings import Program
from chandelle.simulate.logs.ztf import ZTF_LOG

SETTINGS = {"ZTF": ZTF_LOG, "DEEP": DEEP_LOG, "LSST": LSST_LOG}
SMALL = dataclasses.replace(
    ZTF_LOG, fields=ZTF_LOG.fields.select(np.arange(300, len(ZTF_LOG.fields), 40))
)


@pytest.fixture(scope="module")
def years():
    nights = {"ZTF": 365, "DEEP": 365, "LSST": 120}
    return {name: make_log(SETTINGS[name], seed=4, nights=n) for name, n in nights.items()}


def rows_of(log, n, seed=1):
    return log.select(np.sort(np.random.default_rng(seed).choice(len(log), n, replace=False)))


@pytest.mark.parametrize("name", list(SETTINGS))
def test_rules_of_observing_hold_in_astropy(years, name):
    settings, log = SETTINGS[name], years[name]
    some = rows_of(log, min(500, len(log)))
    site = settings.site
    where = EarthLocation.from_geodetic(lon=site.longitude, lat=site.latitude, height=0.0)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        time = Time(some["mjd"], format="mjd")
        frame = AltAz(obstime=time, location=where)
        seen = SkyCoord(some["ra"], some["dec"], unit="deg").transform_to(frame)
        sun = get_body("sun", time, where).transform_to(frame)
        moon = get_body("moon", time, where).transform_to(frame)
        apart = seen.separation(moon).deg
    # Sun and stars are good to 0.03 deg, airmass at 2 to 0.2 %; a dither moves a field.
    reach = settings.airmass_limit * 1.005 + 2.0 * np.radians(settings.dither_deg)
    assert sun.alt.deg.max() < settings.sun_limit + 0.05
    assert seen.secz.max() < reach
    assert apart.min() > settings.moon_separation - settings.dither_deg
    assert np.abs(some["airmass"] / seen.secz - 1.0).max() < 0.012
    assert np.abs(some["sun_altitude"] - sun.alt.deg).max() < 0.05
    assert np.abs(some["moon_altitude"] - moon.alt.deg).max() < 0.08
    assert seen.alt.min() > 25.0 * u.deg


@pytest.mark.parametrize("name", list(SETTINGS))
def test_shutter_is_open_once_at_a_time(years, name):
    settings, log = SETTINGS[name], years[name]
    half = 0.5 * log["exptime_s"] / 86400.0
    gap = ((log["mjd"] - half)[1:] - (log["mjd"] + half)[:-1]) * 86400.0
    # mjd is good to 1e-6 s of a day's fraction.
    assert gap.min() > settings.overhead_s - 1e-3
    change = log["band"][1:] != log["band"][:-1]
    assert gap[change].min() > settings.filter_change_s - 1e-3
    assert len(set(log["exposure"].tolist())) == len(log)


def test_nights_of_ztf(years):
    log = years["ZTF"]
    nights, counts = np.unique(log["night"], return_counts=True)
    # Closed nights, and spells of them.
    assert 200 < len(nights) < 320
    assert np.diff(nights).max() > 2
    assert 500 < np.median(counts) < 900
    assert counts.max() < 1200


def gaps_of(log, band, keep):
    rows = (log["band"] == band) & keep
    table = pd.DataFrame({"field": log["field"][rows], "night": log["night"][rows]})
    nights = table.drop_duplicates().sort_values(["field", "night"])
    return nights.groupby("field")["night"].diff().dropna().to_numpy()


def test_cadence_of_ztf(years):
    log = years["ZTF"]
    primary = log["field"] < 1001
    for band, low, high in (("ztfg", 2.0, 3.0), ("ztfr", 2.0, 3.0), ("ztfi", 4.0, 5.0)):
        gap = gaps_of(log, band, primary)
        assert low <= np.median(gap) <= high
        assert gap.min() >= low
        # Weather makes gaps.
        assert np.percentile(gap, 95) >= 5
    # g and r of a field in one night, a block apart.
    rows = primary & (log["band"] != "ztfi")
    table = pd.DataFrame({name: log[name][rows] for name in ("field", "night", "band", "mjd")})
    both = table.pivot_table(index=["field", "night"], columns="band", values="mjd")
    assert both.notna().to_numpy().all()
    minutes = np.abs(both["ztfg"] - both["ztfr"]).to_numpy() * 1440.0
    assert 20.0 < np.median(minutes) < 60.0


def test_depths_of_ztf(years):
    log = years["ZTF"]
    # Bellm et al. 2019: medians at 5 sigma.
    for band, depth in (("ztfg", 20.8), ("ztfr", 20.6), ("ztfi", 20.3)):
        rows = log["band"] == band
        assert abs(np.median(log["depth"][rows]) - depth) < 0.15
        assert abs(np.median(log["seeing_arcsec"][rows]) - 2.05) < 0.15
    bright = (log["moon_fraction"] > 0.9) & (log["moon_altitude"] > 20.0)
    dark = log["moon_altitude"] < -5.0
    for band, loss in (("ztfg", 0.7), ("ztfi", 0.2)):
        rows = log["band"] == band
        lost = np.median(log["depth"][rows & dark]) - np.median(log["depth"][rows & bright])
        assert lost > loss


def test_deep_fields_come_in_dark_time_every_few_nights(years):
    log = years["DEEP"]
    for program in DEEP_LOG.programs:
        for band in program.bands:
            rows = log["band"] == band
            up = log["moon_altitude"] > 0.0
            assert log["moon_fraction"][rows & up].max() < program.moon_limit + 0.02
            gap = gaps_of(log, band, rows)
            assert 3.0 <= np.median(gap) <= 4.0
            assert gap.min() >= 3.0
    depth = {band: np.median(log["depth"][log["band"] == band]) for band in set(log["band"])}
    # About those of the present simulation and of the survey's papers.
    for band, published in (("lsstg", 25.3), ("lsstr", 24.9), ("lssti", 24.8), ("lsstz", 24.0)):
        assert abs(depth[band] - published) < 0.3


def test_lsst_takes_pairs_and_drills(years):
    log = years["LSST"]
    assert set(log["band"]) == {f"lsst{letter}" for letter in "ugrizy"}
    drilling = log["field"] > 90000
    table = pd.DataFrame({name: log[name][drilling] for name in ("field", "night", "band")})
    assert set(table.groupby(["field", "night", "band"]).size()) == {10}
    assert 3.0 <= np.median(gaps_of(log, "lssti", drilling)) <= 4.0
    nights = pd.DataFrame({n: log[n][~drilling] for n in ("field", "night", "band")})
    assert (nights.groupby(["field", "night"])["band"].nunique() > 1).mean() > 0.99
    assert np.abs(log["rotation"]).max() > 70.0


def test_the_first_nights_are_the_same_however_many_follow():
    ten, forty = (make_log(SMALL, seed=1, nights=n) for n in (10, 40))
    again = make_log(SMALL, seed=1, nights=10)
    assert again.table.equals(ten.table)
    assert len(ten) > 50
    assert forty.select(forty["night"] < ZTF_LOG.first_night + 10).table.equals(ten.table)
    other = make_log(SMALL, seed=3, nights=40)
    assert not np.array_equal(np.unique(other["night"]), np.unique(forty["night"]))


def test_clouds_come_back_from_the_seed(years):
    log = years["ZTF"].select(np.arange(0, len(years["ZTF"]), 997))
    coefficients = log_clouds(log, ZTF_LOG, seed=4)
    assert coefficients.shape == (len(log), 1 + MODES)
    clear = log["cloud_mag"] == 0.0
    assert 0.4 < clear.mean() < 0.8
    assert np.array_equal(clear, coefficients[:, 0] == 0.0)
    line = np.linspace(-3.6, 3.6, 25)
    xi, eta = (jnp.asarray(each) for each in np.meshgrid(line, line))
    for row in np.flatnonzero(~clear)[:20]:
        mean = np.asarray(cloud_loss(jnp.asarray(coefficients[row]), xi, eta)).mean()
        assert abs(mean / log["cloud_mag"][row] - 1.0) < 0.05
    # A clear sky and airmass 1 give the zero point of the settings.
    for band in ZTF_LOG.bands:
        rows = log["band"] == band.name
        dimming = band.extinction * (log["airmass"][rows] - 1.0) + log["cloud_mag"][rows]
        zp = band.zp_second + 2.5 * np.log10(30.0)
        assert np.allclose(log["zp"][rows] + dimming, zp, atol=1e-9)


def test_impossible_surveys_are_refused():
    with pytest.raises(InputError, match="nights must be at least 1"):
        make_log(SMALL, seed=1, nights=0)
    with pytest.raises(InputError, match="a program takes bands ztfz, the survey has"):
        dataclasses.replace(SMALL, programs=(Program(bands=("ztfz",), interval_nights=2.0),))
    with pytest.raises(InputError, match="no field of group 'south'"):
        dataclasses.replace(
            SMALL, programs=(Program(bands=("ztfg",), interval_nights=2.0, group="south"),)
        )
    south = dataclasses.replace(
        SMALL, fields=dataclasses.replace(SMALL.fields, dec=np.full(len(SMALL.fields), -85.0))
    )
    with pytest.raises(InputError, match="nothing observed in 5 nights"):
        make_log(south, seed=1, nights=5)
    fast = dataclasses.replace(
        ZTF_LOG,
        bands=(dataclasses.replace(ZTF_LOG.bands[0], exptime_s=0.1),),
        overhead_s=1.0,
        programs=(Program(bands=("ztfg",), interval_nights=1.0, repeats=9),),
    )
    with pytest.raises(InputError, match="at most 2048; lengthen the exposures"):
        make_log(fast, seed=1, nights=9)
