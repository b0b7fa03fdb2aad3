"""The maximum of a problem by Newton's method in a trust region, with its curvature."""

from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.optimize import minimize

from chandelle.inference.problem import Problem

_DECREMENT = 1e-8
_BOUND = 5.0
_MAX_STEPS = 200
_DIFFERENCE = 1e-5

Target = Literal["likelihood", "density"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum:
    """Where a problem is highest.

    Attributes
    ----------
    phi : array, shape (param,)
        Unbounded coordinates.
    values : dict of str to float
        The parameters.
    value : float
        The target there: log likelihood, or log density of the coordinates.
    hessian : array, shape (param, param)
        Of minus the target, in the coordinates.
    covariance : array, shape (param, param)
        Inverse Hessian in the parameters; rows of a parameter at its bound are zero.
    status : str
        ``"ok"``, ``"at bound"`` or ``"not converged"``; `reason` says more.
    """

    phi: NDArray[np.float64]
    values: dict[str, float]
    value: float
    hessian: NDArray[np.float64]
    covariance: NDArray[np.float64]
    status: str
    reason: str = ""


def _minus_target(
    problem: Problem, phi: Float[Array, " param"], weight: Float[Array, ""]
) -> Float[Array, ""]:
    """Minus likelihood (weight 0) or density (weight 1): one program for both."""
    return -problem.likelihood(phi) - weight * problem.log_prior(phi)


@eqx.filter_jit
def _value(
    problem: Problem, phi: Float[Array, " param"], weight: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, " param"]]:
    """Minus the target, and its gradient."""
    return jax.value_and_grad(lambda x: _minus_target(problem, x, weight))(phi)


def value_and_gradient(
    problem: Problem, phi: NDArray[np.float64], *, target: Target
) -> tuple[float, NDArray[np.float64]]:
    """Minus the target and its gradient at a point, by the one compiled program.

    Parameters
    ----------
    problem : Problem
        Parameters and likelihood.
    phi : array, shape (param,)
        Coordinates.
    target : "likelihood" or "density"
        What is asked.

    Returns
    -------
    float
        Minus the target.
    array, shape (param,)
        Its gradient.
    """
    weight = jnp.asarray(float(target == "density"))
    value, gradient = _value(problem, jnp.asarray(phi), weight)
    return float(value), np.asarray(gradient)


def _hessian(problem: Problem, phi: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    """Second derivatives of minus the target, by central differences of the exact gradient.

    Compiling the exact second derivative takes seconds, twenty gradients take milliseconds.
    """
    rows = []
    for shift in _DIFFERENCE * np.eye(len(phi)):
        above = value_and_gradient(problem, phi + shift, target=target)[1]
        below = value_and_gradient(problem, phi - shift, target=target)[1]
        rows.append((above - below) / (2.0 * _DIFFERENCE))
    return 0.5 * (np.array(rows) + np.array(rows).T)


def maximize(
    problem: Problem, *, target: Target = "likelihood", start: NDArray[np.float64] | None = None
) -> Maximum:
    """Find the maximum of a problem.

    Parameters
    ----------
    problem : Problem
        Parameters and likelihood.
    target : "likelihood" or "density"
        What is highest: the likelihood (best fit; the same in any coordinates), or the density of
        the unbounded coordinates (center of a sampler).
    start : array, shape (param,), optional
        Coordinates to start from.

    Returns
    -------
    Maximum
        With status ``"not converged"`` where Newton's decrement did not fall below 1e-8.
    """
    phi = np.asarray(problem.start if start is None else start, dtype=float)

    def value(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        return value_and_gradient(problem, x, target=target)

    def hessian(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return _hessian(problem, x, target)

    if not np.isfinite(value(phi)[0]):
        return _failure(problem, phi, "the likelihood is not finite at the starting values")
    options = {"gtol": 1e-7, "maxiter": _MAX_STEPS}
    found = minimize(value, phi, jac=True, hess=hessian, method="trust-exact", options=options)
    return _describe(problem, found.x, *value(found.x), hessian(found.x))


def _failure(problem: Problem, phi: NDArray[np.float64], reason: str) -> Maximum:
    unknown = np.full((len(phi), len(phi)), np.nan)
    return Maximum(
        phi=phi,
        values={p.name: p.start for p in problem.parameters},
        value=-np.inf,
        hessian=unknown,
        covariance=unknown,
        status="not converged",
        reason=reason,
    )


def _describe(
    problem: Problem,
    phi: NDArray[np.float64],
    value: float,
    gradient: NDArray[np.float64],
    hessian: NDArray[np.float64],
) -> Maximum:
    """Judge the point where the search stopped."""
    free = np.abs(phi) < _BOUND
    inner = hessian[np.ix_(free, free)]
    covariance = np.zeros_like(hessian)
    status, reason = "ok", ""
    if np.isfinite(inner).all() and np.linalg.eigvalsh(inner).min(initial=np.inf) > 0:
        inverse = np.linalg.inv(inner)
        scales = np.asarray(problem.scales(jnp.asarray(phi)))[free]
        covariance[np.ix_(free, free)] = inverse * scales[:, None] * scales[None, :]
        decrement = float(gradient[free] @ inverse @ gradient[free])
        if decrement > _DECREMENT:
            status, reason = "not converged", f"Newton's decrement is {decrement:.2g}"
    else:
        status, reason = "not converged", "the point is no maximum: its curvature is not positive"
    if status == "ok" and not free.all():
        at_bound = ", ".join(np.asarray(problem.names)[~free].tolist())
        status, reason = "at bound", f"{at_bound} at the bound of its prior"
    named = problem.named(jnp.asarray(phi))
    return Maximum(
        phi=phi,
        values={name: float(x) for name, x in named.items()},
        value=-value,
        hessian=hessian,
        covariance=covariance,
        status=status,
        reason=reason,
    )
