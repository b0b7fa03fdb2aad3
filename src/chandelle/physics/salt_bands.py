r"""Band fluxes of SALT as short sums: the algebra shared by exact fluxes and fits.

The band flux of surface s (M0 or M1) at rest-frame phase p and color c is

.. math:: f_s(p, c) = \sum_k w_k \frac{10^{-0.4 c\,CL(\lambda_k)}}{1+z}\, M_s(p, \lambda_k)
    = 10^{-0.4 c\,\overline{CL}} \sum_j (c - c_0)^j \sum_n \phi_n(p)\, T_{nsj}

where :math:`\lambda_k` are rest-frame, :math:`\phi_n` the six interpolation weights of a phase and
:math:`T` the table of one band at one redshift: at each phase node the integral of the surface with
the j-th Taylor term of the color law about its middle value, for colors about :math:`c_0`. The node
axis has three blocks:

- ``[0, P)``: samples in inner wavelength cells, weighted by the cubic weights in phase;
- ``[P, P + 4)``: all samples linear in wavelength at the first two and last two phases, for
  phases in the first or last interval;
- ``[P + 4, 2P + 4)``: samples in the first or last wavelength cell, linear in phase and in
  wavelength; zero for a band that touches neither.

Nothing is approximated but the Taylor series, and `series_terms` bounds its remainder; at
:math:`c_0` itself J terms are exact to J - 1 derivatives by the color.
"""

import math
from collections.abc import Iterable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from chandelle.core.errors import InputError
from chandelle.core.units import LN10_OVER_2P5
from chandelle.physics.photometry import support
from chandelle.physics.salt_grid import SaltSurfaces, find_cell
from chandelle.products.passband import Passband

MAX_TERMS = 64
_FEW_TERMS = 4


class BandTable(eqx.Module):
    """Integrals of one band (or of a stack of bands) over the templates at each phase node.

    Attributes
    ----------
    nodes : Array, shape (*band, term, 2 P + 4, 2)
        The table T of the module's equation; unit of the weights it was built with.
    color_middle : Array, shape (*band), mag
        Middle of the range of the color law in the band.
    about : Array, shape (*band)
        The color :math:`c_0` that the series is about.
    """

    nodes: Float[Array, "*band term node 2"]
    color_middle: Float[Array, "*band"]
    about: Float[Array, "*band"]


class PhaseWeights(eqx.Module):
    """Which nodes of a `BandTable` make the flux at a phase, with which weights.

    `slope` is the derivative of `weight` by the rest-frame phase [1/day].
    """

    index: Int[Array, "*shape 6"]
    weight: Float[Array, "*shape 6"]
    slope: Float[Array, "*shape 6"]


def series_terms(
    surfaces: SaltSurfaces,
    passbands: Iterable[Passband],
    *,
    z_min: float,
    z_max: float,
    c_max: float = 1.0,
    tolerance: float = 1e-12,
) -> int:
    r"""Count the Taylor terms of the color law that a set of bands needs.

    With :math:`x = 0.4 \ln 10\, |c| \max|CL - \overline{CL}|`, J terms leave a remainder below
    :math:`e^x \sum_{j \ge J} x^j / j!` of the flux.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    passbands : iterable of Passband
        The bands.
    z_min, z_max : float
        Range of redshift.
    c_max : float
        Largest absolute color.
    tolerance : float
        Relative error allowed on the flux of a positive surface.

    Returns
    -------
    int
        Number of terms, for `band_table`.

    Raises
    ------
    InputError
        If more than 64 terms would be needed.
    """
    low, high = float(surfaces.wave[0]), float(surfaces.wave[-1])
    half_range = 0.0
    for passband in passbands:
        wave, _ = support(passband)
        scale = 1.0 + np.linspace(z_min, z_max, 17)
        first, last = (np.clip(end / scale, low, high) for end in (wave[0], wave[-1]))
        color = np.asarray(surfaces.color_law(jnp.asarray(np.linspace(first, last, 129))))
        half_range = max(half_range, float(np.ptp(color, axis=0).max()) / 2.0)
    x = 1.02 * LN10_OVER_2P5 * c_max * half_range
    for terms in range(1, MAX_TERMS + 1):
        tail = sum(x**j / math.factorial(j) for j in range(terms, terms + 40))
        if math.exp(x) * tail < tolerance:
            return terms
    raise InputError(
        f"|c| up to {c_max} needs more than {MAX_TERMS} terms of the color law; lower c_max"
    )


