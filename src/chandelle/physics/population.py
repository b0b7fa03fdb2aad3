"""SALT parameters of a population of supernovae: true stretch and color integrated out.

True x1 and c are Gaussian in the population; what the light-curve fit measured scatters around
them with its covariance. Leaving the population out biases alpha and beta (errors in variables),
a flat prior on true x1 and c more still.
"""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from chandelle.physics.sample import Cut, SaltSample
from chandelle.physics.standardization import Tripp

_LN_2PI = 1.8378770664093453


class Population(eqx.Module):
    """Distribution of true stretch and color, and what scatter they leave.

    Parameters
    ----------
    x1_mean, x1_sigma, c_mean, c_sigma : Array
        Gaussians of true x1 and c.
    sigma_int : Array, mag
        Intrinsic scatter of the standardized magnitude.
    """

    x1_mean: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    x1_sigma: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    c_mean: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    c_sigma: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    sigma_int: Float[Array, ""] = eqx.field(converter=jnp.asarray)


class PopulationTerms(eqx.Module):
    """The likelihood of a sample, split at the magnitude.

    Attributes
    ----------
    residual : Array, shape (sn,), mag
        mb minus its expectation given observed x1 and c, for M = 0.
    variance : Array, shape (sn,), mag^2
        Its variance.
    log_observed : Array
        Log probability density of the observed (x1, c), given that they passed the cuts.
    """

    residual: Float[Array, " sn"]
    variance: Float[Array, " sn"]
    log_observed: Float[Array, ""]


def population_terms(
    sample: SaltSample, mu: Float[Array, " sn"], *, tripp: Tripp, population: Population
) -> PopulationTerms:
    r"""Marginal likelihood of (mb, x1, c) over true x1 and c, in closed form.

    .. math::

        y_i \sim N(m_i, V_i), \quad
        V_i = C_i + A\,\mathrm{diag}(\sigma_{x_1}^2, \sigma_c^2) A^T
              + [\sigma_{int}^2 + \sigma_z^2 + \gamma^2 p (1-p)]\, e e^T

    with :math:`A = ((-\alpha, \beta), (1, 0), (0, 1))` and e the unit vector of mb. It is
    returned as p(x1, c) p(mb | x1, c), so that whatever is linear in mb (M, free distances) can
    be integrated out next. The normalization over the cuts on observed x1 and c neglects their
    correlation.

    Parameters
    ----------
    sample : SaltSample
        The data.
    mu : Array, shape (sn,), mag
        Distance moduli.
    tripp : Tripp
        Coefficients; M is not used.
    population : Population
        Means, widths, intrinsic scatter.

    Returns
    -------
    PopulationTerms
        Residual and variance of mb, log density of (x1, c).

    References
    ----------
    M. C. March et al., 2011, MNRAS 418, 2308, sect. 4 (the hierarchy).
    """
    covariance, p = sample.covariance, sample.p_high
    var_x1, var_c = population.x1_sigma**2, population.c_sigma**2
    scatter = population.sigma_int**2 + tripp.gamma**2 * p * (1.0 - p) + sample.extra_variance
    mm = covariance[:, 0, 0] + tripp.alpha**2 * var_x1 + tripp.beta**2 * var_c + scatter
    mx = covariance[:, 0, 1] - tripp.alpha * var_x1
    mc = covariance[:, 0, 2] + tripp.beta * var_c
    xx = covariance[:, 1, 1] + var_x1
    cc = covariance[:, 2, 2] + var_c
    xc = covariance[:, 1, 2]
    determinant = xx * cc - xc**2
    slope_x1 = (mx * cc - mc * xc) / determinant
    slope_c = (mc * xx - mx * xc) / determinant
    dx1, dc = sample.x1 - population.x1_mean, sample.c - population.c_mean
    expected = (
        mu
        - tripp.alpha * population.x1_mean
        + tripp.beta * population.c_mean
        - tripp.gamma * (p - 0.5)
    )
    chi2 = (cc * dx1**2 - 2.0 * xc * dx1 * dc + xx * dc**2) / determinant
    density = jnp.sum(-0.5 * (chi2 + jnp.log(determinant)) - _LN_2PI)
    inside = _log_inside(sample.x1_cut, population.x1_mean, var_x1)
    inside = inside + _log_inside(sample.c_cut, population.c_mean, var_c)
    return PopulationTerms(
        residual=sample.mb - expected - slope_x1 * dx1 - slope_c * dc,
        variance=mm - slope_x1 * mx - slope_c * mc,
        log_observed=density - inside,
    )


def _log_inside(cut: Cut, mean: Float[Array, ""], variance: Float[Array, ""]) -> Float[Array, ""]:
    """Log probability that all supernovae of a Gaussian population pass a cut."""
    sigma = jnp.sqrt(cut.variance + variance)
    lower, upper = (cut.interval[0] - mean) / sigma, (cut.interval[1] - mean) / sigma
    return cut.weight @ jnp.log(ndtr(upper) - ndtr(lower))


NUISANCE_PRIORS: dict[str, tuple[float, float, float]] = {
    "alpha": (-0.5, 1.0, 0.14),
    "beta": (-1.0, 8.0, 3.0),
    "gamma": (-0.5, 0.5, 0.05),
    "sigma_int": (0.0, 1.0, 0.1),
    "x1_mean": (-3.0, 3.0, 0.0),
    "x1_sigma": (0.0, 5.0, 1.0),
    "c_mean": (-0.5, 0.5, 0.0),
    "c_sigma": (0.0, 1.0, 0.1),
}
"""Uniform priors (lower, upper) of what is not cosmology, and where a search starts."""

REFERENCE_M = -19.3
"""Subtracted from magnitudes before sums of squares, for precision only."""


def split_nuisance(values: Mapping[str, Array]) -> tuple[Tripp, Population]:
    """Make the coefficients and the population of named values.

    Parameters
    ----------
    values : mapping of str to Array
        The names of `NUISANCE_PRIORS`; gamma may be absent, and is then zero.

    Returns
    -------
    Tripp, Population
        With M = 0.
    """
    names = ("x1_mean", "x1_sigma", "c_mean", "c_sigma", "sigma_int")
    tripp = Tripp(values["alpha"], values["beta"], values.get("gamma", 0.0))
    return tripp, Population(**{name: values[name] for name in names})
