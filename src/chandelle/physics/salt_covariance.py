r"""Model covariance of SALT band fluxes: what supernovae scatter about the model.

The relative covariance of the band fluxes of one supernova is

.. math:: C_{ij} = \delta_{ij}\, v_b(p_i, x_1) + \delta_{f_i f_j} k_{b_i} k_{b_j}

with :math:`k_b` the color dispersion at the band's mean rest-frame wavelength, f the filter (bands
of one filter at several positions of the focal plane have one error in common), and

.. math:: v_b = \frac{V_{00} + 2 x_1 V_{01} + x_1^2 V_{11}}{(m_0 + x_1 m_1)^2}
    \times \begin{cases} (S\, m_0)^2 & \text{SALT2} \\ 1 & \text{SALT3} \end{cases}

where :math:`m_0, m_1` are the templates averaged over the rest-frame band. As in snfit and sncosmo,
a negative numerator counts as 1e-4 and a model flux that is not positive gives
:math:`v_b = 10^4`.

References
----------
J. Guy et al., 2010, A&A 523, A7 (section 4.5). W. D. Kenworthy et al., 2021, ApJ 923, 265.
"""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chandelle.physics.photometry import MODEL_SPACING, PAD, support
from chandelle.physics.salt_bands import BandTable, PhaseWeights, band_table, table_flux
from chandelle.physics.salt_grid import SaltSurfaces, Surface
from chandelle.products.passband import Passband, filter_of

NEGATIVE_VARIANCE = 1e-4
DARK_VARIANCE = 1e4
MEAN_SPACING = 1.0
_LONG_PAD = 1024


class SaltErrors(eqx.Module):
    """Variance surfaces and color dispersion of a SALT model.

    Attributes
    ----------
    variance_0, variance_1, covariance_01 : Surface
        Relative to M0 (SALT2) or in flux squared (SALT3).
    error_scale : Surface or None
        Factor S on the error, for SALT2; None for SALT3.
    dispersion_wave : Array, shape (node,), angstrom
    dispersion : Array, shape (node,)
        Color dispersion k, linear between and beyond its nodes.
    """

    variance_0: Surface
    variance_1: Surface
    covariance_01: Surface
    error_scale: Surface | None
    dispersion_wave: Float[Array, " node"]
    dispersion: Float[Array, " node"]


class BandCurve(eqx.Module):
    """A passband for use inside kernels, padded with samples of transmission zero.

    Attributes
    ----------
    wave, transmission : Array, shape (*band, sample)
        Linear between the samples.
    wave_min, wave_max : Array, shape (*band), angstrom
        The range that transmits.
    filter : Array, shape (*band)
        Number of the filter, the same for its passbands at all positions.
    """

    wave: Float[Array, "*band sample"]
    transmission: Float[Array, "*band sample"]
    wave_min: Float[Array, "*band"]
    wave_max: Float[Array, "*band"]
    filter: Int[Array, "*band"]


class BandErrors(eqx.Module):
    """What the model covariance needs of one band at one redshift.

    Attributes
    ----------
    table : BandTable
        Templates averaged over the band, without color and dust (one term).
    wave : Array, shape (*band), angstrom
        Mean rest-frame wavelength.
    color_dispersion : Array, shape (*band)
        The k of the module's equation.
    filter : Array, shape (*band)
        Number of the filter.
    """

    table: BandTable
    wave: Float[Array, "*band"]
    color_dispersion: Float[Array, "*band"]
    filter: Int[Array, "*band"]


def band_curves(passbands: list[Passband]) -> BandCurve:
    """Stack passbands into one padded `BandCurve`.

    Parameters
    ----------
    passbands : list of Passband
        The bands, in the order of the stack.

    Returns
    -------
    BandCurve
        Arrays with a leading band axis.
    """
    curves = [support(passband) for passband in passbands]
    length = max(len(wave) for wave, _ in curves)
    length += -length % _LONG_PAD
    waves, transmissions = [], []
    for wave, transmission in curves:
        missing = length - len(wave)
        waves.append(np.concatenate([wave, wave[-1] + 1.0 + np.arange(missing)]))
        transmissions.append(np.pad(transmission, (0, missing)))
    return BandCurve(
        wave=jnp.asarray(np.stack(waves)),
        transmission=jnp.asarray(np.stack(transmissions)),
        wave_min=jnp.asarray(np.array([wave[0] for wave, _ in curves])),
        wave_max=jnp.asarray(np.array([wave[-1] for wave, _ in curves])),
        filter=jnp.asarray(
            np.unique([filter_of(p.name) for p in passbands], return_inverse=True)[1]
        ),
    )


