"""Core-collapse supernovae among those of type Ia: how many of which class, and how bright."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from chandelle.simulate.piece import normal, real, uniform
from chandelle.simulate.pieces import Population

CLASSES = ("SN Ia", "SN II", "SN IIb", "SN IIn", "SN Ib", "SN Ic", "SN Ic-BL")
"""Names by the number that `kind` draws."""
_SHARES = (0.649, 0.109, 0.047, 0.108, 0.075, 0.011)
_MEANS = (-16.0, -16.7, -17.7, -18.3, -17.4, -17.7)
_SIGMAS = (1.3, 2.0, 1.1, 0.5, 0.7, 1.2)

CORE_COLLAPSE_FRACTION = 1.01e5 / (1.01e5 + 2.35e4)
"""Share of core collapse in a volume (D. A. Perley et al., 2020, ApJ 904, 35)."""


class Kinds(eqx.Module):
    """Class of each supernova, by its number in `classes`: a piece, `kind`.

    Parameters
    ----------
    fraction : float
        Share of supernovae that are not of type Ia.
    shares : array, shape (class - 1,)
        How they divide into the other classes, up to a factor.
    classes : tuple of str
        Names, type Ia first.

    References
    ----------
    I. Shivvers et al., 2017, PASP 129, 054201 (shares in a volume, as M. Vincenzi et al., 2019,
    MNRAS 489, 5802, list them; the others of type I are left out).
    """

    fraction: Float[Array, ""] = eqx.field(converter=real, default=CORE_COLLAPSE_FRACTION)
    shares: Float[Array, " class"] = eqx.field(converter=real, default=_SHARES)
    classes: tuple[str, ...] = eqx.field(static=True, default=CLASSES)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw the number of a class."""
        other = self.fraction * jnp.cumsum(self.shares / jnp.sum(self.shares))
        share = uniform(key)
        kind = 1 + jnp.searchsorted(other, share, side="right")
        return jnp.where(share < self.fraction, kind, 0).astype(float)


class ContaminantMagnitude(eqx.Module):
    """Absolute magnitude at peak of a class that is not Ia: a piece, `contaminant_mag`.

    Parameters
    ----------
    means, sigmas : array, shape (class - 1,), mag
        Gaussians by class, host dust in them, at the wavelength where they were measured (R; its
        Vega magnitudes are taken as AB, 0.2 mag off).

    References
    ----------
    M. Vincenzi et al., 2019, MNRAS 489, 5802, table 1, after W. Li et al., 2011, MNRAS 412, 1441: a
    volume of 60 Mpc. Samples limited in magnitude are brighter and narrower.
    """

    means: Float[Array, " class"] = eqx.field(converter=real, default=_MEANS)
    sigmas: Float[Array, " class"] = eqx.field(converter=real, default=_SIGMAS)

    def __call__(self, kind: Float[Array, ""], *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw an absolute magnitude [mag]; of no meaning for type Ia."""
        row = jnp.maximum(kind.astype(int) - 1, 0)
        return self.means[row] + self.sigmas[row] * normal(key)


def magnitude_by_kind(
    kind: Float[Array, ""], ia_mag: Float[Array, ""], contaminant_mag: Float[Array, ""]
) -> Float[Array, ""]:
    """Absolute magnitude [mag] of either: the piece `abs_mag` of a population of both."""
    return jnp.where(kind > 0.5, contaminant_mag, ia_mag)


def with_contaminants(
    population: Population,
    *,
    fraction: float = CORE_COLLAPSE_FRACTION,
    classes: tuple[str, ...] = CLASSES[1:],
) -> Population:
    """Mix core-collapse supernovae into a population of type Ia.

    Those of type Ia keep all their values. Stretch and color mean nothing for the others; their
    `mb` is the peak magnitude at the wavelength of their luminosity function.

    Parameters
    ----------
    population : Population
        With a piece `abs_mag`.
    fraction : float
        Share of core collapse; the rate of the targets is then that of all.
    classes : tuple of str
        Those to draw, in the shares that they have among each other.

    Returns
    -------
    Population
        With `kind`, `contaminant_mag`, and `ia_mag` for what was `abs_mag`.
    """
    shares = [share * (name in classes) for name, share in zip(CLASSES[1:], _SHARES, strict=True)]
    return population.with_pieces(
        kind=Kinds(fraction, shares),
        ia_mag=population.pieces["abs_mag"],
        contaminant_mag=ContaminantMagnitude(),
        abs_mag=magnitude_by_kind,
    )
