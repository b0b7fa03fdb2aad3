"""The default population: moments by hand, its terms, and the default's options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.cosmology import FlatLambdaCDM
from scipy.stats import exponnorm, kstest, norm

from chandelle.core.rng import key_for
from chandelle.core.units import C_KM_S
from chandelle.physics.distance import Cosmology
from chandelle.simulate.brightness import BrokenStretch, LinearStretch, MassStep
from chandelle.simulate.chromatic import (
    C11_COVARIANCE,
    SCATTER_NODES,
    SCATTER_WAVES,
    scatter_curve,
)
from chandelle.simulate.contaminants import CLASSES, ContaminantMagnitude
from chandelle.simulate.pieces import supernova_keys
from chandelle.simulate.sightline import (
    DistanceModulus,
    GaussianLensing,
    MappedDust,
    SkewedLensing,
)
from chandelle.simulate.supernovae import supernova_population

N = 100_000


def draw(z, population=None, n=N):
    rng = np.random.default_rng(8)
    given = {
        "z": np.broadcast_to(z, n).astype(float),
        "ra": rng.uniform(0, 360, n),
        "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
    }
    population = supernova_population() if population is None else population
    population = population.with_pieces(mu=DistanceModulus(Cosmology(Om=0.3)))
    return population.draw(supernova_keys(key_for(2, "default"), np.arange(n)), given=given)


@pytest.fixture(scope="module")
def low():
    return draw(0.05)


def is_mean(values, mean, sigma):
    return abs(values.mean() - mean) < 5 * sigma / np.sqrt(len(values))


@pytest.mark.parametrize("z", [0.05, 1.0])
def test_stretch_drifts_with_the_young_fraction(z):
    """Nicolas et al. 2021, eqs. 1-3, written out again."""
    drawn = draw(z)
    young = 1 / (1 / (0.87 * (1 + z) ** 2.8) + 1)
    assert is_mean(drawn["young"], young, np.sqrt(young * (1 - young)))
    w = young + (1 - young) * 0.51
    mean = w * 0.37 + (1 - w) * -1.22
    second = w * (0.61**2 + 0.37**2) + (1 - w) * (0.56**2 + 1.22**2)
    sigma = np.sqrt(second - mean**2)
    x1 = drawn["x1"]
    assert is_mean(x1, mean, sigma)
    kurtosis = np.mean((x1 - mean) ** 4) / sigma**4
    assert abs(x1.std() / sigma - 1) < 5 * np.sqrt((kurtosis - 1) / 4 / N)

    def cdf(x):
        return w * norm.cdf(x, 0.37, 0.61) + (1 - w) * norm.cdf(x, -1.22, 0.56)

    assert kstest(x1, cdf).pvalue > 1e-4
    is_young = drawn["young"] > 0.5
    assert kstest(x1[is_young], norm(0.37, 0.61).cdf).pvalue > 1e-4


def test_color_is_a_gaussian_and_dust(low):
    c = low["c"]
    assert kstest(c, exponnorm(0.14 / 0.05, loc=-0.075, scale=0.05).cdf).pvalue > 1e-4
    assert is_mean(c, -0.075 + 0.14, np.hypot(0.05, 0.14))
    assert abs(c.var() / (0.05**2 + 0.14**2) - 1) < 5 * np.sqrt(8 / N)
    for name in ("x1", "young", "vpec", "gray_mag", "mwebv", "host_logmass"):
        assert abs(np.corrcoef(c, low[name])[0, 1]) < 5 / np.sqrt(N)


@pytest.mark.parametrize(("low_alpha", "high_alpha", "at"), [(0.27, 0.08, -0.48), (0.3, 0.1, 0.5)])
def test_the_law_of_stretch_is_broken(low_alpha, high_alpha, at):
    law = BrokenStretch(low_alpha, high_alpha, at)
    x1 = np.linspace(-3, 3, 601)
    found = np.asarray(jax.vmap(law)(jnp.asarray(x1)))
    slope = np.diff(found) / np.diff(x1)
    middle = 0.5 * (x1[1:] + x1[:-1])
    away = np.abs(middle - at) > 0.011
    np.testing.assert_allclose(
        slope[away], np.where(middle < at, -low_alpha, -high_alpha)[away], rtol=1e-9
    )
    assert np.abs(np.diff(found)).max() < 0.01 * 0.31
    zero = float(law(jnp.asarray(0.0)))
    assert zero == pytest.approx(0.0 if at < 0 else (low_alpha - high_alpha) * at, abs=1e-12)


def test_magnitudes_are_the_sum_of_their_terms(low):
    z = low["z"]
    broken = np.where(low["x1"] > -0.48, -0.08 * low["x1"], 0.08 * 0.48 - 0.27 * (low["x1"] + 0.48))
    step = np.where(low["young"] > 0.5, 0.0825, -0.0825)
    rest = low["mb"] - low["mu"] + 19.3 - broken - 3.27 * low["c"] - step
    pull = rest / np.hypot(0.1, 0.055 * z)
    assert kstest(pull, "norm").pvalue > 1e-4
    np.testing.assert_allclose(low["gray_mag"] + low["lensing_mag"], rest, atol=1e-12)
    # Standardized by hand, young surroundings are fainter by the step.
    difference = (rest + step)[low["young"] > 0.5].mean() - (rest + step)[low["young"] < 0.5].mean()
    assert abs(difference - 0.165) < 5 * 0.1 * np.sqrt(4 / N)


def test_the_linear_law_and_the_step_in_mass():
    population = supernova_population(stretch_mag=LinearStretch(0.14), step_mag=MassStep(0.1))
    drawn = draw(0.05, population, n=2000)
    expected = -0.14 * drawn["x1"] - np.where(drawn["host_logmass"] > 10, 0.05, -0.05)
    np.testing.assert_allclose(drawn["stretch_mag"] + drawn["step_mag"], expected, atol=1e-12)


def test_distances_are_those_of_astropy():
    z = np.random.default_rng(1).uniform(0.01, 1.2, 2000)
    drawn = draw(z, n=2000)
    cosmology = FlatLambdaCDM(70, 0.3, Tcmb0=0)
    at_rest = cosmology.distmod(z).value - 5 * np.log10(1 + z)
    mu = at_rest + 5 * np.log10(1 + drawn["z_hel"])
    assert np.abs(drawn["mu"] - mu).max() < 1e-6


def test_redshifts_move_with_source_and_sun(low):
    np.testing.assert_allclose(1 + low["z_cmb"], (1 + 0.05) * (1 + low["vpec"] / C_KM_S))
    assert is_mean(low["vpec"], 0.0, 250.0)
    assert abs(low["vpec"].std() / 250 - 1) < 5 / np.sqrt(2 * N)
    # The dipole of Planck 2018 in galactic coordinates.
    apex = SkyCoord(l=264.021, b=48.253, unit="deg", frame="galactic").icrs
    cosine = np.cos(apex.separation(SkyCoord(low["ra"], low["dec"], unit="deg")).rad)
    expected = (1 + low["z_cmb"]) * (1 - 369.82 * cosine / C_KM_S) - 1
    assert np.abs(low["z_hel"] - expected).max() < 1e-8


@pytest.mark.parametrize(
    ("piece", "skewness"), [(GaussianLensing(), 0.0), (SkewedLensing(0.055, 0.5), -1.750)]
)
def test_lensing(piece, skewness):
    drawn = draw(np.linspace(0.1, 1.0, N), supernova_population(lensing_mag=piece))
    unit = drawn["lensing_mag"] / (0.055 * drawn["z"])
    assert is_mean(unit, 0.0, 1.0)
    fourth = np.mean(unit**4)
    assert abs(unit.std() - 1) < 5 * np.sqrt((fourth - 1) / 4 / N)
    # Error of a third moment from the sixth.
    third = np.mean(unit**3)
    assert abs(third - skewness) < 5 * np.sqrt((np.mean(unit**6) - third**2) / N)


def test_dust_of_the_milky_way(low):
    mwebv = low["mwebv"]
    assert mwebv.min() >= 0.01
    assert mwebv.max() <= 0.15

    def cdf(x):
        return -np.expm1(-(x - 0.01) / 0.04) / -np.expm1(-0.14 / 0.04)

    assert kstest(mwebv, cdf).pvalue > 1e-4


def test_dust_from_a_map():
    def ebv(ra, dec):
        b = SkyCoord(np.ravel(ra), np.ravel(dec), unit="deg").galactic.b.rad
        return (0.02 / np.maximum(np.abs(np.sin(b)), 0.05)).reshape(np.shape(ra))

    drawn = draw(0.05, supernova_population(mwebv=MappedDust(ebv)), n=500)
    np.testing.assert_allclose(drawn["mwebv"], ebv(drawn["ra"], drawn["dec"]))
    jax_map = supernova_population(mwebv=lambda ra, dec: 0.05 + 0.001 * jnp.abs(dec))
    np.testing.assert_allclose(
        draw(0.05, jax_map, n=50)["mwebv"], 0.05 + 0.001 * np.abs(drawn["dec"][:50]), atol=0.1
    )


def test_surroundings_shape_hosts(low):
    is_young = low["young"] > 0.5
    for name, young, old, sigma in (
        ("host_logmass", 9.5, 10.5, 0.7),
        ("local_color", 0.7, 1.3, 0.25),
    ):
        assert kstest(low[name][is_young], norm(young, sigma).cdf).pvalue > 1e-4
        assert kstest(low[name][~is_young], norm(old, sigma).cdf).pvalue > 1e-4
    for name in ("host_logmass", "local_color"):
        pull = (low[f"{name}_obs"] - low[name]) / low[f"{name}_err"]
        assert kstest(pull, "norm").pvalue > 1e-4


def test_outliers():
    drawn = draw(0.05, supernova_population(outlier_fraction=0.05))
    is_outlier = drawn["outlier"] > 0.5
    assert abs(is_outlier.mean() - 0.05) < 5 * np.sqrt(0.05 * 0.95 / N)
    assert kstest(drawn["gray_mag"][is_outlier], "norm").pvalue > 1e-4
    assert kstest(drawn["gray_mag"][~is_outlier] / 0.1, "norm").pvalue > 1e-4


def test_chromatic_scatter_has_its_covariance():
    drawn = draw(0.05, supernova_population(chromatic=True))
    nodes = np.stack([drawn[name] for name in SCATTER_NODES])
    exact = np.asarray(C11_COVARIANCE)
    scale = np.sqrt((np.outer(np.diag(exact), np.diag(exact)) + exact**2) / N)
    assert np.all(np.abs(np.cov(nodes) - exact) < 5 * scale)
    at_nodes = scatter_curve(jnp.asarray(SCATTER_WAVES), jnp.asarray(nodes[:, 0]))
    np.testing.assert_allclose(at_nodes, nodes[:, 0], atol=1e-15)
    wave = np.linspace(2000, 10000, 8001)
    curve = np.asarray(scatter_curve(jnp.asarray(wave), jnp.asarray(nodes[:, 0])))
    assert np.abs(np.diff(curve, 2)).max() < 1e-5  # No kink: its slope is zero at every node.


def test_contaminants_leave_the_others_as_they_were(low):
    drawn = draw(0.05, supernova_population(contaminant_fraction=0.3))
    kind = drawn["kind"].astype(int)
    is_ia = kind == 0
    assert abs(is_ia.mean() - 0.7) < 5 * np.sqrt(0.21 / N)
    shares = np.array([0.649, 0.109, 0.047, 0.108, 0.075, 0.011])
    expected = 0.3 * shares / shares.sum()
    found = np.bincount(kind, minlength=len(CLASSES))[1:] / N
    assert np.all(np.abs(found - expected) < 5 * np.sqrt(expected / N))
    for name in set(low) - {"abs_mag", "mb"}:
        np.testing.assert_array_equal(drawn[name], low[name], err_msg=name)
    np.testing.assert_array_equal(drawn["mb"][is_ia], low["mb"][is_ia])
    magnitudes = ContaminantMagnitude()
    for i in (1, 2, 4):
        law = norm(float(magnitudes.means[i - 1]), float(magnitudes.sigmas[i - 1]))
        assert kstest(drawn["abs_mag"][kind == i], law.cdf).pvalue > 1e-4
