"""How well a light curve covers its maximum, and the flags that follow: functions of flat arrays.

They know no product, so that the fit can call them on its own arrays.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chandelle.core.flags import Flag

DETECTION = 5.0
"""Significance of a detection [sigma]."""
X1_EXTREME = 5.0
ERRORS_LARGE: Mapping[str, float] = {"t0_err": 5.0, "x1_err": 3.0, "c_err": 0.5}
"""Errors from which on a parameter counts as not measured [d, 1, mag]."""
NEAR_MAXIMUM = (-8.0, 10.0)
EARLY, LATE = (-10.0, 5.0), (5.0, 20.0)
"""Rest-frame days in which JLA asked for two bands, for an epoch, for another."""
GAP_WINDOW = (-10.0, 20.0)
"""Rest-frame days in which the largest gap is sought."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def phase_coverage(
    target: Ints,
    band: Ints,
    phase: Floats,
    significance: Floats,
    *,
    n_targets: int,
    detection: int | float = DETECTION,
) -> dict[str, NDArray]:
    """Count epochs, detections and bands about maximum, all targets at once.

    Parameters
    ----------
    target, band : array of int, shape (obs,)
        Row of the target, index of the band; epochs in any order.
    phase : array, shape (obs,), rest-frame day
        Epochs without a phase (NaN) do not count.
    significance : array, shape (obs,)
        Flux over its error.
    n_targets : int
        Number of targets.
    detection : float
        Least significance of a detection.

    Returns
    -------
    dict of NDArray, shape (target,)
        n_epochs; n_detections, n_bands (with a detection), n_before, n_after (detections before
        and from maximum on), n_bands_before, n_bands_after (with a detection there); n_early,
        n_late, n_bands_near (epochs, or bands with an epoch, in `EARLY`, `LATE`, `NEAR_MAXIMUM`);
        first_phase, last_phase (NaN without epochs), and max_gap, the longest time without an epoch
        within `GAP_WINDOW` [rest-frame d].
    """
    seen = np.isfinite(phase)
    target, band = target[seen], band[seen]
    phase, significance = phase[seen], significance[seen]
    is_detected, is_before = significance >= detection, phase < 0.0
    before, after = is_detected & is_before, is_detected & ~is_before

    def count(mask: NDArray[np.bool_]) -> Ints:
        return np.bincount(target[mask], minlength=n_targets)

    def bands(mask: NDArray[np.bool_]) -> Ints:
        return count_bands(target[mask], band[mask], n_targets=n_targets)

    first, last = np.full(n_targets, np.inf), np.full(n_targets, -np.inf)
    np.minimum.at(first, target, phase)
    np.maximum.at(last, target, phase)
    return {
        "n_epochs": count(np.ones(len(phase), dtype=bool)),
        "n_detections": count(is_detected),
        "n_bands": bands(is_detected),
        "n_before": count(before),
        "n_after": count(after),
        "n_bands_before": bands(before),
        "n_bands_after": bands(after),
        **near_maximum(target, band, phase, n_targets=n_targets),
        "first_phase": np.where(np.isfinite(first), first, np.nan),
        "last_phase": np.where(np.isfinite(last), last, np.nan),
        "max_gap": _largest_gap(target, phase, n_targets=n_targets),
    }


def near_maximum(target: Ints, band: Ints, phase: Floats, *, n_targets: int) -> dict[str, Ints]:
    """Count the epochs and bands that `quality_flags` asks for.

    Parameters
    ----------
    target, band, phase, n_targets
        As for `phase_coverage`.

    Returns
    -------
    dict of NDArray, shape (target,)
        n_early, n_late, n_bands_near.
    """
    early, late, near = (
        (phase > low) & (phase < high) for low, high in (EARLY, LATE, NEAR_MAXIMUM)
    )
    return {
        "n_early": np.bincount(target[early], minlength=n_targets),
        "n_late": np.bincount(target[late], minlength=n_targets),
        "n_bands_near": count_bands(target[near], band[near], n_targets=n_targets),
    }


def count_bands(target: Ints, band: Ints, *, n_targets: int) -> Ints:
    """Count the different bands of each target, shape (target,)."""
    n_band = int(band.max(initial=0)) + 1
    pairs = np.unique(target * n_band + band)
    return np.bincount(pairs // n_band, minlength=n_targets)


def _largest_gap(target: Ints, phase: Floats, *, n_targets: int) -> Floats:
    """Longest time without an epoch in `GAP_WINDOW`, its ends counted as epochs."""
    low, high = GAP_WINDOW
    inside = (phase > low) & (phase < high)
    ends = np.repeat(np.arange(n_targets), 2)
    target = np.concatenate([ends, target[inside]])
    phase = np.concatenate([np.tile([low, high], n_targets), phase[inside]])
    order = np.lexsort((phase, target))
    step = np.diff(phase[order])
    same = np.diff(target[order]) == 0
    gap = np.zeros(n_targets)
    np.maximum.at(gap, target[order][1:][same], step[same])
    return gap


def quality_flags(
    *,
    x1: Floats,
    t0_err: Floats,
    x1_err: Floats,
    c_err: Floats,
    n_early: Ints,
    n_late: Ints,
    n_bands_near: Ints,
) -> Ints:
    """Flag extreme stretch, errors too large to mean anything, and poor coverage of maximum.

    Coverage is poor where it fails what JLA asked for: an epoch in `EARLY`, another in `LATE`, and
    two bands in `NEAR_MAXIMUM`.

    Parameters
    ----------
    x1, t0_err, x1_err, c_err : array, shape (sn,)
        Of the answers; NaN, where there is none, sets no flag.
    n_early, n_late, n_bands_near : array of int, shape (sn,)
        What `phase_coverage` counts over the epochs of the fit.

    Returns
    -------
    array of int, shape (sn,)
        Bits of `chandelle.core.flags`.

    References
    ----------
    M. Betoule et al., 2014, A&A 568, A22 (section 4.5).

    Examples
    --------
    >>> one, three = np.ones(2), np.full(2, 3)
    >>> quality_flags(x1=np.array([0.0, 6.0]), t0_err=one, x1_err=one, c_err=0.1 * one,
    ...               n_early=three, n_late=three, n_bands_near=np.array([2, 2]))
    array([   0, 2048])
    """
    is_answer = np.isfinite(x1)
    errors = {"t0_err": t0_err, "x1_err": x1_err, "c_err": c_err}
    is_large = np.zeros(len(x1), dtype=bool)
    for name, limit in ERRORS_LARGE.items():
        is_large |= ~(errors[name] < limit) | (errors[name] <= 0)
    is_poor = (n_early < 1) | (n_late < 1) | (n_bands_near < 2)
    bits = (
        (np.abs(x1) > X1_EXTREME, Flag.X1_EXTREME),
        (is_answer & is_large, Flag.ERRORS_LARGE),
        (is_answer & is_poor, Flag.POOR_PHASE_COVERAGE),
    )
    flags = np.zeros(len(x1), dtype=np.int64)
    for is_set, flag in bits:
        flags[is_set] |= int(flag)
    return flags
