"""True band fluxes of many supernovae at known parameters, one after the other.

The color is known, so the color law goes into the weights of a passband whole, with the dust and a
chromatic scatter, and one term of the series of `physics.salt_bands` is exact.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandelle.core.compiled import clear, compiled, compiled_entry
from chandelle.core.units import LN10_OVER_2P5
from chandelle.physics.compiled.bands import (
    ModelArrays,
    TableSpace,
    add_ends,
    add_straight,
    color_law_of,
    multiply,
    table_space,
)
from chandelle.physics.compiled.grid import Floats, cell_of, cubic_weights

Ints = NDArray[np.int64]


class CurveBands(NamedTuple):
    """Passbands, padded to one length; `weight` makes nJy, `dust` is that of unit E(B-V) [mag]."""

    wave: Floats
    weight: Floats
    dust: Floats
    n_sample: Ints


class CurveTargets(NamedTuple):
    """Supernovae: redshift, SALT parameters, E(B-V), and their scatter in color.

    `scatter` has shape (sn, node): magnitudes at rest-frame wavelengths `scatter_wave`, half waves
    of a sine between them; no node, no scatter.
    """

    z: Floats
    t0: Floats
    x0: Floats
    x1: Floats
    c: Floats
    mwebv: Floats
    scatter: Floats
    scatter_wave: Floats


class CurveEpochs(NamedTuple):
    """Epochs of all supernovae; those of supernova k are rows ``first[k]`` to ``first[k + 1]``."""

    mjd: Floats
    band: Ints
    first: Ints


class CurveSpace(NamedTuple):
    """Room to work in, one a thread: a table a passband, and whose it is."""

    table: TableSpace
    nodes: Floats
    owner: Ints
    has_edge: Ints
    rest: Floats
    dimmed: Floats
    slope: Floats
    weight: Floats
    sums: Floats
    near: Floats


def curve_space(model: ModelArrays, bands: CurveBands) -> CurveSpace:
    """Make room for a model and a set of passbands."""
    n_band, n_sample = bands.wave.shape
    return CurveSpace(
        table=table_space(len(model.wave), n_sample),
        nodes=np.zeros((n_band, 1, 2 * (2 * len(model.phase) + 4))),
        owner=np.full(n_band, -1, dtype=np.int64),
        has_edge=np.zeros(n_band, dtype=np.int64),
        rest=np.zeros(n_sample),
        dimmed=np.zeros(n_sample),
        slope=np.zeros(n_sample),
        weight=np.zeros(n_sample),
        sums=np.zeros((len(model.wave), 4)),
        near=np.zeros(4),
    )


@compiled_entry
def fill_fluxes(
    model: ModelArrays,
    bands: CurveBands,
    targets: CurveTargets,
    epochs: CurveEpochs,
    start: int,
    stop: int,
    flux: Floats,
    space: CurveSpace,
) -> None:
    """Fill the fluxes of supernovae `start` to `stop`.

    Parameters
    ----------
    model : ModelArrays
        The SALT model.
    bands : CurveBands
        Passbands.
    targets : CurveTargets
        Supernovae.
    epochs : CurveEpochs
        When, and in which passband.
    start, stop : int
        Range of supernovae.
    flux : NDArray, shape (obs,), nJy
        Filled; zero outside the phases of the model.
    space : CurveSpace
        Room to work in.
    """
    for band in range(len(space.owner)):
        space.owner[band] = -1
    for k in range(start, stop):
        stretch, t0, x0, x1 = 1.0 + targets.z[k], targets.t0[k], targets.x0[k], targets.x1[k]
        for i in range(epochs.first[k], epochs.first[k + 1]):
            phase = (epochs.mjd[i] - t0) / stretch
            if phase < model.phase[0] or phase > model.phase[len(model.phase) - 1]:
                flux[i] = 0.0
                continue
            band = epochs.band[i]
            if space.owner[band] != k:
                space.owner[band] = k
                _make_table(model, bands, targets, k, band, space)
            unit, by_stretch = _unit_fluxes(model.phase, phase, band, space)
            flux[i] = x0 * (unit + x1 * by_stretch)


@compiled
def _make_table(
    model: ModelArrays,
    bands: CurveBands,
    targets: CurveTargets,
    k: int,
    band: int,
    space: CurveSpace,
) -> None:
    """Fill the table of a passband for one supernova, all that dims it in the weights.

    The twin of `bands.fill_table` for one term, in which a loop over the samples is made of loops
    without branches, and a cell of the model takes its samples together.
    """
    table, size = space.nodes[band], 2 * len(model.phase)
    _weigh(model, bands, targets, k, band, space)
    first, last, has_edge = _spread(model, int(bands.n_sample[band]), space)
    clear(table[0], table.shape[1])
    multiply(table, model.templates, space.table.moments, first, last, 1, size)
    add_straight(table, model.templates, space.table.straight, first, last, 1, size)
    if has_edge:
        add_ends(table, model.templates, space.table.ends, 1, size)
    space.has_edge[band] = has_edge


@compiled
def _weigh(
    model: ModelArrays,
    bands: CurveBands,
    targets: CurveTargets,
    k: int,
    band: int,
    space: CurveSpace,
) -> None:
    """Fill wavelengths in the rest frame and weights: passband, color law, dust and scatter."""
    n, scale = bands.n_sample[band], 1.0 / (1.0 + targets.z[k])
    c, mwebv, rest, dimmed = targets.c[k], targets.mwebv[k], space.rest, space.dimmed
    for i in range(n):
        rest[i] = bands.wave[band, i] * scale
    color_law_of(model, rest, n, dimmed, space.slope)
    for i in range(n):
        dimmed[i] = c * dimmed[i] + mwebv * bands.dust[band, i]
    if len(targets.scatter_wave) > 0:
        for i in range(n):
            dimmed[i] += _scatter_at(targets.scatter_wave, targets.scatter[k], rest[i])
    for i in range(n):
        space.weight[i] = bands.weight[band, i] * scale * math.exp(-LN10_OVER_2P5 * dimmed[i])


@compiled
def _spread(model: ModelArrays, n: int, space: CurveSpace) -> tuple:
    r"""Share the weights among the wavelength nodes, cell by cell, as `bands.fill_table` does.

    The weight of a node is a cubic in the fraction u of its cell, so the sums of
    :math:`w u^p` over the samples of the cell, p from 0 to 3, are all that it takes.

    Returns the first and last node that can have got a share, and whether a sample lies in the
    first or last cell.
    """
    nodes, rest, sums = model.wave, space.rest, space.sums
    moments, straight, ends = space.table.moments, space.table.straight, space.table.ends
    last_cell, has_edge = len(nodes) - 2, False
    first, last = cell_of(nodes, rest[0]), cell_of(nodes, rest[n - 1])
    for i in range(first, last + 1):
        clear(sums[i], 4)
    for k in range(n):
        if rest[k] < nodes[0] or rest[k] > nodes[last_cell + 1]:
            continue
        i = cell_of(nodes, rest[k])
        u, w = (rest[k] - nodes[i]) / (nodes[i + 1] - nodes[i]), space.weight[k]
        for power in range(4):
            sums[i, power] += w
            w *= u
    from_node, to_node = max(first - 1, 0), min(last + 2, last_cell + 1)
    for at in range(from_node, to_node + 1):
        moments[at, 0], straight[at, 0] = 0.0, 0.0
    for end in range(len(ends)):
        ends[end, 0] = 0.0
    for i in range(first, last + 1):
        s0, s1, s2, s3 = sums[i]
        straight[i, 0] += s0 - s1
        straight[i + 1, 0] += s1
        if i == 0 or i == last_cell:
            has_edge = has_edge or s0 != 0.0
            end = 0 if i == 0 else 2
            ends[end, 0] += s0 - s1
            ends[end + 1, 0] += s1
        else:
            moments[i - 1, 0] += s2 - 0.5 * (s1 + s3)
            moments[i, 0] += s0 - 2.5 * s2 + 1.5 * s3
            moments[i + 1, 0] += 0.5 * s1 + 2.0 * s2 - 1.5 * s3
            moments[i + 2, 0] += 0.5 * (s3 - s2)
    return from_node, to_node, has_edge


@compiled
def _scatter_at(nodes: Floats, values: Floats, wave: float) -> float:
    """Interpolate along half waves of a sine; beyond the ends the last value holds."""
    if wave <= nodes[0]:
        return float(values[0])
    if wave >= nodes[len(nodes) - 1]:
        return float(values[len(nodes) - 1])
    i = cell_of(nodes, wave)
    u = 0.5 * (1.0 - math.cos(math.pi * (wave - nodes[i]) / (nodes[i + 1] - nodes[i])))
    return float((1.0 - u) * values[i] + u * values[i + 1])


@compiled
def _unit_fluxes(nodes: Floats, phase: float, band: int, space: CurveSpace) -> tuple:
    """Fluxes of unit x0 and of unit x0 x1 at a phase inside the model."""
    n_phase, row = len(nodes), space.nodes[band, 0]
    size = 2 * n_phase
    cell = cell_of(nodes, phase)
    u = (phase - nodes[cell]) / (nodes[cell + 1] - nodes[cell])
    if cell == 0 or cell == n_phase - 2:
        at = size + (0 if cell == 0 else 4)
        return _line(row, at, u), _line(row, at + 1, u)
    near = space.near
    cubic_weights(u, near)
    unit, by_stretch = 0.0, 0.0
    for a in range(4):
        at = 2 * (cell - 1 + a)
        unit += near[a] * row[at]
        by_stretch += near[a] * row[at + 1]
    if space.has_edge[band]:
        at = size + 8 + 2 * cell
        unit += _line(row, at, u)
        by_stretch += _line(row, at + 1, u)
    return unit, by_stretch


@compiled
def _line(row: Floats, at: int, u: float) -> float:
    """Between two nodes of one surface."""
    return (1.0 - u) * row[at] + u * row[at + 2]
