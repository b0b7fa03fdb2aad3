"""Hosts and field galaxies: light against GalSim, distances against astropy, counts."""

from itertools import pairwise

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.cosmology import FlatLambdaCDM
from scipy.special import gammainc
from scipy.stats import chisquare, kstest

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.products.passband import Passband
from chandelle.products.targets import Targets
from chandelle.simulate.frames.galaxies import (
    draw_galaxies,
    draw_hosts,
    galaxy_counts,
)
from chandelle.simulate.frames.galaxy_light import (
    BULGE_B,
    DISK_SCALES,
    abs_mag_of_mass,
    apparent_less_absolute,
    draw_offsets,
    mass_of_abs_mag,
    spectrum,
)
from chandelle.simulate.frames.truth_tables import TrueGalaxies
from chandelle.simulate.truth import Truth

BANDS = ["ztfg", "ztfr", "ztfi"]
FLAT = FlatLambdaCDM(70, 0.3, Tcmb0=0)


def narrow(wave, name="narrow"):
    waves = np.array([wave - 1.0, wave, wave + 1.0])
    return Passband(name=name, wave=waves, transmission=np.array([0.0, 1.0, 0.0]))


@pytest.fixture(scope="module")
def sample():
    """Supernovae near the pole with masses and local colors as `environment` draws them."""
    rng, n = np.random.default_rng(11), 3000
    z = 0.12 * rng.uniform(0.05, 1, n) ** (1 / 3)
    is_young = rng.uniform(size=n) < 0.5
    names = np.array([f"SN{i:06d}" for i in range(n)])
    known = {
        "sn": names,
        "ra": rng.uniform(0, 360, n),
        "dec": rng.uniform(80, 89, n),
        "z_hel": z,
        "mwebv": rng.uniform(0, 0.1, n),
    }
    zero = np.zeros(n)
    true = {
        "sn": names,
        "t0_true": zero,
        "x0_true": zero,
        "x1_true": zero,
        "c_true": zero,
        "mu_true": FLAT.distmod(z).value,
        "host_logmass_true": np.where(is_young, 9.5, 10.5) + 0.7 * rng.normal(size=n),
        "local_color_true": np.where(is_young, 0.7, 1.3) + 0.25 * rng.normal(size=n),
    }
    return Targets.from_columns(known), Truth.from_columns(true)


@pytest.fixture(scope="module")
def hosts(sample):
    return draw_hosts(*sample, passbands=BANDS, seed=2)


@pytest.fixture(scope="module")
def field():
    return draw_galaxies(150.0, 2.2, 1.0, passbands=[narrow(6204.3, "r"), *BANDS], seed=2)


def ellipse_radius(hosts, targets, ratio):
    """Circularized radius of each supernova about its host, by astropy's offsets [arcsec]."""
    center = SkyCoord(hosts["ra"], hosts["dec"], unit="deg")
    east, north = center.spherical_offsets_to(SkyCoord(targets["ra"], targets["dec"], unit="deg"))
    east, north = east.arcsec, north.arcsec
    angle = np.radians(hosts["position_angle"])
    major = east * np.sin(angle) + north * np.cos(angle)
    minor = east * np.cos(angle) - north * np.sin(angle)
    return np.sqrt(ratio * major**2 + minor**2 / ratio)


def test_supernovae_follow_the_light_of_their_hosts(sample, hosts):
    disk = ellipse_radius(hosts, sample[0], hosts["axis_ratio"]) / hosts["disk_radius_arcsec"]
    bulge = (
        ellipse_radius(hosts, sample[0], hosts["bulge_axis_ratio"]) / hosts["bulge_radius_arcsec"]
    )
    fraction = hosts["bulge_fraction"]
    # Where the bulge is faint, half of the supernovae lie in the half-light ellipse of the disk.
    is_disk = fraction < 0.02
    n = is_disk.sum()
    assert n > 300
    inside = (disk[is_disk] < 1).mean()
    assert abs(inside - 0.5) < 4 * 0.5 / np.sqrt(n) + 0.01
    assert kstest(gammainc(2, DISK_SCALES * disk[is_disk]), "uniform").pvalue > 1e-4
    # All together: the light of disk and bulge inside the disk's half-light ellipse, where both
    # are round; elsewhere it is the same to the difference of their axis ratios.
    is_round = hosts["axis_ratio"] > 0.8
    part = hosts["disk_radius_arcsec"] / hosts["bulge_radius_arcsec"]
    expected = (1 - fraction) * 0.5 + fraction * gammainc(8, BULGE_B * part**0.25)
    expected, inside = expected[is_round], (disk < 1)[is_round]
    error = np.sqrt((expected * (1 - expected)).sum())
    assert abs(inside.sum() - expected.sum()) < 4 * error
    assert np.median(bulge) > 1


