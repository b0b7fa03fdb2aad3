"""What a fit says about each epoch: model fluxes, pulls, and smooth curves to draw."""

# pyarrow.compute makes its functions when imported, where a type checker does not see them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import mean_waves
from chandelle.lightcurve.fitting.constraints import SALT_NAMES, constraints_of
from chandelle.lightcurve.fitting.fluxes import fluxes_at
from chandelle.lightcurve.fitting.prepare import prepare
from chandelle.lightcurve.fitting.problem import FitSettings, problem_of
from chandelle.lightcurve.stage import FitConfig
from chandelle.physics.salt import SaltModel, load_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.saltfits import SaltFits


def _settings(fits: SaltFits) -> FitConfig:
    return FitConfig(**fits.meta.provenance.get("fit", {}))


def _model(fits: SaltFits, model: str | SaltModel | None) -> SaltModel:
    if isinstance(model, SaltModel):
        return model
    name = model or fits.meta.provenance.get("model")
    if name is None:
        raise InputError("the fits do not say which SALT model made them; give model=")
    return load_salt(name)


def model_light_curves(
    fits: SaltFits, lcs: LightCurves, *, model: str | SaltModel | None = None
) -> NDArray[np.float64]:
    """Model flux of every epoch at its target's answer.

    Parameters
    ----------
    fits : SaltFits
        Fits of these light curves, same targets in the same order.
    lcs : LightCurves
        Light curves.
    model : str or SaltModel, optional
        The model of the fits, if it is not one that their provenance names.

    Returns
    -------
    NDArray, shape (obs,), nJy
        Aligned with the rows of `lcs`; NaN where the target has no answer or the model does not
        cover the band, zero outside the model's phases.

    Raises
    ------
    InputError
        If the targets differ or the model is unknown.
    """
    require_x64()
    if fits["sn"].tolist() != lcs.targets["sn"].tolist():
        raise InputError("fits and light curves must have the same targets in the same order")
    salt, config = _model(fits, model), _settings(fits)
    ready = prepare(lcs, salt, wave_range=None)
    keep = fits.is_ok[ready.epochs.target]
    ready = replace(ready, epochs=ready.epochs.take(keep))
    settings = FitSettings(
        model_cov=False, dust=config.dust, r_v=config.r_v, phase_range=None, c_max=config.c_max
    )
    none = constraints_of(len(lcs.targets), extra=(), c_max=config.c_max, bounds={}, priors={})
    posed = problem_of(ready, salt, constraints=none, settings=settings)
    flux = np.full(len(lcs), np.nan)
    if posed is None:
        return flux
    problem, rows = posed
    params = np.stack([fits[name][rows] for name in SALT_NAMES], axis=1)
    host_ebv = fits["host_ebv"][rows] if "host_ebv" in fits.table.column_names else None
    problem = replace(problem, z=fits["z"][rows])
    flux[problem.epochs.row] = fluxes_at(problem, params, host_ebv=host_ebv)
    return flux


def residuals(
    fits: SaltFits, lcs: LightCurves, *, model: str | SaltModel | None = None
) -> dict[str, NDArray[np.float64]]:
    """Model flux, residual and pull of every epoch.

    Parameters
    ----------
    fits, lcs, model
        As for `model_light_curves`.

    Returns
    -------
    dict of NDArray, shape (obs,)
        ``model_flux`` and ``residual`` [nJy], ``pull`` in sigma of the data alone, ``phase`` in
        rest-frame days; aligned with the rows of `lcs`.
    """
    flux = model_light_curves(fits, lcs, model=model)
    residual = lcs["flux"] - flux
    return {
        "model_flux": flux,
        "residual": residual,
        "pull": residual / lcs["flux_err"],
        "phase": phases(fits, lcs),
    }


def aligned(fits: SaltFits, lcs: LightCurves) -> LightCurves:
    """Light curves of the targets of the fits, in their order.

    Parameters
    ----------
    fits : SaltFits
        Fits of all or of some of the light curves.
    lcs : LightCurves
        Light curves.

    Returns
    -------
    LightCurves
        The same object where the targets are the same already.

    Raises
    ------
    InputError
        If a fit has no light curve, or a name comes twice.
    """
    names = pa.array(fits["sn"].tolist(), pa.string())
    known = pa.array(lcs.targets["sn"].tolist(), pa.string())
    if names.equals(known):
        return lcs
    row = pc.fill_null(pc.index_in(names, value_set=known), -1).to_numpy()
    if (row < 0).any():
        raise InputError(
            f"{int((row < 0).sum())} of {len(row)} fits have no light curve, first "
            f"{fits['sn'][row < 0][0]}; give the light curves that were fitted"
        )
    if len(pc.unique(names)) != len(names):
        raise InputError("a supernova comes twice among the fits; keep one fit a name")
    return lcs.select_targets(row)


def target_rows(lcs: LightCurves) -> NDArray[np.int64]:
    """Row of the target of each epoch, shape (obs,)."""
    known = pa.array(lcs.targets["sn"].tolist(), pa.string())
    row = pc.index_in(lcs.table["sn"], value_set=known)
    return row.to_numpy().astype(np.int64)


def phases(fits: SaltFits, lcs: LightCurves) -> NDArray[np.float64]:
    """Phase of each epoch [rest-frame day], shape (obs,); NaN where the fit has no answer."""
    row = target_rows(lcs)
    return (lcs["mjd"] - fits["t0"][row]) / (1.0 + fits["z"][row])


