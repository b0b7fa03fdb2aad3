"""Light curves ready to draw: points, curves with their errors, and the facts above them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chandelle.core.flags import in_words
from chandelle.instrument.passbands import mean_waves
from chandelle.lightcurve.residuals import is_in_fit
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits
from chandelle.report.curve_errors import model_errors, parameter_errors
from chandelle.report.curves import ModelCurve, Packed, pack
from chandelle.report.model import salt_curves
from chandelle.report.style import LABELS, Mark, band_marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Light curves ready to draw.

    Attributes
    ----------
    packed : Packed
        Points and curves, fluxes in microjansky.
    fits : SaltFits or None
        Their fits.
    in_fit : array of bool, shape (epoch,)
        Which epochs the answers rest on.
    curve_err, model_err : array, shape (curve, 60), microjansky
        Errors of the curves: all, and of the model alone where the fits took it in.
    marks : mapping of str to Mark
        Look of each band.
    """

    packed: Packed
    fits: SaltFits | None
    in_fit: NDArray[np.bool_]
    curve_err: NDArray[np.float64]
    model_err: NDArray[np.float64]
    marks: Mapping[str, Mark]

    @classmethod
    def of(
        cls,
        lightcurves: LightCurves,
        fits: SaltFits | None,
        *,
        model_curve: ModelCurve | None = None,
    ) -> "Sheet":
        """Pack light curves with the curves of their fits and the errors of these.

        Parameters
        ----------
        lightcurves : LightCurves
            Those to draw, no more.
        fits : SaltFits, optional
            Fits of these, and possibly of others.
        model_curve : callable, optional
            The model; by default that which the fits name.

        Returns
        -------
        Sheet
            In the order of the targets.
        """
        if fits is not None:
            fits = fits.select(np.isin(fits["sn"].astype(str), lightcurves.targets["sn"]))
            model_curve = model_curve or salt_curves(fits, lightcurves.passbands)
        packed = pack(lightcurves, fits, model_curve=model_curve)
        in_fit = np.ones(len(packed.epoch), dtype=bool)
        err = np.full(packed.curve.shape, np.nan)
        model_err = np.zeros(packed.curve.shape)
        if fits is not None and model_curve is not None:
            in_fit = _in_fit(fits, lightcurves)[packed.epoch]
            model_err = model_errors(packed, fits, lightcurves.passbands)
            err = np.hypot(parameter_errors(packed, fits, model_curve), model_err)
        marks = band_marks(mean_waves(packed.bands, lightcurves.passbands))
        return cls(
            packed=packed,
            fits=fits,
            in_fit=in_fit,
            curve_err=err,
            model_err=model_err,
            marks=marks,
        )


def _in_fit(fits: SaltFits, lightcurves: LightCurves) -> NDArray[np.bool_]:
    """Epochs that the answers rest on; those of targets that were not fitted do not count."""
    mask = np.zeros(len(lightcurves), dtype=bool)
    has_fit = np.isin(lightcurves.targets["sn"].astype(str), fits["sn"].astype(str))
    own = lightcurves.select_targets(has_fit)
    row = {name: i for i, name in enumerate(fits["sn"].tolist())}
    same = fits.select(np.array([row[name] for name in own.targets["sn"].tolist()], dtype=int))
    mask[np.isin(lightcurves["sn"].astype(str), own.targets["sn"].astype(str))] = is_in_fit(
        same, own
    )
    return mask


def pull_label(sheet: Sheet) -> str:
    """Label of the lower panel: whose errors the pulls are in units of."""
    return "pull (σ,\nmodel error in)" if sheet.model_err.any() else LABELS["pull"]


def facts_of(sheet: Sheet, i: int) -> list[str]:
    """Three lines above a light curve: its name and how the fit ended, parameters, flags in words.

    Without fits there is the name alone.
    """
    name, fits = str(sheet.packed.names[i]), sheet.fits
    if fits is None:
        return [name]
    own = np.flatnonzero(fits["sn"].astype(str) == name)
    if len(own) == 0:
        return [f"{name}, not fitted"]
    row = int(own[0])
    head = f"{name}, z = {fits['z'][row]:.4f}, {fits['status'][row]}"
    flags = in_words(int(fits.flags[row])) or "no flags"
    if not fits.is_ok[row]:
        return [head, "no parameters", flags]
    here = slice(sheet.packed.first_epoch[i], sheet.packed.first_epoch[i + 1])
    n_used = int(fits["n_used"][row])
    left_out = int(sheet.in_fit[here].sum()) - n_used
    if left_out > 0 and n_used > 0:
        head += f", {left_out} epochs of its range left out"
    x1 = f"x1 = {fits['x1'][row]:.2f} ± {fits['x1_err'][row]:.2f}"
    c = f"c = {fits['c'][row]:.3f} ± {fits['c_err'][row]:.3f}"
    chi2, ndof = float(fits["chi2"][row]), int(fits["ndof"][row])
    ratio = f" = {chi2 / ndof:.2f}" if ndof > 0 else ""
    return [head, f"{x1}, {c}, χ²/ndof = {chi2:.1f}/{ndof}{ratio}", flags]
