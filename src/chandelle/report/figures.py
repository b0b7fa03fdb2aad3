"""Matplotlib figures for papers: each draws one product on the axes it is given."""

import warnings
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chandelle.core.errors import InputError, NotConvergedError
from chandelle.products.diagram import Diagram
from chandelle.products.posterior import Posterior
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets
from chandelle.report.residuals import Curve, bin_residuals, curve_of
from chandelle.report.style import (
    ACCENT,
    INK,
    LABELS,
    Mark,
    dress,
    legend_label,
    marks_for,
    new_axes,
    redshift_axis,
    survey_label,
)

_CORNER_LEVELS = (0.39346934, 0.86466472)
"""Mass within 1 and 2 sigma of a Gaussian in two dimensions."""


def split_axes(ax: Axes | None, *, figsize: tuple[float, float]) -> tuple[Axes, Axes]:
    """Return a panel and a lower one of a third of its height, sharing x.

    Parameters
    ----------
    ax : Axes, optional
        It becomes the upper panel and gives up its lower quarter; a new figure when not given.
    figsize : tuple of float, inch
        Size of a new figure.

    Returns
    -------
    tuple of Axes
        Upper and lower panel.
    """
    if ax is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=figsize, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    else:
        from mpl_toolkits.axes_grid1 import make_axes_locatable

        upper = ax
        lower = make_axes_locatable(ax).append_axes("bottom", size="33%", pad=0.08, sharex=ax)
    upper.tick_params(labelbottom=False)
    return dress(upper), dress(cast(Axes, lower))


def plot_diagram(
    diagram: Diagram,
    *,
    posterior: Posterior | None = None,
    marks: Mapping[str, Mark] | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, Axes]:
    """Draw the Lemaitre (Hubble) diagram over its residuals.

    Parameters
    ----------
    diagram : Diagram
        One supernova or more.
    posterior : Posterior, optional
        Its best fit is drawn; without one that converged, flat LCDM with Om = 0.3, labeled so.
    marks : mapping of str to Mark, optional
        Look of each survey (`survey_marks`), to share it between figures.
    ax : Axes, optional
        Becomes the upper panel; its lower quarter goes to the residuals.

    Returns
    -------
    tuple of Axes
        The diagram, the residuals with means in bins of redshift.
    """
    upper, lower = split_axes(ax, figsize=(6.4, 5.6))
    curve = curve_of(diagram, posterior)
    z, residual = diagram["z_hd"], diagram["mu"] - curve.at_sn
    surveys = diagram["survey"].astype(str)
    shown = marks_for(surveys, marks)
    for survey, mark in shown.items():
        here = surveys == survey
        look = {"fmt": mark.matplotlib, "color": mark.color, "ms": 3.0, "mew": 0, "elinewidth": 0.6}
        label = legend_label(survey, f"{survey_label(survey)} ({here.sum()})", shown)
        for axes, y in ((upper, diagram["mu"]), (lower, residual)):
            axes.errorbar(
                z[here], y[here], yerr=diagram["mu_err"][here], alpha=0.55, label=label, **look
            )
    upper.plot(curve.z, curve.mu, color=INK, lw=1.4, label=curve.label, zorder=5)
    lower.axhline(0.0, color=INK, lw=1.2, zorder=5)
    bins = bin_residuals(z, residual, diagram["mu_err"])
    lower.errorbar(bins.z, bins.mean, yerr=bins.err, fmt="o", color=INK, ms=4, zorder=6)
    redshift_axis(lower, z)
    upper.set_xlabel("")
    limit = 1.15 * np.quantile(np.abs(residual) + diagram["mu_err"], 0.995)
    lower.set_ylim(-limit, limit)
    upper.set_ylabel(LABELS["mu"])
    lower.set_ylabel(LABELS["residual"])
    upper.legend(frameon=False, fontsize=8)
    return upper, lower


def plot_parameter(
    fits: SaltFits,
    name: str = "x1",
    *,
    marks: Mapping[str, Mark] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the distribution of a SALT parameter, stacked by survey; fits without answer stay out.

    Parameters
    ----------
    fits : SaltFits
        The fits.
    name : str
        A column, "x1" or "c" most often.
    marks : mapping of str to Mark, optional
        Look of each survey (`survey_marks`), to share it between figures.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        Where it was drawn.
    """
    ax = new_axes(ax)
    keep = fits.is_ok & np.isfinite(fits[name])
    values, surveys = fits[name][keep], fits["survey"][keep].astype(str)
    if len(values):
        low, high = np.quantile(values, (0.002, 0.998))
        margin = 0.05 * (high - low) + 1e-9
        edges = np.linspace(low - margin, high + margin, 31)
        shown = marks_for(surveys, marks)
        ax.hist(
            [np.clip(values[surveys == s], edges[0], edges[-1]) for s in shown],
            bins=edges.tolist(),
            stacked=True,
            color=[mark.color for mark in shown.values()],
            label=[
                legend_label(s, f"{survey_label(s)} ({(surveys == s).sum()})", shown) for s in shown
            ],
            edgecolor="white",
            linewidth=0.5,
        )
        ax.set_title(
            f"mean {values.mean():.3f}, sd {values.std():.3f}", fontsize=9, color=INK, loc="right"
        )
        _legend_above(ax)
    ax.set_xlabel(LABELS.get(name, name))
    ax.set_ylabel(LABELS["number"])
    ax.grid(visible=False, axis="x")
    return ax


def plot_redshifts(
    sample: Targets | SaltFits | Diagram,
    *,
    kept: NDArray | None = None,
    marks: Mapping[str, Mark] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw N(z), stacked by survey; supernovae that were cut are pale.

    Parameters
    ----------
    sample : Targets, SaltFits or Diagram
        All supernovae.
    kept : array of bool, shape (sn,), optional
        Which were not cut; all when not given.
    marks : mapping of str to Mark, optional
        Look of each survey (`survey_marks`), to share it between figures.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        Where it was drawn.
    """
    ax = new_axes(ax)
    z, surveys = redshift_of(sample), sample["survey"].astype(str)
    kept = np.ones(len(z), bool) if kept is None else kept
    good = np.isfinite(z) & (z > 0)
    if good.any():
        shown = marks_for(surveys[good], marks)
        groups = [(s, state) for state in (True, False) for s in shown]
        chosen = [good & (surveys == s) & (kept == state) for s, state in groups]
        edges = np.geomspace(z[good].min(), z[good].max() * (1 + 1e-9), 26)
        _, _, bars = ax.hist(
            [z[rows] for rows in chosen],
            bins=edges.tolist(),
            stacked=True,
            color=[shown[s].color for s, _ in groups],
            edgecolor="white",
            linewidth=0.5,
        )
        for (survey, state), rows, group in zip(groups, chosen, bars, strict=True):  # type: ignore
            for bar in group:
                bar.set_alpha(1.0 if state else 0.3)
            if rows.any():
                cut = "" if state else ", cut"
                words = f"{survey_label(survey)}{cut} ({rows.sum()})"
                group.set_label(legend_label(survey, words, shown))
        redshift_axis(ax, z[good])
        _legend_above(ax)
    ax.set_xlabel(LABELS["z"])
    ax.set_ylabel(LABELS["number"])
    ax.grid(visible=False, axis="x")
    return ax


def _legend_above(ax: Axes) -> None:
    """Put the legend where no bar is."""
    ax.legend(
        frameon=False,
        fontsize=8,
        ncols=4,
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.98),
        columnspacing=1.2,
        handlelength=1.2,
    )


