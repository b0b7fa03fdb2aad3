"""Stretch and color of supernovae as populations have them, before any selection."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from chandelle.simulate.piece import normal, real, uniform


class Gaussian(eqx.Module):
    """A Gaussian quantity that depends on nothing else: a piece of any name.

    Parameters
    ----------
    mean, sigma : float
        Of the Gaussian.
    """

    mean: Float[Array, ""] = eqx.field(converter=real, default=0.0)
    sigma: Float[Array, ""] = eqx.field(converter=real, default=1.0)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw the quantity."""
        return self.mean + self.sigma * normal(key)


class StretchMixture(eqx.Module):
    r"""Stretch by surroundings: one mode in young ones, the same and a lower one in old ones.

    .. math::

        x_1 \sim N(\mu_1, \sigma_1)\ \mathrm{(young)}, \quad
        a N(\mu_1, \sigma_1) + (1-a) N(\mu_2, \sigma_2)\ \mathrm{(old)}

    Parameters
    ----------
    high_mean, high_sigma : float
        The mode of both.
    low_mean, low_sigma : float
        The mode of old surroundings alone.
    high_share : float
        a, share of the high mode in old surroundings.

    References
    ----------
    N. Nicolas et al., 2021, A&A 649, A74, eqs. 1-3 and table 4 (0.37, 0.61, -1.22, 0.56, 0.51).
    """

    high_mean: Float[Array, ""] = eqx.field(converter=real, default=0.37)
    high_sigma: Float[Array, ""] = eqx.field(converter=real, default=0.61)
    low_mean: Float[Array, ""] = eqx.field(converter=real, default=-1.22)
    low_sigma: Float[Array, ""] = eqx.field(converter=real, default=0.56)
    high_share: Float[Array, ""] = eqx.field(converter=real, default=0.51)

    def __call__(self, young: Float[Array, ""], *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a stretch x1."""
        key_mode, key_value = jax.random.split(key)
        is_high = (young > 0.5) | (uniform(key_mode) < self.high_share)
        mean = jnp.where(is_high, self.high_mean, self.low_mean)
        return mean + jnp.where(is_high, self.high_sigma, self.low_sigma) * normal(key_value)


class DustyColor(eqx.Module):
    r"""Color: a Gaussian of supernovae and an exponential of the dust of their hosts.

    .. math:: c = c_{int} + \sigma\, n + \tau\, e, \quad n \sim N(0, 1),\ e \sim \mathrm{Exp}(1)

    Mean :math:`c_{int} + \tau`, variance :math:`\sigma^2 + \tau^2`, third central moment
    :math:`2 \tau^3`.

    Parameters
    ----------
    intrinsic, sigma : float
        Mean and width of the Gaussian.
    tau : float
        Mean of the exponential.

    References
    ----------
    M. Ginolin et al., 2025, A&A 694, A4 (the form). -0.075, 0.05 and 0.14 are the defaults of
    skysurvey, which cites it; the paper's own fit was not at hand.
    """

    intrinsic: Float[Array, ""] = eqx.field(converter=real, default=-0.075)
    sigma: Float[Array, ""] = eqx.field(converter=real, default=0.05)
    tau: Float[Array, ""] = eqx.field(converter=real, default=0.14)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a color c."""
        key_gauss, key_dust = jax.random.split(key)
        dust = -jnp.log1p(-uniform(key_dust))
        return self.intrinsic + self.sigma * normal(key_gauss) + self.tau * dust
