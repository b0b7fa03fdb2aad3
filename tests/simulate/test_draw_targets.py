"""Targets and truth: their number against the integral of astropy, their tables, their seeds."""

import jax.numpy as jnp
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from scipy.integrate import cumulative_simpson, quad
from scipy.stats import kstest

from chandelle.core.errors import InputError
from chandelle.products.targets import Targets
from chandelle.simulate.draw_targets import draw_targets
from chandelle.simulate.footprint import Rectangle, cones, whole_sky
from chandelle.simulate.rate import ConstantRate, PowerLawRate
from chandelle.simulate.supernovae import supernova_population
from chandelle.simulate.truth import Truth

FLAT = FlatLambdaCDM(70, 0.3, Tcmb0=0)
SPHERE = 4 * np.pi
CONE = cones(30.0, -5.0, radius_deg=6.0)


def expected(rate, z_min, z_max, steradian, years):
    def integrand(z):
        return rate(z) / (1 + z) * FLAT.differential_comoving_volume(z).value * 1e-9

    return steradian * years * quad(integrand, z_min, z_max, epsrel=1e-10)[0]


@pytest.mark.parametrize(
    ("rate", "plain"),
    [
        (ConstantRate(), lambda z: 2.35e4),
        (PowerLawRate(2.27e4, 1.7), lambda z: 2.27e4 * (1 + z) ** 1.7),
    ],
)
@pytest.mark.parametrize(
    ("footprint", "steradian", "z_min", "z_max", "years"),
    [
        (None, SPHERE, 0.0, 0.1, 12.0),
        (
            Rectangle(100.0, 220.0, -20.0, 40.0),
            np.radians(120) * (np.sin(np.radians(40)) + np.sin(np.radians(20))),
            0.05,
            0.2,
            6.0,
        ),
        (CONE, 2 * np.pi * (1 - np.cos(np.radians(6.0))), 0.1, 1.0, 4.0),
    ],
)
def test_counts_are_those_of_the_integral(rate, plain, footprint, steradian, z_min, z_max, years):
    targets, truth = draw_targets(
        rate=rate, footprint=footprint, z_min=z_min, z_max=z_max, years=years, seed=4
    )
    mean = expected(plain, z_min, z_max, steradian, years)
    assert mean > 20_000
    assert abs(len(targets) - mean) < 4 * np.sqrt(mean)
    assert truth.meta.provenance["targets"]["expected"] == pytest.approx(mean, rel=1e-6)
    where = whole_sky() if footprint is None else footprint
    inside = where.contains(jnp.asarray(targets["ra"]), jnp.asarray(targets["dec"]))
    assert np.asarray(inside).all()
    z = truth["z_cos_true"]
    assert z_min <= z.min() < z.max() <= z_max


@pytest.mark.slow
def test_the_number_is_poisson():
    """40 seeds of a mean of 33.57: chi2 of the counts about their mean, 4 standard errors."""
    counts = [len(draw_targets(z_max=0.1, years=0.005, seed=seed)[0]) for seed in range(40)]
    mean = expected(lambda z: 2.35e4, 0.0, 0.1, SPHERE, 0.005)
    assert abs(np.mean(counts) - mean) < 4 * np.sqrt(mean / 40)
    chi2 = np.sum((np.array(counts) - mean) ** 2) / mean
    assert abs(chi2 - 40) < 4 * np.sqrt(40 * (2 + 1 / mean))


@pytest.fixture(scope="module")
def drawn():
    return draw_targets(
        n=30_000, z_min=0.02, z_max=0.3, rate=PowerLawRate(), years=2.0, mjd_start=58000.0, seed=9
    )


def test_redshifts_positions_times(drawn):
    targets, truth = drawn
    z = np.linspace(0.02, 0.3, 2001)
    density = FLAT.differential_comoving_volume(z).value * (1 + z) ** 0.7
    cumulative = cumulative_simpson(density, x=z, initial=0)
    law = kstest(truth["z_cos_true"], lambda x: np.interp(x, z, cumulative / cumulative[-1]))
    assert law.pvalue > 1e-4
    assert kstest((truth["t0_true"] - 58000.0) / 730.5, "uniform").pvalue > 1e-4
    assert kstest(targets["ra"] / 360, "uniform").pvalue > 1e-4
    sine = np.sin(np.radians(targets["dec"]))
    assert kstest(0.5 * (sine + 1), "uniform").pvalue > 1e-4


