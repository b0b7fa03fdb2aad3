"""What the compiled fit reads and works in: named tuples of numpy arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandelle.physics.compiled.bands import TableSpace, table_space
from chandelle.physics.compiled.grid import Floats
from chandelle.physics.salt_bands import MAX_TERMS

N_PARAMS = 4
N_BASIS = 12
"""Numbers kept of an epoch: fluxes of unit x0 and x0 x1, and their derivatives."""

DESCENT_ROWS = 27
"""Rows of room that `descent.descent_room` gives names to."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class BandArrays(NamedTuple):
    """Passbands, padded to one length; `n_sample`, `n_curve` say how many samples are real.

    `weight` makes nJy, `dust` is the extinction [mag] of unit E(B-V); `curve_wave`, `curve` are the
    passband itself, for the model covariance, and `filter` numbers the filter it is of.
    """

    wave: Floats
    weight: Floats
    dust: Floats
    n_sample: Ints
    curve_wave: Floats
    curve: Floats
    n_curve: Ints
    filter: Ints


class EpochArrays(NamedTuple):
    """Epochs of all targets, one after the other.

    Target k has rows ``first[k]`` to ``first[k + 1]``, in order of time. Their covariance is
    diag(variance) + factor factor^T within a target, its diagonal `total` [nJy^2].
    """

    mjd: Floats
    flux: Floats
    total: Floats
    variance: Floats
    factor: Floats
    band: Ints
    first: Ints


class TargetArrays(NamedTuple):
    """Redshift, Milky Way E(B-V), bounds and Gaussian priors of (t0, x0, x1, c), (target, 4).

    `prior_ivar` is zero where there is no prior. `is_free` says that no x0 nor x1 has a bound or a
    prior, so that they are solved for.
    """

    z: Floats
    mwebv: Floats
    low: Floats
    high: Floats
    prior_mean: Floats
    prior_ivar: Floats
    is_free: bool


class Supernova(NamedTuple):
    """One target: its epochs, bounds and priors, as in `EpochArrays` and `TargetArrays`.

    `target` is its place among the targets; its `n` epochs, in `n_band` passbands, begin with epoch
    `first`.
    """

    target: int
    first: int
    n: int
    n_band: int
    z: float
    mwebv: float
    mjd: Floats
    flux: Floats
    total: Floats
    variance: Floats
    factor: Floats
    low: Floats
    high: Floats
    prior_mean: Floats
    prior_ivar: Floats
    is_free: bool


class Point(NamedTuple):
    """Parameters (t0, x0, x1, c) with the derivatives of half the chi2 there, filled in place."""

    params: Floats
    gradient: Floats
    hessian: Floats
    gauss_newton: Floats


class FitChoices(NamedTuple):
    """Settings of the fit as numbers; the phases are infinite where all are fitted.

    `first_low`, `first_high` hold until the first answer is known.
    """

    phase_low: float
    phase_high: float
    first_low: float
    first_high: float
    model_cov: bool
    c_series: float
    c_max: float
    tolerance: float


class Space(NamedTuple):
    """Room to work in, one a thread; named by what stands there.

    Axes: epoch, band of the supernova, term and node of its tables, column of the factor.
    """

    table: TableSpace
    nodes: Floats
    node_values: Floats
    terms: Ints
    middle: Floats
    has_edge: Bools
    bands: Ints
    filters: Ints
    local: Ints
    weight: Floats
    mean_nodes: Floats
    mean_wave: Floats
    dispersion: Floats
    rest: Floats
    rest_weight: Floats
    basis: Floats
    ivar: Floats
    tied: Floats
    columns: Floats
    square: Floats
    sums: Floats
    pull: Floats
    jacobian: Floats
    used: Bools
    wanted: Bools
    starts: Floats
    depth: Floats
    near: Floats
    bend: Floats
    state: Floats
    descent: Floats


def work_space(
    *, n_wave: int, n_phase: int, n_sample: int, n_epoch: int, n_band: int, n_factor: int
) -> Space:
    """Make room for the largest supernova of a set.

    Parameters
    ----------
    n_wave, n_phase : int
        Grid of the model.
    n_sample : int
        Longest passband, in samples of the observer's frame.
    n_epoch, n_band : int
        Most epochs and most passbands of one supernova.
    n_factor : int
        Columns of the flux covariance.

    Returns
    -------
    Space
        Zeros.
    """
    n_node = 2 * (2 * n_phase + 4)
    n_column = n_factor + n_band
    return Space(
        table=table_space(n_wave, n_sample),
        nodes=np.zeros((n_band, MAX_TERMS, n_node)),
        node_values=np.zeros((n_band, 3, n_node)),
        terms=np.zeros(n_band, np.int64),
        middle=np.zeros(n_band),
        has_edge=np.zeros(n_band, np.bool_),
        bands=np.zeros(n_band, np.int64),
        filters=np.zeros(n_band, np.int64),
        local=np.zeros(n_epoch, np.int64),
        weight=np.zeros(n_sample),
        mean_nodes=np.zeros((n_band, 1, n_node)),
        mean_wave=np.zeros(n_band),
        dispersion=np.zeros(n_band),
        rest=np.zeros(n_sample),
        rest_weight=np.zeros(n_sample),
        basis=np.zeros((n_epoch, N_BASIS)),
        ivar=np.zeros(n_epoch),
        tied=np.zeros((n_epoch, n_column)),
        columns=np.zeros((n_epoch, n_column)),
        square=np.zeros((n_column, n_column)),
        sums=np.zeros((1 + N_PARAMS, n_column)),
        pull=np.zeros(n_epoch),
        jacobian=np.zeros((n_epoch, N_PARAMS)),
        used=np.zeros(n_epoch, np.bool_),
        wanted=np.zeros(n_epoch, np.bool_),
        starts=np.zeros((3, N_PARAMS)),
        depth=np.zeros(3),
        near=np.zeros((3, 4)),
        bend=np.zeros(8),
        state=np.zeros(1),
        descent=np.zeros((DESCENT_ROWS, N_PARAMS)),
    )
