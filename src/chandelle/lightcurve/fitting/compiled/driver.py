"""Hand a set of light curves to the compiled fit, over threads, and take its answers."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from chandelle.core.threads import share_out, usable_threads
from chandelle.lightcurve.fitting.bands import BandSet
from chandelle.lightcurve.fitting.compiled.arrays import (
    BandArrays,
    EpochArrays,
    FitChoices,
    Space,
    TargetArrays,
    work_space,
)
from chandelle.lightcurve.fitting.compiled.fit import fit_targets, flux_targets
from chandelle.lightcurve.fitting.problem import C_SERIES, SERIES_TOLERANCE, FitProblem
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.physics.compiled.arrays import model_arrays, numba_array
from chandelle.physics.compiled.bands import ModelArrays
from chandelle.physics.dust import DustLaw

CHUNK = 128
"""Targets between two reports of progress."""


def band_arrays(bands: BandSet, *, dust: DustLaw, r_v: float) -> BandArrays:
    """Give passbands as the arrays of the compiled kernels, with the dust law at their samples."""
    return BandArrays(
        wave=numba_array(bands.wave),
        weight=numba_array(bands.weight),
        dust=bands.dust_curve(dust, r_v=r_v),
        n_sample=bands.count,
        curve_wave=numba_array(bands.curve.wave),
        curve=numba_array(bands.curve.transmission),
        n_curve=bands.curve_count,
        filter=np.array(bands.curve.filter, dtype=np.int64),
    )


def epoch_arrays(problem: FitProblem) -> EpochArrays:
    """Give the epochs of a problem as the arrays of the compiled kernels."""
    epochs = problem.epochs
    return EpochArrays(
        mjd=numba_array(epochs.mjd),
        flux=numba_array(epochs.flux),
        total=numba_array(epochs.flux_err**2),
        variance=numba_array(epochs.variance),
        factor=numba_array(epochs.factor),
        band=np.array(epochs.band),
        first=np.array(problem.first),
    )


def target_arrays(problem: FitProblem) -> TargetArrays:
    """Give redshift, dust, bounds and priors as the arrays of the compiled kernels."""
    own = problem.constraints
    return TargetArrays(
        z=numba_array(problem.z),
        mwebv=numba_array(problem.mwebv),
        low=numba_array(own.low),
        high=numba_array(own.high),
        prior_mean=numba_array(own.mean),
        prior_ivar=numba_array(own.ivar),
        is_free=own.is_free,
    )


def fit_choices(problem: FitProblem) -> FitChoices:
    """Give the settings as the numbers of the compiled kernels."""
    settings = problem.settings
    everything = (-np.inf, np.inf)
    low, high = settings.phase_range or everything
    first_low, first_high = problem.first_range or everything
    return FitChoices(
        phase_low=float(low),
        phase_high=float(high),
        first_low=first_low,
        first_high=first_high,
        model_cov=settings.model_cov,
        c_series=C_SERIES,
        c_max=float(settings.c_max),
        tolerance=SERIES_TOLERANCE,
    )


def fit_compiled(
    problem: FitProblem,
    *,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> FitArrays:
    """Fit every supernova.

    Parameters
    ----------
    problem : FitProblem
        What to fit, and how.
    threads : int, optional
        Threads to use; one a core if absent.
    progress : callable, optional
        Called with the number done since the last call.

    Returns
    -------
    FitArrays
        One row a supernova; the same for any number of threads.
    """
    model = model_arrays(problem.model)
    bands = band_arrays(problem.bands, dust=problem.settings.dust, r_v=problem.settings.r_v)
    epochs, targets = epoch_arrays(problem), target_arrays(problem)
    choices = fit_choices(problem)
    n = len(targets.z)
    out = FitArrays.blank(n, len(epochs.mjd))
    chunks = [np.arange(i, min(i + CHUNK, n)) for i in range(0, n, CHUNK)]
    n_threads = min(usable_threads(threads), max(len(chunks), 1))
    spaces = [_space(model, bands, epochs) for _ in range(n_threads)]

    def work(chosen: NDArray[np.int64], space: Space) -> int:
        fit_targets(model, bands, epochs, targets, choices, chosen, out, space)
        return len(chosen)

    for count in share_out(work, chunks, spaces):
        if progress is not None:
            progress(count)
    return out


def compiled_fluxes(problem: FitProblem, params: NDArray[np.float64]) -> NDArray[np.float64]:
    """Model flux of every epoch.

    Parameters
    ----------
    problem : FitProblem
        Epochs, redshifts and dust.
    params : NDArray, shape (sn, 4)
        t0, x0, x1, c; finite.

    Returns
    -------
    NDArray, shape (obs,), nJy
        In the order of ``problem.epochs``.
    """
    model = model_arrays(problem.model)
    bands = band_arrays(problem.bands, dust=problem.settings.dust, r_v=problem.settings.r_v)
    epochs, targets = epoch_arrays(problem), target_arrays(problem)
    flux, space = np.zeros(len(epochs.mjd)), _space(model, bands, epochs)
    args = (model, bands, epochs, targets, SERIES_TOLERANCE, numba_array(params), flux, space)
    flux_targets(*args)
    return flux


def _space(model: ModelArrays, bands: BandArrays, epochs: EpochArrays) -> Space:
    counts = np.diff(epochs.first)
    return work_space(
        n_wave=len(model.wave),
        n_phase=len(model.phase),
        n_sample=bands.wave.shape[1],
        n_epoch=int(counts.max(initial=1)),
        n_band=_most_bands(epochs),
        n_factor=epochs.factor.shape[1],
    )


def _most_bands(epochs: EpochArrays) -> int:
    """Most passbands that one target has."""
    owner = np.repeat(np.arange(len(epochs.first) - 1), np.diff(epochs.first))
    pairs = np.unique(owner * (int(epochs.band.max(initial=0)) + 1) + epochs.band)
    owners = pairs // (int(epochs.band.max(initial=0)) + 1)
    return int(np.bincount(owners).max(initial=1)) if len(pairs) else 1