def can_be_fitted(
    fits: SaltFits, lcs: LightCurves, *, model: str | SaltModel | None = None
) -> NDArray[np.bool_]:
    """Tell which epochs the fit may use, whatever their phase.

    Parameters
    ----------
    fits, lcs, model
        As for `model_light_curves`. Fits that name no model come from elsewhere: then every finite
        epoch counts.

    Returns
    -------
    NDArray, shape (obs,)
        Whether the epoch has a finite flux and error in a band that the model covers and that the
        fit's `wave_range` admits, of a target with epochs enough.
    """
    if model is None and fits.meta.provenance.get("model") is None:
        usable = np.isfinite(lcs["mjd"]) & np.isfinite(lcs["flux"]) & (lcs["flux_err"] > 0)
        return usable & np.isfinite(lcs["flux_err"])
    config = _settings(fits)
    ready = prepare(lcs, _model(fits, model), wave_range=config.wave_range)
    mask = np.zeros(len(lcs), dtype=bool)
    mask[ready.epochs.row] = True
    return mask


def phase_window(fits: SaltFits) -> tuple[float, float]:
    """Rest-frame days about maximum that were fitted; without limits where all were."""
    return _settings(fits).phase_range or (-np.inf, np.inf)


def is_in_fit(
    fits: SaltFits, lcs: LightCurves, *, model: str | SaltModel | None = None
) -> NDArray[np.bool_]:
    """Tell which epochs the answers rest on.

    Where epochs at the end of the range came and went with the time of maximum, the fit left some
    out that lie within at its answer; they count here (`quality_table` has their number).

    Parameters
    ----------
    fits, lcs, model
        As for `can_be_fitted`.

    Returns
    -------
    NDArray, shape (obs,)
        Whether the epoch can be fitted and lies in the fit's range of phases at the answer.
    """
    low, high = phase_window(fits)
    phase = phases(fits, lcs)
    use = can_be_fitted(fits, lcs, model=model) & fits.is_ok[target_rows(lcs)]
    return use & (phase > low) & (phase < high)


def residual_table(
    fits: SaltFits, lcs: LightCurves, *, model: str | SaltModel | None = None
) -> pd.DataFrame:
    """Residuals of every epoch, with its phase and rest-frame wavelength.

    Parameters
    ----------
    fits : SaltFits
        Fits of all or of some of the light curves.
    lcs : LightCurves
        Light curves.
    model : str or SaltModel, optional
        The model of the fits, if it is not one that their provenance names.

    Returns
    -------
    DataFrame
        One row an epoch of the targets of `fits`, in the order of the light curves: sn, band, mjd
        [d], phase [rest-frame d], wave [mean wavelength of the band in the rest frame, angstrom],
        flux, flux_err, model, residual [nJy], pull [sigma of the data alone], and in_fit, as
        `is_in_fit` tells. Model, residual and pull are NaN where the target has no
        answer or the model does not cover the band.

    Raises
    ------
    InputError
        If a fit has no light curve or the model is unknown.
    """
    lcs = aligned(fits, lcs)
    parts = residuals(fits, lcs, model=model)
    band = pc.dictionary_encode(lcs.table["band"]).combine_chunks()
    names = band.dictionary.to_pylist()
    observed = np.array(list(mean_waves(names, lcs.passbands).values()))
    row = target_rows(lcs)
    wave = observed[band.indices.to_numpy()] / (1.0 + fits["z"][row])
    strings = lcs.table.select(["sn", "band"]).to_pandas()
    return strings.assign(
        mjd=lcs["mjd"],
        phase=parts["phase"],
        wave=wave,
        flux=lcs["flux"],
        flux_err=lcs["flux_err"],
        model=parts["model_flux"],
        residual=parts["residual"],
        pull=parts["pull"],
        in_fit=is_in_fit(fits, lcs, model=model),
    )


def model_curve(
    fit: Mapping[str, Any] | pd.Series,
    passband: str | Passband,
    mjd: NDArray[np.float64],
    *,
    model: str | SaltModel = "salt3-f22",
    settings: FitConfig | None = None,
) -> NDArray[np.float64]:
    """Model flux of one fit at any times in one band, to draw it.

    Parameters
    ----------
    fit : mapping
        A row of the fits: z, t0, x0, x1, c, and mwebv (unknown counts as zero).
    passband : str or Passband
        The band.
    mjd : array, shape (epoch,), day
        Times.
    model : str or SaltModel
        The model of the fit.
    settings : FitConfig, optional
        Those of the fit, for its dust law.

    Returns
    -------
    NDArray, shape (epoch,), nJy
        Zero outside the model's phases.
    """
    require_x64()
    salt = load_salt(model) if isinstance(model, str) else model
    config = settings or FitConfig()
    value = {name: float(cast(Any, fit[name])) for name in ("z", "t0", "x0", "x1", "c", "mwebv")}
    flux = salt.bandflux(
        passband,
        mjd,
        z=value["z"],
        t0=value["t0"],
        x0=value["x0"],
        x1=value["x1"],
        c=value["c"],
        zp=ZP_NJY,
        mwebv=np.nan_to_num(value["mwebv"]),
        r_v=config.r_v,
        dust=config.dust,
    )
    return np.asarray(flux)