def band_table(
    surfaces: SaltSurfaces,
    wave: Float[Array, " sample"],
    weight: Float[Array, " sample"],
    *,
    z: Float[Array, ""],
    terms: int,
    about: Float[Array, ""] | None = None,
) -> BandTable:
    """Integrate the templates over one band at one redshift, node by node.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    wave : Array, shape (sample,), angstrom
        Observer-frame samples (`photometry.band_samples`).
    weight : Array, shape (sample,)
        Their weights, times the dust transmission and the wanted unit of flux; zero is padding.
    z : Array
        Redshift.
    terms : int
        Number of Taylor terms of the color law (`series_terms`); 1 leaves the color law out.
    about : Array, optional
        Color that the series is about; zero if absent.

    Returns
    -------
    BandTable
        Of this band; `jax.vmap` makes stacks over bands and supernovae.
    """
    scale = 1.0 / (1.0 + z)
    rest = wave * scale
    cell = find_cell(surfaces.wave, rest)
    about = jnp.zeros_like(scale) if about is None else about
    moments, middle = _color_moments(surfaces.color_law(rest), weight * scale, terms, about)
    inner = jnp.where(cell.is_edge[:, None], 0.0, cell.cubic)
    outer = jnp.where(cell.is_edge[:, None], cell.linear, 0.0)
    templates = surfaces.templates
    shape = templates.shape[1:]
    flat = templates.reshape(len(templates), -1)

    cubic_block = _integrate(flat, moments, inner, cell.index).reshape(terms, *shape)

    last = len(templates) - 1
    ends = jnp.asarray([0, 1, last - 1, last], dtype=cell.index.dtype)
    at_end = cell.index[:, None, 1:3] == ends[None, :, None]
    to_end = jnp.sum(jnp.where(at_end, outer[:, None, 1:3], 0.0), axis=-1)
    edge_block = ((moments @ to_end) @ flat[ends]).reshape(terms, *shape)

    phase_ends = templates[:, jnp.asarray([0, 1, shape[0] - 2, shape[0] - 1])].reshape(-1, 8)
    straight = sum(cell.linear[:, i, None] * phase_ends[cell.index[:, i]] for i in (1, 2))
    linear_block = (moments @ straight).reshape(terms, 4, 2)

    nodes = jnp.concatenate([cubic_block, linear_block, edge_block], axis=1)
    return BandTable(nodes=nodes, color_middle=middle, about=about)


def _integrate(
    templates: Float[Array, "wave node"],
    moments: Float[Array, "term sample"],
    weight: Float[Array, "sample 4"],
    index: Int[Array, "sample 4"],
) -> Float[Array, "term node"]:
    """Integrate templates that are interpolated between four wavelengths a sample.

    Few terms are shared among the wavelengths; for many it is less to interpolate the templates.
    """
    if len(moments) > _FEW_TERMS:
        return moments @ sum(weight[:, i, None] * templates[index[:, i]] for i in range(4))
    shares = weight[:, :, None] * moments.T[:, None, :]
    shared = jnp.zeros((len(templates), len(moments)), templates.dtype).at[index].add(shares)
    return shared.T @ templates


def _color_moments(
    color: Float[Array, " sample"],
    weight: Float[Array, " sample"],
    terms: int,
    about: Float[Array, ""],
) -> tuple[Float[Array, "term sample"], Float[Array, ""]]:
    """Weights times the Taylor terms of 10^(-0.4 c (CL - middle)) about a color, and the middle."""
    used = weight != 0.0
    low = jnp.min(jnp.where(used, color, jnp.inf))
    high = jnp.max(jnp.where(used, color, -jnp.inf))
    middle = jnp.where(used.any(), 0.5 * (low + high), 0.0)
    x = jnp.where(used, -LN10_OVER_2P5 * (color - middle), 0.0)
    moments = [weight * jnp.exp(about * x)]
    for j in range(1, terms):
        moments.append(moments[-1] * x / j)
    return jnp.stack(moments), middle


