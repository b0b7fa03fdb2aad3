"""True band fluxes of one supernova: SALT spectra behind Milky Way dust, through the passbands."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chandelle.core.units import AB_JY, LN10_OVER_2P5
from chandelle.instrument.passbands import load_passband
from chandelle.physics.dust import extinction
from chandelle.physics.photometry import ab_bandflux, band_samples
from chandelle.physics.salt_bands import band_table, phase_weights, table_flux
from chandelle.physics.salt_grid import SaltSurfaces


class Bands(eqx.Module):
    """Samples of several passbands and their weights, padded to one length.

    Attributes
    ----------
    wave : Array, shape (band, sample), angstrom
        Observer frame.
    weight : Array, shape (band, sample)
        Its product with a spectrum [erg/s/cm2/angstrom] sums to nJy on the AB scale.
    """

    wave: Float[Array, "band sample"]
    weight: Float[Array, "band sample"]

    @classmethod
    def of(cls, names: tuple[str, ...], *, n_band: int, n_sample: int) -> "Bands":
        """Load passbands by name; pad with weight zero to `n_band` rows and `n_sample` columns."""
        passbands = [load_passband(name) for name in names]
        samples = [band_samples(passband) for passband in passbands]
        wave = [np.pad(s.wave, (0, n_sample - len(s.wave)), "edge") for s in samples]
        weight = [
            np.pad(s.weight, (0, n_sample - len(s.weight))) * AB_JY * 1e9 / ab_bandflux(band)
            for s, band in zip(samples, passbands, strict=True)
        ]
        rows = (0, n_band - len(names)), (0, 0)
        return cls(
            wave=jnp.asarray(np.pad(wave, rows, "edge")), weight=jnp.asarray(np.pad(weight, rows))
        )


class SaltState(eqx.Module):
    """What makes the light curve of one supernova: redshift, SALT parameters, dust."""

    z: Float[Array, ""]
    t0: Float[Array, ""]
    x0: Float[Array, ""]
    x1: Float[Array, ""]
    c: Float[Array, ""]
    mwebv: Float[Array, ""]


def true_flux(
    surfaces: SaltSurfaces,
    bands: Bands,
    state: SaltState,
    mjd: Float[Array, " obs"],
    band: Int[Array, " obs"],
) -> Float[Array, " obs"]:
    """Noiseless fluxes of one supernova.

    The color is known here, so the color law goes into the weights whole and needs no series.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The SALT model.
    bands : Bands
        Passbands.
    state : SaltState
        The supernova.
    mjd : Array, shape (obs,), d
        Epochs.
    band : Array, shape (obs,)
        Row of `bands` of each epoch.

    Returns
    -------
    Array, shape (obs,), nJy
        Zero outside the model's phases.
    """
    color = state.c * surfaces.color_law(bands.wave / (1.0 + state.z))
    dust = extinction(bands.wave, ebv=state.mwebv)
    weight = bands.weight * jnp.exp(-LN10_OVER_2P5 * (color + dust))
    table = jax.vmap(lambda x, w: band_table(surfaces, x, w, z=state.z, terms=1))(
        bands.wave, weight
    )
    weights = phase_weights(surfaces, (mjd - state.t0) / (1.0 + state.z))
    zero = jnp.zeros(())
    parts = jax.vmap(lambda w, b: table_flux(table, w, zero, band=b))(weights, band)
    return state.x0 * (parts[:, 0] + state.x1 * parts[:, 1])
