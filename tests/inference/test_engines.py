"""Engines on problems with a known answer: a Gaussian, a bound, a bad chain."""

import time

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.inference.diagnostics import diagnose
from chandelle.inference.linear import marginalize_linear
from chandelle.inference.maximize import maximize
from chandelle.inference.nuts import sample_nuts
from chandelle.inference.problem import Parameter, Problem

MEAN = np.array([0.4, -0.3])
COVARIANCE = np.array([[0.04, 0.018], [0.018, 0.01]])


class Gaussian(eqx.Module):
    """A correlated Gaussian of (a, b)."""

    mean: jnp.ndarray
    precision: jnp.ndarray

    def __call__(self, values):
        r = jnp.stack([values["a"], values["b"]]) - self.mean
        return -0.5 * r @ self.precision @ r


class Ramp(eqx.Module):
    """A likelihood highest at the lower bound of a."""

    slope: jnp.ndarray

    def __call__(self, values):
        return -self.slope * values["a"] - 50.0 * (values["b"] - 0.2) ** 2


def parameters(width: float) -> tuple[Parameter, ...]:
    return tuple(Parameter(name=name, lower=-width, upper=width, start=0.1) for name in ("a", "b"))


def gaussian(mean=MEAN) -> Problem:
    precision = jnp.asarray(np.linalg.inv(COVARIANCE))
    return Problem(parameters(5.0), Gaussian(jnp.asarray(mean), precision))


@pytest.fixture(scope="module")
def draws():
    problem = gaussian()
    center = maximize(problem, target="density")
    return sample_nuts(problem, center, key=key_for(1, "nuts"), n_warmup=200, n_draws=1000)


def test_maximum_and_covariance_of_a_gaussian():
    best = maximize(gaussian())
    assert best.status == "ok"
    np.testing.assert_allclose([best.values["a"], best.values["b"]], MEAN, atol=1e-6)
    np.testing.assert_allclose(best.covariance, COVARIANCE, rtol=1e-5)
    assert best.value == pytest.approx(0, abs=1e-9)


def test_maximum_at_a_bound_says_so():
    problem = Problem(
        (
            Parameter(name="a", lower=0.0, upper=1.0, start=0.5),
            Parameter(name="b", lower=-1.0, upper=1.0, start=0.0),
        ),
        Ramp(jnp.asarray(200.0)),
    )
    best = maximize(problem)
    assert best.status == "at bound"
    assert best.reason.startswith("a ")
    assert best.values["a"] < 1e-5
    assert best.covariance[0, 0] == 0
    assert best.covariance[1, 1] == pytest.approx(0.01, rel=1e-4)


class Nowhere(eqx.Module):
    """A likelihood that is never a number."""

    def __call__(self, values):
        return jnp.nan * values["a"]


def test_a_likelihood_without_a_number_is_not_converged():
    best = maximize(Problem(parameters(1.0), Nowhere()))
    assert best.status == "not converged"
    assert "not finite" in best.reason


def test_nuts_draws_have_the_moments_of_the_gaussian(draws):
    diagnosis = diagnose(draws.values, draws.sample_stats["diverging"])
    assert diagnosis.status == "ok", diagnosis.reason
    for i, name in enumerate(("a", "b")):
        sd, ess = np.sqrt(COVARIANCE[i, i]), diagnosis.ess_bulk[name]
        assert abs(draws.values[name].mean() - MEAN[i]) < 5 * sd / np.sqrt(ess)
        assert abs(draws.values[name].std() / sd - 1) < 5 / np.sqrt(2 * ess)
    correlation = np.corrcoef(draws.values["a"].ravel(), draws.values["b"].ravel())[0, 1]
    assert correlation == pytest.approx(0.9, abs=0.03)


def test_same_key_same_draws_and_other_data_do_not_compile_again(draws):
    other = gaussian(MEAN + 0.1)
    center = maximize(other, target="density")
    start = time.perf_counter()
    moved = sample_nuts(other, center, key=key_for(1, "nuts"), n_warmup=200, n_draws=1000)
    assert time.perf_counter() - start < 5.0
    np.testing.assert_allclose(moved.values["a"].mean() - draws.values["a"].mean(), 0.1, atol=0.01)
    again = gaussian()
    center = maximize(again, target="density")
    same = sample_nuts(again, center, key=key_for(1, "nuts"), n_warmup=200, n_draws=1000)
    np.testing.assert_array_equal(same.values["a"], draws.values["a"])


