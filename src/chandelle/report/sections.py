"""The sections of the page, each HTML of the products that a run has."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chandelle.physics.distance import free_parameters
from chandelle.report import figures, tables
from chandelle.report.gallery_figure import gallery, worst_fits
from chandelle.report.markup import absent, image, note, text
from chandelle.report.plots import N_WORST, Plots
from chandelle.report.runs import Run

_PNG_ABOVE = 4
_MAX_CORNER = 9
_N_PICTURES = 6


def headline(run: Run) -> str:
    """Numbers to remember, and the posterior's table."""
    facts: dict[str, str] = {}
    if run.posterior is not None and run.posterior.status == "ok":
        rows = run.posterior.summary().to_dict("index")
        for name in free_parameters(run.posterior.model):
            if name in rows:
                value = f"{rows[name]['mean']:.3f} ± {rows[name]['sd']:.3f}"
                facts[f"{name} ({run.posterior.model})"] = value
    if run.lightcurves is not None:
        facts["targets"] = str(len(run.lightcurves.targets))
        facts["epochs"] = f"{len(run.lightcurves):,}"
    if run.fits is not None:
        facts["fits with an answer"] = f"{int(run.fits.is_ok.sum())} of {len(run.fits)}"
    if run.diagram is not None:
        facts["in the diagram"] = str(len(run.diagram))
        facts["origin"] = run.diagram.meta.origin or "unknown"
    items = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in facts.items())
    cards = f'<dl class="facts">{items}</dl>\n'
    if run.posterior is None:
        missing = absent("Posterior", "posterior=", "what chandelle.fit_cosmology returns")
        return cards + missing
    return cards + tables.posterior_table(run.posterior, truth=run.true_parameters)


def diagram(run: Run, plots: Plots, boxes: Mapping[str, str]) -> str:
    """The interactive diagram beside the light curve of the chosen supernova."""
    left = absent("Lemaitre diagram", "diagram=", "what chandelle.standardize returns")
    if run.diagram is not None and plots.curve is not None:
        words = (
            "The constant of the magnitudes is fitted. Black points: weighted means in bins. "
            "Hover names a supernova; a click shows its light curve; the legend hides a survey."
        )
        head = f'<p class="panel-head">Line: {text(plots.curve.label)}</p>\n'
        left = f"{head}{boxes['diagram']}{boxes['residuals']}{note(words)}"
    right = absent("Light curves", "lightcurves=", "what chandelle.read_lightcurves returns")
    if plots.packed is not None:
        right = _panel(run, plots, boxes)
    both = run.diagram is not None and plots.packed is not None
    look = "pair" if both else "plot"
    return f'<div class="{look}"><div class="plot">{left}</div>{right}</div>\n'


def _panel(run: Run, plots: Plots, boxes: Mapping[str, str]) -> str:
    packed = plots.packed
    assert packed is not None
    options = "".join(f'<option value="{text(name)}">' for name in packed.names.tolist())
    without = "" if run.fits is not None else " No SALT curve: give fits=."
    total = 0 if run.lightcurves is None else len(run.lightcurves.targets)
    words = (
        f"{len(packed.names)} of {total} targets have their light curve here. Curves: SALT at the "
        f"fitted parameters; pull: (flux - model) / error, photometric errors alone.{without}"
    )
    return (
        f'<div class="plot" id="light-curve" data-first="{plots.first}">\n'
        '<p class="panel-head"><strong id="selected-name"></strong>'
        '<label>find <input id="search" list="names" autocomplete="off" placeholder="name">'
        "</label></p>\n"
        f'<datalist id="names">{options}</datalist>\n'
        f"{boxes['flux']}{boxes['pull']}"
        f'<p id="selected-facts" aria-live="polite"></p>\n{note(words)}</div>\n'
    )