def test_tables_hold_what_was_drawn(drawn):
    targets, truth = drawn
    assert targets["sn"][:2].tolist() == ["SN000000", "SN000001"]
    assert targets["sn"].tolist() == truth["sn"].tolist()
    assert set(targets["class"]) == {"SN Ia"}
    np.testing.assert_allclose(
        truth["mb_true"],
        truth["mu_true"] + truth["abs_mag_true"] + truth["lensing_mag_true"],
        atol=1e-12,
    )
    x0_magnitude = truth["mb_true"] + 2.5 * np.log10(truth["x0_true"])
    np.testing.assert_allclose(x0_magnitude, 10.5114, atol=1e-4)
    pull = (targets["host_logmass"] - truth["host_logmass_true"]) / targets["host_logmass_err"]
    assert kstest(pull, "norm").pvalue > 1e-4
    mu = FLAT.distmod(truth["z_cos_true"]).value
    mu += 5 * np.log10((1 + targets["z_hel"]) / (1 + truth["z_cos_true"]))
    assert np.abs(truth["mu_true"] - mu).max() < 1e-6
    for table in drawn:
        for name in table.to_arrow().column_names:
            values = table[name]
            if values.dtype.kind == "f" and name != "vpec":
                assert np.isfinite(values).all(), name
    assert truth.meta.provenance["population"]["color_mag"]["beta"] == 3.27


def same(one, other):
    assert one.table.column_names == other.table.column_names
    for name in one.table.column_names:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_files_come_back(drawn, tmp_path):
    for product, kind in zip(drawn, (Targets, Truth), strict=True):
        path = tmp_path / f"{kind.__name__}.parquet"
        product.write(path)
        again = kind.read(path)
        same(again, product)
        assert again.meta.origin == "simulated"


def test_the_first_are_the_same_however_many(drawn):
    few = draw_targets(
        n=50, z_min=0.02, z_max=0.3, rate=PowerLawRate(), years=2.0, mjd_start=58000.0, seed=9
    )
    for part, whole in zip(few, drawn, strict=True):
        same(part, whole.select(np.arange(50)))
    other = draw_targets(n=50, z_max=0.3, seed=10)[1]
    assert not np.any(other["x1_true"] == few[1]["x1_true"])


def test_a_user_s_own_quantity_reaches_the_truth():
    population = supernova_population(
        step_mag=lambda host_age: 0.01 * host_age, host_age=lambda young: 5.0 - 4.0 * young
    )
    truth = draw_targets(population, n=20, z_max=0.1)[1]
    assert set(truth["host_age_true"]) == {1.0, 5.0}
    np.testing.assert_allclose(truth["step_mag_true"], 0.01 * truth["host_age_true"])


def test_a_population_s_own_redshifts_stay():
    population = supernova_population(z=lambda: jnp.asarray(0.07))
    truth = draw_targets(population, n=5, z_max=0.1)[1]
    assert set(truth["z_cos_true"]) == {0.07}


def test_contaminants_have_their_class_and_no_stretch():
    population = supernova_population(contaminant_fraction=0.5)
    targets, truth = draw_targets(population, n=2000, z_max=0.1)
    is_ia = targets["class"] == "SN Ia"
    assert 0.4 < is_ia.mean() < 0.6
    assert set(targets["class"][~is_ia]) > {"SN II", "SN Ib", "SN Ic", "SN IIb"}
    assert truth["class"].tolist() == targets["class"].tolist()
    for name in ("x0_true", "x1_true", "c_true"):
        np.testing.assert_array_equal(np.isfinite(truth[name]), is_ia)
    assert np.isfinite(truth["mb_true"]).all()


def test_none_is_a_number_too():
    targets, truth = draw_targets(n=0, z_max=0.1)
    assert len(targets) == len(truth) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1, "z_max": 0.1}, "n must be >= 0"),
        ({"z_max": -0.1}, "z_min < z_max"),
        ({"z_max": 0.1, "years": 0.0}, "years"),
        ({"z_max": 0.1, "rate": ConstantRate(-1.0)}, "negative"),
    ],
)
def test_impossible_surveys_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        draw_targets(footprint=whole_sky(), **arguments)


def test_a_population_without_dust_is_refused():
    population = supernova_population().without("mwebv")
    with pytest.raises(InputError, match="targets need mwebv"):
        draw_targets(population, n=3, z_max=0.1)
