"""The JAX kernels of the light-curve fit: one object's function, batched over lanes."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chandelle.lightcurve.fitting.basis import tables_of
from chandelle.lightcurve.fitting.chi2 import (
    Answer,
    Epochs,
    ModelErrors,
    find_starts,
    fit_from,
    model_flux,
    start_cost,
    weights_of,
)
from chandelle.physics.dust import DustLaw
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable, phase_weights
from chandelle.physics.salt_covariance import BandCurve, BandErrors, band_errors, relative_variance


class Light(eqx.Module):
    """The passbands of a batch and what dims them.

    Attributes
    ----------
    wave, weight : Array, shape (stack, sample)
        Samples of every passband of the set.
    passband : Array, shape (lane, band)
        Which of them a lane uses.
    z, mwebv : Array, shape (lane,)
        Redshift and E(B-V) of the Milky Way.
    r_v : Array
        Its total to selective extinction.
    dust : {"f99", "ccm89", "o94"}
        Its law.
    terms : int
        Taylor terms of the color law.
    """

    wave: Float[Array, "stack sample"]
    weight: Float[Array, "stack sample"]
    passband: Int[Array, "*lane band"]
    z: Float[Array, "*lane"]
    mwebv: Float[Array, "*lane"]
    r_v: Float[Array, ""]
    dust: DustLaw = eqx.field(static=True)
    terms: int = eqx.field(static=True)


@eqx.filter_jit
def make_tables(
    model: SaltModel, light: Light, host_ebv: Float[Array, " lane"] | None = None
) -> BandTable:
    """`basis.tables_of` of every lane, one after the other to bound the memory."""

    def one(args: tuple[Array, Array, Array, Array | None]) -> BandTable:
        own, z, mwebv, host_ebv = args
        return tables_of(
            model.surfaces,
            light.wave[own],
            light.weight[own],
            z=z,
            mwebv=mwebv,
            r_v=light.r_v,
            dust=light.dust,
            terms=light.terms,
            host_ebv=host_ebv,
        )

    return jax.lax.map(one, (light.passband, light.z, light.mwebv, host_ebv))


@eqx.filter_jit
def make_errors(
    model: SaltModel,
    curve: BandCurve,
    lengths: tuple[int, int],
    passband: Int[Array, "lane band"],
    z: Float[Array, " lane"],
) -> BandErrors:
    """Model errors of the bands of every lane."""

    def one(args: tuple[Array, Array]) -> BandErrors:
        own, z = args
        return errors_of_bands(model, curve, lengths, own, z)

    return jax.lax.map(one, (passband, z))


def errors_of_bands(
    model: SaltModel,
    curve: BandCurve,
    lengths: tuple[int, int],
    passband: Int[Array, " band"],
    z: Float[Array, ""],
) -> BandErrors:
    """Model errors of the bands of one supernova."""
    curves = jax.tree.map(lambda leaf: leaf[passband], curve)
    return jax.vmap(
        lambda one: band_errors(model.surfaces, model.errors, one, z=z, lengths=lengths)
    )(curves)


@eqx.filter_jit
def scan_starts(
    model: SaltModel,
    tables: BandTable,
    epochs: Epochs,
    window: tuple[Float[Array, ""], Float[Array, ""]],
) -> tuple[Float[Array, "lane start 4"], Bool[Array, "lane start"]]:
    """`chi2.find_starts` of every lane."""
    return jax.vmap(lambda t, e: find_starts(model.surfaces, t, e, window))(tables, epochs)


@eqx.filter_jit
def start_costs(
    model: SaltModel, tables: BandTable, epochs: Epochs, params: Float[Array, "lane 4"]
) -> Float[Array, " lane"]:
    """`chi2.start_cost` of every lane."""

    def one(table: BandTable, epochs: Epochs, params: Array) -> Array:
        return start_cost(params, surfaces=model.surfaces, table=table, epochs=epochs)

    return jax.vmap(one)(tables, epochs, params)


@eqx.filter_jit
def descend(
    model: SaltModel,
    tables: BandTable,
    errors: BandErrors | None,
    epochs: Epochs,
    start: Float[Array, "lane 4"],
    max_steps: Int[Array, ""],
) -> Answer:
    """`chi2.fit_from` of every lane, with the model covariance (if `errors`) at the start."""

    def one(table: BandTable, band: BandErrors | None, epochs: Epochs, start: Array) -> Answer:
        def flux(params: Array) -> Array:
            return model_flux(params, surfaces=model.surfaces, table=table, epochs=epochs)

        own = None if band is None else model_errors(model, band, epochs, start, flux(start))
        weights = weights_of(epochs, own)
        return fit_from(lambda _: flux, epochs, weights, start=start, max_steps=max_steps)

    return jax.vmap(one)(tables, errors, epochs, start)


@eqx.filter_jit
def batch_fluxes(
    model: SaltModel, tables: BandTable, epochs: Epochs, params: Float[Array, "lane 4"]
) -> Float[Array, "lane obs"]:
    """`chi2.model_flux` of every lane."""

    def one(table: BandTable, epochs: Epochs, params: Array) -> Array:
        return model_flux(params, surfaces=model.surfaces, table=table, epochs=epochs)

    return jax.vmap(one)(tables, epochs, params)


def model_errors(
    model: SaltModel,
    bands: BandErrors,
    epochs: Epochs,
    params: Float[Array, " param"],
    flux: Float[Array, " obs"],
) -> ModelErrors:
    """Error of the model's band fluxes at an answer.

    Parameters
    ----------
    model : SaltModel
        The model.
    bands, epochs
        Of one supernova.
    params : Array, shape (param,)
        t0, x0, x1, c ...
    flux : Array, shape (obs,), nJy
        Model flux there.

    Returns
    -------
    ModelErrors
        In nJy.
    """
    phase = epochs.phase(params[0])
    relative = jax.vmap(
        lambda row, near, p: relative_variance(model.errors, bands, near, p, params[2], row=row)
    )(epochs.band, phase_weights(model.surfaces, phase), phase)
    # One column a filter: that of its first band; those of its other bands stay zero.
    column = jnp.argmax(bands.filter[:, None] == bands.filter[None, :], axis=1)
    member = column[epochs.band][:, None] == jnp.arange(len(column))[None, :]
    common = jnp.where(member, (bands.color_dispersion[epochs.band] * flux)[:, None], 0.0)
    return ModelErrors(variance=relative * flux**2, common=common)
