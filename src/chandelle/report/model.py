"""The SALT curve of each fit, from the model the fits were made with."""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.units import LN10_OVER_2P5, ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.physics.dust import extinction
from chandelle.physics.photometry import band_samples, support, zero_magnitude_flux
from chandelle.physics.salt import load_salt
from chandelle.physics.salt_bands import band_table, phase_weights, table_flux
from chandelle.physics.salt_grid import SaltSurfaces
from chandelle.products.passband import Passband
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import ModelCurve

_DEFAULT_MODEL = "salt3-f22"
_THETA = ("z", "t0", "x0", "x1", "c", "mwebv")
_BATCH, _TIMES, _SAMPLES = 32, 128, 512


def salt_curves(fits: SaltFits, passbands: Mapping[str, Passband]) -> ModelCurve:
    """Make the model curve of fits from the SALT model their provenance names.

    Parameters
    ----------
    fits : SaltFits
        ``meta.provenance["model"]`` is a name or folder that `load_salt` reads; salt3-f22 where
        it is absent.
    passbands : mapping of str to Passband
        Those that came with the data; others are looked up in the package.

    Returns
    -------
    callable
        `model_curve(fits, band, mjd)`, nJy, shape (sn, time); NaN where the band is unknown, or
        reaches beyond the model at the redshift of the supernova.
    """
    model = load_salt(fits.meta.provenance.get("model", _DEFAULT_MODEL))

    def model_curve(fits: SaltFits, band: str, mjd: NDArray[np.float64]) -> NDArray[np.float64]:
        flux = np.full(mjd.shape, np.nan)
        try:
            passband = passbands[band] if band in passbands else load_passband(band)
        except InputError:
            return flux
        wave, _ = support(passband)
        stretch = 1.0 + fits["z"]
        low, high = (float(edge) for edge in model.surfaces.wave[jnp.asarray([0, -1])])
        inside = (wave[0] >= low * stretch) & (wave[-1] <= high * stretch)
        theta = np.nan_to_num(np.stack([fits[name][inside] for name in _THETA], axis=1))
        flux[inside] = _batched(model.surfaces, passband, mjd[inside], theta)
        return flux

    return model_curve


def _batched(
    surfaces: SaltSurfaces,
    passband: Passband,
    mjd: NDArray[np.float64],
    theta: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Run the kernel on batches of one shape, so that it is compiled once or twice in all."""
    samples = band_samples(passband)
    missing = -len(samples.wave) % _SAMPLES
    wave = jnp.asarray(np.pad(samples.wave, (0, missing), "edge"))
    weight = np.pad(samples.weight, (0, missing)) / zero_magnitude_flux(passband, "ab")
    weight = jnp.asarray(weight * 10.0 ** (0.4 * ZP_NJY))
    n_sn, n_time = mjd.shape
    flux = np.empty(mjd.shape)
    wide = np.pad(mjd, ((0, 0), (0, -n_time % _TIMES)), "edge")
    for start in range(0, n_sn, _BATCH):
        rows = np.minimum(np.arange(start, start + _BATCH), n_sn - 1)
        part = _fluxes(surfaces, wave, weight, jnp.asarray(wide[rows]), jnp.asarray(theta[rows]))
        stop = min(start + _BATCH, n_sn)
        flux[start:stop] = np.asarray(part)[: stop - start, :n_time]
    return flux


@eqx.filter_jit
def _fluxes(
    surfaces: SaltSurfaces,
    wave: Float[Array, " sample"],
    weight: Float[Array, " sample"],
    mjd: Float[Array, "sn time"],
    theta: Float[Array, "sn 6"],
) -> Float[Array, "sn time"]:
    """Band fluxes of a batch of supernovae; theta as in `_THETA`."""

    def one(mjd: Float[Array, " time"], theta: Float[Array, " 6"]) -> Float[Array, " time"]:
        z, t0, x0, x1, c, mwebv = theta
        dimming = c * surfaces.color_law(wave / (1.0 + z)) + extinction(wave, ebv=mwebv)
        dimmed = weight * jnp.exp(-LN10_OVER_2P5 * dimming)
        table = band_table(surfaces, wave, dimmed, z=z, terms=1)
        near = phase_weights(surfaces, (mjd - t0) / (1.0 + z))
        f = jax.vmap(lambda weights: table_flux(table, weights, jnp.zeros_like(c)))(near)
        return x0 * (f[:, 0] + x1 * f[:, 1])

    return jax.vmap(one)(mjd, theta)
