"""NUTS in coordinates whitened by the curvature at the maximum.

The chains run side by side and share what the warm-up learns: one step size, and a dense metric
estimated from all of them. Warm-up and draws are one loop around one compiled kernel; blackjax's
own window adaptation compiles the kernel several times over and learns a chain at a time.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.adaptation.step_size import DualAveragingAdaptationState, dual_averaging_adaptation
from blackjax.mcmc import hmc, nuts
from jaxtyping import Array, Bool, Float, Int, Key
from numpy.typing import NDArray

from chandelle.inference.maximize import Maximum, value_and_gradient
from chandelle.inference.problem import Problem

_CANDIDATES = 16
_DISPERSION = 2.0
_METRIC_PRIOR_COUNT = 20.0
_INITIAL_STEP = 0.5
_WINDOW_ENDS = (0.15, 0.5, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Draws of a sampler.

    Attributes
    ----------
    values : dict of str to array, shape (chain, draw)
        The parameters.
    sample_stats : dict of str to array, shape (chain, draw)
        ``diverging``, ``acceptance_rate``, ``n_steps``, ``energy``.
    """

    values: dict[str, NDArray[np.float64]]
    sample_stats: dict[str, NDArray]


class _Trace(eqx.Module):
    """What the steps leave."""

    values: dict[str, Float[Array, "..."]]
    diverging: Bool[Array, "..."]
    acceptance_rate: Float[Array, "..."]
    n_steps: Int[Array, "..."]
    energy: Float[Array, "..."]


class _Warmup(eqx.Module):
    """What the warm-up has learned: step size, inverse metric, moments of the present window."""

    step: DualAveragingAdaptationState
    inverse_metric: Float[Array, "param param"]
    count: Float[Array, ""]
    total: Float[Array, " param"]
    products: Float[Array, "param param"]

    @classmethod
    def fresh(cls, inverse_metric: Float[Array, "param param"], step: Array) -> "_Warmup":
        size = inverse_metric.shape[0]
        return cls(
            step=dual_averaging_adaptation(0.8)[0](step),
            inverse_metric=inverse_metric,
            count=jnp.zeros(()),
            total=jnp.zeros(size),
            products=jnp.zeros((size, size)),
        )

    def collect(
        self, u: Float[Array, "chain param"], acceptance: Array, target: float
    ) -> "_Warmup":
        """Take one step of all chains in."""
        update = dual_averaging_adaptation(target)[1]
        return _Warmup(
            step=update(self.step, acceptance),
            inverse_metric=self.inverse_metric,
            count=self.count + u.shape[0],
            total=self.total + u.sum(axis=0),
            products=self.products + u.T @ u,
        )

    def close_window(self) -> "_Warmup":
        """Make the window's covariance the metric, drawn towards the one before."""
        mean = self.total / self.count
        scatter = self.products - self.count * mean[:, None] * mean[None, :]
        weight = self.count - 1.0 + _METRIC_PRIOR_COUNT
        metric = (scatter + _METRIC_PRIOR_COUNT * self.inverse_metric) / weight
        return _Warmup.fresh(metric, jnp.exp(self.step.log_step_size_avg))


def sample_nuts(
    problem: Problem,
    center: Maximum,
    *,
    key: Key[Array, ""],
    n_chains: int = 4,
    n_warmup: int = 500,
    n_draws: int = 2000,
    target_acceptance: float = 0.9,
) -> Draws:
    """Draw from the posterior of a problem by NUTS.

    Chains start from points two sigma wide around the center. The warm-up tunes the step size and,
    at 50 % and 80 % of it, a dense metric, drawn towards the curvature at the center by a weight
    of 20 draws.

    Parameters
    ----------
    problem : Problem
        Parameters and likelihood.
    center : Maximum
        Of the target ``"density"``.
    key : key
        Random key.
    n_chains, n_warmup, n_draws : int
        Number of chains, of warm-up steps and of draws a chain.
    target_acceptance : float
        Acceptance rate at which the step is tuned.

    Returns
    -------
    Draws
        Judge them with `diagnostics.diagnose`.

    References
    ----------
    M. D. Hoffman, A. Gelman, 2014, JMLR 15, 1593.
    """
    eigenvalues, vectors = np.linalg.eigh(center.hessian)
    # A flat or inverted direction gets the width of the prior, a unit Gaussian.
    eigenvalues = np.maximum(eigenvalues, 1.0)
    whitening = vectors / np.sqrt(eigenvalues)[None, :]
    key_start, key_steps = jax.random.split(key)
    trace = _sample(
        problem,
        jnp.asarray(center.phi),
        jnp.asarray(whitening),
        _dispersed(problem, center.phi, whitening, key_start, n_chains),
        key_steps,
        n_warmup,
        n_draws,
        target_acceptance,
    )
    return Draws(
        values={name: np.asarray(trace.values[name]) for name in problem.names},
        sample_stats={
            name: np.asarray(getattr(trace, name))
            for name in ("diverging", "acceptance_rate", "n_steps", "energy")
        },
    )


