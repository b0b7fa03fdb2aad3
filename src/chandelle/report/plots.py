"""The interactive figures of the page and the light curves they show."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from bokeh.plotting import figure

from chandelle.instrument.passbands import mean_waves
from chandelle.products.diagram import Diagram
from chandelle.products.lightcurves import LightCurves
from chandelle.products.posterior import Posterior
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import ModelCurve, Packed, pack
from chandelle.report.interactive import DiagramFigures, diagram_figures
from chandelle.report.lightcurve_panel import panel_figures
from chandelle.report.model import salt_curves
from chandelle.report.residuals import Curve, curve_of
from chandelle.report.style import Mark, band_marks, survey_marks

N_WORST = 15
"""Rows of the table of worst fits; their light curves are always embedded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """The Bokeh figures by their place in the page, and what is in them.

    Attributes
    ----------
    figures : dict of str to figure
        Keys among diagram, residuals, flux, pull.
    marks : dict of str to Mark
        Look of each survey.
    curve : Curve or None
        Through the diagram.
    packed : Packed or None
        The light curves embedded.
    first : int
        Which light curve is shown first.
    model_curve : callable or None
        The model that drew the light curves.
    """

    figures: Mapping[str, figure]
    marks: Mapping[str, Mark]
    curve: Curve | None
    packed: Packed | None
    first: int
    model_curve: ModelCurve | None = None


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
    everyone = lightcurves.targets if lightcurves is not None else fits or diagram
    marks = {} if everyone is None else survey_marks(everyone["survey"])
    if diagram is not None:
        curve = curve_of(diagram, posterior)
        rows = {} if packed is None else {n: i for i, n in enumerate(packed.names.tolist())}
        at = np.asarray([rows.get(name, -1) for name in diagram["sn"].tolist()])
        drawn = diagram_figures(diagram, curve, fits=fits, lightcurve_row=at, marks=marks)
        figures |= {"diagram": drawn.upper, "residuals": drawn.lower}
    if packed is not None and lightcurves is not None:
        bands = band_marks(mean_waves(packed.bands, lightcurves.passbands))
        panel = panel_figures(packed, fits=fits, marks=bands, diagram=drawn)
        figures |= {"flux": panel.flux, "pull": panel.pull}
        first = _first(packed, drawn)
    return Plots(
        figures=figures,
        marks=marks,
        curve=curve,
        packed=packed,
        first=first,
        model_curve=model_curve,
    )


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
    """The best measured supernova, of those fitted and in the diagram if there are any."""
    signal = np.append(np.cumsum(np.square(packed.flux / packed.flux_err)), 0.0)
    ends = packed.first_epoch.astype(int) - 1
    score = np.diff(signal[ends])
    rank = 1 + (packed.row >= 0).astype(int)
    if drawn is not None:
        rank = rank + np.isin(packed.names, list(drawn.source.data["sn"]))
    return int(np.lexsort((score, rank))[-1])
