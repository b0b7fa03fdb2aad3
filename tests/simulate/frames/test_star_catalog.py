"""Drawn stars against their counts, against astropy's motions, and against real colors."""

import gzip
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import CartesianDifferential, SkyCoord
from astropy.coordinates import CartesianRepresentation as Cartesian
from astropy.io import fits
from astropy.time import Time
from scipy.stats import chisquare, kstest

from chandelle.core.errors import InputError
from chandelle.products.passband import Passband
from chandelle.simulate.frames.star_catalog import (
    EPOCH_MJD,
    VARIABLE_FRACTION,
    draw_stars,
    star_magnitudes,
    star_positions,
)
from chandelle.simulate.frames.star_colors import (
    FILTER_WAVES,
    absolute_magnitude,
    band_waves,
    locus_gr,
    locus_magnitudes,
    magnitudes_at,
    main_sequence_ri,
)
from chandelle.simulate.frames.star_counts import magnitude_cells, star_counts
from chandelle.simulate.frames.star_motions import (
    DISPERSIONS_KM_S,
    LAGS_KM_S,
    SOLAR_MOTION_KM_S,
    proper_motions,
)
from chandelle.simulate.frames.truth_tables import TrueStars

BANDS = ["ztfg", "ztfr", "ztfi"]
PLACE = (150.0, 2.2)


def assert_same(one, other):
    assert one.table.schema.equals(other.table.schema, check_metadata=True)
    for name in one.table.column_names:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.fixture(scope="module")
def stars():
    return draw_stars(*PLACE, 1.5, passbands=BANDS, mag_range=(14.0, 21.0), seed=3)


@pytest.mark.parametrize(
    ("ra", "dec", "density"), [(192.9, 27.1, 1.0), (60.0, 35.0, 0.3), (10.0, 89.5, 2.0)]
)
def test_the_number_is_that_of_the_counts(ra, dec, density):
    drawn = [
        len(draw_stars(ra, dec, 0.5, passbands=[], density=density, seed=seed)) for seed in (1, 2)
    ]
    mags, width = magnitude_cells((11.0, 22.0))
    area = 2 * np.pi * (1 - np.cos(np.radians(0.5))) * (180 / np.pi) ** 2
    mean = density * star_counts(ra, dec, mags).sum() * width * area
    assert abs(sum(drawn) - 2 * mean) < 4 * np.sqrt(2 * mean)
    assert drawn[0] != drawn[1]


def test_magnitudes_follow_the_counts(stars):
    # r of the counts lies between the ZTF bands: use a passband at its wavelength.
    wave = np.array([6203.3, 6204.3, 6205.3])
    narrow = Passband(name="r", wave=wave, transmission=np.array([0.0, 1.0, 0.0]))
    own = draw_stars(*PLACE, 1.5, passbands=[narrow], mag_range=(14.0, 21.0), seed=3)
    edges = np.arange(14.0, 21.01, 0.5)
    counted = np.histogram(own.magnitudes("r"), edges)[0]
    assert counted.sum() == len(own) == len(stars)
    expected = []
    for pair in pairwise(edges):
        mags, width = magnitude_cells(pair)
        expected.append(star_counts(*PLACE, mags).sum() * width)
    expected = np.array(expected) * len(own) / np.sum(expected)
    assert chisquare(counted, expected).pvalue > 1e-4


def test_positions_are_uniform_in_the_disk(stars):
    center = SkyCoord(*PLACE, unit="deg")
    places = SkyCoord(stars["ra"], stars["dec"], unit="deg")
    away = center.separation(places).rad
    part = (1 - np.cos(away)) / (1 - np.cos(np.radians(1.5)))
    assert kstest(part, "uniform").pvalue > 1e-4
    assert kstest(center.position_angle(places).rad / (2 * np.pi), "uniform").pvalue > 1e-4


def test_the_same_seed_gives_the_same_bytes(stars, tmp_path):
    again = draw_stars(*PLACE, 1.5, passbands=BANDS, mag_range=(14.0, 21.0), seed=3)
    assert_same(again, stars)
    other = draw_stars(*PLACE, 1.5, passbands=BANDS, mag_range=(14.0, 21.0), seed=4)
    assert not np.isin(other["ra"], stars["ra"]).any()
    aside = draw_stars(150.1, 2.2, 1.5, passbands=[], mag_range=(14.0, 21.0), seed=3)
    n = min(len(aside), len(stars))
    assert abs(np.corrcoef(aside["pm_dec"][:n], stars["pm_dec"][:n])[0, 1]) < 0.05
    stars.write(tmp_path / "stars.parquet")
    read = TrueStars.read(tmp_path / "stars.parquet")
    assert_same(read, stars)
    assert read.passbands == tuple(BANDS)
    assert read.unit("mag_ztfg") == "mag"
    assert read.meta.provenance["stars"]["seed"] == 3


