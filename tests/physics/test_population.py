"""Tripp relation, host step and the closed-form marginal likelihood against brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.rng import key_for
from chandelle.physics.population import Population, population_terms
from chandelle.physics.sample import (
    Cut,
    SaltCuts,
    reject_reasons,
    salt_sample,
    select_fits,
)
from chandelle.physics.standardization import (
    Tripp,
    high_mass_probability,
    redshift_variance,
    tripp_modulus,
    tripp_variance,
)
from chandelle.simulate.saltfits import simulate_salt_fits

TRIPP = Tripp(alpha=0.15, beta=3.1, gamma=0.2, M=0.0)
POPULATION = Population(x1_mean=-0.2, x1_sigma=0.9, c_mean=0.01, c_sigma=0.08, sigma_int=0.12)
CUTS = SaltCuts(x1_max=3.0, c_min=-0.3, c_max=0.3)


@pytest.fixture(scope="module")
def fits():
    return simulate_salt_fits(np.linspace(0.02, 0.8, 60), key=key_for(1, "population"))


@pytest.fixture(scope="module")
def sample(fits):
    return salt_sample(fits, CUTS, sigma_v_km_s=250.0, lensing=0.055)


def brute_force(sample, i: int, mu: float) -> float:
    """Integrate p(mb, x1, c | true) p(true) over true x1 and c by quadrature.

    An unsure host counts as a Gaussian scatter of variance gamma^2 p (1 - p), as the model says.
    """
    y = np.array([sample.mb[i], sample.x1[i], sample.c[i]])
    p = float(sample.p_high[i])
    covariance = np.array(sample.covariance[i])
    covariance[0, 0] += 0.12**2 + 0.2**2 * p * (1 - p) + float(sample.extra_variance[i])
    noise = stats.multivariate_normal(cov=covariance)

    def integrand(c: float, x1: float) -> float:
        mb = mu - 0.15 * x1 + 3.1 * c - 0.2 * (p - 0.5)
        prior = stats.norm.pdf(x1, -0.2, 0.9) * stats.norm.pdf(c, 0.01, 0.08)
        return float(noise.pdf(y - np.array([mb, x1, c]))) * prior

    nodes, weights = np.polynomial.legendre.leggauss(80)
    width_x1, width_c = 8 * np.sqrt(covariance[1, 1]), 8 * np.sqrt(covariance[2, 2])
    total = 0.0
    for u, weight in zip(nodes, weights, strict=True):
        x1 = y[1] + width_x1 * u
        inner = [integrand(y[2] + width_c * v, x1) for v in nodes]
        total += weight * width_x1 * width_c * float(np.dot(weights, inner))
    return np.log(total)


def test_marginal_likelihood_is_the_integral_over_true_stretch_and_color(sample):
    for i in (0, 30, 59):
        one = jax.tree.map(lambda x, i=i: x[i : i + 1], sample)
        wide = Cut.of(np.array([0.01]), -1e3, 1e3)
        one = type(sample)(
            **{**vars(one), "x1_cut": wide, "c_cut": wide},
        )
        mu = float(sample.mb[i]) + 0.3
        terms = population_terms(one, jnp.asarray([mu]), tripp=TRIPP, population=POPULATION)
        ours = terms.log_observed + stats.norm.logpdf(
            terms.residual[0], scale=np.sqrt(terms.variance[0])
        )
        assert float(ours) == pytest.approx(brute_force(sample, i, mu), abs=1e-8)


def test_normalization_over_the_cuts_is_that_of_each_supernova(sample):
    open_cuts = SaltCuts(x1_max=1e3, c_min=-1e3, c_max=1e3)
    cut, whole = (salt_sample_like(sample, cuts) for cuts in (CUTS, open_cuts))
    mu = sample.mb + 19.3
    ours = [
        float(population_terms(s, mu, tripp=TRIPP, population=POPULATION).log_observed)
        for s in (cut, whole)
    ]
    sigma_x1 = np.sqrt(np.asarray(sample.covariance[:, 1, 1]) + 0.9**2)
    sigma_c = np.sqrt(np.asarray(sample.covariance[:, 2, 2]) + 0.08**2)
    inside_x1 = stats.norm.cdf(3.2 / sigma_x1) - stats.norm.cdf(-2.8 / sigma_x1)
    inside_c = stats.norm.cdf(0.29 / sigma_c) - stats.norm.cdf(-0.31 / sigma_c)
    expected = -np.log(inside_x1).sum() - np.log(inside_c).sum()
    assert expected > 0.05
    assert ours[0] - ours[1] == pytest.approx(expected, rel=1e-7)


def salt_sample_like(sample, cuts: SaltCuts):
    x1 = Cut.of(np.asarray(sample.covariance[:, 1, 1]), -cuts.x1_max, cuts.x1_max)
    c = Cut.of(np.asarray(sample.covariance[:, 2, 2]), cuts.c_min, cuts.c_max)
    return type(sample)(**{**vars(sample), "x1_cut": x1, "c_cut": c})


def test_tripp_modulus_recovers_the_simulated_distance_without_noise():
    fits = simulate_salt_fits(
        np.linspace(0.05, 0.5, 400), key=key_for(2, "tripp"), lensing=0.0, sigma_v_km_s=0.0
    )
    one = jnp.asarray([1.0, 0.0])
    mu = tripp_modulus(20 * one, one, 0.1 * one, one, tripp=Tripp(0.15, 3.1, 0.1, -19.3))
    np.testing.assert_allclose(mu[0], 20 + 19.3 + 0.15 - 0.31 + 0.05, atol=1e-12)
    true_c = jnp.asarray(fits["c_true"])
    truth = tripp_modulus(
        jnp.asarray(fits["mb_true"]),
        jnp.asarray(fits["x1_true"]),
        true_c,
        jnp.full_like(true_c, 0.5),
        tripp=Tripp(0.15, 3.1, 0.1, -19.3),
    )
    # The host step (0.05 either way) and sigma_int (0.1) are left: 5 sigma of the mean of 400.
    residual = np.asarray(truth) - fits["mu_true"]
    assert abs(residual.mean()) < 5 * np.hypot(0.05, 0.1) / 20
    assert residual.std() == pytest.approx(np.hypot(0.05, 0.1), rel=5 / np.sqrt(800))


def test_tripp_variance_is_the_quadratic_form(sample):
    t = np.array([1, 0.15, -3.1])
    p = np.asarray(sample.p_high)
    expected = [t @ c @ t for c in np.asarray(sample.covariance)] + 0.04 * p * (1 - p)
    np.testing.assert_allclose(
        tripp_variance(sample.covariance, sample.p_high, tripp=TRIPP), expected, rtol=1e-12
    )


def test_host_probability():
    mass, err = jnp.asarray([10.3, 9.0, jnp.nan, 11.0]), jnp.asarray([0.3, jnp.nan, 0.1, 0.0])
    np.testing.assert_allclose(
        high_mass_probability(mass, err), [stats.norm.cdf(1), 0.0, 0.5, 1.0], rtol=1e-12
    )


def test_redshift_variance_is_the_peculiar_velocity_at_low_z():
    z = jnp.asarray([0.02])
    sigma = np.sqrt(redshift_variance(z, jnp.asarray([jnp.nan]), sigma_v=1e-3, lensing=0.055))
    assert float(sigma[0]) == pytest.approx(5 / np.log(10) * 1e-3 / 0.02, rel=0.04)


def test_a_uniform_sum_over_variances_is_a_sum_over_nodes():
    variance = np.random.default_rng(0).uniform(0.01, 2.0, 500)
    cut = Cut.of(variance, -1.0, 1.0)
    ours = cut.weight @ jnp.log1p(cut.variance)
    assert float(ours) == pytest.approx(np.log1p(variance).sum(), rel=1e-9)
    assert float(Cut.of(np.full(7, 0.5), -1.0, 1.0).weight.sum()) == pytest.approx(7)


def spoil(fits, **changes):
    columns = {name: fits[name].copy() for name in fits.table.column_names}
    for i, (name, value) in enumerate(changes.items()):
        columns[name][i] = value
    return type(fits).from_columns(columns, meta=fits.meta)


def test_every_rejected_fit_has_its_reason(fits):
    bad = spoil(
        fits,
        status="no_data",
        mb=np.nan,
        cov_mb_c=1.0,
        flags=int(Flag.AT_BOUND),
        z_hd=0.001,
        x1=4.0,
        c=-0.4,
        x1_err=1.9,
        c_err=0.5,
    )
    reasons = reject_reasons(bad, SaltCuts())[:9].tolist()
    expected = "no_data|not finite|covariance not positive|flag|z|x1|c|x1_err|c_err"
    assert reasons == expected.split("|")
    kept, rejected = select_fits(bad, SaltCuts())
    assert len(kept) + sum(rejected.values()) == len(bad)
    assert rejected["x1_err"] == 1


def test_chi2_flag_rejects_only_when_asked(fits):
    bad = spoil(fits, flags=int(Flag.CHI2_BAD))
    assert reject_reasons(bad, SaltCuts())[0] == ""
    assert reject_reasons(bad, SaltCuts(drop_bad_chi2=True))[0] == "flag"


def test_too_few_and_doubled_names_are_refused(fits):
    with pytest.raises(InputError, match="are needed"):
        select_fits(fits, SaltCuts(x1_max=1e-3))
    columns = {name: fits[name].copy() for name in fits.table.column_names}
    columns["sn"][:] = "same"
    with pytest.raises(InputError, match="comes"):
        select_fits(type(fits).from_columns(columns), SaltCuts())


def test_marginal_of_one_supernova_is_normalized(sample):
    """The density of mb given x1, c integrates to one over mb."""
    one = jax.tree.map(lambda x: x[:1], sample)
    one = type(sample)(**{**vars(one), "x1_cut": sample.x1_cut, "c_cut": sample.c_cut})

    def density(mb: float) -> float:
        moved = type(sample)(**{**vars(one), "mb": jnp.asarray([mb])})
        terms = population_terms(moved, jnp.asarray([35.0]), tripp=TRIPP, population=POPULATION)
        return stats.norm.pdf(float(terms.residual[0]), scale=float(terms.variance[0]) ** 0.5)

    total, _ = integrate.quad(density, 33, 37, epsabs=1e-8)
    assert total == pytest.approx(1, abs=1e-6)