def phase_weights(surfaces: SaltSurfaces, phase: Float[Array, "*shape"]) -> PhaseWeights:
    """Weights of a table's nodes for rest-frame phases.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    phase : Array, shape (*shape), day
        Rest-frame phases; outside the model's range all weights are zero.

    Returns
    -------
    PhaseWeights
        Six nodes a phase.
    """
    count = len(surfaces.phase)
    cell = find_cell(surfaces.phase, phase)
    edge = cell.is_edge[..., None]
    corner = count + jnp.where(cell.index[..., 1] == 0, 0, 2)
    none = jnp.zeros_like(corner)
    at_edge = jnp.stack([corner, corner + 1, none, none, none, none], axis=-1)
    within = jnp.concatenate([cell.index, count + 4 + cell.index[..., 1:3]], axis=-1)

    return PhaseWeights(
        index=jnp.where(edge, at_edge, within),
        weight=_in_blocks(edge, cell.cubic, cell.linear),
        slope=_in_blocks(edge, cell.cubic_slope, cell.linear_slope),
    )


def _in_blocks(edge: Array, cubic: Array, linear: Array) -> Array:
    """Weights of the six nodes, in the order of `PhaseWeights.index`."""
    at_edge = jnp.concatenate([linear[..., 1:3], jnp.zeros_like(cubic)], axis=-1)
    return jnp.where(edge, at_edge, jnp.concatenate([cubic, linear[..., 1:3]], axis=-1))


def table_flux(
    table: BandTable,
    weights: PhaseWeights,
    c: Float[Array, ""],
    *,
    band: Int[Array, ""] | None = None,
) -> Float[Array, " 2"]:
    """Band flux of M0 and M1 at one phase and color, for x0 = 1.

    Parameters
    ----------
    table : BandTable
        Of one band, or of a stack of bands when `band` is given.
    weights : PhaseWeights
        Of one phase.
    c : Array
        Color.
    band : Array, optional
        Row of the stack.

    Returns
    -------
    Array, shape (2,)
        The flux of a supernova is x0 (f[0] + x1 f[1]).
    """
    return table_flux_slopes(table, weights, c, band=band)[0]


def table_flux_slopes(
    table: BandTable,
    weights: PhaseWeights,
    c: Float[Array, ""],
    *,
    band: Int[Array, ""] | None = None,
) -> tuple[Float[Array, " 2"], Float[Array, " 2"], Float[Array, " 2"]]:
    """Band flux of M0 and M1 with its derivatives by phase and by color.

    Parameters
    ----------
    table, weights, c, band
        As for `table_flux`.

    Returns
    -------
    tuple of three Arrays, shape (2,)
        Flux, derivative by rest-frame phase [1/day], derivative by c.
    """
    if band is None:
        rows, middle, about = table.nodes[:, weights.index], table.color_middle, table.about
    else:
        rows, middle = table.nodes[band, :, weights.index].swapaxes(0, 1), table.color_middle[band]
        about = table.about[band]
    series = jnp.einsum("n,jns->js", weights.weight, rows)
    series_slope = jnp.einsum("n,jns->js", weights.slope, rows)
    rate = -LN10_OVER_2P5 * middle
    factor = jnp.exp(rate * c)
    value, by_c = _horner(series, c - about)
    by_phase, _ = _horner(series_slope, c - about)
    return factor * value, factor * by_phase, factor * (by_c + rate * value)


def _horner(series: Float[Array, "term 2"], c: Float[Array, ""]) -> tuple[Array, Array]:
    """Value and derivative of a power series, constant term first."""
    value, slope = series[-1], jnp.zeros_like(series[-1])
    for j in reversed(range(len(series) - 1)):
        slope = slope * c + value
        value = value * c + series[j]
    return value, slope
