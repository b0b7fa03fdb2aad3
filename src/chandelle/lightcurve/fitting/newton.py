"""Damped Newton descent on few parameters with bounds, made to be batched with `jax.vmap`."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

EDM_TOLERANCE = 1e-10
"""Stop when the expected decrease of chi2 by a Newton step is below this."""
DAMPING_START = 1e-3
DAMPING_FINAL = 1e-3
DAMPING_MAX = 1e12
CRAWL = 1e-6


class Quadratic(eqx.Module):
    """A function and its expansion at a point.

    `gradient` and `hessian` are those of half the function; `gauss_newton` is the part of the
    Hessian that is never negative, used where the whole one is not positive.
    """

    value: Float[Array, ""]
    gradient: Float[Array, " param"]
    hessian: Float[Array, "param param"]
    gauss_newton: Float[Array, "param param"]


class Minimum(eqx.Module):
    """Where the descent stopped.

    `edm` is the decrease of the function that a further step promises; `is_stalled` says that only
    vanishing steps were a decrease (the minimum stands at a jump of the function), `at_bound`
    which parameters stand at a bound, `n_steps` counts evaluations.
    """

    params: Float[Array, " param"]
    at: Quadratic
    edm: Float[Array, ""]
    n_steps: Int[Array, ""]
    is_converged: Bool[Array, ""]
    is_stalled: Bool[Array, ""]
    at_bound: Bool[Array, " param"]


class _State(eqx.Module):
    params: Float[Array, " param"]
    at: Quadratic
    step: Float[Array, " param"]
    edm: Float[Array, ""]
    damping: Float[Array, ""]
    n_steps: Int[Array, ""]
    is_stalled: Bool[Array, ""]
    is_done: Bool[Array, ""]


def held(
    params: Float[Array, "*sn param"],
    gradient: Float[Array, "*sn param"],
    low: Float[Array, "*sn param"],
    high: Float[Array, "*sn param"],
) -> Bool[Array, "*sn param"]:
    """Tell which parameters stand at a bound and would leave."""
    return ((params <= low) & (gradient > 0)) | ((params >= high) & (gradient < 0))


def _plan(
    params: Float[Array, " param"],
    at: Quadratic,
    low: Float[Array, " param"],
    high: Float[Array, " param"],
    damping: Float[Array, ""],
) -> tuple[Float[Array, " param"], Float[Array, ""]]:
    """Damped step inside the bounds, and the decrease it promises (inf where not convex)."""
    is_free = ~held(params, at.gradient, low, high)
    gradient = jnp.where(is_free, at.gradient, 0.0)
    scale = jnp.sqrt(jnp.abs(jnp.diagonal(at.gauss_newton)))
    scale = jnp.where(is_free & (scale > 0), scale, 1.0)
    unit = jnp.eye(len(params), dtype=params.dtype)
    both = is_free[:, None] & is_free[None, :]
    pair = jnp.stack([at.hessian, at.gauss_newton]) / (scale[:, None] * scale[None, :])[None]
    matrices = jnp.where(both[None], pair, unit[None]) + damping * unit[None]
    lower = jnp.linalg.cholesky(matrices, symmetrize_input=False)
    right = jnp.broadcast_to((gradient / scale)[None, :, None], (2, len(params), 1))
    half = jax.lax.linalg.triangular_solve(lower, right, left_side=True, lower=True)
    steps = jax.lax.linalg.triangular_solve(
        lower, half, left_side=True, lower=True, transpose_a=True
    )[..., 0]
    is_convex = jnp.isfinite(steps[0]).all()
    step = -jnp.where(is_convex, steps[0], steps[1]) / scale
    edm = jnp.where(is_convex, -(gradient @ step), jnp.inf)
    return jnp.clip(params + step, low, high) - params, edm


def minimize(
    evaluate: Callable[[Float[Array, " param"]], Quadratic],
    start: Float[Array, " param"],
    *,
    low: Float[Array, " param"],
    high: Float[Array, " param"],
    max_steps: Int[Array, ""],
    settle: Callable[[Float[Array, " param"]], Float[Array, " param"]] = lambda params: params,
) -> Minimum:
    r"""Minimize a function whose half has gradient g and Hessian H, by damped Newton steps.

    .. math:: (H + \lambda\,\mathrm{diag}\,G)\,\delta = -g,

    G the Gauss-Newton part; where the left side is not positive, G stands for H. A step is taken
    if it does not raise the function; :math:`\lambda` falls tenfold after a good step and rises
    tenfold after a bad one. Ends when the promised decrease :math:`-g^T \delta` is below
    `EDM_TOLERANCE` and the damping has all but gone.

    Parameters
    ----------
    evaluate : callable
        From parameters to a `Quadratic`.
    start : Array, shape (param,)
        Inside the bounds.
    low, high : Array, shape (param,)
        Bounds; infinite where there is none.
    max_steps : Array
        Evaluations allowed.
    settle : callable, optional
        Puts parameters that can be solved for where they are best for the others, at every trial;
        then the steps are those of the others with these projected out.

    Returns
    -------
    Minimum
        With `is_converged` false where `max_steps` did not suffice.

    References
    ----------
    J. J. Moré, 1978, Lecture Notes in Mathematics 630, 105 (the scaling by the diagonal).
    """
    start = jnp.clip(start, low, high)
    nothing = jnp.zeros_like(start)
    square = jnp.zeros((len(start), len(start)), dtype=start.dtype)
    infinity = jnp.asarray(jnp.inf, dtype=start.dtype)
    state = _State(
        params=start,
        at=Quadratic(value=infinity, gradient=nothing, hessian=square, gauss_newton=square),
        step=nothing,
        edm=infinity,
        damping=jnp.asarray(10.0 * DAMPING_START, dtype=start.dtype),
        n_steps=jnp.asarray(0),
        is_stalled=jnp.asarray(False),
        is_done=jnp.asarray(False),
    )

    def advance(state: _State) -> _State:
        trial = settle(state.params + state.step)
        there = evaluate(trial)
        is_better = there.value <= state.at.value + 1e-13 * jnp.abs(state.at.value)
        params = jnp.where(is_better, trial, state.params)
        at = jax.tree.map(lambda new, old: jnp.where(is_better, new, old), there, state.at)
        damping = jnp.where(is_better, 0.1 * state.damping, 10.0 * state.damping + 1e-9)
        damping = jnp.maximum(damping, 1e-15)
        step, edm = _plan(params, at, low, high, damping)
        is_there = (edm < EDM_TOLERANCE) & (damping < DAMPING_FINAL)
        crawl = CRAWL * jnp.maximum(1.0, 0.01 * there.value)
        is_crawling = is_better & (damping > 100.0) & (state.at.value - there.value < crawl)
        is_stalled = is_crawling | (damping > DAMPING_MAX)
        moved = _State(
            params=params,
            at=at,
            step=step,
            edm=edm,
            damping=damping,
            n_steps=state.n_steps + 1,
            is_stalled=is_stalled & ~is_there,
            is_done=is_there | is_stalled,
        )
        return jax.tree.map(lambda new, old: jnp.where(state.is_done, old, new), moved, state)

    def is_going(state: _State) -> Bool[Array, ""]:
        return ~state.is_done & (state.n_steps < max_steps)

    end = jax.lax.while_loop(is_going, advance, state)
    return Minimum(
        params=end.params,
        at=end.at,
        edm=end.edm,
        n_steps=end.n_steps,
        is_converged=end.is_done & jnp.isfinite(end.at.value),
        is_stalled=end.is_stalled,
        at_bound=held(end.params, end.at.gradient, low, high),
    )
