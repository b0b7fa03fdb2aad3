"""The light curve of one supernova with its SALT fit, for papers."""

from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes

from chandelle.core.errors import InputError
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import ModelCurve
from chandelle.report.figures import split_axes
from chandelle.report.lightcurve_axes import Scale, draw_lightcurve, legend_of
from chandelle.report.lightcurve_sheet import Sheet, facts_of, pull_label
from chandelle.report.style import INK, LABELS


def plot_lightcurve(
    lightcurves: LightCurves,
    *,
    sn: str,
    fits: SaltFits | None = None,
    model_curve: ModelCurve | None = None,
    scale: Scale = "flux",
    ax: Axes | None = None,
) -> tuple[Axes, Axes]:
    """Draw one light curve over its residuals in units of their errors.

    Bands about the curves are their errors: of the parameters, and of the model where the fit took
    its covariance in, which the pulls then contain too. Full symbols are epochs that the fit rests
    on, open ones are not; grey are phases out of the fit's range.

    Parameters
    ----------
    lightcurves : LightCurves
        Those of one supernova or more.
    sn : str
        Its name.
    fits : SaltFits, optional
        Gives the curve, where the fit of this supernova is ok.
    model_curve : callable, optional
        `model_curve(fits, band, mjd)`, nJy; by default the SALT model the fits were made with.
    scale : {"flux", "mag"}
        Magnitudes show 3 sigma upper limits as arrows.
    ax : Axes, optional
        Becomes the upper panel; its lower quarter goes to the residuals.

    Returns
    -------
    tuple of Axes
        Fluxes, residuals.

    Raises
    ------
    InputError
        If the supernova has no epoch, or `scale` is neither.
    """
    if scale not in ("flux", "mag"):
        raise InputError(f"scale must be 'flux' or 'mag', got {scale!r}")
    lightcurves = lightcurves.select_targets(lightcurves.targets["sn"] == sn)
    if len(lightcurves) == 0:
        raise InputError(f"no light curve of {sn!r}; `lightcurves.targets['sn']` lists the names")
    sheet = Sheet.of(lightcurves, fits, model_curve=model_curve)
    upper, lower = split_axes(ax, figsize=(6.8, 5.4))
    draw_lightcurve(upper, lower, sheet, 0, scale=scale)
    legend_of(upper, sheet, 0, scale=scale)
    has_phase = sheet.fits is not None and sheet.packed.row[0] >= 0
    if has_phase:
        _phase_axis(upper, sheet)
    upper.set_title(
        "\n".join(facts_of(sheet, 0)), fontsize=9.5, color=INK, loc="left", parse_math=False
    )
    upper.set_ylabel(LABELS[scale])
    lower.set_xlabel(LABELS["mjd"])
    lower.ticklabel_format(axis="x", useOffset=False, style="plain")
    lower.set_ylabel(pull_label(sheet), fontsize=9)
    return upper, lower


def _phase_axis(upper: Axes, sheet: Sheet) -> None:
    """Phases above the dates."""
    fits = cast(SaltFits, sheet.fits)
    row = int(sheet.packed.row[0])
    t0, stretch = float(fits["t0"][row]), 1.0 + float(fits["z"][row])

    def phase_of(mjd: Any) -> Any:
        return (np.asarray(mjd) - t0) / stretch

    def mjd_of(phase: Any) -> Any:
        return t0 + np.asarray(phase) * stretch

    top = upper.secondary_xaxis("top", functions=(phase_of, mjd_of))
    top.set_xlabel(LABELS["phase"], fontsize=9)
    top.tick_params(colors=INK, labelsize=9)
    top.spines["top"].set_visible(False)