@eqx.filter_jit
def _sample(
    problem: Problem,
    center: Float[Array, " param"],
    whitening: Float[Array, "param param"],
    states: hmc.HMCState,
    key: Key[Array, ""],
    n_warmup: int,
    n_draws: int,
    target_acceptance: float,
) -> _Trace:
    """All chains side by side; the outputs have shape (chain, draw)."""

    def log_density(u: Float[Array, " param"]) -> Float[Array, ""]:
        return problem.density(center + whitening @ u)

    kernel = nuts.build_kernel()

    def step(carry, inputs):
        states, warmup = carry
        key, is_warmup, ends_window = inputs
        log_step = jnp.where(is_warmup, warmup.step.log_step_size, warmup.step.log_step_size_avg)

        def move(key, state):
            step_size: Any = jnp.exp(log_step)
            return kernel(key, state, log_density, step_size, warmup.inverse_metric)

        states, info = jax.vmap(move)(jax.random.split(key, states.position.shape[0]), states)
        acceptance = jnp.mean(jnp.nan_to_num(info.acceptance_rate))
        learned = warmup.collect(states.position, acceptance, target_acceptance)
        warmup = _choose(is_warmup, learned, warmup)
        warmup = _choose(ends_window, warmup.close_window(), warmup)
        return (states, warmup), _Trace(
            values=jax.vmap(lambda u: problem.named(center + whitening @ u))(states.position),
            diverging=jnp.asarray(info.is_divergent),
            acceptance_rate=jnp.asarray(info.acceptance_rate),
            n_steps=jnp.asarray(info.num_integration_steps),
            energy=jnp.asarray(info.energy),
        )

    warmup = _Warmup.fresh(jnp.eye(center.shape[0]), jnp.asarray(_INITIAL_STEP))
    n = n_warmup + n_draws
    ends = np.isin(np.arange(n), [int(part * n_warmup) for part in _WINDOW_ENDS])
    inputs = (jax.random.split(key, n), jnp.arange(n) < n_warmup, jnp.asarray(ends))
    _, trace = jax.lax.scan(step, (states, warmup), inputs)
    return jax.tree.map(lambda x: x[n_warmup:].T, trace)


def _choose(condition: Bool[Array, ""], yes: _Warmup, no: _Warmup) -> _Warmup:
    """One of two states of the warm-up."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _dispersed(
    problem: Problem,
    center: NDArray[np.float64],
    whitening: NDArray[np.float64],
    key: Key[Array, ""],
    n_chains: int,
) -> hmc.HMCState:
    """Start each chain at the first of a few wide points where the density is finite."""
    points = _DISPERSION * jax.random.normal(key, (n_chains, _CANDIDATES, len(center)))
    starts = [_first_finite(problem, center, whitening, chain) for chain in np.asarray(points)]
    parts: list[Any] = [jnp.asarray(np.array(part)) for part in zip(*starts, strict=True)]
    return hmc.HMCState(*parts)


def _first_finite(
    problem: Problem,
    center: NDArray[np.float64],
    whitening: NDArray[np.float64],
    candidates: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """First candidate with a finite density (else the center), its log density and gradient."""

    def evaluate(u: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = value_and_gradient(problem, center + whitening @ u, target="density")
        return -value, -whitening.T @ gradient

    for u in candidates:
        density, gradient = evaluate(u)
        if np.isfinite(density) and np.isfinite(gradient).all():
            return u, density, gradient
    u = np.zeros(len(center))
    return u, *evaluate(u)
