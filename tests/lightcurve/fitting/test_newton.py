"""The descent: minima inside, at a bound, at a jump, and from where the Hessian is not positive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

from chandelle.lightcurve.fitting.newton import EDM_TOLERANCE, Minimum, Quadratic, minimize


def rosenbrock(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def residuals(x):
    return jnp.stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def expand(x, jump=0.0, at=0.5):
    jacobian = jax.jacfwd(residuals)(x)
    value = rosenbrock(x) + jnp.where(x[0] > at, jump, 0.0)
    return Quadratic(
        value=value,
        gradient=0.5 * jax.grad(rosenbrock)(x),
        hessian=0.5 * jax.hessian(rosenbrock)(x),
        gauss_newton=jacobian.T @ jacobian,
    )


def run(start, low, high, **options) -> Minimum:
    return minimize(
        lambda x: expand(x, **options),
        jnp.asarray(start),
        low=jnp.asarray(low),
        high=jnp.asarray(high),
        max_steps=jnp.asarray(100),
    )


FREE = [-np.inf, -np.inf], [np.inf, np.inf]


@pytest.mark.parametrize("start", [[-1.2, 1.0], [3.0, -4.0], [0.0, 2.0]])
def test_it_ends_at_the_minimum(start):
    found = run(start, *FREE)
    np.testing.assert_allclose(found.params, [1.0, 1.0], atol=1e-6)
    assert found.is_converged
    assert not found.is_stalled
    assert not found.at_bound.any()
    assert found.edm < EDM_TOLERANCE


def test_a_bound_holds_and_the_rest_is_minimized():
    low, high = [-np.inf, -np.inf], [0.4, np.inf]
    found = run([-1.0, 1.0], low, high)
    peer = scipy_minimize(
        lambda x: float(rosenbrock(x)), [-1.0, 1.0], bounds=[(None, 0.4), (None, None)], tol=1e-12
    )
    np.testing.assert_allclose(found.params, peer.x, atol=1e-5)
    assert found.is_converged
    assert found.at_bound.tolist() == [True, False]


def test_a_minimum_at_a_jump_is_found_and_said():
    found = run([-1.0, 1.0], *FREE, jump=10.0)
    assert found.is_stalled
    assert found.is_converged
    # Along the wall the descent ends early: sigma there is 0.1, a tenth of it is asked.
    np.testing.assert_allclose(found.params, [0.5, 0.25], atol=0.01)


def test_too_few_steps_are_not_convergence():
    found = minimize(
        expand,
        jnp.asarray([-1.2, 1.0]),
        low=jnp.asarray(FREE[0]),
        high=jnp.asarray(FREE[1]),
        max_steps=jnp.asarray(3),
    )
    assert not found.is_converged
    assert found.n_steps == 3
