"""The look shared by paper figures and the page: colors for the color-blind, names with units.

Colors are those of M. Okabe and K. Ito (2008). Color never stands alone: surveys and bands differ
in their markers too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from chandelle.products.passband import filter_of

INK = "#22272e"
"""Text, axes and the best-fit curve."""
GRID = "#d9dee4"
"""Grid lines."""
ACCENT = "#0072b2"
"""A lone data set."""
MUTED = "#8a939e"
"""What was cut, and the error bars."""

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7f87")
_MARKERS = (
    ("circle", "o"),
    ("square", "s"),
    ("triangle", "^"),
    ("diamond", "D"),
    ("inverted_triangle", "v"),
)
_BAND_COLORS = (
    (3900.0, "#7b3294"),
    (4600.0, "#0072b2"),
    (5300.0, "#009e73"),
    (5800.0, "#b59f00"),
    (6900.0, "#d55e00"),
    (8300.0, "#882255"),
    (9500.0, "#cc79a7"),
    (np.inf, "#444b54"),
)
"""Upper mean wavelength [angstrom] and color."""

LABELS: Mapping[str, str] = {
    "z": "redshift",
    "mu": "distance modulus (mag)",
    "residual": "residual (mag)",
    "mjd": "MJD (d)",
    "phase": "phase (rest-frame d)",
    "flux": "flux (µJy, AB)",
    "mag": "magnitude (AB)",
    "pull": "pull (σ)",
    "x1": "stretch x1",
    "c": "color c (mag)",
    "t0": "t0 (d)",
    "x0": "x0",
    "mb": "mB (mag)",
    "number": "number of supernovae",
}
"""Axis labels with units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How one group of points is drawn: color, marker in Bokeh's and in matplotlib's words."""

    color: str
    bokeh: str
    matplotlib: str


def survey_marks(surveys: Sequence[str] | np.ndarray) -> dict[str, Mark]:
    """Give each survey a color and a marker, the most populous first.

    Parameters
    ----------
    surveys : sequence of str
        The survey of each supernova.

    Returns
    -------
    dict of str to Mark
        Largest survey first; ties in alphabetical order.
    """
    names, counts = np.unique(np.asarray(surveys, dtype=str), return_counts=True)
    order = np.lexsort((names, -counts))
    marks = {}
    for i, k in enumerate(order):
        bokeh, matplotlib = _MARKERS[i % len(_MARKERS)]
        color = _COLORS[i % len(_COLORS)]
        marks[str(names[k])] = Mark(color=color, bokeh=bokeh, matplotlib=matplotlib)
    return marks


def marks_for(
    surveys: Sequence[str] | np.ndarray, marks: Mapping[str, Mark] | None
) -> dict[str, Mark]:
    """Marks of the surveys that occur: those given, so that several figures agree, or new ones.

    Parameters
    ----------
    surveys : sequence of str
        The survey of each supernova.
    marks : mapping of str to Mark, optional
        Of all surveys.

    Returns
    -------
    dict of str to Mark
        In the order of `marks`.
    """
    present = set(np.asarray(surveys, dtype=str).tolist())
    if marks is None or not present <= set(marks):
        return survey_marks(surveys)
    return {name: mark for name, mark in marks.items() if name in present}


def band_marks(mean_waves: Mapping[str, float]) -> dict[str, Mark]:
    """Give each band a color after its wavelength; bands of one color differ in their markers.

    Passbands of one filter at several positions look the same, like the first of them.

    Parameters
    ----------
    mean_waves : mapping of str to float, angstrom
        Mean wavelength of each band; NaN where it is unknown.

    Returns
    -------
    dict of str to Mark
        From blue to red.
    """
    marks: dict[str, Mark] = {}
    of_filter: dict[str, Mark] = {}
    used = dict.fromkeys((color for _, color in _BAND_COLORS), 0)
    for band in sorted(mean_waves, key=lambda name: (np.nan_to_num(mean_waves[name]), name)):
        own = filter_of(band)
        if own in of_filter:
            marks[band] = of_filter[own]
            continue
        wave = mean_waves[band]
        known = np.isfinite(wave)
        color = next(c for edge, c in _BAND_COLORS if wave < edge) if known else MUTED
        count = used.get(color, 0)
        used[color] = count + 1
        bokeh, matplotlib = _MARKERS[count % len(_MARKERS)]
        marks[band] = of_filter[own] = Mark(color=color, bokeh=bokeh, matplotlib=matplotlib)
    return marks


N_NAMED = 6
"""Surveys that a legend names; the smaller ones are drawn without a line of their own."""


def legend_label(survey: str, words: str, marks: Mapping[str, Mark]) -> str:
    """Label of a survey's points; hidden from the legend beyond the first `N_NAMED`."""
    return words if list(marks).index(survey) < N_NAMED else f"_{words}"


def survey_label(survey: str) -> str:
    """Name of a survey, also where there is none."""
    return survey or "no survey named"


def new_axes(ax: Axes | None, *, figsize: tuple[float, float] = (6.0, 4.2)) -> Axes:
    """Return the axes to draw on, cleanly dressed; a new figure's where none are given."""
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.figure(figsize=figsize, layout="constrained").add_subplot()
    return dress(ax)


def dress(ax: Axes) -> Axes:
    """Remove two spines, lighten the grid, without touching the global settings."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(MUTED)
    ax.tick_params(colors=INK, which="both", labelsize=9)
    ax.grid(visible=True, color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def redshift_axis(ax: Axes, z: np.ndarray) -> None:
    """Make x a log redshift axis with plain numbers that fits the data."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.set_xlim(z.min() / 1.15, z.max() * 1.15)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(LABELS["z"])
