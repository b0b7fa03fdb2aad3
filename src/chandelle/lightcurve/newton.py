"""Damped Newton descent on few parameters with bounds, made to be batched with `jax.vmap`."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

EDM_TOLERANCE = 1e-10
"""Stop when the expected decrease of chi2 by a Newton step is below this."""
MAX_STEPS = 100
_DAMPING_START = 1e-3
_DAMPING_MAX = 1e12


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

    `edm` is the decrease of the function that a further Newton step promises; `is_stalled` says
    that no step however small was a decrease (a jump of the function), `at_bound` which
    parameters stand at a bound.
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
    is_done: Bool[Array, ""]


def cholesky_solve(
    matrix: Float[Array, "param param"], vector: Float[Array, " param"]
) -> tuple[Float[Array, " param"], Bool[Array, ""]]:
    """Solve a small positive system; unrolled, so that a batch runs element by element.

    Parameters
    ----------
    matrix : Array, shape (param, param)
        Symmetric.
    vector : Array, shape (param,)
        Right-hand side.

    Returns
    -------
    solution : Array, shape (param,)
        Meaningless where the matrix is not positive.
    is_positive : Array, bool
        Whether it is.
    """
    n = matrix.shape[0]
    lower = [[jnp.zeros(()) for _ in range(n)] for _ in range(n)]
    is_positive = jnp.asarray(True)
    half = []
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest = rest - lower[i][k] * lower[j][k]
            if i == j:
                is_positive &= rest > 1e-14 * matrix[i, i]
                lower[i][i] = jnp.sqrt(jnp.where(rest > 0, rest, 1.0))
            else:
                lower[i][j] = rest / lower[j][j]
        known = vector[i]
        for k in range(i):
            known = known - lower[i][k] * half[k]
        half.append(known / lower[i][i])
    solution = [jnp.zeros(())] * n
    for i in reversed(range(n)):
        rest = half[i]
        for k in range(i + 1, n):
            rest = rest - lower[k][i] * solution[k]
        solution[i] = rest / lower[i][i]
    return jnp.stack(solution), is_positive


def _newton_step(
    at: Quadratic, is_free: Bool[Array, " param"], damping: Float[Array, ""]
) -> tuple[Float[Array, " param"], Float[Array, ""]]:
    """Damped step over the free parameters, and the decrease an undamped one promises."""
    both = is_free[:, None] & is_free[None, :]
    scale = jnp.where(is_free, jnp.diagonal(at.gauss_newton), 1.0)
    scale = jnp.where(scale > 0, scale, 1.0)
    gradient = jnp.where(is_free, at.gradient, 0.0)

    def solve(matrix: Array, extra: Array) -> tuple[Array, Array]:
        freed = jnp.where(both, matrix, 0.0) + jnp.diag(jnp.where(is_free, extra * scale, 1.0))
        return cholesky_solve(freed, -gradient)

    full, is_convex = solve(at.hessian, jnp.zeros(()))
    damped, is_positive = solve(at.hessian, damping)
    safe, _ = solve(at.gauss_newton, damping + 1e-9)
    step = jnp.where(is_positive, damped, safe)
    edm = jnp.where(is_convex, -(gradient @ full), jnp.inf)
    return step, edm


def _plan(
    params: Float[Array, " param"],
    at: Quadratic,
    low: Float[Array, " param"],
    high: Float[Array, " param"],
    damping: Float[Array, ""],
) -> tuple[Float[Array, " param"], Float[Array, ""]]:
    """Step that stays inside the bounds; a parameter at its bound is held if it would leave."""
    is_held = _held(params, at.gradient, low, high)
    step, edm = _newton_step(at, ~is_held, damping)
    return jnp.clip(params + step, low, high) - params, edm


def _held(params: Array, gradient: Array, low: Array, high: Array) -> Bool[Array, " param"]:
    return ((params <= low) & (gradient > 0)) | ((params >= high) & (gradient < 0))


def minimize(
    evaluate: Callable[[Float[Array, " param"]], Quadratic],
    start: Float[Array, " param"],
    *,
    low: Float[Array, " param"],
    high: Float[Array, " param"],
) -> Minimum:
    r"""Minimize a function whose half has gradient g and Hessian H, by damped Newton steps.

    .. math:: (H + \lambda\,\mathrm{diag}\,G)\,\delta = -g,

    G the Gauss-Newton part; where the left side is not positive, G stands for H. A step is taken
    if it does not raise the function; :math:`\lambda` falls tenfold after a good step and rises
    tenfold after a bad one. Ends when :math:`g^T H^{-1} g` is below `EDM_TOLERANCE`.

    Parameters
    ----------
    evaluate : callable
        From parameters to a `Quadratic`.
    start : Array, shape (param,)
        Inside the bounds.
    low, high : Array, shape (param,)
        Bounds; infinite where there is none.

    Returns
    -------
    Minimum
        With `is_converged` false where `MAX_STEPS` did not suffice.

    References
    ----------
    J. J. Moré, 1978, Lecture Notes in Mathematics 630, 105 (the scaling by the diagonal).
    """
    damping = jnp.asarray(_DAMPING_START)
    start = jnp.clip(start, low, high)
    at = evaluate(start)
    step, edm = _plan(start, at, low, high, damping)
    state = _State(
        params=start,
        at=at,
        step=step,
        edm=edm,
        damping=damping,
        n_steps=jnp.asarray(0),
        is_done=~jnp.isfinite(at.value) | (edm < EDM_TOLERANCE),
    )

    def advance(state: _State) -> _State:
        trial = state.params + state.step
        there = evaluate(trial)
        is_better = there.value <= state.at.value + 1e-13 * jnp.abs(state.at.value)
        params = jnp.where(is_better, trial, state.params)
        at = jax.tree.map(lambda new, old: jnp.where(is_better, new, old), there, state.at)
        damping = jnp.where(is_better, 0.1 * state.damping, 10.0 * state.damping + 1e-9)
        damping = jnp.maximum(damping, 1e-15)
        step, edm = _plan(params, at, low, high, damping)
        is_done = (edm < EDM_TOLERANCE) | (damping > _DAMPING_MAX)
        moved = _State(
            params=params,
            at=at,
            step=step,
            edm=edm,
            damping=damping,
            n_steps=state.n_steps + 1,
            is_done=is_done,
        )
        return jax.tree.map(lambda new, old: jnp.where(state.is_done, old, new), moved, state)

    def is_going(state: _State) -> Bool[Array, ""]:
        return ~state.is_done & (state.n_steps < MAX_STEPS)

    end = jax.lax.while_loop(is_going, advance, state)
    is_stalled = (end.damping > _DAMPING_MAX) & (end.edm >= EDM_TOLERANCE)
    return Minimum(
        params=end.params,
        at=end.at,
        edm=end.edm,
        n_steps=end.n_steps,
        is_converged=(end.edm < EDM_TOLERANCE) | is_stalled,
        is_stalled=is_stalled,
        at_bound=_held(end.params, end.at.gradient, low, high),
    )