def grid_lengths(passbands: list[Passband]) -> tuple[int, int]:
    """Lengths of the integration grids of `band_errors` that fit these bands at any z >= 0.

    Parameters
    ----------
    passbands : list of Passband
        The bands.

    Returns
    -------
    tuple of int
        Samples at 5 angstrom and at 1 angstrom, multiples of 64 and 1024.
    """
    width = max(float(wave[-1] - wave[0]) for wave, _ in map(support, passbands))
    coarse, fine = (math.ceil(width / step) for step in (MODEL_SPACING, MEAN_SPACING))
    return coarse + -coarse % PAD, fine + -fine % _LONG_PAD


def band_errors(
    surfaces: SaltSurfaces,
    errors: SaltErrors,
    curve: BandCurve,
    *,
    z: Float[Array, ""],
    lengths: tuple[int, int],
) -> BandErrors:
    """Average the templates over one rest-frame band and look up its color dispersion.

    Parameters
    ----------
    surfaces, errors : SaltSurfaces, SaltErrors
        The model.
    curve : BandCurve
        One band (no band axis; `jax.vmap` over stacks).
    z : Array
        Redshift, not negative.
    lengths : tuple of int
        From `grid_lengths`.

    Returns
    -------
    BandErrors
        Of this band at this redshift.
    """
    wave, transmission = _rest_samples(curve, z, MODEL_SPACING, lengths[0])
    weight = wave * transmission
    rest_table = band_table(surfaces, wave, weight / weight.sum(), z=jnp.zeros_like(z), terms=1)
    fine, transmission = _rest_samples(curve, z, MEAN_SPACING, lengths[1])
    mean = jnp.sum(fine * transmission) / jnp.sum(transmission)
    return BandErrors(
        table=rest_table,
        wave=mean,
        color_dispersion=_color_dispersion(errors, mean),
        filter=curve.filter,
    )


def _rest_samples(
    curve: BandCurve, z: Float[Array, ""], spacing: float, length: int
) -> tuple[Float[Array, " sample"], Float[Array, " sample"]]:
    """Midpoint samples of the band shifted to the rest frame; transmission 0 is padding."""
    low, high = curve.wave_min / (1.0 + z), curve.wave_max / (1.0 + z)
    count = jnp.ceil((high - low) / spacing)
    k = jnp.arange(length, dtype=low.dtype)
    is_used = k < count
    wave = low + (jnp.where(is_used, k, count - 1.0) + 0.5) * (high - low) / count
    transmission = jnp.interp(wave * (1.0 + z), curve.wave, curve.transmission)
    return wave, jnp.where(is_used, transmission, 0.0)


def _color_dispersion(errors: SaltErrors, wave: Float[Array, ""]) -> Float[Array, ""]:
    nodes, values = errors.dispersion_wave, errors.dispersion
    i = jnp.clip(jnp.searchsorted(nodes, wave, side="right") - 1, 0, len(nodes) - 2)
    slope = (values[i + 1] - values[i]) / (nodes[i + 1] - nodes[i])
    return values[i] + slope * (wave - nodes[i])


def relative_variance(
    errors: SaltErrors,
    band: BandErrors,
    weights: PhaseWeights,
    phase: Float[Array, ""],
    x1: Float[Array, ""],
    *,
    row: Int[Array, ""] | None = None,
) -> Float[Array, ""]:
    """Relative model variance of one band flux: the diagonal part of the covariance.

    Parameters
    ----------
    errors : SaltErrors
        The model's.
    band : BandErrors
        Of the epoch's band at the supernova's redshift.
    weights : PhaseWeights
        `phase_weights` of the phase.
    phase : Array, day
        Rest-frame phase.
    x1 : Array
        Stretch.
    row : Array, optional
        Row of the epoch's band where `band` is a stack.

    Returns
    -------
    Array
        Variance over flux squared.
    """
    mean = table_flux(band.table, weights, jnp.zeros_like(x1), band=row)
    total = mean[0] + x1 * mean[1]
    wave = band.wave if row is None else band.wave[row]
    variance = (
        errors.variance_0(phase, wave)
        + 2.0 * x1 * errors.covariance_01(phase, wave)
        + x1**2 * errors.variance_1(phase, wave)
    )
    variance = jnp.where(variance < 0.0, NEGATIVE_VARIANCE, variance)
    if errors.error_scale is not None:
        variance = variance * (errors.error_scale(phase, wave) * mean[0]) ** 2
    is_dark = total <= 0.0
    return jnp.where(is_dark, DARK_VARIANCE, variance / jnp.where(is_dark, 1.0, total) ** 2)
