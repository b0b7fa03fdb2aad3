"""The worst fits at a glance."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.lightcurve.cuts import Columns
from chandelle.lightcurve.quality_table import worst_pulls
from chandelle.lightcurve.residuals import aligned, residual_table
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import ModelCurve
from chandelle.report.lightcurve_axes import Scale, draw_lightcurve, legend_of
from chandelle.report.lightcurve_sheet import Sheet, facts_of, pull_label
from chandelle.report.style import INK, LABELS, dress

By = Literal["chi2", "pull"] | Callable[[Columns], NDArray]
_COLUMNS = 3
_CELL = (5.2, 4.3)


def worst_fits(
    fits: SaltFits, lightcurves: LightCurves, *, n: int = 12, by: By = "chi2"
) -> NDArray[np.int64]:
    """Find the fits that most need to be looked at.

    Parameters
    ----------
    fits : SaltFits
        All fits.
    lightcurves : LightCurves
        Their light curves; supernovae without an epoch are not chosen.
    n : int
        How many, at most.
    by : {"chi2", "pull"} or callable
        Largest chi2 per degree of freedom, largest pull of one epoch, or the largest of what a
        function of the columns returns (`chandelle.lightcurve.cuts.Columns`): numbers, those not
        finite left out, or bool, of which the true ones are taken.

    Returns
    -------
    array of int
        Rows of `fits`, the worst first.

    Raises
    ------
    InputError
        If `by` is neither, or a function returns anything but one number a supernova.
    """
    if callable(by):
        score = np.asarray(by(Columns(fits, lightcurves)))
    elif by == "chi2":
        score = np.where(fits.is_ok, Columns(fits)["chi2_per_ndof"], np.nan)
    elif by == "pull":
        score = np.abs(worst_pulls(fits, residual_table(fits, lightcurves)))
    else:
        raise InputError(f"by must be 'chi2', 'pull' or a function of the columns, got {by!r}")
    if score.shape != (len(fits),) or score.dtype.kind not in "biuf":
        raise InputError(
            f"by: expected {len(fits)} numbers, one a fit, got {score.dtype} of shape {score.shape}"
        )
    score = np.where(score, 1.0, np.nan) if score.dtype == np.bool_ else score.astype(float)
    seen = np.isin(fits["sn"].astype(str), np.unique(lightcurves["sn"].astype(str)))
    score = np.where(seen & np.isfinite(score), score, -np.inf)
    order = np.argsort(-score, kind="stable")[:n]
    return order[np.isfinite(score[order])]


def gallery(
    fits: SaltFits,
    lightcurves: LightCurves,
    *,
    n: int = 12,
    by: By = "chi2",
    scale: Scale = "flux",
    model_curve: ModelCurve | None = None,
) -> Figure:
    """Draw the worst fits, each with its pulls, its chi2 and its flags in words.

    Only the chosen ones are drawn, so that a sample of any size takes the same time, but for
    ``by="pull"``, which evaluates the model at every epoch.

    Parameters
    ----------
    fits : SaltFits
        All fits.
    lightcurves : LightCurves
        Their light curves.
    n, by
        As for `worst_fits`.
    scale : {"flux", "mag"}
        Of the light curves.
    model_curve : callable, optional
        `model_curve(fits, band, mjd)`, nJy; by default the SALT model the fits were made with.

    Returns
    -------
    Figure
        Three columns, the worst first; made without pyplot: a notebook shows it, `savefig` writes
        it.

    Raises
    ------
    InputError
        If nothing is to be drawn, and as `worst_fits` does.
    """
    rows = worst_fits(fits, lightcurves, n=n, by=by)
    if len(rows) == 0:
        raise InputError("gallery: no fit to draw; with by='chi2' they need an answer")
    return draw_fits(fits.select(rows), lightcurves, scale=scale, model_curve=model_curve)


def draw_fits(
    chosen: SaltFits,
    lightcurves: LightCurves,
    *,
    scale: Scale = "flux",
    model_curve: ModelCurve | None = None,
) -> Figure:
    """Draw fits in three columns, in their order.

    Parameters
    ----------
    chosen : SaltFits
        Fits that have light curves.
    lightcurves, scale, model_curve
        As for `gallery`.

    Returns
    -------
    Figure
        Made without pyplot.
    """
    rows = range(len(chosen))
    sheet = Sheet.of(aligned(chosen, lightcurves), chosen, model_curve=model_curve)
    n_columns = min(_COLUMNS, len(rows))
    n_rows = -(-len(rows) // n_columns)
    figure = Figure(figsize=(_CELL[0] * n_columns, _CELL[1] * n_rows))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    cells = figure.subfigures(n_rows, n_columns, squeeze=False).ravel()
    for i in rows:
        upper, lower = cells[i].subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _cell(dress(upper), dress(lower), sheet, i, scale=scale)
    return figure


def _cell(upper: Axes, lower: Axes, sheet: Sheet, i: int, *, scale: Scale) -> None:
    has_phase = sheet.packed.row[i] >= 0
    draw_lightcurve(upper, lower, sheet, i, scale=scale, times="phase")
    legend_of(upper, sheet, i, scale=scale)
    upper.tick_params(labelbottom=False)
    upper.set_title(
        "\n".join(facts_of(sheet, i)), fontsize=9, color=INK, loc="left", parse_math=False
    )
    upper.set_ylabel(LABELS[scale], fontsize=9)
    lower.set_ylabel(pull_label(sheet), fontsize=9)
    lower.set_xlabel(LABELS["phase" if has_phase else "mjd"], fontsize=9)
    lower.ticklabel_format(axis="x", useOffset=False, style="plain")
