"""Fit SALT to light curves: settings and the public entry."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import chi2 as chi2_distribution

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.precision import require_x64
from chandelle.core.units import LN10_OVER_2P5
from chandelle.lightcurve.fitting.answers import errors_of, natural
from chandelle.lightcurve.fitting.batch import make_batches
from chandelle.lightcurve.fitting.prepare import C_SERIES, N_PARAMS, Prepared, prepare
from chandelle.lightcurve.fitting.rounds import BatchResult, FitSettings, fit_batch
from chandelle.lightcurve.ingest import Source, read_lightcurves
from chandelle.physics.dust import DustLaw
from chandelle.physics.salt import SaltModel, load_salt, peak_magnitude_offset
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits
from chandelle.products.schema import table_from_columns

_log = logging.getLogger(__name__)

PHASE_RANGE = (-15.0, 45.0)
"""Phases that are fitted unless said otherwise, those of Pantheon+ [rest-frame day]."""
_CHI2_IMPROBABLE = 1e-6
_SUSPECT = (Flag.ZP_OUTLIER, Flag.BASELINE_OFFSET, Flag.SIGN_SUSPECT)
_PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
_NAMES = ("t0", "x0", "x1", "c")
_TRAVELING = ("survey", "z_hel", "z_hd", "z_err", "mwebv", "host_logmass", "host_logmass_err")


class FitConfig(StageConfig):
    """Settings of the light-curve fit."""

    model: str = "salt3-f22"
    model_cov: bool = False
    dust: DustLaw = "f99"
    r_v: float = Field(default=3.1, gt=0)
    phase_range: tuple[float, float] | None = PHASE_RANGE
    wave_range: tuple[float, float] | None = None
    c_max: float = Field(default=1.0, gt=0)
    min_detection: float = Field(default=5.0, ge=0)


def fit_salt(
    lcs: Source,
    *,
    model: str | SaltModel = "salt3-f22",
    model_cov: bool = False,
    dust: DustLaw = "f99",
    r_v: float = 3.1,
    phase_range: tuple[float, float] | None = PHASE_RANGE,
    wave_range: tuple[float, float] | None = None,
    c_max: float = 1.0,
    min_detection: float = 5.0,
    progress: Callable[[int, int], None] | None = None,
) -> SaltFits:
    r"""Fit time of maximum, amplitude, stretch and color of every target.

    Minimizes :math:`\chi^2 = r^T C^{-1} r` over (t0, x0, x1, c) at the target's `z_hel` and
    `mwebv`, from several times of maximum, to the exact minimum; errors are those of the inverse
    Hessian. Outside the model's phases its flux is zero; bands that leave its wavelengths are
    dropped.

    Parameters
    ----------
    lcs : LightCurves, or anything `read_lightcurves` takes
        Light curves with their targets. An unknown mwebv counts as zero, an unknown z_hd is z_cmb.
    model : str or SaltModel
        Name or folder of a model, or a loaded one.
    model_cov : bool
        Add the model's covariance, taken at the answer before and refitted until at rest.
    dust : {"f99", "ccm89", "o94"}
        Dust law of the Milky Way.
    r_v : float
        Its ratio of total to selective extinction.
    phase_range : (float, float) or None
        Fit only epochs within these rest-frame days about the fitted maximum; by default where
        SALT is well known. None fits all: an epoch outside the model's phases then counts as one
        without flux, as in sncosmo, and late epochs distort the fit.
    wave_range : (float, float), optional
        Fit only bands whose mean rest-frame wavelength [angstrom] lies within.
    c_max : float
        Bound of the absolute color.
    min_detection : float
        Least significance of the supernova as a whole, in sigma: chi2 must fall by its square.
    progress : callable, optional
        Called with the number of targets done and their total.

    Returns
    -------
    SaltFits
        One row a target in the order of the targets. `status` is "ok", or z_invalid, no_data,
        no_band_in_range, underconstrained, no_detection, not_converged or singular_covariance;
        parameters are then NaN.

    Raises
    ------
    InputError
        If a setting or the light curves are unusable as a whole.

    References
    ----------
    J. Guy et al., 2007, A&A 466, 11. M. Betoule et al., 2014, A&A 568, A22.
    """
    require_x64()
    config = FitConfig.of(
        "fit_salt",
        model=_name_of(model),
        model_cov=model_cov,
        dust=dust,
        r_v=r_v,
        phase_range=phase_range,
        wave_range=wave_range,
        c_max=c_max,
        min_detection=min_detection,
    )
    _check_range("phase_range", phase_range)
    _check_range("wave_range", wave_range)
    lcs = read_lightcurves(lcs)
    without_dust = int(np.isnan(lcs.targets["mwebv"]).sum())
    if without_dust:
        _log.warning("mwebv of %d targets is unknown and counts as zero", without_dust)
    salt = load_salt(model) if isinstance(model, str) else model
    ready = prepare(lcs, salt, wave_range=wave_range, c_max=c_max)
    columns = _blank(lcs, ready)
    settings = FitSettings(
        model_cov=model_cov,
        dust=dust,
        r_v=r_v,
        phase_range=phase_range,
        c_max=c_max,
        terms=ready.terms,
        terms_wide=ready.terms_wide,
        c_series=C_SERIES,
    )
    done, total = 0, len(lcs.targets)
    if ready.bands is not None:
        for batch in make_batches(ready.epochs):
            result = fit_batch(
                salt, ready.bands, batch, z=ready.z, mwebv=ready.mwebv, settings=settings
            )
            _fill(columns, batch.target[: batch.n_real], result, min_detection=min_detection)
            done += batch.n_real
            if progress is not None:
                progress(done, total)
    if progress is not None and done < total:
        progress(total, total)
    return _product(columns, lcs, config, mb_offset=peak_magnitude_offset(salt))


def _name_of(model: str | SaltModel) -> str:
    """What finds the model again: its name, or the whole path of its folder."""
    if not isinstance(model, str):
        return model.name
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def _check_range(name: str, limits: tuple[float, float] | None) -> None:
    if limits is not None and not limits[0] < limits[1]:
        raise InputError(f"{name} must be (low, high) with low < high, got {limits}")


def _blank(lcs: LightCurves, ready: Prepared) -> dict[str, Any]:
    """Columns of a fit before any answer: NaN, and what the targets say."""
    targets = lcs.targets
    n = len(targets)
    flags = np.where(ready.band_dropped, int(Flag.BAND_DROPPED), 0)
    touched = np.isin(targets["sn"].astype(str), lcs.rejected["sn"].to_pylist())
    flags |= np.where(touched | ready.points_rejected, int(Flag.POINTS_REJECTED), 0)
    flags |= _suspects(lcs)
    columns: dict[str, Any] = {"sn": targets["sn"], "z": ready.z.copy()}
    columns |= {name: targets[name] for name in _TRAVELING}
    z_hd = columns["z_hd"]
    columns["z_hd"] = np.where(np.isfinite(z_hd), z_hd, targets["z_cmb"])
    columns |= {"params": np.full((n, 4), np.nan), "cov": np.full((n, 4, 4), np.nan)}
    columns |= {"chi2": np.full(n, np.nan), "ndof": np.zeros(n, np.int64)}
    counts = np.bincount(ready.epochs.target, minlength=n)
    columns["ndof"][:] = counts - N_PARAMS
    columns |= {"status": ready.status.astype("U24"), "flags": flags.astype(np.int64)}
    return columns


def _suspects(lcs: LightCurves) -> NDArray[np.int64]:
    """Flags of each target whose epochs look wrong, as ingest found."""
    flags = np.zeros(len(lcs.targets), dtype=np.int64)
    for flag in _SUSPECT:
        suspect = np.unique(lcs["sn"][(lcs.flags & int(flag)) != 0].astype(str))
        flags |= np.where(np.isin(lcs.targets["sn"].astype(str), suspect), int(flag), 0)
    return flags


def _fill(
    columns: dict[str, Any],
    target: NDArray[np.int64],
    result: BatchResult,
    *,
    min_detection: float,
) -> None:
    """Write the answers of a batch into the columns, with their status and flags."""
    real = slice(0, len(target))
    answer = result.answer
    params = answer.params[real]
    cov = errors_of(answer.hessian[real], params)
    used = result.used[real].sum(axis=1)
    gain = answer.chi2_empty[real] - answer.chi2[real]
    status = np.select(
        [
            used < N_PARAMS,
            ~(params[:, 1] > 0) | ~(gain >= min_detection**2),
            ~np.isfinite(cov).all(axis=(1, 2)),
            ~answer.is_converged[real] | ~result.is_at_rest[real],
        ],
        ["underconstrained", "no_detection", "singular_covariance", "not_converged"],
        default="ok",
    )
    is_ok = status == "ok"
    columns["status"][target] = status
    columns["ndof"][target] = used - N_PARAMS
    columns["params"][target[is_ok]] = natural(params)[is_ok]
    columns["cov"][target[is_ok]] = cov[is_ok]
    columns["chi2"][target[is_ok]] = answer.chi2[real][is_ok]
    tail = chi2_distribution.sf(answer.chi2[real], np.maximum(used - N_PARAMS, 1))
    flags = np.where(is_ok & (tail < _CHI2_IMPROBABLE), int(Flag.CHI2_BAD), 0)
    flags |= np.where(is_ok & answer.at_bound[real], int(Flag.AT_BOUND), 0)
    flags |= np.where(is_ok & result.has_rival[real], int(Flag.TWO_MINIMA), 0)
    flags |= np.where(status == "no_detection", int(Flag.UPPER_LIMIT), 0)
    columns["flags"][target] |= flags


def _product(
    columns: dict[str, Any], lcs: LightCurves, config: FitConfig, *, mb_offset: float
) -> SaltFits:
    params, cov = columns.pop("params"), columns.pop("cov")
    for i, name in enumerate(_NAMES):
        columns[name] = params[:, i]
        columns[f"{name}_err"] = np.sqrt(cov[:, i, i])
    for i, j in _PAIRS:
        columns[f"cov_{_NAMES[i]}_{_NAMES[j]}"] = cov[:, i, j]
    rate = -1.0 / (LN10_OVER_2P5 * columns["x0"])
    columns["mb"] = mb_offset - 2.5 * np.log10(columns["x0"])
    columns["mb_err"] = np.abs(rate) * columns["x0_err"]
    columns["cov_mb_x1"] = rate * columns["cov_x0_x1"]
    columns["cov_mb_c"] = rate * columns["cov_x0_c"]
    counts = dict(Counter(columns["status"].tolist()))
    others = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()) if name != "ok")
    line = f"{len(params)} targets, {counts.get('ok', 0)} fitted" + (
        f", {others}" if others else ""
    )
    _log.info(line, extra={"counts": counts})
    meta = lcs.meta.with_provenance(
        model=config.model, mb_offset=mb_offset, fit=config.model_dump(), status=counts
    )
    return SaltFits(table=table_from_columns(columns), meta=meta)
