"""From the answers of an engine to the table of fits."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2 as chi2_distribution

from chandelle.core.flags import Flag
from chandelle.core.units import LN10_OVER_2P5
from chandelle.lightcurve.fitting.answers import covariance_of
from chandelle.lightcurve.fitting.constraints import SALT_NAMES
from chandelle.lightcurve.fitting.limits import LATE_ROUND
from chandelle.lightcurve.fitting.newton import held
from chandelle.lightcurve.fitting.prepare import N_PARAMS, Prepared
from chandelle.lightcurve.fitting.problem import FitProblem
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.lightcurve.quality import near_maximum, quality_flags
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import filter_of
from chandelle.products.saltfits import SaltFits
from chandelle.products.schema import table_from_columns

_log = logging.getLogger(__name__)

_CHI2_IMPROBABLE = 1e-6
_UNMEASURED = (100.0, 100.0, 10.0)
"""Errors of t0 [d], x1 and c from which on the epochs do not tell the parameters apart."""
_SUSPECT = (Flag.ZP_OUTLIER, Flag.BASELINE_OFFSET, Flag.SIGN_SUSPECT)
_TRAVELING = ("survey", "z_hel", "z_hd", "z_err", "mwebv", "host_logmass", "host_logmass_err")


@dataclass(slots=True, kw_only=True, eq=False)
class Columns:
    """Answers of all targets while they are gathered; NaN where there is none.

    Attributes
    ----------
    names : tuple of str
        The parameters.
    params, cov : NDArray, shape (target, param) and (target, param, param)
        Answers and their covariance.
    chi2, ndof, n_used, status, flags : NDArray, shape (target,)
        As in `SaltFits`.
    traveling : dict of NDArray
        What the targets say and the fits pass on.
    derivatives : dict of NDArray, derivative_bands : tuple of str
        Where they were asked.
    """

    names: tuple[str, ...]
    params: NDArray[np.float64]
    cov: NDArray[np.float64]
    chi2: NDArray[np.float64]
    ndof: NDArray[np.int64]
    n_used: NDArray[np.int64]
    status: NDArray
    flags: NDArray[np.int64]
    traveling: dict[str, Any]
    derivatives: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    derivative_bands: tuple[str, ...] = ()


def blank_columns(lcs: LightCurves, ready: Prepared, *, names: tuple[str, ...]) -> Columns:
    """Make the columns of a fit before any answer: NaN, and what the targets say.

    Parameters
    ----------
    lcs : LightCurves
        With their targets.
    ready : Prepared
        What is to be fitted of them.
    names : tuple of str
        The parameters.

    Returns
    -------
    Columns
        One row a target.
    """
    targets = lcs.targets
    n, n_param = len(targets), len(names)
    flags = np.where(ready.band_dropped, int(Flag.BAND_DROPPED), 0)
    touched = np.isin(targets["sn"].astype(str), lcs.rejected["sn"].to_pylist())
    flags |= np.where(touched | ready.points_rejected, int(Flag.POINTS_REJECTED), 0)
    flags |= np.where(ready.mwebv_unknown, int(Flag.MWEBV_UNKNOWN), 0)
    flags |= _suspects(lcs)
    traveling: dict[str, Any] = {"sn": targets["sn"], "z": ready.z.copy()}
    traveling |= {name: targets[name] for name in _TRAVELING}
    z_hd = traveling["z_hd"]
    traveling["z_hd"] = np.where(np.isfinite(z_hd), z_hd, targets["z_cmb"])
    counts = np.bincount(ready.epochs.target, minlength=n)
    return Columns(
        names=names,
        params=np.full((n, n_param), np.nan),
        cov=np.full((n, n_param, n_param), np.nan),
        chi2=np.full(n, np.nan),
        ndof=np.where(counts > 0, counts - n_param, 0),
        n_used=np.zeros(n, np.int64),
        status=ready.status.astype("U24"),
        flags=flags.astype(np.int64),
        traveling=traveling,
    )


def _suspects(lcs: LightCurves) -> NDArray[np.int64]:
    """Flags of each target whose epochs look wrong, as ingest found."""
    flags = np.zeros(len(lcs.targets), dtype=np.int64)
    for flag in _SUSPECT:
        suspect = np.unique(lcs["sn"][(lcs.flags & int(flag)) != 0].astype(str))
        flags |= np.where(np.isin(lcs.targets["sn"].astype(str), suspect), int(flag), 0)
    return flags


def fill_columns(
    columns: Columns,
    problem: FitProblem,
    rows: NDArray[np.int64],
    result: FitArrays,
    *,
    min_detection: float,
) -> None:
    """Write the answers into the columns, with their status and flags.

    Parameters
    ----------
    columns : Columns
        Changed.
    problem : FitProblem
        What was fitted.
    rows : NDArray, shape (sn,)
        Row of the target of each supernova of the problem.
    result : FitArrays
        The answers.
    min_detection : float
        Least significance of a supernova.
    """
    params, n_param = result.params, len(columns.names)
    cov = covariance_of(result.hessian, _push(problem, result))
    n_used = np.add.reduceat(result.used.astype(np.int64), problem.first[:-1])
    status = _status(problem, result, cov, n_used, min_detection=min_detection)
    is_ok = status == "ok"
    columns.status[rows] = status
    columns.n_used[rows] = np.where(is_ok, n_used, 0)
    columns.ndof[rows] = n_used - n_param
    columns.params[rows[is_ok]] = params[is_ok]
    columns.cov[rows[is_ok]] = cov[is_ok]
    columns.chi2[rows[is_ok]] = result.chi2[is_ok]
    tail = chi2_distribution.sf(result.chi2, np.maximum(n_used - n_param, 1))
    flags = np.where(is_ok & (tail < _CHI2_IMPROBABLE), int(Flag.CHI2_BAD), 0)
    flags |= np.where(is_ok & result.at_bound, int(Flag.AT_BOUND), 0)
    flags |= np.where(is_ok & result.has_rival, int(Flag.TWO_MINIMA), 0)
    flags |= np.where(is_ok & (result.n_rounds > LATE_ROUND), int(Flag.NOT_AT_REST), 0)
    flags |= np.where(status == "no_detection", int(Flag.UPPER_LIMIT), 0)
    flags |= _quality(problem, params, np.where(is_ok[:, None, None], cov, np.nan), result.used)
    columns.flags[rows] |= flags


def _status(
    problem: FitProblem,
    result: FitArrays,
    cov: NDArray[np.float64],
    n_used: NDArray[np.int64],
    *,
    min_detection: float,
) -> NDArray:
    """Tell which answers are "ok", and why others are not; the first reason that applies counts."""
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))[:, [0, 2, 3]]
        gain = result.chi2_empty - result.chi2
    is_detected = gain >= min_detection**2
    is_finite = np.isfinite(result.chi2) & np.isfinite(result.chi2_empty)
    reasons = {
        "bounds_exclude_data": _excludes(problem, result.params) & ~is_detected,
        "underconstrained": n_used < N_PARAMS,
        "no_detection": is_finite & (~(result.params[:, 1] > 0) | ~is_detected),
        "not_converged": ~is_finite,
    }
    later = {
        "underconstrained": (error > _UNMEASURED).any(axis=1),
        "singular_covariance": ~np.isfinite(cov).all(axis=(1, 2)),
        "not_converged": ~result.is_converged | ~result.is_at_rest,
    }
    return np.select([*reasons.values(), *later.values()], [*reasons, *later], default="ok")


def _push(problem: FitProblem, result: FitArrays) -> NDArray[np.float64]:
    """Gradient of half the chi2 by the parameters that their bound holds, zero by others."""
    own = problem.constraints
    at = (result.params, result.gradient, own.low, own.high)
    return np.where(held(*map(jnp.asarray, at)), result.gradient, 0.0)


def _excludes(problem: FitProblem, params: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether bounds of t0 leave no overlap of model and epochs, or x0 stands at its bound."""
    low, high = problem.constraints.low, problem.constraints.high
    at_low = (params[:, 1] <= low[:, 1]) & (low[:, 1] > 0)
    return (low[:, 0] >= high[:, 0]) | at_low | (params[:, 1] >= high[:, 1])


