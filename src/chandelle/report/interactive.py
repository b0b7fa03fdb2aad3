"""The Lemaitre diagram of the page: hover names a supernova, a click chooses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import (
    CDSView,
    ColumnDataSource,
    CustomJS,
    CustomJSTicker,
    GlyphRenderer,
    GroupFilter,
    HoverTool,
    Legend,
    LegendItem,
    NumeralTickFormatter,
    Range1d,
    Scatter,
    Segment,
    TapTool,
)
from bokeh.plotting import figure
from numpy.typing import NDArray

from chandelle.products.diagram import Diagram
from chandelle.products.saltfits import SaltFits
from chandelle.report.residuals import Curve, bin_residuals
from chandelle.report.style import GRID, INK, LABELS, N_NAMED, Mark, marks_for, survey_label

TOOLS = "box_zoom,pan,wheel_zoom,reset,save"
"""Tools of every figure of the page, the first one active."""
_MANY = 300
_REDSHIFT_TICKS = """
const {start, end} = cb_data.range;
const ticks = [];
if (end / start > 1.8) {
  const steps = end / start > 8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
  for (let power = Math.floor(Math.log10(start)); power <= Math.log10(end); power++) {
    ticks.push(...steps.map((step) => step * 10 ** power));
  }
} else {
  const rough = (end - start) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
  for (let tick = Math.ceil(start / step) * step; tick <= end; tick += step) {
    ticks.push(tick);
  }
}
return ticks.filter((tick) => tick >= start && tick <= end);
"""
"""Bokeh's log ticker has no labels to speak of below a decade."""
_TOOLTIPS = """
<div class="tip"><b>@sn</b> @survey<br>z @z{0.0000}<br>μ @mu{0.000} ± @mu_err{0.000} mag<br>
residual @residual{0.000} mag<br>x1 @x1{0.00}, c @c{0.000}</div>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagramFigures:
    """The two figures and the source that both draw; its selection is the chosen supernova."""

    upper: figure
    lower: figure
    source: ColumnDataSource


def styled_figure(*, height: int, **settings: Any) -> figure:
    """Return an empty figure in the look of the page, as wide as its box."""
    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        tools=TOOLS,
        toolbar_location="above",
        active_drag="box_zoom",
        background_fill_alpha=0.0,
        border_fill_alpha=0.0,
        outline_line_color=None,
        min_border_right=12,
        **settings,
    )
    plot.toolbar.logo = None
    for axis in plot.axis:
        axis.axis_line_color = GRID
        axis.major_tick_line_color = GRID
        axis.minor_tick_line_color = None
        axis.major_label_text_color = INK
        axis.major_label_text_font_size = "12px"
        axis.axis_label_text_color = INK
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = "13px"
    for grid in plot.grid:
        grid.grid_line_color = GRID
    plot.yaxis.axis_label_standoff = 4
    return plot


def nearest_hover(renderers: list[GlyphRenderer], tooltips: str, *, field: str) -> HoverTool:
    """Make a hover that names the nearest point only, however many lie under the mouse.

    Parameters
    ----------
    renderers : list of GlyphRenderer
        Points it looks at; of each renderer the nearest is named.
    tooltips : str
        HTML template.
    field : str
        Any column of their source.

    Returns
    -------
    HoverTool
        To add to the figure.
    """
    code = """
        const {glyph_view, indices, sx, sy, snap_sx, snap_sy} = cb_data.vars;
        const distances = indices.map((i) =>
          Math.hypot(glyph_view.sx[i] - sx, glyph_view.sy[i] - sy));
        return Math.hypot(snap_sx - sx, snap_sy - sy) <= Math.min(...distances) + 1e-6;
    """
    only: dict[str, CustomJS | list[CustomJS]] = {f"@{field}": CustomJS(code=code)}
    return HoverTool(renderers=list(renderers), tooltips=tooltips, filters=only, limit=1)


def diagram_figures(
    diagram: Diagram,
    curve: Curve,
    *,
    fits: SaltFits | None,
    lightcurve_row: NDArray[np.int64],
    marks: Mapping[str, Mark] | None = None,
) -> DiagramFigures:
    """Draw the interactive diagram and its residuals.

    Parameters
    ----------
    diagram : Diagram
        One supernova or more.
    curve : Curve
        What is drawn through them.
    fits : SaltFits, optional
        Give x1 and c to the hover.
    lightcurve_row : array of int, shape (sn,)
        Row of each supernova among the embedded light curves; -1 where it has none.
    marks : mapping of str to Mark, optional
        Look of each survey.

    Returns
    -------
    DiagramFigures
        Linked in redshift.
    """
    source = _source(diagram, curve, fits, lightcurve_row)
    z = diagram["z_hd"]
    x_range = Range1d(start=float(z.min() / 1.15), end=float(z.max() * 1.15))
    upper = styled_figure(height=380, x_axis_type="log", x_range=x_range)
    lower = styled_figure(height=190, x_axis_type="log", x_range=x_range)
    lower.toolbar_location = None
    upper.yaxis.axis_label, lower.yaxis.axis_label = LABELS["mu"], LABELS["residual"]
    lower.xaxis.axis_label = LABELS["z"]
    upper.xaxis.major_label_text_font_size = "0px"
    for plot in (upper, lower):
        plot.min_border_left = 62
        plot.xaxis.ticker = CustomJSTicker(major_code=_REDSHIFT_TICKS)
        plot.xaxis.formatter = NumeralTickFormatter(format="0.[00000]")
    residual = diagram["mu"] - curve.at_sn
    reach = float(1.15 * np.quantile(np.abs(residual) + diagram["mu_err"], 0.995))
    lower.y_range = Range1d(start=-reach, end=reach)
    upper.line(curve.z, curve.mu, color=INK, line_width=1.6)
    lower.line(curve.z, np.zeros(len(curve.z)), color=INK, line_width=1.4)
    _draw_points(upper, lower, source, marks_for(diagram["survey"], marks))
    bins = bin_residuals(z, residual, diagram["mu_err"])
    low, high = bins.mean - bins.err, bins.mean + bins.err
    lower.segment(bins.z, low, bins.z, high, color=INK, line_width=1.6)
    lower.scatter(bins.z, bins.mean, size=8, color=INK, line_color="white")
    return DiagramFigures(upper=upper, lower=lower, source=source)


def _source(
    diagram: Diagram, curve: Curve, fits: SaltFits | None, lightcurve_row: NDArray[np.int64]
) -> ColumnDataSource:
    mu, err = diagram["mu"], diagram["mu_err"]
    residual = mu - curve.at_sn
    data = {
        "sn": diagram["sn"].astype(str).tolist(),
        "survey": [survey_label(name) for name in diagram["survey"].astype(str)],
        "z": diagram["z_hd"],
        "lightcurve": lightcurve_row.astype(np.int32),
        **_salt_columns(diagram, fits),
    }
    for name, values in {
        "mu": mu,
        "mu_err": err,
        "residual": residual,
        "mu_low": mu - err,
        "mu_high": mu + err,
        "residual_low": residual - err,
        "residual_high": residual + err,
    }.items():
        data[name] = values.astype(np.float32)
    return ColumnDataSource(data=data, name="diagram")


def _nearest(plot: figure, source: ColumnDataSource, y: str) -> CustomJS:
    """Of several supernovae under one click choose the nearest."""
    code = """
        const hits = source.selected.indices;
        if (hits.length < 2) { return; }
        const {x, y} = cb_data.geometries;
        const span = (range) => range.end - range.start;
        const width = Math.log(plot.x_range.end / plot.x_range.start);
        const distance = (i) => Math.hypot(
          Math.log(source.data.z[i] / x) / width * plot.inner_width,
          (source.data[name][i] - y) / span(plot.y_range) * plot.inner_height,
        );
        source.selected.indices = [hits.reduce((a, b) => distance(a) <= distance(b) ? a : b)];
    """
    return CustomJS(args={"plot": plot, "source": source, "name": y}, code=code)


def _salt_columns(diagram: Diagram, fits: SaltFits | None) -> dict[str, NDArray[np.float32]]:
    """x1 and c for the hover: of the diagram where it has them, else of the fits."""
    columns = {name: np.full(len(diagram), np.nan, np.float32) for name in ("x1", "c")}
    if set(columns) <= set(diagram.table.column_names):
        return {name: diagram[name].astype(np.float32) for name in columns}
    if fits is not None:
        row = {name: i for i, name in reversed(list(enumerate(fits["sn"].tolist())))}
        at = np.asarray([row.get(name, -1) for name in diagram["sn"].tolist()])
        for name, values in columns.items():
            values[at >= 0] = fits[name][at[at >= 0]]
    return columns


def _draw_points(
    upper: figure, lower: figure, source: ColumnDataSource, marks: Mapping[str, Mark]
) -> None:
    """Draw each survey in both panels; its legend entry hides it in both."""
    items, points, others = [], [], []
    surveys = [str(name) for name in source.data["survey"]]
    alpha = 0.75 if len(surveys) < _MANY else 0.45
    for name, mark in marks.items():
        survey = survey_label(name)
        view = CDSView(filter=GroupFilter(column_name="survey", group=survey))
        drawn = []
        for plot, y in ((upper, "mu"), (lower, "residual")):
            ends: dict[str, Any] = {"x0": "z", "y0": f"{y}_low", "x1": "z", "y1": f"{y}_high"}
            bars = plot.add_glyph(
                source, Segment(**ends, line_color=mark.color, line_alpha=0.4 * alpha), view=view
            )
            look: dict[str, Any] = {
                "x": "z",
                "y": y,
                "marker": mark.bokeh,
                "fill_color": mark.color,
            }
            dots = plot.add_glyph(
                source, Scatter(**look, size=6, fill_alpha=alpha, line_color=None), view=view
            )
            dots.selection_glyph = Scatter(**look, size=13, line_color=INK, line_width=2.0)
            dots.nonselection_glyph = None
            bars.selection_glyph = bars.nonselection_glyph = None
            drawn += [bars, dots]
            points.append((plot, dots))
        count = surveys.count(survey)
        if len(items) < N_NAMED:
            items.append(LegendItem(label=f"{survey} ({count})", renderers=drawn))
        else:
            others += drawn
    if others:
        label = f"{len(marks) - N_NAMED} smaller surveys"
        items.append(LegendItem(label=label, renderers=others))
    legend = Legend(items=items, click_policy="hide", location="bottom_right")
    legend.update(border_line_color=None, background_fill_alpha=0.85, label_text_color=INK)
    legend.update(label_text_font_size="12px", spacing=1, padding=6)
    upper.add_layout(legend)
    for plot, y in ((upper, "mu"), (lower, "residual")):
        renderers = [dots for owner, dots in points if owner is plot]
        plot.add_tools(nearest_hover(renderers, _TOOLTIPS, field="sn"))
        plot.add_tools(
            TapTool(mode="replace", renderers=renderers, callback=_nearest(plot, source, y))
        )