@pytest.mark.parametrize(("bulge_fraction", "index"), [(0.0, 1), (1.0, 4)])
def test_places_are_drawn_from_the_profiles_of_galsim(bulge_fraction, index):
    galsim = pytest.importorskip("galsim")
    n, ratio, angle = 20_000, 0.4, 30.0
    shapes = {
        "bulge_fraction": np.full(n, bulge_fraction),
        "bulge_radius_arcsec": np.full(n, 1.5),
        "disk_radius_arcsec": np.full(n, 1.5),
        "axis_ratio": np.full(n, ratio),
        "bulge_axis_ratio": np.full(n, ratio),
        "position_angle": np.full(n, angle),
    }
    east, north = draw_offsets(key_for(3, "offsets"), shapes)
    profile = galsim.Sersic(n=index, half_light_radius=1.5)
    turn = np.radians(angle)
    major = east * np.sin(turn) + north * np.cos(turn)
    minor = east * np.cos(turn) - north * np.sin(turn)
    radius = np.sqrt(ratio * major**2 + minor**2 / ratio)
    for r in (0.3, 0.8, 1.5, 3.0, 6.0):
        light = profile.calculateIntegratedFlux(r)
        assert abs((radius < r).mean() - light) < 4 * np.sqrt(light * (1 - light) / n)
    # The axes and their direction are those of the sheared profile, x to the east.
    smooth = galsim.Exponential(half_light_radius=1.5)
    image = smooth.shear(q=ratio, beta=(90.0 - angle) * galsim.degrees).drawImage(
        nx=257, ny=257, scale=0.1, method="no_pixel"
    )
    shape = galsim.hsm.FindAdaptiveMom(image).observed_shape
    assert shape.q == pytest.approx(ratio, rel=0.02)
    values, vectors = np.linalg.eigh(np.cov(east / radius, north / radius))
    assert np.sqrt(values[0] / values[1]) == pytest.approx(ratio, rel=0.03)
    direction = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180
    assert direction == pytest.approx(shape.beta / galsim.degrees % 180, abs=1.0)


def test_hosts_are_those_of_the_truth(sample, hosts):
    targets, truth = sample
    assert hosts["sn"].tolist() == targets["sn"].tolist()
    np.testing.assert_array_equal(hosts["z"], targets["z_hel"])
    held = np.clip(truth["host_logmass_true"], 7.0, 11.8)
    np.testing.assert_array_equal(hosts["logmass"], held)
    color = hosts.magnitudes("ztfg") - hosts.magnitudes("ztfr") - 0.9 * targets["mwebv"]
    assert np.corrcoef(color, truth["local_color_true"])[0, 1] > 0.8
    assert np.corrcoef(hosts["bulge_fraction"], hosts["logmass"])[0, 1] > 0.7
    # An L* galaxy, 10^10.7 suns, has M_r about -21.5 (M. Blanton et al. 2003: -21.2 at h = 0.7).
    is_star = np.abs(hosts["logmass"] - 10.7) < 0.1
    abs_mag = hosts.magnitudes("ztfr") - truth["mu_true"] - 2.3 * targets["mwebv"]
    assert -22.2 < np.median(abs_mag[is_star]) < -21.0
    # Some 3 to 6 kpc at 10^10 to 10^11 suns.
    kpc = hosts["disk_radius_arcsec"] * FLAT.kpc_proper_per_arcmin(hosts["z"]).value / 60
    assert 3.5 < np.median(kpc[is_star]) < 6.0


def test_axis_ratios_are_those_of_random_disks(hosts):
    cosine2 = (hosts["axis_ratio"] ** 2 - 0.04) / 0.96
    assert kstest(np.sqrt(np.maximum(cosine2, 0)), "uniform").pvalue > 1e-4
    assert kstest(hosts["position_angle"] / 180, "uniform").pvalue > 1e-4
    assert (hosts["bulge_axis_ratio"] >= hosts["axis_ratio"]).all()


def test_a_host_is_the_same_whoever_else_is_drawn(sample, hosts, tmp_path):
    few = [one.select(np.arange(100, 104)) for one in sample]
    again = draw_hosts(*few, passbands=["ztfr"], seed=2)
    for name in ("ra", "dec", "disk_radius_arcsec", "mag_ztfr"):
        np.testing.assert_allclose(again[name], hosts[name][100:104], rtol=1e-13)
    other = draw_hosts(*few, passbands=["ztfr"], seed=3)
    assert (other["ra"] != again["ra"]).all()
    again.write(tmp_path / "hosts.parquet")
    assert TrueGalaxies.read(tmp_path / "hosts.parquet").table.equals(again.table)
    assert len(draw_hosts(*(one.select([]) for one in few), passbands=BANDS, seed=1)) == 0


