"""Likelihoods of cosmology: of a diagram, and of SALT parameters with their population."""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from chandelle.inference.linear import LinearMarginal, marginalize_linear
from chandelle.inference.problem import Parameter
from chandelle.physics.distance import Cosmology, DistanceOperator, free_parameters
from chandelle.physics.population import (
    NUISANCE_PRIORS,
    REFERENCE_M,
    population_terms,
    split_nuisance,
)
from chandelle.physics.sample import SaltSample
from chandelle.products.diagram import Diagram

COSMOLOGY_PRIORS: dict[str, tuple[float, float, float]] = {
    "Om": (0.01, 0.99, 0.3),
    "w": (-3.0, 1.0, -1.0),
    "wa": (-3.0, 2.0, 0.0),
    "Ok": (-1.0, 1.0, 0.0),
}
"""Uniform priors (lower, upper) of cosmology, and where a search starts."""


def cosmology_of(values: Mapping[str, Array]) -> Cosmology:
    """Cosmology of named values; what is not named keeps its flat LCDM value, H0 is 70."""
    return Cosmology(**{name: values[name] for name in COSMOLOGY_PRIORS if name in values})


def parameters_of(model: str, *, nuisance: tuple[str, ...] = ()) -> tuple[Parameter, ...]:
    """Free parameters of a cosmological model and of named nuisances, with their priors.

    Parameters
    ----------
    model : str
        Name of the cosmological model.
    nuisance : tuple of str
        Names in `NUISANCE_PRIORS`.

    Returns
    -------
    tuple of Parameter
        Cosmology first.
    """
    table = {name: COSMOLOGY_PRIORS[name] for name in free_parameters(model)}
    table |= {name: NUISANCE_PRIORS[name] for name in nuisance}
    return tuple(
        Parameter(name=name, lower=lower, upper=upper, start=start)
        for name, (lower, upper, start) in table.items()
    )


class DiagramLikelihood(eqx.Module):
    r"""Likelihood of a diagram, its constant offset M integrated out.

    With :math:`\mu_i = \mathrm{ref}_i + \sum_j B_{ij} (g_j - g^{ref}_j) + M` (`DistanceOperator`)
    and precision matrix :math:`P = C^{-1}`,

    .. math::

        \chi^2 = v^T Q v, \quad v = (g - g^{ref}, -1), \quad
        Q = X^T P X - \frac{X^T P 1\, 1^T P X}{1^T P 1}, \quad X = (B, \mu - \mathrm{ref})

    so that a diagram of any size costs one factorization, then 49 x 49 numbers a call. The flat
    prior on M adds only a constant, which is dropped: log L = -chi2 / 2.
    """

    operator: DistanceOperator
    reference: Float[Array, " node"]
    quadratic: Float[Array, "k k"]
    offset_row: Float[Array, " k"]
    offset_precision: Float[Array, ""]

    @classmethod
    def of(cls, diagram: Diagram) -> "DiagramLikelihood":
        """Compress a diagram.

        Parameters
        ----------
        diagram : Diagram
            Distances and covariance.

        Returns
        -------
        DiagramLikelihood
            With K + 1 = 49 numbers a side.

        Raises
        ------
        InputError
            If the covariance is not positive definite.
        """
        operator = DistanceOperator.at(diagram["z_hd"], diagram["z_hel"])
        reference = operator.on_nodes(Cosmology(Om=0.3))
        residual = jnp.asarray(diagram["mu"]) - operator.base - operator.interpolation @ reference
        one = jnp.ones_like(residual)
        design = jnp.concatenate([operator.interpolation, residual[:, None], one[:, None]], axis=1)
        gram = design.T @ diagram.covariance.factorize().solve(design)
        gram = 0.5 * (gram + gram.T)
        row, precision = gram[-1, :-1], gram[-1, -1]
        # Only what is called again stays: the nodes, not the supernovae.
        nodes = DistanceOperator(
            base=operator.base[:0],
            interpolation=operator.interpolation[:0],
            log1p_z=operator.log1p_z,
            mean_integral=operator.mean_integral,
        )
        return cls(
            operator=nodes,
            reference=reference,
            quadratic=gram[:-1, :-1] - row[:, None] * row[None, :] / precision,
            offset_row=row,
            offset_precision=precision,
        )

    def _vector(self, values: Mapping[str, Array]) -> Float[Array, " k"]:
        nodes = self.operator.on_nodes(cosmology_of(values)) - self.reference
        return jnp.concatenate([nodes, -jnp.ones(1)])

    def __call__(self, values: Mapping[str, Array]) -> Float[Array, ""]:
        """Log likelihood, -chi2 / 2."""
        vector = self._vector(values)
        return -0.5 * vector @ self.quadratic @ vector

    def draw_offset(
        self, values: Mapping[str, Array], normal: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Draw M from its conditional Gaussian, given a unit normal."""
        mean = -self.offset_row @ self._vector(values) / self.offset_precision
        return mean + normal / jnp.sqrt(self.offset_precision)


class SaltLikelihood(eqx.Module):
    """Likelihood of SALT parameters: true x1, c and the absolute magnitude M integrated out."""

    operator: DistanceOperator
    sample: SaltSample

    def _marginal(self, values: Mapping[str, Array]) -> tuple[LinearMarginal, Float[Array, ""]]:
        tripp, population = split_nuisance(values)
        mu = self.operator(cosmology_of(values)) + REFERENCE_M
        terms = population_terms(self.sample, mu, tripp=tripp, population=population)
        design = jnp.ones((mu.shape[0], 1))
        return marginalize_linear(terms.residual, terms.variance, design), terms.log_observed

    def __call__(self, values: Mapping[str, Array]) -> Float[Array, ""]:
        """Log likelihood."""
        marginal, log_observed = self._marginal(values)
        return marginal.log_likelihood + log_observed

    def draw_offset(
        self, values: Mapping[str, Array], normal: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Draw M from its conditional Gaussian, given a unit normal."""
        marginal, _ = self._marginal(values)
        return marginal.draw(normal[None])[0] + REFERENCE_M