def _quality(
    problem: FitProblem,
    params: NDArray[np.float64],
    cov: NDArray[np.float64],
    used: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Flags of `quality_flags`, and of epochs held out; none where the covariance is NaN."""
    names, epochs = problem.constraints.names, problem.epochs
    t0_err, _, x1_err, c_err = np.sqrt(np.diagonal(cov, axis1=1, axis2=2)).T[:4]
    is_fit = np.isfinite(t0_err)
    z = params[:, names.index("z")] if "z" in names else problem.z
    phase = (epochs.mjd - params[epochs.target, 0]) / (1.0 + z[epochs.target])
    low, high = problem.settings.phase_range or (-np.inf, np.inf)
    use = (phase > low) & (phase < high)
    filters = [filter_of(band.name) for band in problem.bands.passbands]
    band = np.unique(filters, return_inverse=True)[1][epochs.band[use]]
    counts = near_maximum(epochs.target[use], band, phase[use], n_targets=len(problem))
    x1 = np.where(is_fit, params[:, 2], np.nan)
    flags = quality_flags(x1=x1, t0_err=t0_err, x1_err=x1_err, c_err=c_err, **counts)
    held_out = np.bincount(epochs.target[use & ~used], minlength=len(problem)) > 0
    return flags | np.where(is_fit & held_out, int(Flag.EPOCHS_HELD_OUT), 0)


def product_of(
    columns: Columns, lcs: LightCurves, settings: dict[str, Any], *, mb_offset: float
) -> SaltFits:
    """Make the product of the columns, and say in the log how many fits ended how.

    Parameters
    ----------
    columns : Columns
        Filled.
    lcs : LightCurves
        Give origin and provenance.
    settings : dict
        Of the fit, for the record.
    mb_offset : float, mag
        Peak magnitude of the model for x0 = 1.

    Returns
    -------
    SaltFits
        One row a target.
    """
    out: dict[str, Any] = dict(columns.traveling)
    params, cov, names = columns.params, columns.cov, columns.names
    for i, name in enumerate(names):
        out[name] = params[:, i]
        # z_err is that of the target; the fitted one has a name of its own.
        out["z_fit_err" if name == "z" else f"{name}_err"] = np.sqrt(cov[:, i, i])
        for j in range(i):
            out[f"cov_{names[j]}_{name}"] = cov[:, j, i]
    rate = -1.0 / (LN10_OVER_2P5 * out["x0"])
    out["mb"] = mb_offset - 2.5 * np.log10(out["x0"])
    out["mb_err"] = np.abs(rate) * out["x0_err"]
    for name in (*SALT_NAMES[2:], *names[4:]):
        out[f"cov_mb_{name}"] = rate * out[f"cov_x0_{name}"]
    if "z" in names:
        out["z"] = np.where(np.isfinite(out["z"]), out["z"], columns.traveling["z"])
    out |= {"chi2": columns.chi2, "ndof": columns.ndof, "n_used": columns.n_used}
    out |= {"status": columns.status, "flags": columns.flags, **columns.derivatives}
    counts = dict(Counter(columns.status.tolist()))
    others = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()) if name != "ok")
    line = f"{len(params)} targets, {counts.get('ok', 0)} fitted" + (
        f", {others}" if others else ""
    )
    _log.info(line, extra={"counts": counts})
    meta = lcs.meta.with_provenance(
        model=settings["model"], mb_offset=mb_offset, fit=settings, status=counts
    )
    if columns.derivatives:
        meta = meta.with_provenance(
            derivative_bands=list(columns.derivative_bands), derivative_params=list(names)
        )
    return SaltFits(table=table_from_columns(out), meta=meta)
