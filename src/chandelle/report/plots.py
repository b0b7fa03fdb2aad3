"""The interactive figures of the page and the light curves they show."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from bokeh.plotting import figure

from chandelle.products.diagram import Diagram
from chandelle.products.lightcurves import LightCurves
from chandelle.products.posterior import Posterior
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import ModelCurve, Packed, pack
from chandelle.report.interactive import DiagramFigures, diagram_figures
from chandelle.report.lightcurve_panel import panel_figures
from chandelle.report.model import band_waves, salt_curves
from chandelle.report.residuals import Curve, curve_of
from chandelle.report.style import band_marks

N_WORST = 15
"""Rows of the table of worst fits; their light curves are always embedded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """The Bokeh figures by their place in the page, and what is in them.

    Attributes
    ----------
    figures : dict of str to figure
        Keys among diagram, residuals, flux, pull.
    curve : Curve or None
        Through the diagram.
    packed : Packed or None
        The light curves embedded.
    first : int
        Which light curve is shown first.
    """

    figures: Mapping[str, figure]
    curve: Curve | None
    packed: Packed | None
    first: int


def make_plots(
    lightcurves: LightCurves | None,
    fits: SaltFits | None,
    diagram: Diagram | None,
    posterior: Posterior | None,
    model_curve: ModelCurve | None,
    *,
    max_lightcurves: int,
) -> Plots:
    """Draw the figures that the given products allow.

    Parameters
    ----------
    lightcurves, fits, diagram, posterior : optional
        The products.
    model_curve : callable, optional
        The model; by default that which the fits name.
    max_lightcurves : int
        Most light curves to embed.

    Returns
    -------
    Plots
        Without figures where there is neither a diagram nor a light curve.
    """
    figures: dict[str, figure] = {}
    packed, curve, drawn, first = None, None, None, 0
    if lightcurves is not None and len(lightcurves):
        names = chosen_names(lightcurves, fits, limit=max_lightcurves)
        if fits is not None and model_curve is None:
            model_curve = salt_curves(fits, lightcurves.passbands)
        packed = pack(lightcurves, fits, model_curve=model_curve, names=names)
    if diagram is not None:
        curve = curve_of(diagram, posterior)
        rows = {} if packed is None else {n: i for i, n in enumerate(packed.names.tolist())}
        at = np.asarray([rows.get(name, -1) for name in diagram["sn"].tolist()])
        drawn = diagram_figures(diagram, curve, fits=fits, lightcurve_row=at)
        figures |= {"diagram": drawn.upper, "residuals": drawn.lower}
    if packed is not None and lightcurves is not None:
        marks = band_marks(band_waves(packed.bands, lightcurves.passbands))
        panel = panel_figures(packed, fits=fits, marks=marks, diagram=drawn)
        figures |= {"flux": panel.flux, "pull": panel.pull}
        first = _first(packed, drawn)
    return Plots(figures=figures, curve=curve, packed=packed, first=first)


def chosen_names(
    lightcurves: LightCurves, fits: SaltFits | None, *, limit: int
) -> list[str] | None:
    """Choose whose light curves are embedded: the worst fits, then evenly among the others.

    Parameters
    ----------
    lightcurves : LightCurves
        All light curves.
    fits : SaltFits, optional
        Their fits.
    limit : int
        How many may be.

    Returns
    -------
    list of str or None
        None where all fit in.
    """
    names = lightcurves.targets["sn"].astype(str)
    if len(names) <= limit:
        return None
    worst = np.zeros(0, dtype=names.dtype)
    if fits is not None:
        ratio = np.where(fits.is_ok, fits["chi2"] / np.maximum(fits["ndof"], 1), -1.0)
        worst = fits["sn"].astype(str)[np.argsort(-ratio, kind="stable")[: min(N_WORST, limit)]]
    others = names[~np.isin(names, worst)]
    picks = np.linspace(0, len(others) - 1, max(limit - len(worst), 0)).astype(int)
    return [*worst.tolist(), *others[picks].tolist()]


def _first(packed: Packed, drawn: DiagramFigures | None) -> int:
    """The supernova with most epochs, among those fitted and in the diagram if there are any."""
    count = np.diff(packed.first_epoch)
    score = count + 1_000_000 * (packed.row >= 0)
    if drawn is not None:
        score = score + 2_000_000 * np.isin(packed.names, drawn.source.data["sn"])
    return int(np.argmax(score))
