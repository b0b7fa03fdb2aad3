"""Cells and interpolation weights of `physics.salt_grid`, one point at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandelle.core.compiled import compiled

Floats = NDArray[np.float64]


class SurfaceArrays(NamedTuple):
    """`salt_grid.Surface` as numpy arrays; of no size where the model has no such surface."""

    phase: Floats
    wave: Floats
    values: Floats


@compiled
def cell_of(nodes: Floats, x: float) -> int:
    """Index of the node before a point, as `salt_grid.find_cell` has it.

    The walk starts where even spacing would put the point, so any increasing grid is right and an
    even one is fast.
    """
    last = len(nodes) - 2
    guess = (x - nodes[0]) / (nodes[last + 1] - nodes[0]) * (last + 1)
    i = min(max(int(guess), 0), last)
    while i > 0 and nodes[i] > x:
        i -= 1
    while i < last and nodes[i + 1] <= x:
        i += 1
    return i


@compiled
def cubic_weights(u: float, out: Floats) -> None:
    """Weights of the four nodes around a point at the fraction u of its cell (Keys, a = -1/2)."""
    v = 1.0 - u
    out[0] = -0.5 * u * v * v
    out[1] = 1.0 + u * u * (1.5 * u - 2.5)
    out[2] = u * (0.5 + u * (2.0 - 1.5 * u))
    out[3] = -0.5 * u * u * v


@compiled
def cubic_slopes(u: float, per_cell: float, out: Floats) -> None:
    """First derivative of the weights; `per_cell` is one over the width of the cell."""
    out[0] = (-0.5 + u * (2.0 - 1.5 * u)) * per_cell
    out[1] = u * (4.5 * u - 5.0) * per_cell
    out[2] = (0.5 + u * (4.0 - 4.5 * u)) * per_cell
    out[3] = u * (1.5 * u - 1.0) * per_cell


@compiled
def cubic_bends(u: float, per_cell: float, out: Floats) -> None:
    """Second derivative of the weights."""
    square = per_cell * per_cell
    out[0] = (2.0 - 3.0 * u) * square
    out[1] = (9.0 * u - 5.0) * square
    out[2] = (4.0 - 9.0 * u) * square
    out[3] = (3.0 * u - 1.0) * square


@compiled
def surface_at(surface: SurfaceArrays, phase: float, wave: float) -> float:
    """Value of a surface at a point, zero outside its grid."""
    phases, waves, values = surface
    n_phase, n_wave = values.shape
    is_inside = phases[0] <= phase <= phases[n_phase - 1] and waves[0] <= wave <= waves[n_wave - 1]
    if not is_inside:
        return 0.0
    i, k = cell_of(phases, phase), cell_of(waves, wave)
    u = (phase - phases[i]) / (phases[i + 1] - phases[i])
    v = (wave - waves[k]) / (waves[k + 1] - waves[k])
    if i == 0 or i == n_phase - 2 or k == 0 or k == n_wave - 2:
        low = (1.0 - v) * values[i, k] + v * values[i, k + 1]
        high = (1.0 - v) * values[i + 1, k] + v * values[i + 1, k + 1]
        return (1.0 - u) * low + u * high
    by_phase, by_wave = np.empty(4), np.empty(4)
    cubic_weights(u, by_phase)
    cubic_weights(v, by_wave)
    total = 0.0
    for a in range(4):
        for b in range(4):
            total += by_phase[a] * by_wave[b] * values[i - 1 + a, k - 1 + b]
    return total