def corner(run: Run) -> str:
    """The corner plot, of chains that converged."""
    posterior = run.posterior
    if posterior is None:
        return absent("Corner plot", "posterior=", "what chandelle.fit_cosmology returns")
    if posterior.status != "ok":
        return note("No corner plot: the chains did not converge, their contours mean nothing.")
    names = [n for n in tables.ordered(posterior) if np.ptp(posterior[n]) > 0]
    main = [n for n in names if not n.startswith(("x1_", "c_"))]
    names = (names if len(names) <= _MAX_CORNER else main)[:_MAX_CORNER]
    size = 1.75 * len(names) + 0.6
    canvas = Figure(figsize=(size, size))
    figures.plot_corner(posterior, names=names, truth=run.true_parameters or None, figure=canvas)
    words = "Contours: 1 and 2 sigma (39 and 86 % of the mass). Dashed: 16, 50 and 84 % quantiles."
    words += " Orange: truth." if run.true_parameters else ""
    kind = "png" if len(names) > _PNG_ABOVE else "svg"
    return image(
        canvas, alt="Corner plot of the posterior", caption=words, kind=kind, name="corner"
    )


def sample(run: Run, plots: Plots) -> str:
    """Distributions of x1, c, redshift and of the residuals' pulls."""
    pictures = []
    if run.fits is not None:
        for name in ("x1", "c"):
            canvas, ax = _canvas()
            figures.plot_parameter(run.fits, name, marks=plots.marks, ax=ax)
            pictures.append(image(canvas, alt=f"Distribution of {name}"))
    else:
        pictures.append(absent("x1 and c", "fits=", "what chandelle.fit_salt returns"))
    everyone = run.lightcurves.targets if run.lightcurves is not None else run.fits or run.diagram
    if everyone is not None:
        kept = None
        if run.diagram is not None:
            kept = np.isin(everyone["sn"].astype(str), run.diagram["sn"].astype(str))
        canvas, ax = _canvas()
        figures.plot_redshifts(everyone, kept=kept, marks=plots.marks, ax=ax)
        pictures.append(image(canvas, alt="Number of supernovae by redshift and survey"))
    if run.diagram is not None:
        canvas, ax = _canvas()
        figures.plot_pulls(run.diagram, curve=plots.curve, ax=ax)
        pictures.append(image(canvas, alt="Pulls of the residuals"))
    return f'<div class="pair">{"".join(pictures)}</div>\n'


def _canvas() -> tuple[Figure, Axes]:
    canvas = Figure(figsize=(6.0, 3.4), layout="constrained")
    return canvas, canvas.add_subplot()


def cuts(run: Run) -> str:
    """The cut flow."""
    return tables.cut_flow_table(run.lightcurves, run.fits, run.diagram)


def worst(run: Run, plots: Plots) -> str:
    """The worst fits, clickable."""
    if run.fits is None:
        return absent("Worst fits", "fits=", "what chandelle.fit_salt returns")
    names = set() if plots.packed is None else set(plots.packed.names.tolist())
    failed = tables.failed_fits_table(run.fits, clickable=names, n_rows=N_WORST)
    listed = tables.worst_fits_table(run.fits, clickable=names, n_rows=N_WORST)
    return listed + _gallery(run, plots) + failed


def _gallery(run: Run, plots: Plots) -> str:
    """Pictures of the first of the worst, where their light curves are there."""
    if run.fits is None or run.lightcurves is None:
        return absent("Light curves of the worst fits", "lightcurves= and fits=", "both")
    if len(worst_fits(run.fits, run.lightcurves, n=_N_PICTURES)) == 0:
        return note("No fit of these light curves has an answer to draw.")
    canvas = gallery(run.fits, run.lightcurves, n=_N_PICTURES, model_curve=plots.model_curve)
    return gallery_image(canvas)


def gallery_image(canvas: Figure) -> str:
    """Embed a gallery, and say what its symbols mean."""
    words = (
        "Largest first. Full symbols: epochs that the fit rests on; open: not in the fit; grey: "
        "phases out of its range. Bands: errors of the curves, of the parameters and, where the "
        "fit took it in, of the model, which the pulls then contain too. Carets: pulls beyond the "
        "panel."
    )
    return image(canvas, alt="Light curves of the worst fits", caption=words, kind="png")


def truth(run: Run) -> str:
    """Fitted against true parameters."""
    if run.truth is None or run.fits is None:
        return absent("Comparison with the truth", "truth= and fits=", "simulations only")
    return tables.truth_table(run.fits, run.truth)


def making(run: Run) -> str:
    """Settings, versions, provenance."""
    return tables.configuration(run.config, run.products)
