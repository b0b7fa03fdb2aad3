"""The page of a run: one HTML file that needs nothing else."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
from bokeh.document import Document
from bokeh.embed import components
from bokeh.resources import Resources

from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.products.diagram import Diagram
from chandelle.products.lightcurves import LightCurves
from chandelle.products.posterior import Posterior
from chandelle.products.product import Product
from chandelle.products.saltfits import SaltFits
from chandelle.report import sections
from chandelle.report.curves import ModelCurve
from chandelle.report.gallery_figure import By, draw_fits, worst_fits
from chandelle.report.lightcurve_axes import Scale
from chandelle.report.markup import text
from chandelle.report.plots import Plots, make_plots
from chandelle.report.runs import Run
from chandelle.report.tables import fits_table
from chandelle.report.truths import true_parameters, truth_columns

_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'"
)
"""The browser itself refuses every request; Bokeh's callbacks need eval."""


def write_report(
    path: str | Path,
    *,
    lightcurves: LightCurves | None = None,
    fits: SaltFits | None = None,
    diagram: Diagram | None = None,
    posterior: Posterior | None = None,
    truth: Product | pa.Table | None = None,
    config: Mapping[str, Any] | None = None,
    title: str = "chandelle report",
    model_curve: ModelCurve | None = None,
    max_lightcurves: int = 3000,
) -> Path:
    """Write the report of a run as one self-contained HTML file.

    Sections of absent products are left out, with a line that says what to give.

    Parameters
    ----------
    path : str or Path
        The file, `index.html` most often.
    lightcurves, fits, diagram, posterior : optional
        Products of the run.
    truth : Product or pyarrow.Table, optional
        Columns sn and `*_true`; fitted parameters are compared with them.
    config : mapping, optional
        Settings to show.
    title : str
        Title of the page.
    model_curve : callable, optional
        `model_curve(fits, band, mjd)` gives model fluxes; by default the SALT model that the fits
        name.
    max_lightcurves : int
        Of more, the worst fits and an even choice of the others are embedded; each takes 2 kB.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        If no product is given, or the truth has no column sn.
    """
    require_x64()
    run = Run(
        lightcurves=lightcurves,
        fits=fits,
        diagram=diagram if diagram is None or len(diagram) else None,
        posterior=posterior,
        truth=None if truth is None else truth_columns(truth),
        true_parameters=true_parameters(truth, fits),
        config=config,
    )
    if not run.products:
        raise InputError("report: give one of lightcurves=, fits=, diagram=, posterior=")
    plots = make_plots(
        lightcurves, fits, run.diagram, posterior, model_curve, max_lightcurves=max_lightcurves
    )
    page = _page(title, _sections(run, plots), plots)
    path = Path(path)
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def write_gallery(
    path: str | Path,
    fits: SaltFits,
    lightcurves: LightCurves,
    *,
    n: int = 12,
    by: By = "chi2",
    scale: Scale = "flux",
    title: str = "The worst fits",
    model_curve: ModelCurve | None = None,
) -> Path:
    """Write a gallery of the worst fits as one self-contained HTML file, with a table of them.

    Parameters
    ----------
    path : str or Path
        The file.
    fits, lightcurves, n, by, scale, model_curve
        As for `gallery`.
    title : str
        Title of the page.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        As `gallery` does.
    """
    require_x64()
    rows = worst_fits(fits, lightcurves, n=n, by=by)
    if len(rows) == 0:
        raise InputError("gallery: no fit to draw; with by='chi2' they need an answer")
    canvas = draw_fits(fits.select(rows), lightcurves, scale=scale, model_curve=model_curve)
    body, listed = sections.gallery_image(canvas), fits_table(fits, rows)
    empty = Plots(figures={}, marks={}, curve=None, packed=None, first=0)
    parts = [("pictures", "Light curves", body), ("table", "Table", listed)]
    path = Path(path)
    with atomic_file(path) as temporary:
        temporary.write_text(_page(title, parts, empty), encoding="utf-8")
    return path


def _sections(run: Run, plots: Plots) -> list[tuple[str, str, str]]:
    """(anchor, title, HTML) of each section."""
    document = Document()
    for figure in plots.figures.values():
        document.add_root(figure)
    script, boxes = components(dict(plots.figures)) if plots.figures else ("", {})
    return [
        ("headline", "Result", sections.headline(run)),
        ("diagram", "Lemaitre diagram", sections.diagram(run, plots, boxes)),
        ("corner-plot", "Posterior", sections.corner(run)),
        ("sample", "Sample", sections.sample(run, plots)),
        ("cuts", "Cut flow", sections.cuts(run)),
        ("worst", "Worst fits", sections.worst(run, plots)),
        ("truth", "Fitted against true", sections.truth(run)),
        ("making", "Configuration and versions", sections.making(run) + script),
    ]


def _page(title: str, parts: list[tuple[str, str, str]], plots: Plots) -> str:
    folder = files("chandelle.report")
    css = folder.joinpath("style.css").read_text(encoding="utf-8")
    js = folder.joinpath("page.js").read_text(encoding="utf-8")
    bokeh = Resources(mode="inline", components=["bokeh"]).render() if plots.figures else ""
    links = "\n".join(f'<a href="#{name}">{text(words)}</a>' for name, words, _ in parts)
    body = "".join(
        f'<section id="{name}">\n<h2>{text(words)}</h2>\n{inner}</section>\n'
        for name, words, inner in parts
    )
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<link rel="icon" href="data:,">
<title>{text(title)}</title>
<style>
{css}</style>
{bokeh}
</head>
<body>
<header>
<h1>{text(title)}</h1>
<p class="note">Written {written}</p>
<nav aria-label="Sections">
{links}
</nav>
</header>
<main>
{body}</main>
<script>
{js}</script>
</body>
</html>
"""