def test_none_is_a_table_too():
    none = draw_stars(*PLACE, 0.1, passbands=BANDS, density=0.0, seed=1)
    assert len(none) == 0
    assert star_positions(none, 60000.0)[0].shape == (0,)
    assert star_magnitudes(none, "ztfg", 60000.0).shape == (0,)


def test_proper_motions_are_those_of_astropy():
    """The velocity of a star at rest in its component, seen from the Sun, by astropy."""
    rng = np.random.default_rng(5)
    n = 50
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    peculiar = rng.normal(size=(n, 3))
    for component, kpc in (("halo", 3.0), ("thin", 1e-4), ("thick", 1e-4)):
        kick = peculiar if component != "halo" else 0 * peculiar
        # Nearby, the axes of the ellipsoid are those of the Sun; the halo does not rotate.
        velocity = kick * DISPERSIONS_KM_S[component] - SOLAR_MOTION_KM_S
        velocity[:, 1] -= LAGS_KM_S[component]
        galactic = SkyCoord(ra, dec, kpc * np.ones(n), unit=("deg", "deg", "kpc")).galactic
        moving = Cartesian(
            galactic.cartesian.xyz, differentials=CartesianDifferential(velocity.T * u.km / u.s)
        )
        expected = SkyCoord(moving, frame="galactic").icrs
        found = proper_motions(ra, dec, np.full(n, kpc), np.full(n, component), kick)
        size = np.hypot(*found).max()
        for ours, theirs in zip(found, (expected.pm_ra_cosdec, expected.pm_dec), strict=True):
            theirs = theirs.to_value(u.mas / u.yr)
            np.testing.assert_allclose(ours, theirs, atol=2e-4 * size, rtol=0)


def test_proper_motions_have_the_size_of_real_ones(stars):
    size = np.hypot(stars["pm_ra_cosdec"], stars["pm_dec"])
    faint = stars.magnitudes("ztfr") > 18
    # A few mas a year, more for bright stars, which are near.
    assert 3 < np.median(size[faint]) < 12
    assert np.median(size[~faint]) > np.median(size[faint])
    # 30 km/s at 1 kpc is 6.3 mas/yr.
    thin = proper_motions(
        *(np.full(1, x) for x in (192.85948, 27.12825, 1.0)), np.full(1, "thin"), np.zeros((1, 3))
    )
    assert np.hypot(*thin)[0] == pytest.approx(np.hypot(11.1, 27.24) / 4.7405, rel=1e-3)


@pytest.mark.parametrize("dec", [2.2, 89.99])
def test_positions_at_a_time_are_those_of_astropy(dec):
    stars = draw_stars(150.0, dec, 0.2, passbands=[], seed=1).select(np.arange(200))
    mjd = 60310.25
    start = SkyCoord(
        stars["ra"] * u.deg,
        stars["dec"] * u.deg,
        distance=100 * u.pc,
        pm_ra_cosdec=stars["pm_ra_cosdec"] * u.mas / u.yr,
        pm_dec=stars["pm_dec"] * u.mas / u.yr,
        radial_velocity=0 * u.km / u.s,
        obstime=Time(EPOCH_MJD, format="mjd", scale="tdb"),
    )
    end = start.apply_space_motion(Time(mjd, format="mjd", scale="tdb"))
    ours = SkyCoord(*star_positions(stars, mjd), unit="deg")
    assert ours.separation(SkyCoord(end.ra, end.dec)).mas.max() < 1e-3
    assert start.separation(ours).mas.max() > 10
    np.testing.assert_allclose(star_positions(stars, EPOCH_MJD)[1], stars["dec"], atol=1e-11)


def test_colors_lie_on_the_locus(stars):
    wave = dict(zip("griz", FILTER_WAVES[1:5], strict=True))
    passbands = [
        Passband(name=k, wave=np.array([w - 1, w, w + 1]), transmission=np.array([0.0, 1.0, 0.0]))
        for k, w in wave.items()
    ]
    own = draw_stars(*PLACE, 0.7, passbands=passbands, mag_range=(14.0, 21.0), seed=3)
    g, r, i, z = (own.magnitudes(k) for k in "griz")
    locus = locus_magnitudes(np.arange(-0.3, 2.0, 0.01))[:, 1:5]
    drawn = np.stack([g - r, 0 * r, i - r, z - r], axis=-1)
    nearest = np.abs(drawn[:, None, :] - locus).max(axis=-1).min(axis=-1)
    assert np.median(nearest) < 0.04
    assert np.quantile(nearest, 0.999) < 0.2
    np.testing.assert_allclose(own["color"], g - i, atol=1e-9)
    # Blue halo and turn-off stars and red dwarfs, both there.
    assert (g - r < 0.5).mean() > 0.1
    assert (g - r > 1.2).mean() > 0.2


