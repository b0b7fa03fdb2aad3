"""The compiled kernels behind the methods of `SaltModel`."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chandelle.core.units import LN10_OVER_2P5
from chandelle.physics.dust import DustLaw, extinction
from chandelle.physics.salt_bands import band_table, phase_weights, table_flux
from chandelle.physics.salt_covariance import (
    BandCurve,
    SaltErrors,
    band_errors,
    relative_variance,
)
from chandelle.physics.salt_grid import SaltSurfaces, template_flux


@eqx.filter_jit
def flux_kernel(
    surfaces: SaltSurfaces,
    mjd: Float[Array, " epoch"],
    wave: Float[Array, " wave"],
    z: Float[Array, ""],
    theta: tuple[Float[Array, ""], ...],
    dust: DustLaw,
) -> Float[Array, "epoch wave"]:
    """Observer-frame spectral flux density.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    mjd : Array, shape (epoch,), day
        Times.
    wave : Array, shape (wave,), angstrom
        Wavelengths.
    z : Array
        Redshift.
    theta : tuple of Arrays
        t0 [day], x0, x1, c, Milky Way E(B-V) [mag], R_V.
    dust : {"f99", "ccm89", "o94"}
        Extinction law.

    Returns
    -------
    Array, shape (epoch, wave), erg/s/cm2/angstrom
        Zero outside the model.
    """
    t0, x0, x1, c, mwebv, r_v = theta
    scale = 1.0 / (1.0 + z)
    rest = wave * scale
    m0, m1 = template_flux(surfaces, (mjd - t0) * scale, rest)
    dimming = c * surfaces.color_law(rest) + extinction(wave, ebv=mwebv, r_v=r_v, law=dust)
    return scale * x0 * (m0 + x1 * m1) * jnp.exp(-LN10_OVER_2P5 * dimming)[None, :]


@eqx.filter_jit
def bandflux_kernel(
    surfaces: SaltSurfaces,
    wave: Float[Array, " sample"],
    weight: Float[Array, " sample"],
    mjd: Float[Array, " epoch"],
    z: Float[Array, ""],
    theta: tuple[Float[Array, ""], ...],
    dust: DustLaw,
) -> Float[Array, " epoch"]:
    """Flux through one band.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    wave, weight : Array, shape (sample,)
        Samples of the band [angstrom]; the weights carry the unit of flux.
    mjd : Array, shape (epoch,), day
        Times.
    z : Array
        Redshift.
    theta : tuple of Arrays
        t0 [day], x0, x1, c, Milky Way E(B-V) [mag], R_V.
    dust : {"f99", "ccm89", "o94"}
        Extinction law.

    Returns
    -------
    Array, shape (epoch,)
        In the unit of the weights.
    """
    t0, x0, x1, c, mwebv, r_v = theta
    color = surfaces.color_law(wave / (1.0 + z))
    dimming = c * color + extinction(wave, ebv=mwebv, r_v=r_v, law=dust)
    weight = weight * jnp.exp(-LN10_OVER_2P5 * dimming)
    table = band_table(surfaces, wave, weight, z=z, terms=1)
    weights = phase_weights(surfaces, (mjd - t0) * (1.0 / (1.0 + z)))
    f = jax.vmap(lambda near: table_flux(table, near, jnp.zeros_like(c)))(weights)
    return x0 * (f[:, 0] + x1 * f[:, 1])


@eqx.filter_jit
def relative_variance_kernel(
    surfaces: SaltSurfaces,
    errors: SaltErrors,
    curve: BandCurve,
    lengths: tuple[int, int],
    mjd: Float[Array, " epoch"],
    z: Float[Array, ""],
    t0: Float[Array, ""],
    x1: Float[Array, ""],
) -> tuple[Float[Array, " epoch"], Float[Array, ""]]:
    """Relative variance of one band's epochs, and its color dispersion.

    Parameters
    ----------
    surfaces, errors : SaltSurfaces, SaltErrors
        The model.
    curve : BandCurve
        The band.
    lengths : tuple of int
        From `grid_lengths`.
    mjd : Array, shape (epoch,), day
        Times.
    z, t0, x1 : Array
        Redshift, time of maximum [day], stretch.

    Returns
    -------
    tuple of Arrays
        Variances, shape (epoch,), and dispersion, scalar.
    """
    band = band_errors(surfaces, errors, curve, z=z, lengths=lengths)
    phase = (mjd - t0) * (1.0 / (1.0 + z))
    weights = phase_weights(surfaces, phase)
    variance = jax.vmap(lambda near, p: relative_variance(errors, band, near, p, x1))
    return variance(weights, phase), band.color_dispersion
