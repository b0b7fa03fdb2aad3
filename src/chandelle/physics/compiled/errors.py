"""Model covariance of SALT band fluxes, the twin of `physics.salt_covariance`."""

import math

import numpy as np

from chandelle.core.compiled import compiled
from chandelle.physics.compiled.bands import ModelArrays, TableSpace, fill_table
from chandelle.physics.compiled.grid import Floats, cell_of, cubic_weights, surface_at
from chandelle.physics.photometry import MODEL_SPACING
from chandelle.physics.salt_covariance import DARK_VARIANCE, MEAN_SPACING, NEGATIVE_VARIANCE


@compiled
def transmission_at(wave: Floats, transmission: Floats, x: float) -> float:
    """Linear interpolation of a passband, flat beyond its ends as `numpy.interp`."""
    n = len(wave)
    if x <= wave[0]:
        return float(transmission[0])
    if x >= wave[n - 1]:
        return float(transmission[n - 1])
    i = cell_of(wave, x)
    u = (x - wave[i]) / (wave[i + 1] - wave[i])
    return float((1.0 - u) * transmission[i] + u * transmission[i + 1])


@compiled
def fill_errors(
    table: Floats,
    model: ModelArrays,
    wave: Floats,
    transmission: Floats,
    z: float,
    rest: Floats,
    weight: Floats,
    space: TableSpace,
) -> tuple:
    """Average the templates over one rest-frame band and look up its color dispersion.

    Parameters
    ----------
    table : NDArray, shape (1 or more, 2 (2 P + 4))
        Its first row is filled.
    model : ModelArrays
        The model.
    wave, transmission : NDArray, shape (sample,)
        The passband, observer frame [angstrom].
    z : float
        Redshift.
    rest, weight : NDArray
        Room for the samples.
    space : TableSpace
        Room to work in.

    Returns
    -------
    tuple of (float, float)
        Mean rest-frame wavelength [angstrom] and color dispersion.
    """
    low, high = wave[0] / (1.0 + z), wave[len(wave) - 1] / (1.0 + z)
    count = math.ceil((high - low) / MODEL_SPACING)
    total = 0.0
    for k in range(count):
        rest[k] = low + (k + 0.5) * (high - low) / count
        weight[k] = rest[k] * transmission_at(wave, transmission, rest[k] * (1.0 + z))
        total += weight[k]
    for k in range(count):
        weight[k] /= total
    fill_table(table, model, rest[:count], weight[:count], 0.0, 0.0, 1.0, space)
    count = math.ceil((high - low) / MEAN_SPACING)
    total, moment = 0.0, 0.0
    for k in range(count):
        fine = low + (k + 0.5) * (high - low) / count
        share = transmission_at(wave, transmission, fine * (1.0 + z))
        total += share
        moment += share * fine
    mean = moment / total
    nodes, values = model.dispersion_wave, model.dispersion
    i = cell_of(nodes, mean)
    slope = (values[i + 1] - values[i]) / (nodes[i + 1] - nodes[i])
    return mean, values[i] + slope * (mean - nodes[i])


@compiled
def mean_fluxes(row: Floats, model: ModelArrays, phase: float) -> tuple:
    """Templates M0 and M1 averaged over a band at a phase, from a table of one term."""
    nodes = model.phase
    n = len(nodes)
    if phase < nodes[0] or phase > nodes[n - 1]:
        return 0.0, 0.0
    i = cell_of(nodes, phase)
    u = (phase - nodes[i]) / (nodes[i + 1] - nodes[i])
    if i == 0 or i == n - 2:
        at = 2 * n + (0 if i == 0 else 4)
        return (1.0 - u) * row[at] + u * row[at + 2], (1.0 - u) * row[at + 1] + u * row[at + 3]
    near = np.empty(4)
    cubic_weights(u, near)
    at = 2 * n + 8 + 2 * i
    m0 = (1.0 - u) * row[at] + u * row[at + 2]
    m1 = (1.0 - u) * row[at + 1] + u * row[at + 3]
    for a in range(4):
        m0 += near[a] * row[2 * (i - 1 + a)]
        m1 += near[a] * row[2 * (i - 1 + a) + 1]
    return m0, m1


@compiled
def relative_variance(
    row: Floats, model: ModelArrays, mean_wave: float, phase: float, x1: float
) -> float:
    """Relative model variance of one band flux, as `salt_covariance.relative_variance`.

    Parameters
    ----------
    row : NDArray
        From `fill_errors`; its last block must be zero where the band touches no end of the model.
    model : ModelArrays
        The model.
    mean_wave : float, angstrom
        From `fill_errors`.
    phase, x1 : float
        Rest-frame phase [day] and stretch.

    Returns
    -------
    float
        Variance over flux squared.
    """
    m0, m1 = mean_fluxes(row, model, phase)
    total = m0 + x1 * m1
    if total <= 0.0:
        return DARK_VARIANCE
    variance = (
        surface_at(model.variance_0, phase, mean_wave)
        + 2.0 * x1 * surface_at(model.covariance_01, phase, mean_wave)
        + x1 * x1 * surface_at(model.variance_1, phase, mean_wave)
    )
    if variance < 0.0:
        variance = NEGATIVE_VARIANCE
    if model.error_scale.values.size > 0:
        variance *= (surface_at(model.error_scale, phase, mean_wave) * m0) ** 2
    return variance / (total * total)
