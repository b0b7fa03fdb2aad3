r"""Distance moduli of a standardized sample, and how they move with what was fitted.

The plain Tripp relation on measured (mb, x1, c) has errors that grow as a supernova gets fainter,
so the brighter of two equal ones weighs more: in simulated light curves to z = 0.8 that biases Om
by 0.6 sigma of 1000 supernovae. What the population says about the true x1 and c takes most of
that noise away: the distance here is mb minus its expectation given the observed x1 and c,

.. math::

    \mu_i = m_{B,i} - E[m_B - \mu \,|\, x_{1,i}, c_i], \quad
    \sigma_i^2 = \mathrm{Var}[m_B \,|\, x_{1,i}, c_i],

which is what the hierarchical likelihood itself compares with a cosmology
(`physics.population`).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from chandelle.inference.maximize import Maximum
from chandelle.physics.population import REFERENCE_M, population_terms, split_nuisance
from chandelle.physics.sample import SaltSample

_NEGLIGIBLE = 1e-6
"""A mode below this fraction of the smallest error changes nothing."""


def _residual(
    values: Float[Array, " param"], names: tuple[str, ...], sample: SaltSample
) -> tuple[Float[Array, " sn"], Float[Array, " sn"]]:
    """The mu of the module's equation up to REFERENCE_M, and its variance."""
    tripp, population = split_nuisance(dict(zip(names, values, strict=True)))
    zero = jnp.full_like(sample.mb, REFERENCE_M)
    terms = population_terms(sample, zero, tripp=tripp, population=population)
    return terms.residual, terms.variance


@eqx.filter_jit
def _with_slopes(
    values: Float[Array, " param"], names: tuple[str, ...], sample: SaltSample
) -> tuple[Float[Array, " sn"], Float[Array, " sn"], Float[Array, "sn param"]]:
    """Distances, variances, and the derivatives of the distances by the parameters."""
    mu, variance = _residual(values, names, sample)
    slopes = jax.jacfwd(lambda v: _residual(v, names, sample)[0])(values)
    return mu, variance, slopes


def conditional_moduli(
    sample: SaltSample, best: Maximum
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""Distance moduli, their independent variances, and the modes that they share.

    Parameters
    ----------
    sample : SaltSample
        The fits as arrays.
    best : Maximum
        Coefficients and population, with their joint covariance S.

    Returns
    -------
    mu : array, shape (sn,), mag
        Up to a constant (M).
    variance : array, shape (sn,), mag^2
        Measurement, population, intrinsic scatter, redshift, host; independent.
    modes : array, shape (sn, param), mag
        U of :math:`U U^T = J S J^T`, J the derivatives of mu, their weighted mean (which moves M
        only) taken out; columns without effect are left out.
    """
    names = tuple(best.values)
    point = jnp.asarray([best.values[name] for name in names])
    mu, variance, slopes = (np.asarray(part) for part in _with_slopes(point, names, sample))
    slopes = slopes - np.average(slopes, axis=0, weights=1.0 / variance)
    eigenvalues, vectors = np.linalg.eigh(best.covariance)
    modes = slopes @ (vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))[None, :])
    size = np.sqrt(np.mean(modes**2, axis=0))
    return mu + REFERENCE_M, variance, modes[:, size > _NEGLIGIBLE * np.sqrt(variance.min())]
