"""Band tables of SALT, the twin of `physics.salt_bands.band_table`.

A table is an array (term, 2 (2P + 4)): the nodes of `salt_bands.BandTable`, M0 and M1 interleaved.
"""

import math
from typing import NamedTuple

import numpy as np

from chandelle.core.compiled import clear, compiled
from chandelle.core.units import LN10_OVER_2P5
from chandelle.physics.compiled.grid import Floats, SurfaceArrays, cell_of, cubic_weights
from chandelle.physics.salt_bands import MAX_TERMS
from chandelle.physics.salt_grid import WAVE_B, WAVE_V

_ROWS = 4


class ModelArrays(NamedTuple):
    """A SALT model as numpy arrays: `SaltSurfaces` and `SaltErrors`.

    `templates` has shape (wave, 2 P), M0 and M1 interleaved; `error_scale` is empty for SALT3.
    """

    phase: Floats
    wave: Floats
    templates: Floats
    color_law: Floats
    color_low: float
    color_high: float
    variance_0: SurfaceArrays
    variance_1: SurfaceArrays
    covariance_01: SurfaceArrays
    error_scale: SurfaceArrays
    dispersion_wave: Floats
    dispersion: Floats


class TableSpace(NamedTuple):
    """Room to work in, one a thread.

    `moments`, `straight` hold the weights of the wavelength nodes (wave, term) for the cubic and
    the straight-line interpolation, `ends` those of the samples in the first and last cell for the
    two nodes at each end; `color` is the color law at the samples of a band.
    """

    moments: Floats
    straight: Floats
    ends: Floats
    color: Floats
    near: Floats


def table_space(n_wave: int, n_sample: int) -> TableSpace:
    """Make room for models of `n_wave` wavelengths and bands of up to `n_sample` samples."""
    return TableSpace(
        moments=np.zeros((n_wave, MAX_TERMS)),
        straight=np.zeros((n_wave, MAX_TERMS)),
        ends=np.zeros((4, MAX_TERMS)),
        color=np.zeros(n_sample),
        near=np.zeros(4),
    )


@compiled
def color_law_at(model: ModelArrays, wave: float) -> float:
    """Color law at a rest-frame wavelength, as `salt_grid.ColorLaw`."""
    width = WAVE_V - WAVE_B
    reduced = (wave - WAVE_B) / width
    low, high = (model.color_low - WAVE_B) / width, (model.color_high - WAVE_B) / width
    x = min(max(reduced, low), high)
    value, slope, total = 0.0, 0.0, 0.0
    for i in range(len(model.color_law) - 1, -1, -1):
        slope = slope * x + value
        value = value * x + model.color_law[i]
        total += model.color_law[i]
    slope = slope * x + value
    value = value * x + 1.0 - total
    slope = slope * x + value
    return -(value * x + slope * (reduced - x))


@compiled
def color_law_of(model: ModelArrays, wave: Floats, n: int, law: Floats, slope: Floats) -> None:
    """Fill `law` with the color law at n rest-frame wavelengths; `slope` is room to work in."""
    width = WAVE_V - WAVE_B
    low, high = (model.color_low - WAVE_B) / width, (model.color_high - WAVE_B) / width
    total = 0.0
    for i in range(n):
        law[i], slope[i] = 0.0, 0.0
    for j in range(len(model.color_law) + 1, -1, -1):
        a = 0.0
        if j > 1:
            a = model.color_law[j - 2]
            total += a
        elif j == 1:
            a = 1.0 - total
        for i in range(n):
            x = min(max((wave[i] - WAVE_B) / width, low), high)
            slope[i] = slope[i] * x + law[i]
            law[i] = law[i] * x + a
    for i in range(n):
        reduced = (wave[i] - WAVE_B) / width
        x = min(max(reduced, low), high)
        law[i] = -(law[i] + slope[i] * (reduced - x))


@compiled
def terms_needed(x: float, tolerance: float) -> int:
    """Taylor terms of exp(x) that leave less than `tolerance`, as `salt_bands.series_terms`."""
    if x == 0.0:
        return 1
    scale, term = math.exp(x), 1.0
    for count in range(1, MAX_TERMS):
        term *= x / count
        # What follows is at most a geometric series.
        ratio = x / (count + 1)
        if ratio < 0.5 and scale * term / (1.0 - ratio) < tolerance:
            return count
    return MAX_TERMS