def plot_pulls(
    diagram: Diagram,
    *,
    posterior: Posterior | None = None,
    curve: Curve | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the residuals in units of their errors over the unit Gaussian.

    Parameters
    ----------
    diagram : Diagram
        One supernova or more.
    posterior : Posterior, optional
        Its best fit is subtracted; without one that converged, flat LCDM with Om = 0.3.
    curve : Curve, optional
        What is subtracted instead (`curve_of`).
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        Where it was drawn.
    """
    ax = new_axes(ax)
    curve = curve_of(diagram, posterior) if curve is None else curve
    pulls = (diagram["mu"] - curve.at_sn) / diagram["mu_err"]
    edges = np.linspace(-5.0, 5.0, 41)
    label = f"{len(pulls)} SNe, mean {pulls.mean():.3f}, sd {pulls.std():.3f}"
    shown = np.clip(pulls, edges[0], edges[-1])
    ax.hist(shown, bins=edges.tolist(), color=ACCENT, alpha=0.75, edgecolor="white", label=label)
    x = np.linspace(-5.0, 5.0, 201)
    height = len(pulls) * (edges[1] - edges[0]) / np.sqrt(2 * np.pi)
    ax.plot(x, height * np.exp(-0.5 * x**2), color=INK, lw=1.4, label="unit Gaussian")
    ax.set_xlabel(LABELS["pull"])
    ax.set_ylabel(LABELS["number"])
    _legend_above(ax)
    return ax


def plot_corner(
    posterior: Posterior,
    *,
    names: Sequence[str] | None = None,
    truth: Mapping[str, float] | None = None,
    figure: Figure | None = None,
) -> NDArray[np.object_]:
    """Draw the marginals of the posterior, with 1 and 2 sigma contours.

    Parameters
    ----------
    posterior : Posterior
        One that converged.
    names : sequence of str, optional
        Parameters to draw; all that vary when not given.
    truth : mapping of str to float, optional
        True values of some parameters, drawn as lines.
    figure : Figure, optional
        An empty one to fill; a new one when not given. (A corner plot fills a figure, not axes.)

    Returns
    -------
    array of Axes, shape (parameter, parameter)
        The panels.

    Raises
    ------
    NotConvergedError
        If the chains did not converge: their contours mean nothing.
    """
    if posterior.status != "ok":
        raise NotConvergedError(f"{posterior.model}: {posterior.status}; {posterior.reason}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import corner
    names = [k for k in names or posterior.parameters if np.ptp(posterior[k]) > 0]
    if not names:
        raise InputError(f"{posterior.model}: no parameter varies; nothing to draw")
    if figure is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(1.9 * len(names) + 0.8, 1.9 * len(names) + 0.8))
    truths = None if truth is None else [truth.get(name) for name in names]
    samples = np.stack([posterior[name].ravel() for name in names], axis=1)
    corner.corner(
        samples,
        fig=figure,
        labels=names,
        levels=_CORNER_LEVELS,
        quantiles=(0.15865525, 0.5, 0.84134475),
        show_titles=True,
        title_fmt=".3f",
        title_kwargs={"fontsize": 9},
        label_kwargs={"fontsize": 10},
        color=ACCENT,
        truths=truths,
        truth_color="#d55e00",
        smooth=1.0,
        max_n_ticks=4,
        plot_datapoints=False,
        fill_contours=True,
    )
    panels = np.asarray(figure.axes, dtype=object).reshape(len(names), len(names))
    for panel in panels.ravel():
        panel.tick_params(labelsize=8, colors=INK)
    return panels


def redshift_of(sample: Targets | SaltFits | Diagram) -> NDArray[np.float64]:
    """Redshift of the diagram where it is known, heliocentric elsewhere."""
    z_hel = sample["z_hel"]
    if isinstance(sample, SaltFits):
        z_hel = np.where(np.isfinite(z_hel), z_hel, sample["z"])
    return np.where(np.isfinite(sample["z_hd"]), sample["z_hd"], z_hel)
