"""Band tables of one supernova, and the model flux at its epochs with all derivatives."""

import math

import numpy as np

from chandelle.core.compiled import clear, compiled
from chandelle.core.units import LN10_OVER_2P5
from chandelle.lightcurve.fitting.basis import LATE_DECLINE
from chandelle.lightcurve.fitting.compiled.arrays import (
    BandArrays,
    EpochArrays,
    Ints,
    Space,
    Supernova,
    TargetArrays,
)
from chandelle.lightcurve.fitting.guess import START_COLORS
from chandelle.physics.compiled.bands import ModelArrays, fill_table
from chandelle.physics.compiled.errors import fill_errors
from chandelle.physics.compiled.grid import (
    Floats,
    cell_of,
    cubic_bends,
    cubic_slopes,
    cubic_weights,
)


@compiled
def supernova_of(
    epochs: EpochArrays, targets: TargetArrays, target: int, space: Space
) -> Supernova:
    """Gather what belongs to one target, and number its passbands in ``space``."""
    first, last = epochs.first[target], epochs.first[target + 1]
    return Supernova(
        target,
        first,
        last - first,
        _find_bands(epochs.band[first:last], space),
        targets.z[target],
        targets.mwebv[target],
        epochs.mjd[first:last],
        epochs.flux[first:last],
        epochs.total[first:last],
        epochs.variance[first:last],
        epochs.factor[first:last],
        targets.low[target],
        targets.high[target],
        targets.prior_mean[target],
        targets.prior_ivar[target],
        targets.is_free,
    )


@compiled
def _find_bands(bands: Ints, space: Space) -> int:
    """List the passbands of a supernova, give each epoch its place in the list; return how many."""
    n_band = 0
    for i in range(len(bands)):
        band = bands[i]
        k = 0
        while k < n_band and space.bands[k] != band:
            k += 1
        if k == n_band:
            space.bands[k] = band
            n_band += 1
        space.local[i] = k
    return n_band


@compiled
def make_tables(
    model: ModelArrays,
    bands: BandArrays,
    one: Supernova,
    c_max: float,
    tolerance: float,
    space: Space,
) -> None:
    """Fill the tables of a supernova's passbands behind its Milky Way dust."""
    for k in range(one.n_band):
        band = space.bands[k]
        n = bands.n_sample[band]
        for i in range(n):
            dimmed = math.exp(-LN10_OVER_2P5 * one.mwebv * bands.dust[band, i])
            space.weight[i] = bands.weight[band, i] * dimmed
        space.terms[k], space.middle[k], space.has_edge[k] = fill_table(
            space.nodes[k],
            model,
            bands.wave[band, :n],
            space.weight[:n],
            one.z,
            c_max,
            tolerance,
            space.table,
        )
    space.state[0] = np.nan


@compiled
def make_errors(model: ModelArrays, bands: BandArrays, one: Supernova, space: Space) -> None:
    """Fill what the model covariance needs of a supernova's passbands, and number its filters."""
    n_filter = 0
    for k in range(one.n_band):
        band = space.bands[k]
        space.filters[k] = n_filter
        for j in range(k):
            if bands.filter[space.bands[j]] == bands.filter[band]:
                space.filters[k] = space.filters[j]
        n_filter = max(n_filter, space.filters[k] + 1)
        n = bands.n_curve[band]
        space.mean_wave[k], space.dispersion[k] = fill_errors(
            space.mean_nodes[k],
            model,
            bands.curve_wave[band, :n],
            bands.curve[band, :n],
            one.z,
            space.rest,
            space.rest_weight,
            space.table,
        )


@compiled
def set_color(n_phase: int, n_band: int, c: float, space: Space) -> None:
    """Sum the color series of every node: its value and two derivatives by c.

    Nothing is done where they stand for this color already.
    """
    if space.state[0] == c:
        return
    space.state[0] = c
    for k in range(n_band):
        rate = -LN10_OVER_2P5 * space.middle[k]
        factor = math.exp(rate * c)
        size = 4 * n_phase + 8 if space.has_edge[k] else 2 * n_phase + 8
        value, first, second = (
            space.node_values[k, 0],
            space.node_values[k, 1],
            space.node_values[k, 2],
        )
        clear(value, size)
        clear(first, size)
        clear(second, size)
        power, lower, lowest = factor, 0.0, 0.0
        for j in range(space.terms[k]):
            # Of c^j, of j c^(j-1) and of j (j-1) c^(j-2), with the factor in front.
            a = power
            b = lower + rate * power
            d = lowest + 2.0 * rate * lower + rate * rate * power
            row = space.nodes[k, j]
            for n in range(size):
                value[n] += a * row[n]
                first[n] += b * row[n]
                second[n] += d * row[n]
            lowest = lowest * c + 2.0 * lower
            lower = lower * c + power
            power = power * c