@compiled
def fill_table(
    table: Floats,
    model: ModelArrays,
    wave: Floats,
    weight: Floats,
    z: float,
    c_max: float,
    tolerance: float,
    space: TableSpace,
) -> tuple:
    """Integrate the templates over one band at one redshift, node by node.

    Parameters
    ----------
    table : NDArray, shape (MAX_TERMS, 2 (2 P + 4))
        Filled up to the number of terms.
    model : ModelArrays
        The model.
    wave, weight : NDArray, shape (sample,)
        Observer-frame samples [angstrom] and their weights, behind the dust.
    z : float
        Redshift.
    c_max, tolerance : float
        The series is good to `tolerance` for colors up to `c_max`; zero leaves the color law out.
    space : TableSpace
        Room to work in.

    Returns
    -------
    tuple of (int, float, bool)
        Number of terms, middle of the color law in the band, and whether the band touches the
        first or last wavelength cell of the model.
    """
    n = len(wave)
    scale = 1.0 / (1.0 + z)
    low, high = np.inf, -np.inf
    for k in range(n):
        color = color_law_at(model, wave[k] * scale)
        space.color[k] = color
        if weight[k] != 0.0:
            low, high = min(low, color), max(high, color)
    middle = 0.5 * (low + high) if high >= low else 0.0
    reach = 0.5 * (high - low) if high >= low else 0.0
    terms = terms_needed(LN10_OVER_2P5 * c_max * reach, tolerance) if c_max > 0.0 else 1
    first, last, has_edge = _spread(model, wave, weight, scale, middle, terms, space)
    size = 2 * len(model.phase)
    for j in range(terms):
        clear(table[j], table.shape[1])
    multiply(table, model.templates, space.moments, first, last, terms, size)
    add_straight(table, model.templates, space.straight, first, last, terms, size)
    if has_edge:
        add_ends(table, model.templates, space.ends, terms, size)
    return terms, middle, has_edge


@compiled
def _spread(
    model: ModelArrays,
    wave: Floats,
    weight: Floats,
    scale: float,
    middle: float,
    terms: int,
    space: TableSpace,
) -> tuple:
    """Share the moments of every sample among the wavelength nodes around it.

    Returns the first and last node that can have got a share, and whether a sample lies in the
    first or last cell.
    """
    n, last_cell = len(wave), len(model.wave) - 2
    first = max(cell_of(model.wave, wave[0] * scale) - 1, 0)
    last = min(cell_of(model.wave, wave[n - 1] * scale) + 2, last_cell + 1)
    for i in range(first, last + 1):
        clear(space.moments[i], terms)
        clear(space.straight[i], terms)
    for end in range(len(space.ends)):
        clear(space.ends[end], terms)
    near, has_edge = space.near, False
    for k in range(n):
        rest = wave[k] * scale
        if weight[k] == 0.0 or rest < model.wave[0] or rest > model.wave[last_cell + 1]:
            continue
        i = cell_of(model.wave, rest)
        u = (rest - model.wave[i]) / (model.wave[i + 1] - model.wave[i])
        x = -LN10_OVER_2P5 * (space.color[k] - middle)
        moment = weight[k] * scale
        is_edge = i == 0 or i == last_cell
        has_edge = has_edge or is_edge
        end = 0 if i == 0 else 2
        cubic_weights(u, near)
        for j in range(terms):
            space.straight[i, j] += (1.0 - u) * moment
            space.straight[i + 1, j] += u * moment
            if is_edge:
                space.ends[end, j] += (1.0 - u) * moment
                space.ends[end + 1, j] += u * moment
            else:
                for a in range(4):
                    space.moments[i - 1 + a, j] += near[a] * moment
            moment *= x / (j + 1)
    return first, last, has_edge


@compiled
def multiply(
    table: Floats,
    templates: Floats,
    moments: Floats,
    first: int,
    last: int,
    terms: int,
    size: int,
) -> None:
    """Add moments^T templates to the first block; four wavelengths a sweep."""
    at = first
    while at + _ROWS <= last + 1:
        t0, t1, t2, t3 = templates[at], templates[at + 1], templates[at + 2], templates[at + 3]
        for j in range(terms):
            g0, g1, g2, g3 = (
                moments[at, j],
                moments[at + 1, j],
                moments[at + 2, j],
                moments[at + 3, j],
            )
            row = table[j]
            for n in range(size):
                row[n] += g0 * t0[n] + g1 * t1[n] + g2 * t2[n] + g3 * t3[n]
        at += _ROWS
    while at <= last:
        for j in range(terms):
            g0 = moments[at, j]
            for n in range(size):
                table[j, n] += g0 * templates[at, n]
        at += 1


@compiled
def add_straight(
    table: Floats,
    templates: Floats,
    straight: Floats,
    first: int,
    last: int,
    terms: int,
    size: int,
) -> None:
    """Add the block of the first two and last two phases."""
    for at in range(first, last + 1):
        row = templates[at]
        for j in range(terms):
            g = straight[at, j]
            for s in range(4):
                table[j, size + s] += g * row[s]
                table[j, size + 4 + s] += g * row[size - 4 + s]


@compiled
def add_ends(table: Floats, templates: Floats, ends: Floats, terms: int, size: int) -> None:
    """Add the block of the samples in the first and last wavelength cell."""
    last = len(templates) - 1
    for e in range(4):
        at = e if e < 2 else last - 3 + e
        for j in range(terms):
            for n in range(size):
                table[j, size + 8 + n] += ends[e, j] * templates[at, n]
