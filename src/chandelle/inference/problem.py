"""A problem: named parameters with uniform priors, and a likelihood that carries its data.

The data are arrays inside the likelihood (an `eqx.Module`), so they enter a compiled program as
arguments: one program serves every data set of a shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float

from chandelle.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter with a uniform prior between its bounds."""

    name: str
    lower: float
    upper: float
    start: float

    def __post_init__(self) -> None:
        if not self.lower < self.start < self.upper:
            raise InputError(
                f"{self.name}: the start {self.start} must lie between {self.lower} and "
                f"{self.upper}"
            )

    @property
    def prior(self) -> str:
        """The prior in words."""
        return f"uniform({self.lower:g}, {self.upper:g})"


class Problem(eqx.Module):
    r"""Log likelihood of named parameters under uniform priors.

    Engines see unbounded coordinates :math:`\phi`, with
    :math:`\theta = l + (u - l)\,\Phi(\phi)` and :math:`\Phi` the normal distribution function, so
    that the prior of :math:`\phi` is a unit Gaussian and a posterior that reaches a bound has
    Gaussian tails.

    Parameters
    ----------
    parameters : tuple of Parameter
        In the order of the coordinates.
    log_likelihood : eqx.Module
        Called with a mapping of names to scalars; returns a scalar.
    """

    parameters: tuple[Parameter, ...] = eqx.field(static=True)
    log_likelihood: Callable[[Mapping[str, Any]], Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(p.name for p in self.parameters)

    @property
    def start(self) -> Float[Array, " param"]:
        """Coordinates of the starting values."""
        unit = [(p.start - p.lower) / (p.upper - p.lower) for p in self.parameters]
        return ndtri(jnp.asarray(unit))

    def named(self, phi: Float[Array, " param"]) -> dict[str, Float[Array, ""]]:
        """Values of the parameters at coordinates `phi`."""
        unit = ndtr(phi)
        return {
            p.name: p.lower + (p.upper - p.lower) * unit[i] for i, p in enumerate(self.parameters)
        }

    def scales(self, phi: Float[Array, " param"]) -> Float[Array, " param"]:
        """Derivative of each parameter to its coordinate."""
        widths = jnp.asarray([p.upper - p.lower for p in self.parameters])
        return widths * jnp.exp(-0.5 * phi**2) / np.sqrt(2.0 * np.pi)

    def likelihood(self, phi: Float[Array, " param"]) -> Float[Array, ""]:
        """Log likelihood at `phi`; -inf where it is not a number."""
        value = self.log_likelihood(self.named(phi))
        return jnp.where(jnp.isfinite(value), value, -jnp.inf)

    def log_prior(self, phi: Float[Array, " param"]) -> Float[Array, ""]:
        """Log density of the prior in the coordinates, up to a constant."""
        return -0.5 * jnp.sum(phi**2)

    def density(self, phi: Float[Array, " param"]) -> Float[Array, ""]:
        """Log density of the posterior in the coordinates, up to a constant."""
        return self.likelihood(phi) + self.log_prior(phi)
