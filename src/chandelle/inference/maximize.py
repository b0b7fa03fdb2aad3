"""The maximum of a problem by Newton's method in a trust region, with its curvature."""

from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.optimize import minimize

from chandelle.inference.problem import Problem

_DECREMENT = 1e-8
_BOUND = 5.0
_MAX_STEPS = 200

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


@eqx.filter_jit
def _hessian(
    problem: Problem, phi: Float[Array, " param"], weight: Float[Array, ""]
) -> Float[Array, "param param"]:
    """Second derivatives of minus the target."""
    return jax.hessian(lambda x: _minus_target(problem, x, weight))(phi)


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
    weight = jax.numpy.asarray(float(target == "density"))
    phi = np.asarray(problem.start if start is None else start, dtype=float)

    def value(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        y, gradient = _value(problem, jax.numpy.asarray(x), weight)
        return float(y), np.asarray(gradient)

    def hessian(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(_hessian(problem, jax.numpy.asarray(x), weight))

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
        scales = np.asarray(problem.scales(jax.numpy.asarray(phi)))[free]
        covariance[np.ix_(free, free)] = inverse * scales[:, None] * scales[None, :]
        decrement = float(gradient[free] @ inverse @ gradient[free])
        if decrement > _DECREMENT:
            status, reason = "not converged", f"Newton's decrement is {decrement:.2g}"
    else:
        status, reason = "not converged", "the point is no maximum: its curvature is not positive"
    if status == "ok" and not free.all():
        at_bound = ", ".join(np.asarray(problem.names)[~free].tolist())
        status, reason = "at bound", f"{at_bound} at the bound of its prior"
    named = problem.named(jax.numpy.asarray(phi))
    return Maximum(
        phi=phi,
        values={name: float(x) for name, x in named.items()},
        value=-value,
        hessian=hessian,
        covariance=covariance,
        status=status,
        reason=reason,
    )
