"""Parameters that enter a Gaussian likelihood linearly, integrated out under a flat prior."""

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Float

_LN_2PI = 1.8378770664093453


class LinearMarginal(eqx.Module):
    """What is left after linear parameters are integrated out.

    Attributes
    ----------
    log_likelihood : Array
        Marginal log likelihood.
    mean : Array, shape (q,)
        Expectation of the linear parameters given all others.
    cholesky : Array, shape (q, q)
        Lower Cholesky factor of their precision matrix.
    """

    log_likelihood: Float[Array, ""]
    mean: Float[Array, " q"]
    cholesky: Float[Array, "q q"]

    def draw(self, normal: Float[Array, " q"]) -> Float[Array, " q"]:
        """Draw the linear parameters from their conditional Gaussian, given unit normals."""
        return self.mean + solve_triangular(self.cholesky.T, normal, lower=False)


def marginalize_linear(
    residual: Float[Array, " sn"], variance: Float[Array, " sn"], design: Float[Array, "sn q"]
) -> LinearMarginal:
    r"""Integrate b out of a Gaussian likelihood of residual = design b + noise.

    .. math::

        \ln L = -\tfrac12 \left[d^T W d - h^T F^{-1} h - \ln\det W + \ln\det F
                + (n - q)\ln 2\pi\right], \quad F = H^T W H, \quad h = H^T W d

    Parameters
    ----------
    residual : Array, shape (sn,)
        Data minus model at b = 0.
    variance : Array, shape (sn,)
        Of each, independent.
    design : Array, shape (sn, q)
        Derivative of the model to b.

    Returns
    -------
    LinearMarginal
        The marginal, with mean and precision of b.
    """
    weighted = design / variance[:, None]
    cholesky = jnp.linalg.cholesky(weighted.T @ design)
    projected = weighted.T @ residual
    mean = cho_solve((cholesky, True), projected)
    chi2 = jnp.sum(residual**2 / variance) - projected @ mean
    log_determinant = jnp.sum(jnp.log(variance)) + 2.0 * jnp.sum(jnp.log(jnp.diagonal(cholesky)))
    count = residual.shape[0] - design.shape[1]
    return LinearMarginal(
        log_likelihood=-0.5 * (chi2 + log_determinant + count * _LN_2PI),
        mean=mean,
        cholesky=cholesky,
    )