def test_magnitudes_are_redshifted_spectra():
    # A flat spectrum in f_nu stays flat: only distance and bandwidth are left (Hogg 2002).
    z, gz = np.array([0.02, 0.3, 1.0]), np.array([0.55, 0.55, 1.42])
    mu = FLAT.distmod(z).value
    wave = 6204.3
    flux_of = spectrum(gz)
    at = apparent_less_absolute(gz, z, mu, wave)
    # At z where the passband falls on a knot, it is the knot.
    on_knot = np.array([6204.3 / 4750.8 - 1.0])
    here = apparent_less_absolute(gz[:1], on_knot, np.zeros(1), wave)
    assert here[0] == pytest.approx(flux_of[0, 3] - 2.5 * np.log10(1 + on_knot[0]))
    assert (np.diff(at) > 0).all()
    # K-corrections in r of red galaxies at z = 0.3 are about 0.3 mag (I. Chilingarian 2010).
    red = apparent_less_absolute(np.full(1, 1.4), np.full(1, 0.3), np.zeros(1), wave)
    assert 0.15 < red[0] < 0.5
    mass = np.array([9.0, 10.5, 11.0])
    np.testing.assert_allclose(mass_of_abs_mag(abs_mag_of_mass(mass, gz), gz), mass)


def test_the_counts_go_through_what_was_counted():
    np.testing.assert_allclose(galaxy_counts([17.77, 19.5]), [92, 864])
    slope = np.diff(np.log10(galaxy_counts([16.0, 16.1, 22.0, 22.1])))[[0, 2]] * 10
    # Nearly Euclidean where bright (N. Yasuda et al. 2001), 0.3 to 0.5 where faint.
    assert 0.55 < slope[0] < 0.7
    assert 0.3 < slope[1] < 0.5
    with pytest.raises(InputError, match="known from r = 12 to 24"):
        galaxy_counts([25.0])


def test_field_galaxies_follow_the_counts(field):
    area = 2 * np.pi * (1 - np.cos(np.radians(1.0))) * (180 / np.pi) ** 2
    mean = area * np.diff(galaxy_counts([16.0, 22.0]))[0]
    assert abs(len(field) - mean) < 4 * np.sqrt(mean)
    assert field.meta.provenance["galaxies"]["expected"] == pytest.approx(mean)
    edges = np.arange(16.0, 22.01, 0.5)
    counted = np.histogram(field.magnitudes("r"), edges)[0]
    assert counted.sum() == len(field)
    expected = np.array([np.diff(galaxy_counts(list(pair)))[0] for pair in pairwise(edges)])
    assert chisquare(counted, expected * len(field) / expected.sum()).pvalue > 1e-4
    away = SkyCoord(150.0, 2.2, unit="deg").separation(
        SkyCoord(field["ra"], field["dec"], unit="deg")
    )
    assert away.max() <= 1.0 * u.deg


def test_field_galaxies_look_like_galaxies(field):
    assert set(field["sn"]) == {""}
    r = field.magnitudes("r")
    bright, faint = np.abs(r - 17.5) < 0.3, r > 21.5
    assert 0.07 < np.median(field["z"][bright]) < 0.13
    assert 0.3 < np.median(field["z"][faint]) < 0.55
    assert 9.0 < np.median(field["logmass"]) < 11.0
    # A galaxy of r = 17.5 has a half-light radius of 1.5 to 3 arcsec (SDSS).
    assert 1.0 < np.median(field["disk_radius_arcsec"][bright]) < 3.0
    assert 0.3 < np.median(field["disk_radius_arcsec"][faint]) < 1.0


def test_the_field_has_its_seed():
    one, two, other = (
        draw_galaxies(10.0, 5.0, 0.3, passbands=["ztfg"], seed=seed, ebv=0.1) for seed in (1, 1, 2)
    )
    assert one.table.equals(two.table)
    assert not np.isin(one["ra"], other["ra"]).any()


def test_bad_pairs_are_refused(sample):
    targets, truth = (one.select(np.arange(5)) for one in sample)
    with pytest.raises(InputError, match="same supernovae in the same order"):
        draw_hosts(targets, truth.select([1, 0, 2, 3, 4]), passbands=BANDS, seed=1)
    bare = truth.table.drop_columns(["host_logmass_true"])
    with pytest.raises(InputError, match="host_logmass_true, which is missing for 5 of 5"):
        draw_hosts(targets, type(truth)(table=bare), passbands=BANDS, seed=1)
    with pytest.raises(InputError, match="bright to faint"):
        draw_galaxies(1.0, 1.0, 1.0, passbands=BANDS, mag_range=(22.0, 16.0), seed=1)
