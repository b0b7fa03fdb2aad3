"""Likelihood of the standardization, with distances free in redshift: no cosmology is assumed."""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from chandelle.inference.linear import marginalize_linear
from chandelle.inference.problem import Parameter
from chandelle.physics.distance import Cosmology, DistanceOperator
from chandelle.physics.population import (
    NUISANCE_PRIORS,
    REFERENCE_M,
    population_terms,
    split_nuisance,
)
from chandelle.physics.sample import SaltSample

_KNOT_SPACING = 0.5
_MIN_SUPPORT = 3.0


def reference_modulus(z_hd: NDArray[np.float64], z_hel: NDArray[np.float64]) -> Float[Array, " sn"]:
    """Distance moduli of flat LCDM with Om = 0.3: the curve from which free distances depart."""
    return DistanceOperator.at(z_hd, z_hel)(Cosmology(Om=0.3))


def distance_knots(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Choose the knots of the free distances: every 0.5 in ln z, three supernovae a knot.

    Parameters
    ----------
    z : array, shape (sn,)
        Redshifts.

    Returns
    -------
    array, shape (knot,)
        ln z of the knots, from the smallest to the largest redshift.
    """
    x = np.log(z)
    n = max(2, 1 + int(np.ceil((x.max() - x.min()) / _KNOT_SPACING)))
    knots = np.linspace(x.min(), x.max(), n)
    while len(knots) > 2:
        support = hat_functions(x, knots)[:, 1:-1].sum(axis=0)
        if support.min() >= _MIN_SUPPORT:
            break
        knots = np.delete(knots, 1 + int(np.argmin(support)))
    return knots


def hat_functions(x: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation between knots as a matrix.

    Parameters
    ----------
    x : array, shape (sn,)
        Points within the knots.
    knots : array, shape (knot,)
        Increasing.

    Returns
    -------
    array, shape (sn, knot)
        Weights; each row sums to one.
    """
    return np.stack([np.interp(x, knots, row) for row in np.eye(len(knots))], axis=1)


def parameters_of(*, has_host: bool) -> tuple[Parameter, ...]:
    """Parameters of the standardization; gamma only where a host mass is known."""
    return tuple(
        Parameter(name=name, lower=lower, upper=upper, start=start)
        for name, (lower, upper, start) in NUISANCE_PRIORS.items()
        if has_host or name != "gamma"
    )


class FreeDistanceLikelihood(eqx.Module):
    r"""Likelihood of SALT parameters at distances free in redshift.

    .. math:: \mu_i = \mu_{ref}(z_i) + \sum_k h_k(\ln z_i)\, b_k

    true x1, c and the b_k (which contain M) integrated out; h_k are linear hat functions.
    """

    sample: SaltSample
    reference: Float[Array, " sn"]
    hats: Float[Array, "sn knot"]

    def __call__(self, values: Mapping[str, Array]) -> Float[Array, ""]:
        """Log likelihood."""
        tripp, population = split_nuisance(values)
        mu = self.reference + REFERENCE_M
        terms = population_terms(self.sample, mu, tripp=tripp, population=population)
        marginal = marginalize_linear(terms.residual, terms.variance, self.hats)
        return marginal.log_likelihood + terms.log_observed


def free_distance_likelihood(
    sample: SaltSample, z_hd: NDArray[np.float64], z_hel: NDArray[np.float64]
) -> FreeDistanceLikelihood:
    """Set the likelihood up.

    Parameters
    ----------
    sample : SaltSample
        The fits as arrays.
    z_hd, z_hel : array, shape (sn,)
        Their redshifts.

    Returns
    -------
    FreeDistanceLikelihood
        Ready for a `Problem`.
    """
    hats = hat_functions(np.log(z_hd), distance_knots(z_hd))
    return FreeDistanceLikelihood(
        sample=sample, reference=reference_modulus(z_hd, z_hel), hats=jnp.asarray(hats)
    )
