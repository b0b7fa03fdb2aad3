"""The compiled kernels of the light-curve fit: one object's function, batched over lanes."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chandelle.lightcurve.fitting.basis import flux_basis, tables_of
from chandelle.lightcurve.fitting.fit import Answer, Epochs, find_starts, fit_from
from chandelle.physics.dust import DustLaw
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable, phase_weights
from chandelle.physics.salt_covariance import BandCurve, BandErrors, band_errors, relative_variance


@eqx.filter_jit
def make_tables(
    model: SaltModel,
    wave: Float[Array, "stack sample"],
    weight: Float[Array, "stack sample"],
    passband: Int[Array, "lane band"],
    z: Float[Array, " lane"],
    mwebv: Float[Array, " lane"],
    r_v: Float[Array, ""],
    dust: DustLaw,
    terms: int,
) -> BandTable:
    """`basis.tables_of` of every lane, one after the other to bound the memory."""

    def one(args: tuple[Array, Array, Array]) -> BandTable:
        own, z, mwebv = args
        return tables_of(
            model.surfaces,
            wave[own],
            weight[own],
            z=z,
            mwebv=mwebv,
            r_v=r_v,
            dust=dust,
            terms=terms,
        )

    return jax.lax.map(one, (passband, z, mwebv))


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
        curves = jax.tree.map(lambda leaf: leaf[own], curve)
        return jax.vmap(
            lambda one: band_errors(model.surfaces, model.errors, one, z=z, lengths=lengths)
        )(curves)

    return jax.lax.map(one, (passband, z))


@eqx.filter_jit
def scan_starts(
    model: SaltModel, tables: BandTable, epochs: Epochs
) -> tuple[Float[Array, "lane start 4"], Bool[Array, "lane start"]]:
    """`fit.find_starts` of every lane."""
    return jax.vmap(lambda t, e: find_starts(model.surfaces, t, e))(tables, epochs)


@eqx.filter_jit
def descend(
    model: SaltModel,
    tables: BandTable,
    errors: BandErrors | None,
    epochs: Epochs,
    start: Float[Array, "lane 4"],
    max_steps: Int[Array, ""],
) -> Answer:
    """`fit.fit_from` of every lane, with the model covariance (if `errors`) at the start."""

    def one(table: BandTable, band: BandErrors | None, epochs: Epochs, start: Array) -> Answer:
        variance, common = model_error(model, table, band, epochs, start)
        return fit_from(
            model.surfaces,
            table,
            epochs,
            start=start,
            variance=variance,
            common=common,
            max_steps=max_steps,
        )

    return jax.vmap(one)(tables, errors, epochs, start)


def model_error(
    model: SaltModel,
    table: BandTable,
    errors: BandErrors | None,
    epochs: Epochs,
    params: Float[Array, " 4"],
) -> tuple[Float[Array, " obs"], Float[Array, " obs"]]:
    """Error of the model's band fluxes at an answer.

    Parameters
    ----------
    model : SaltModel
        The model.
    table, errors, epochs
        Of one supernova; without `errors` the model is taken as exact.
    params : Array, shape (4,)
        (t0, x0, x0 x1, c).

    Returns
    -------
    variance : Array, shape (obs,), nJy^2
        Independent between epochs.
    common : Array, shape (obs,), nJy
        Error shared by the epochs of a band.
    """
    if errors is None:
        return jnp.zeros_like(epochs.flux), jnp.zeros_like(epochs.flux)
    t0, x0, x0x1, c = params
    phase = epochs.phase(t0)
    flux = flux_basis(model.surfaces, table, epochs.band, phase, c).value @ params[1:3]
    own = jax.tree.map(lambda leaf: leaf[epochs.band], errors)
    relative = jax.vmap(
        lambda band, near, p: relative_variance(model.errors, band, near, p, x0x1 / x0)
    )
    variance = relative(own, phase_weights(model.surfaces, phase), phase)
    return variance * flux**2, own.color_dispersion * flux
