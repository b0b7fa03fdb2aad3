"""Counts and redshifts of a rate against astropy's volumes and scipy's quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, LambdaCDM, w0waCDM
from scipy.integrate import cumulative_simpson, quad
from scipy.stats import kstest

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.physics.distance import Cosmology
from chandelle.simulate.pieces import Population, supernova_keys
from chandelle.simulate.rate import (
    DEG2_OF_SKY,
    ConstantRate,
    PowerLawRate,
    RedshiftLaw,
    TabulatedRate,
    expected_count,
)

FLAT = FlatLambdaCDM(70, 0.3, Tcmb0=0)


def astropy_count(rate, cosmology, z_min, z_max, *, area_deg2=DEG2_OF_SKY, years=1.0):
    """The integral by outside codes; rate a plain function [Gpc^-3 yr^-1]."""

    def integrand(z):
        volume = cosmology.differential_comoving_volume(z).value
        return rate(z) / (1 + z) * volume * 1e-9

    total = quad(integrand, z_min, z_max, epsabs=0, epsrel=1e-10, limit=200)[0]
    return total * area_deg2 * (np.pi / 180) ** 2 * years


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Cosmology(Om=0.3), FLAT),
        (Cosmology(Om=0.3, H0=67.4), FlatLambdaCDM(67.4, 0.3, Tcmb0=0)),
        (Cosmology(Om=0.3, Ok=0.1), LambdaCDM(70, 0.3, 0.6, Tcmb0=0)),
        (Cosmology(Om=0.3, Ok=-0.1), LambdaCDM(70, 0.3, 0.8, Tcmb0=0)),
        (Cosmology(Om=0.3, w=-0.8, wa=0.3), w0waCDM(70, 0.3, 0.7, w0=-0.8, wa=0.3, Tcmb0=0)),
    ],
)
@pytest.mark.parametrize(
    ("rate", "plain"),
    [
        (ConstantRate(), lambda z: 2.35e4),
        (PowerLawRate(2.27e4, 1.7), lambda z: 2.27e4 * (1 + z) ** 1.7),
        (lambda z: 1e4 * jnp.exp(-z), lambda z: 1e4 * np.exp(-z)),
    ],
)
@pytest.mark.parametrize(("z_min", "z_max"), [(0.0, 0.1), (0.1, 1.2)])
def test_expected_count_is_the_integral_of_astropy(ours, theirs, rate, plain, z_min, z_max):
    found = expected_count(rate, ours, z_min=z_min, z_max=z_max, area_deg2=1000.0, years=2.5)
    expected = astropy_count(plain, theirs, z_min, z_max, area_deg2=1000.0, years=2.5)
    # Two constants c, 299792.458 km/s both, and two quadratures.
    assert found == pytest.approx(expected, rel=1e-8)


def test_a_rate_of_numpy_or_a_number_will_do():
    cosmology = Cosmology(Om=0.3)
    one = expected_count(ConstantRate(1e4), cosmology, z_max=0.5)
    assert expected_count(lambda z: 1e4, cosmology, z_max=0.5) == pytest.approx(one, rel=1e-14)
    assert expected_count(
        lambda z: np.full(np.shape(z), 1e4), cosmology, z_max=0.5
    ) == pytest.approx(one, rel=1e-14)


@pytest.mark.parametrize(
    ("rate", "slope", "z_min", "z_max"),
    [(ConstantRate(), 0.0, 0.0, 0.1), (PowerLawRate(2e4, 2.0), 2.0, 0.05, 1.5)],
)
def test_redshifts_follow_volume_and_rate(rate, slope, z_min, z_max):
    n = 1_000_000
    law = RedshiftLaw.of(rate, Cosmology(Om=0.3), z_min=z_min, z_max=z_max)
    keys = supernova_keys(key_for(5, "redshifts"), np.arange(n))
    drawn = Population(z=law).draw(keys)["z"]
    z = np.linspace(z_min, z_max, 4001)
    density = FLAT.differential_comoving_volume(z).value * (1 + z) ** (slope - 1)
    cumulative = cumulative_simpson(density, x=z, initial=0)
    test = kstest(drawn, lambda x: np.interp(x, z, cumulative / cumulative[-1]))
    assert test.pvalue > 1e-4
    assert drawn.min() >= z_min
    assert drawn.max() <= z_max


def test_quantiles_are_those_of_the_exact_cumulative():
    law = RedshiftLaw.of(PowerLawRate(), Cosmology(Om=0.3), z_max=1.0)
    shares = np.array([1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999])
    z = np.asarray(jax.vmap(law.quantile)(jnp.asarray(shares)))
    total = astropy_count(lambda z: (1 + z) ** 1.7, FLAT, 0.0, 1.0)
    found = [astropy_count(lambda z: (1 + z) ** 1.7, FLAT, 0.0, each) / total for each in z]
    assert np.abs(found / shares - 1).max() < 1e-4
    assert np.abs(found - shares).max() < 1e-8


def test_redshifts_of_a_table_that_ends_where_asked():
    rate = TabulatedRate(np.array([0.0, 0.5, 1.0]), np.array([1e4, 2e4, 0.0]))
    law = RedshiftLaw.of(rate, Cosmology(Om=0.3), z_max=1.0)
    assert np.isfinite(np.asarray(law.density)).all()


@pytest.mark.parametrize(
    ("rate", "z_min", "z_max", "message"),
    [
        (ConstantRate(-1.0), 0.0, 1.0, "negative"),
        (lambda z: jnp.where(z > 0.5, jnp.nan, 1.0), 0.0, 1.0, r"not finite for z in \[0.5"),
        (TabulatedRate(np.array([0.0, 1.0]), np.ones(2)), 0.0, 2.0, "keep z_min and z_max within"),
        (lambda z: jnp.zeros_like(z), 0.0, 1.0, "zero everywhere"),
        (lambda z: 1e4 / (z * 0.0), 0.0, 1.0, "not finite"),
        (ConstantRate(), 0.1, 0.1, "z_min < z_max"),
        (ConstantRate(), -0.1, 0.1, "0 <= z_min"),
        (ConstantRate(), 0.0, np.inf, "z_max"),
    ],
)
def test_impossible_rates_are_refused(rate, z_min, z_max, message):
    with pytest.raises(InputError, match=message):
        expected_count(rate, Cosmology(Om=0.3), z_min=z_min, z_max=z_max)
    with pytest.raises(InputError, match=message):
        RedshiftLaw.of(rate, Cosmology(Om=0.3), z_min=z_min, z_max=z_max)


@pytest.mark.parametrize(("area", "years"), [(0.0, 1.0), (5e4, 1.0), (100.0, 0.0)])
def test_no_sky_or_no_time_is_refused(area, years):
    with pytest.raises(InputError, match="area_deg2"):
        expected_count(ConstantRate(), Cosmology(Om=0.3), z_max=0.1, area_deg2=area, years=years)


def test_a_table_out_of_order_is_refused():
    with pytest.raises(InputError, match="increasing"):
        TabulatedRate(np.array([0.0, 1.0, 0.5]), np.ones(3))
