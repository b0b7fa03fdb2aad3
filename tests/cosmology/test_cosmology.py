"""Cosmology of diagrams: against direct algebra, Pantheon+, and the refusal of blinded data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.core.errors import BlindedError, InputError, NotConvergedError
from chandelle.core.rng import key_for
from chandelle.cosmology import fit_cosmology
from chandelle.cosmology.likelihood import (
    DiagramLikelihood,
    cosmology_of,
    parameters_of,
)
from chandelle.cosmology.stage import CosmologyConfig, salt_problem
from chandelle.inference import nuts
from chandelle.physics.distance import Cosmology, distance_modulus
from chandelle.products.diagram import Diagram
from chandelle.products.pantheonplus import read_pantheonplus
from chandelle.simulate.saltfits import simulate_salt_fits


def diagram(origin, n=60, seed=0, cov=None) -> Diagram:
    rng = np.random.default_rng(seed)
    z = np.geomspace(0.02, 1.0, n)
    mu = np.asarray(distance_modulus(jnp.asarray(z), jnp.asarray(z), Cosmology(Om=0.3)))
    noise = 0.1 * rng.normal(size=n)
    cov = np.full(n, 0.01) if cov is None else cov
    return Diagram.from_arrays(z_hel=z, z_hd=z, mu=mu + noise, cov=cov, origin=origin)


@pytest.mark.parametrize("values", [{"Om": 0.2}, {"Om": 0.4, "w": -0.7, "wa": 0.4, "Ok": 0.1}])
def test_compressed_chi2_and_offset_are_those_of_the_full_matrix(values):
    rng = np.random.default_rng(1)
    factor = rng.normal(0, 0.05, (60, 60))
    dense = factor @ factor.T + 0.01 * np.eye(60)
    dia = diagram("simulated", cov=dense)
    likelihood = DiagramLikelihood.of(dia)
    values = {name: jnp.asarray(value) for name, value in values.items()}
    z = jnp.asarray(dia["z_hd"])
    residual = dia["mu"] - np.asarray(distance_modulus(z, z, cosmology_of(values)))
    precision = np.linalg.inv(dense)
    one = np.ones(60)
    offset = one @ precision @ residual / (one @ precision @ one)
    chi2 = (residual - offset) @ precision @ (residual - offset)
    assert float(likelihood(values)) == pytest.approx(-0.5 * chi2, rel=1e-8)
    spread = 1 / np.sqrt(one @ precision @ one)
    drawn = float(likelihood.draw_offset(values, jnp.asarray(1.0)))
    assert drawn == pytest.approx(offset + spread, abs=1e-8)


@pytest.mark.parametrize("origin", ["real", None])
def test_closed_origins_are_refused_with_the_mend(origin):
    with pytest.raises(BlindedError, match="unblind=True") as caught:
        fit_cosmology(diagram(origin))
    assert (origin or "unknown") in str(caught.value)
    assert ("published=True" in str(caught.value)) == (origin is None)


def test_real_data_cannot_be_declared_published():
    with pytest.raises(BlindedError, match="real"):
        fit_cosmology(diagram("real"), published=True)


def test_real_fits_are_refused_before_any_cut():
    fits = simulate_salt_fits(np.linspace(0.1, 0.2, 3), key=key_for(0, "few"))
    with pytest.raises(BlindedError):
        fit_cosmology(type(fits)(table=fits.table))


def test_unknown_model_and_setting_are_refused():
    with pytest.raises(InputError, match="model"):
        fit_cosmology(diagram("simulated"), model="cpl")
    with pytest.raises(InputError, match="known settings"):
        fit_cosmology(diagram("simulated"), n_burn=3)
    with pytest.raises(InputError, match="x1_maximum"):
        fit_cosmology(diagram("simulated"), cuts={"x1_maximum": 3})


@pytest.fixture(scope="module")
def short():
    return fit_cosmology(diagram(None), unblind=True, n_warmup=50, n_draws=60)


def test_short_chains_give_no_numbers_but_keep_their_draws(short):
    assert short.status == "not converged"
    with pytest.raises(NotConvergedError, match="ESS"):
        short.summary()
    assert short["Om"].shape == (4, 60)
    assert short.meta.origin is None
    assert short.meta.provenance["unblinded"] is True


def test_declared_published_data_are_marked_and_one_program_serves_them(short, monkeypatch):
    def trace_again() -> None:
        raise AssertionError("compiled again for a diagram of another size")

    monkeypatch.setattr(nuts.nuts, "build_kernel", trace_again)
    other = diagram(None, n=70, seed=4)
    posterior = fit_cosmology(other, published=True, n_warmup=50, n_draws=60)
    assert posterior.meta.origin == "published"
    assert "unblinded" not in posterior.meta.provenance
    assert posterior.n_data == 70


def test_gamma_is_fitted_only_where_a_host_is_known():
    z = np.linspace(0.02, 0.6, 40)
    known = simulate_salt_fits(z, key=key_for(0, "host"))
    unknown = simulate_salt_fits(z, key=key_for(0, "host"), known_host=0.0)
    config = CosmologyConfig(model="flat-wcdm")
    assert "gamma" in salt_problem(known, config).names
    assert "gamma" not in salt_problem(unknown, config).names
    values = {p.name: jnp.asarray(p.start) for p in salt_problem(unknown, config).parameters}
    assert np.isfinite(salt_problem(unknown, config).log_likelihood(values))


def test_parameters_carry_their_priors():
    priors = {p.name: p.prior for p in parameters_of("wcdm", nuisance=("alpha",))}
    assert priors == {
        "Om": "uniform(0.01, 0.99)",
        "w": "uniform(-3, 1)",
        "Ok": "uniform(-1, 1)",
        "alpha": "uniform(-0.5, 1)",
    }


@pytest.fixture(scope="module")
def pantheonplus(real_data) -> Diagram:
    return read_pantheonplus(real_data / "sn_distances" / "pantheonplus")


@pytest.mark.real
def test_pantheonplus_flat_lcdm(pantheonplus):
    posterior = fit_cosmology(pantheonplus)
    assert posterior.n_data == len(pantheonplus) == 1580
    assert posterior.best_fit["Om"] == pytest.approx(0.3333, abs=0.005)
    assert posterior.chi2 == pytest.approx(1386.42, abs=0.05)
    summary = posterior.summary()
    assert summary.loc["Om", "mean"] == pytest.approx(0.334, abs=0.3 * 0.018)
    assert summary.loc["Om", "sd"] == pytest.approx(0.018, rel=0.1)


@pytest.mark.real
def test_pantheonplus_flat_wcdm(pantheonplus):
    posterior = fit_cosmology(pantheonplus, model="flat-wcdm")
    assert posterior.best_fit["w"] == pytest.approx(-0.896, abs=0.005)
    assert posterior.best_fit["Om"] == pytest.approx(0.290, abs=0.005)
    assert posterior.chi2 == pytest.approx(1385.97, abs=0.05)
    summary = posterior.summary()
    assert summary.loc["w", "mean"] == pytest.approx(-0.90, abs=0.3 * 0.14)
    mean, sd = grid_moments(pantheonplus)
    # The tail to low Om is heavy: 5 sigma of the mean, and twice that of a Gaussian for the sd.
    ess = summary.loc["w", "ess"]
    assert abs(summary.loc["w", "mean"] - mean) < 5 * sd / np.sqrt(ess)
    assert summary.loc["w", "sd"] == pytest.approx(sd, rel=10 / np.sqrt(2 * ess))


def grid_moments(dia: Diagram) -> tuple[float, float]:
    """Mean and sd of w on a grid over the priors of flat wCDM."""
    likelihood = DiagramLikelihood.of(dia)
    Om, w = np.linspace(0.01, 0.99, 197), np.linspace(-3.0, 1.0, 401)

    @jax.jit
    def row(om):
        return jax.vmap(lambda x: likelihood({"Om": om, "w": x}))(jnp.asarray(w))

    log = np.array([row(om) for om in jnp.asarray(Om)])
    density = np.exp(log - np.nanmax(log)).sum(axis=0)
    density /= density.sum()
    mean = float(density @ w)
    return mean, float(np.sqrt(density @ (w - mean) ** 2))


@pytest.mark.real
def test_pantheonplus_calibrators_are_kept_on_request(real_data):
    whole = read_pantheonplus(real_data / "sn_distances" / "pantheonplus", drop_calibrators=False)
    assert len(whole) == 1590
    assert whole.meta.origin == "published"
    assert whole.covariance.shape == (1590, 1590)
