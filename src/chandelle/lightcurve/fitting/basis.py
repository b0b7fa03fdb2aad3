"""Band tables of one supernova behind its dust, and the fluxes of its epochs from them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from chandelle.core.units import LN10_OVER_2P5
from chandelle.physics.dust import DustLaw, extinction
from chandelle.physics.salt_bands import BandTable, band_table, phase_weights
from chandelle.physics.salt_grid import SaltSurfaces

LATE_DECLINE = 0.02
"""Decline after the last phase of the model, for first guesses [mag/day]."""


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
    host_ebv: Float[Array, ""] | None = None,
    about: Float[Array, ""] | None = None,
) -> BandTable:
    """Band tables of one supernova behind the dust of the Milky Way and of its host.

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
    host_ebv : Array, optional
        E(B-V) of the host, of the same law and ratio at the supernova's redshift.
    about : Array, optional
        Color that the series of the color law is about; zero if absent.

    Returns
    -------
    BandTable
        Stacked over bands.
    """
    dimming = extinction(wave, ebv=mwebv, r_v=r_v, law=dust)
    if host_ebv is not None:
        dimming = dimming + extinction(wave / (1.0 + z), ebv=host_ebv, r_v=r_v, law=dust)
    dimmed = weight * 10.0 ** (-0.4 * dimming)

    def one(wave: Array, weight: Array) -> BandTable:
        return band_table(surfaces, wave, weight, z=z, terms=terms, about=about)

    return jax.vmap(one)(wave, dimmed)


def unit_fluxes(
    surfaces: SaltSurfaces,
    table: BandTable,
    band: Int[Array, " obs"],
    phase: Float[Array, " obs"],
    c: Float[Array, ""],
) -> Float[Array, "obs 2"]:
    """Fluxes of unit x0 and of unit x0 x1 at the epochs of one supernova.

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
    Array, shape (obs, 2), nJy
        Zero at phases outside the model.
    """
    weights = phase_weights(surfaces, phase)
    terms = table.nodes.shape[1]
    powers = jnp.stack([(c - table.about) ** j for j in range(terms)], axis=1)
    factor = jnp.exp(-LN10_OVER_2P5 * table.color_middle * c)
    nodes = factor[:, None, None] * jnp.einsum("bj,bjns->bns", powers, table.nodes)
    return jnp.sum(weights.weight[..., None] * nodes[band[:, None], weights.index], axis=1)


def declining_fluxes(
    surfaces: SaltSurfaces,
    table: BandTable,
    band: Int[Array, " obs"],
    phase: Float[Array, " obs"],
    c: Float[Array, ""],
) -> Float[Array, "obs 2"]:
    """`unit_fluxes`, declining after the model by `LATE_DECLINE`."""
    flux = unit_fluxes(surfaces, table, band, jnp.minimum(phase, surfaces.phase[-1]), c)
    return flux * _fade(surfaces, phase)[:, None]


def _fade(surfaces: SaltSurfaces, phase: Float[Array, " obs"]) -> Float[Array, " obs"]:
    late = jnp.maximum(phase - surfaces.phase[-1], 0.0)
    return jnp.exp(-LN10_OVER_2P5 * LATE_DECLINE * late)
