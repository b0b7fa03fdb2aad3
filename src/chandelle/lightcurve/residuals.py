"""What a fit says about each epoch: model fluxes, pulls, and smooth curves to draw."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.units import ZP_NJY
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
    ready = prepare(lcs, salt, wave_range=None, c_max=config.c_max)
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
    row_of = {name: row for row, name in enumerate(fits["sn"].tolist())}
    row = np.array([row_of[name] for name in lcs["sn"].tolist()], dtype=int)
    residual = lcs["flux"] - flux
    return {
        "model_flux": flux,
        "residual": residual,
        "pull": residual / lcs["flux_err"],
        "phase": (lcs["mjd"] - fits["t0"][row]) / (1.0 + fits["z"][row]),
    }


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
