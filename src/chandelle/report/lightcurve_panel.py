"""The light-curve panel of the page, filled in the browser from embedded flat arrays."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from bokeh.models import BasicTickFormatter, ColumnDataSource, CustomJS, Range1d, Span
from bokeh.plotting import figure

from chandelle.products.passband import filter_of
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import CURVE_GRID, Packed
from chandelle.report.interactive import DiagramFigures, nearest_hover, styled_figure
from chandelle.report.style import INK, LABELS, Mark

_EPOCH_COLUMNS = ("time", "flux", "flux_err", "model", "band")
_TOOLTIPS = "@band<br>MJD @mjd{0.00}<br>@flux{0.000} ± @flux_err{0.000} µJy<br>pull @pull{0.0}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFigures:
    """Fluxes over pulls; the selection of `stars` is the supernova shown."""

    flux: figure
    pull: figure
    stars: ColumnDataSource


def panel_figures(
    packed: Packed,
    *,
    fits: SaltFits | None,
    marks: dict[str, Mark],
    diagram: DiagramFigures | None,
) -> PanelFigures:
    """Make the panel and tie it to the diagram.

    Parameters
    ----------
    packed : Packed
        The light curves.
    fits : SaltFits, optional
        Give the line of facts.
    marks : dict of str to Mark
        Of each band.
    diagram : DiagramFigures, optional
        A click there fills the panel.

    Returns
    -------
    PanelFigures
        Empty until a supernova is selected.
    """
    names = ("mjd", "flux", "flux_err", "low", "high", "pull", "pull_low", "pull_high")
    points = ColumnDataSource(
        data={name: [] for name in (*names, "band", "color", "marker")}, name="epochs"
    )
    lines = ColumnDataSource(data={"xs": [], "ys": [], "color": []}, name="curves")
    flux, pull = _empty_figures(points, lines)
    in_diagram = {} if diagram is None else _first_rows([str(n) for n in diagram.source.data["sn"]])
    stars = _stars(packed, fits, in_diagram)
    script = CustomJS(
        args={
            "stars": stars,
            "epochs": ColumnDataSource(
                data={name: getattr(packed, name) for name in _EPOCH_COLUMNS}
            ),
            "curves": ColumnDataSource(data={"flux": packed.curve.ravel()}),
            "curve_band": packed.curve_band.tolist(),
            "points": points,
            "lines": lines,
            "flux": flux,
            "pull": pull,
            "diagram": None if diagram is None else diagram.source,
            "bands": [filter_of(band) for band in packed.bands],
            "band_colors": [marks[band].color for band in packed.bands],
            "band_markers": [marks[band].bokeh for band in packed.bands],
            "band_rank": [list(marks).index(band) for band in packed.bands],
            "grid": CURVE_GRID.tolist(),
        },
        code=files("chandelle.report").joinpath("panel.js").read_text(encoding="utf-8"),
    )
    stars.selected.js_on_change("indices", script)
    flux.tags = [stars]  # so that the page's script finds it by name, also without a diagram
    if diagram is not None:
        choose = """
            const chosen = diagram.selected.indices;
            const row = chosen.length === 1 ? diagram.data.lightcurve[chosen[0]] : -1;
            if (row >= 0 && stars.selected.indices[0] !== row) { stars.selected.indices = [row]; }
        """
        link = CustomJS(args={"diagram": diagram.source, "stars": stars}, code=choose)
        diagram.source.selected.js_on_change("indices", link)
    return PanelFigures(flux=flux, pull=pull, stars=stars)


def _empty_figures(points: ColumnDataSource, lines: ColumnDataSource) -> tuple[figure, figure]:
    x_range = Range1d(start=0, end=1)
    flux = styled_figure(height=380, x_range=x_range, y_range=Range1d(start=0, end=1))
    pull = styled_figure(height=190, x_range=x_range, y_range=Range1d(start=-3, end=3))
    pull.toolbar_location = None
    flux.yaxis.axis_label, pull.yaxis.axis_label = LABELS["flux"], LABELS["pull"]
    pull.xaxis.axis_label = LABELS["mjd"]
    flux.xaxis.major_label_text_font_size = "0px"
    flux.multi_line("xs", "ys", source=lines, color="color", line_width=1.8)
    for plot, y, low, high in (
        (flux, "flux", "low", "high"),
        (pull, "pull", "pull_low", "pull_high"),
    ):
        plot.min_border_left = 62
        plot.xaxis.formatter = BasicTickFormatter(use_scientific=False)
        plot.add_layout(Span(location=0, dimension="width", line_color=INK, line_width=0.8))
        plot.segment("mjd", low, "mjd", high, source=points, color="color", alpha=0.7)
        legend: dict[str, Any] = {"legend_field": "band"} if plot is flux else {}
        dots = plot.scatter(
            "mjd", y, source=points, marker="marker", color="color", size=7, **legend
        )
        plot.add_tools(nearest_hover([dots], _TOOLTIPS, field="band"))
    flux.legend.update(border_line_color=None, background_fill_alpha=0.85, padding=6)
    flux.legend.update(label_text_font_size="12px", label_text_color=INK, spacing=1)
    return flux, pull


def _first_rows(names: list[str]) -> dict[str, int]:
    return {name: i for i, name in reversed(list(enumerate(names)))}


def _stars(packed: Packed, fits: SaltFits | None, in_diagram: dict[str, int]) -> ColumnDataSource:
    names = packed.names.tolist()
    return ColumnDataSource(
        data={
            "sn": names,
            "facts": _all_facts(packed, fits),
            "origin": packed.origin,
            "start": packed.window[:, 0],
            "stop": packed.window[:, 1],
            "first_epoch": packed.first_epoch[:-1],
            "end_epoch": packed.first_epoch[1:],
            "first_curve": packed.first_curve[:-1],
            "end_curve": packed.first_curve[1:],
            "diagram_row": np.asarray([in_diagram.get(name, -1) for name in names], np.int32),
        },
        name="stars",
    )


def _all_facts(packed: Packed, fits: SaltFits | None) -> list[str]:
    """One line a supernova: its parameters, or why it has none."""
    if fits is None:
        return ["no SALT fit given"] * len(packed.names)
    status = dict(zip(fits["sn"].tolist(), fits["status"].tolist(), strict=True))
    return [
        _facts(fits, int(row)) if row >= 0 else f"no SALT fit: {status.get(name, 'not fitted')}"
        for name, row in zip(packed.names.tolist(), packed.row, strict=True)
    ]


def _facts(fits: SaltFits, row: int) -> str:
    x1 = f"x1 = {fits['x1'][row]:.2f} ± {fits['x1_err'][row]:.2f}"
    c = f"c = {fits['c'][row]:.3f} ± {fits['c_err'][row]:.3f}"
    mb = f"mB = {fits['mb'][row]:.3f} ± {fits['mb_err'][row]:.3f}"
    chi2 = f"χ² = {fits['chi2'][row]:.1f} for {fits['ndof'][row]} degrees of freedom"
    return f"z = {fits['z'][row]:.4f}, {mb}, {x1}, {c}, t0 = MJD {fits['t0'][row]:.2f}, {chi2}"
