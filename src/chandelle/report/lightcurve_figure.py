"""The light curve of one supernova with its SALT fit, for papers."""

import numpy as np
from matplotlib.axes import Axes

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import mean_waves
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import CURVE_GRID, ModelCurve, Packed, pack
from chandelle.report.figures import split_axes
from chandelle.report.model import salt_curves
from chandelle.report.style import INK, LABELS, Mark, band_marks


def plot_lightcurve(
    lightcurves: LightCurves,
    *,
    sn: str,
    fits: SaltFits | None = None,
    model_curve: ModelCurve | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, Axes]:
    """Draw one light curve over its residuals in units of their errors.

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
    ax : Axes, optional
        Becomes the upper panel; its lower quarter goes to the residuals.

    Returns
    -------
    tuple of Axes
        Fluxes, residuals.

    Raises
    ------
    InputError
        If the supernova has no epoch.
    """
    lightcurves = lightcurves.select_targets(lightcurves.targets["sn"] == sn)
    if len(lightcurves) == 0:
        raise InputError(f"no light curve of {sn!r}; `lightcurves.targets['sn']` lists the names")
    if fits is not None and model_curve is None:
        model_curve = salt_curves(fits, lightcurves.passbands)
    packed = pack(lightcurves, fits, model_curve=model_curve)
    marks = band_marks(mean_waves(packed.bands, lightcurves.passbands))
    upper, lower = split_axes(ax, figsize=(6.4, 5.2))
    _draw(upper, lower, packed, marks)
    title = sn
    if fits is not None and packed.row[0] >= 0:
        title += _parameters(fits, int(packed.row[0]))
    upper.set_title(title, fontsize=10, color=INK)
    upper.set_ylabel(LABELS["flux"])
    upper.legend(frameon=False, fontsize=8)
    lower.set_xlabel(LABELS["mjd"])
    lower.set_ylabel(LABELS["pull"])
    return upper, lower


def _draw(upper: Axes, lower: Axes, packed: Packed, marks: dict[str, Mark]) -> None:
    mjd = packed.origin[0] + packed.time
    start, stop = packed.window[0]
    grid = packed.origin[0] + start + (stop - start) * CURVE_GRID
    pulls = (packed.flux - packed.model) / packed.flux_err
    for band, mark in marks.items():
        k = packed.bands.index(band)
        here = packed.band == k
        look = {"fmt": mark.matplotlib, "color": mark.color, "ms": 4, "elinewidth": 0.8}
        upper.errorbar(mjd[here], packed.flux[here], yerr=packed.flux_err[here], label=band, **look)
        lower.errorbar(mjd[here], pulls[here], yerr=1.0, **look)
        for curve in packed.curve[packed.curve_band == k]:
            upper.plot(grid, curve, color=mark.color, lw=1.3)
    for axes in (upper, lower):
        axes.axhline(0.0, color=INK, lw=0.8)
    if np.isfinite(packed.window[0]).all():
        lower.set_xlim(grid[0] - 5, grid[-1] + 5)


def _parameters(fits: SaltFits, row: int) -> str:
    x1 = f"x1 = {fits['x1'][row]:.2f} ± {fits['x1_err'][row]:.2f}"
    c = f"c = {fits['c'][row]:.3f} ± {fits['c_err'][row]:.3f}"
    chi2 = f"χ² = {fits['chi2'][row]:.1f} / {fits['ndof'][row]}"
    return f", z = {fits['z'][row]:.4f}: {x1}, {c}, {chi2}"