@compiled
def fill_basis(model: ModelArrays, one: Supernova, t0: float, space: Space) -> None:
    """Fluxes of unit x0 and unit x0 x1 at the epochs in use, with derivatives by phase and color.

    Columns of ``space.basis``, pairs for M0 and M1: flux, by phase, by phase twice, by color, by
    phase and color, by color twice.
    """
    n, z, mjd, nodes = one.n, one.z, one.mjd, model.phase
    n_phase = len(nodes)
    size = 2 * n_phase
    for i in range(n):
        if not space.used[i]:
            continue
        out = space.basis[i]
        clear(out, len(out))
        phase = (mjd[i] - t0) / (1.0 + z)
        if phase < nodes[0] or phase > nodes[n_phase - 1]:
            continue
        cell = cell_of(nodes, phase)
        per_cell = 1.0 / (nodes[cell + 1] - nodes[cell])
        u = (phase - nodes[cell]) * per_cell
        band = space.local[i]
        value, by_c, by_cc = (
            space.node_values[band, 0],
            space.node_values[band, 1],
            space.node_values[band, 2],
        )
        if cell == 0 or cell == n_phase - 2:
            at = size + (0 if cell == 0 else 4)
            _add_line(out, value, by_c, by_cc, at, u, per_cell)
            continue
        weight, slope, bend = space.near[0], space.near[1], space.near[2]
        cubic_weights(u, weight)
        cubic_slopes(u, per_cell, slope)
        cubic_bends(u, per_cell, bend)
        for a in range(4):
            at = 2 * (cell - 1 + a)
            for s in range(2):
                out[s] += weight[a] * value[at + s]
                out[2 + s] += slope[a] * value[at + s]
                out[4 + s] += bend[a] * value[at + s]
                out[6 + s] += weight[a] * by_c[at + s]
                out[8 + s] += slope[a] * by_c[at + s]
                out[10 + s] += weight[a] * by_cc[at + s]
        if space.has_edge[space.local[i]]:
            _add_line(out, value, by_c, by_cc, size + 8 + 2 * cell, u, per_cell)


@compiled
def _add_line(
    out: Floats, value: Floats, by_c: Floats, by_cc: Floats, at: int, u: float, per_cell: float
) -> None:
    """Add what is linear in phase between two nodes."""
    v = 1.0 - u
    for s in range(2):
        low, high = at + s, at + 2 + s
        out[s] += v * value[low] + u * value[high]
        out[2 + s] += per_cell * (value[high] - value[low])
        out[6 + s] += v * by_c[low] + u * by_c[high]
        out[8 + s] += per_cell * (by_c[high] - by_c[low])
        out[10 + s] += v * by_cc[low] + u * by_cc[high]


@compiled
def set_start_colors(n_phase: int, n_band: int, space: Space) -> None:
    """Sum the color series of every node at each of `guess.START_COLORS`.

    They stand where the value and the derivatives of one color do otherwise.
    """
    space.state[0] = np.nan
    for k in range(n_band):
        size = 4 * n_phase + 8 if space.has_edge[k] else 2 * n_phase + 8
        for a in range(len(START_COLORS)):
            c = START_COLORS[a]
            power = math.exp(-LN10_OVER_2P5 * space.middle[k] * c)
            value = space.node_values[k, a]
            clear(value, size)
            for j in range(space.terms[k]):
                row = space.nodes[k, j]
                for n in range(size):
                    value[n] += power * row[n]
                power *= c


@compiled
def start_fluxes(model: ModelArrays, one: Supernova, t0: float, n_color: int, space: Space) -> None:
    """Fluxes of unit x0 and unit x0 x1 of all epochs, a pair of basis columns a color.

    The colors are the first `n_color` that ``space.node_values`` stands for: `set_start_colors`, or
    one and `set_color`. After the model fluxes decline.
    """
    n, z, mjd, nodes = one.n, one.z, one.mjd, model.phase
    n_phase = len(nodes)
    size = 2 * n_phase
    weight = space.near[0]
    for i in range(n):
        out = space.basis[i]
        clear(out, 2 * n_color)
        phase = (mjd[i] - t0) / (1.0 + z)
        late = max(phase - nodes[n_phase - 1], 0.0)
        phase = min(phase, nodes[n_phase - 1])
        if phase < nodes[0]:
            continue
        cell = cell_of(nodes, phase)
        u = (phase - nodes[cell]) / (nodes[cell + 1] - nodes[cell])
        is_end = cell == 0 or cell == n_phase - 2
        fade = math.exp(-LN10_OVER_2P5 * LATE_DECLINE * late) if late > 0.0 else 1.0
        line = -1
        if is_end:
            line = size + (0 if cell == 0 else 4)
        elif space.has_edge[space.local[i]]:
            line = size + 8 + 2 * cell
        cubic_weights(u, weight)
        for a in range(n_color):
            row = space.node_values[space.local[i], a]
            for s in range(2):
                total = 0.0
                if line >= 0:
                    total += (1.0 - u) * row[line + s] + u * row[line + 2 + s]
                if not is_end:
                    for k in range(4):
                        total += weight[k] * row[2 * (cell - 1 + k) + s]
                out[2 * a + s] = fade * total