def chains(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, n))


def test_gate_passes_good_chains_and_gives_the_reference_figures():
    arviz = pytest.importorskip("arviz_stats.base").array_stats
    values = chains(0, 1000)
    diagnosis = diagnose({"a": values})
    assert diagnosis.status == "ok"
    assert diagnosis.reason == ""
    assert diagnosis.r_hat["a"] == pytest.approx(arviz.rhat(values))
    # Independent draws: the bulk size is their number, to the noise of its estimate.
    assert diagnosis.ess_bulk["a"] == pytest.approx(4000, rel=0.1)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (chains(0, 60), "ESS"),
        (chains(0, 1000) + np.arange(4)[:, None], "R-hat"),
        (np.cumsum(chains(0, 1000), axis=1), "R-hat"),
        (np.zeros((4, 1000)), "does not move"),
        (np.where(chains(0, 1000) > 3, np.nan, 0.5), "not finite"),
    ],
)
def test_gate_refuses_bad_chains(values, word):
    diagnosis = diagnose({"good": chains(1, 1000), "bad": values})
    assert diagnosis.status == "not converged"
    assert word in diagnosis.reason
    assert "bad" in diagnosis.reason


def test_gate_refuses_divergences():
    diverging = np.zeros((4, 1000), bool)
    diverging[0, :40] = True
    assert diagnose({"a": chains(0, 1000)}, diverging).status == "ok"
    diverging[0, :41] = True
    diagnosis = diagnose({"a": chains(0, 1000)}, diverging)
    assert diagnosis.status == "not converged"
    assert "diverged" in diagnosis.reason


def test_linear_marginal_is_the_integral_over_the_offset():
    rng = np.random.default_rng(5)
    residual, variance = rng.normal(0.3, 1.0, 7), rng.uniform(0.5, 2.0, 7)
    marginal = marginalize_linear(jnp.asarray(residual), jnp.asarray(variance), jnp.ones((7, 1)))

    def likelihood(offset: float) -> float:
        return float(np.prod(stats.norm.pdf(residual, offset, np.sqrt(variance))))

    integral, _ = integrate.quad(likelihood, -5, 5, epsabs=0, epsrel=1e-12)
    first, _ = integrate.quad(lambda m: m * likelihood(m), -5, 5, epsabs=0, epsrel=1e-12)
    second, _ = integrate.quad(lambda m: m * m * likelihood(m), -5, 5, epsabs=0, epsrel=1e-12)
    mean, spread = first / integral, np.sqrt(second / integral - (first / integral) ** 2)
    assert float(marginal.log_likelihood) == pytest.approx(np.log(integral), abs=1e-9)
    assert float(marginal.mean[0]) == pytest.approx(mean, abs=1e-9)
    assert float(marginal.draw(jnp.ones(1))[0]) == pytest.approx(mean + spread, abs=1e-7)


def test_linear_marginal_of_two_parameters_is_a_dense_gaussian():
    """With a prior much wider than the data, up to the volume of that prior."""
    rng = np.random.default_rng(6)
    design, variance = rng.normal(size=(9, 2)), rng.uniform(0.5, 2.0, 9)
    residual, wide = rng.normal(size=9), 1e6
    marginal = marginalize_linear(*map(jnp.asarray, (residual, variance, design)))
    dense = np.diag(variance) + wide * design @ design.T
    expected = stats.multivariate_normal(cov=dense).logpdf(residual) + np.log(2 * np.pi * wide)
    assert float(marginal.log_likelihood) == pytest.approx(expected, abs=1e-4)


def test_start_outside_the_prior_is_refused():
    with pytest.raises(InputError, match="must lie between"):
        Parameter(name="a", lower=0.0, upper=1.0, start=1.0)


def test_coordinates_are_unit_gaussians_under_the_prior():
    problem = gaussian()
    np.testing.assert_allclose(
        problem.named(jnp.asarray([0.0, 1.0]))["b"], -5 + 10 * stats.norm.cdf(1), rtol=1e-12
    )
    phi = jnp.asarray([0.3, -0.7])
    step = 1e-6
    slope = [
        (problem.named(phi + step)[name] - problem.named(phi - step)[name]) / (2 * step)
        for name in ("a", "b")
    ]
    np.testing.assert_allclose(problem.scales(phi), slope, rtol=1e-6)
