r"""Model flux of one supernova, linear in x0 and x0 x1, with its first and second derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from chandelle.core.units import LN10_OVER_2P5
from chandelle.physics.dust import DustLaw, extinction
from chandelle.physics.salt_bands import BandTable, band_table, phase_weights
from chandelle.physics.salt_grid import SaltSurfaces


class Basis(eqx.Module):
    """Fluxes of unit x0 and of unit x0 x1 at the epochs, and derivatives by phase p and color c."""

    value: Float[Array, "obs 2"]
    p: Float[Array, "obs 2"]
    c: Float[Array, "obs 2"]
    pp: Float[Array, "obs 2"]
    pc: Float[Array, "obs 2"]
    cc: Float[Array, "obs 2"]


def tables_of(
    surfaces: SaltSurfaces,
    wave: Float[Array, "band sample"],
    weight: Float[Array, "band sample"],
    *,
    z: Float[Array, ""],
    mwebv: Float[Array, ""],
    r_v: Float[Array, ""],
    dust: DustLaw,
    terms: int,
) -> BandTable:
    """Band tables of one supernova behind its Milky Way dust.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    wave, weight : Array, shape (band, sample)
        Samples of its bands; weights make nJy.
    z, mwebv, r_v : Array
        Redshift, E(B-V) and total to selective extinction of the Milky Way.
    dust : {"f99", "ccm89", "o94"}
        Dust law.
    terms : int
        Taylor terms of the color law.

    Returns
    -------
    BandTable
        Stacked over bands.
    """
    dimmed = weight * 10.0 ** (-0.4 * extinction(wave, ebv=mwebv, r_v=r_v, law=dust))
    return jax.vmap(lambda w, k: band_table(surfaces, w, k, z=z, terms=terms))(wave, dimmed)


def _series(table: BandTable, c: Float[Array, ""]) -> Float[Array, "band node 6"]:
    """Node values at a color with their first and second derivative by it, M0 and M1 each."""
    terms = table.nodes.shape[-1]
    powers = jnp.concatenate([jnp.ones((1,)), jnp.cumprod(jnp.full((terms - 1,), c))])
    order = jnp.arange(terms, dtype=powers.dtype)
    lower = jnp.concatenate([jnp.zeros((1,)), order[1:] * powers[:-1]])
    lowest = jnp.concatenate([jnp.zeros((1,)), order[1:] * lower[:-1]])
    sums = table.nodes @ jnp.stack([powers, lower, lowest], axis=1)
    value, first, second = sums[..., 0], sums[..., 1], sums[..., 2]
    rate = (-LN10_OVER_2P5 * table.color_middle)[:, None, None]
    by_c = first + rate * value
    by_cc = second + 2.0 * rate * first + rate**2 * value
    return jnp.exp(rate * c) * jnp.concatenate([value, by_c, by_cc], axis=-1)


def flux_basis(
    surfaces: SaltSurfaces,
    table: BandTable,
    band: Int[Array, " obs"],
    phase: Float[Array, " obs"],
    c: Float[Array, ""],
) -> Basis:
    """Evaluate the basis at the epochs of one supernova.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    table : BandTable
        Stack of the supernova's bands.
    band : Array, shape (obs,)
        Row of the stack of each epoch.
    phase : Array, shape (obs,), day
        Rest-frame phases.
    c : Array
        Color.

    Returns
    -------
    Basis
        In nJy; zero at phases outside the model.
    """
    weights, bent = jax.jvp(lambda x: phase_weights(surfaces, x), (phase,), (jnp.ones_like(phase),))
    rows = _series(table, c)[band[:, None], weights.index]
    plain = jnp.sum(weights.weight[..., None] * rows, axis=1)
    slope = jnp.sum(weights.slope[..., None] * rows[..., :4], axis=1)
    curve = jnp.sum(bent.slope[..., None] * rows[..., :2], axis=1)
    return Basis(
        value=plain[:, :2],
        p=slope[:, :2],
        c=plain[:, 2:4],
        pp=curve,
        pc=slope[:, 2:],
        cc=plain[:, 4:],
    )


def plain_basis(
    surfaces: SaltSurfaces,
    table: BandTable,
    band: Int[Array, " obs"],
    phase: Float[Array, " obs"],
) -> Float[Array, "obs 2"]:
    """Fluxes of unit x0 and of unit x0 x1 at color zero, without derivatives."""
    weights = phase_weights(surfaces, phase)
    rows = table.nodes[band[:, None], weights.index, :, 0]
    return jnp.sum(weights.weight[..., None] * rows, axis=1)