def test_the_photometric_parallax_inverts():
    ri = np.array([-0.2, 0.1, 0.5, 1.4])
    np.testing.assert_allclose(main_sequence_ri(absolute_magnitude(ri)), ri, atol=1e-3)


def test_colors_are_those_of_real_stars(real_data):
    """SDSS magnitudes, interpolated to the passbands of PS1, against the stars' PS1 magnitudes."""
    path = real_data / "starcal" / "dovekie_stars" / "SDSS_observed.csv.gz"
    with gzip.open(path) as file:
        table = pd.read_csv(file)
    sdss = {k: (table[f"SDSS-{k}"] - table[f"SDSS-{k}_AV"]).to_numpy() for k in "griz"}
    ps1 = {k: (table[f"PS1-{k}"] - table[f"PS1-{k}_AV"]).to_numpy() for k in "griz"}
    zero = np.zeros(len(table))
    filters = np.stack([zero, *(sdss[k] for k in "griz"), zero], axis=-1)
    at = magnitudes_at(filters, {"g": 4866.0, "r": 6215.0, "i": 7545.0, "z": 8679.0})
    for k in "griz":
        assert abs(np.median(at[k] - ps1[k])) < 0.05
    ri = sdss["r"] - sdss["i"]
    locus = locus_magnitudes(ri)
    for column, k in ((1, "g"), (4, "z")):
        assert abs(np.median(sdss[k] - sdss["r"] - locus[:, column])) < 0.1


def test_the_locus_is_that_of_unresolved_objects(real_data):
    """g - r of Juric et al. against SDSS DR9 stars that it was not fitted to."""
    path = real_data / "starcal" / "jointcal_cfht_d3" / "sdss-dr9-refcat-225822.fits.gz"
    with fits.open(path) as hdus:
        data = hdus[1].data
        g, r, i = (31.4 - 2.5 * np.log10(data[f"{k}_flux"].astype(float)) for k in "gri")
        is_star = ~data["flags"][:, 1] & (r < 20)
    off = (g - r - locus_gr(r - i))[is_star]
    assert is_star.sum() > 500
    assert abs(np.median(off)) < 0.03
    for low in (0.0, 0.2, 0.4, 0.7, 1.0):
        part = off[np.abs((r - i)[is_star] - low - 0.15) < 0.15]
        assert abs(np.median(part)) < 0.1


def test_some_stars_vary(stars):
    is_variable = stars["amplitude"] > 0
    mean = VARIABLE_FRACTION * len(stars)
    assert abs(is_variable.sum() - mean) < 4 * np.sqrt(mean)
    assert np.isnan(stars["period_d"][~is_variable]).all()
    constant = star_magnitudes(stars, "ztfg", 60123.4)[~is_variable]
    np.testing.assert_array_equal(constant, stars.magnitudes("ztfg")[~is_variable])
    variable = stars.select(is_variable)
    mjds = EPOCH_MJD + np.random.default_rng(1).uniform(0, 3000, 1500)
    seen = np.stack([star_magnitudes(variable, "ztfg", mjd) for mjd in mjds])
    np.testing.assert_allclose(0.5 * np.ptp(seen, axis=0), variable["amplitude"], rtol=0.02)
    row = np.flatnonzero(is_variable)[0]
    later = EPOCH_MJD + 7 * stars["period_d"][row]
    now = star_magnitudes(stars, "ztfr", EPOCH_MJD)[row]
    assert star_magnitudes(stars, "ztfr", later)[row] == pytest.approx(now, abs=1e-9)


def test_dust_reddens():
    clear, dusty = (draw_stars(*PLACE, 0.5, passbands=BANDS, seed=3, ebv=e) for e in (0.0, 0.3))
    # E(g - i) is 1.6 to 1.7 E(B-V); behind a screen one sees bluer, brighter stars.
    assert 0.2 < np.median(dusty["color"]) - np.median(clear["color"]) < 0.8
    assert len(dusty) < len(clear)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"passbands": ["ztfx"]}, "unknown"),
        ({"passbands": ["ztfg", "ztfg"]}, "give each once"),
        ({"density": -1.0}, "density must be >= 0"),
        ({"mag_range": (22.0, 11.0)}, "bright to faint"),
        ({"radius": -1.0}, "radius"),
    ],
)
def test_bad_input(change, message):
    settings = {"ra": 10.0, "dec": 1.0, "radius": 0.1, "passbands": ["ztfg"], "seed": 1, **change}
    with pytest.raises(InputError, match=message):
        draw_stars(**settings)


def test_an_absent_passband_is_named(stars):
    with pytest.raises(InputError, match=r"no magnitudes in 'lsstz', found ztfg, ztfr, ztfi"):
        star_magnitudes(stars, "lsstz", EPOCH_MJD)
    assert band_waves(["ztfg"])["ztfg"] == pytest.approx(4800, abs=60)
