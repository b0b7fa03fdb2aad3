"""The figure of a scaling: CPU time and memory against N, and where they lead."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from chandelle.compute.profile import Profile
from chandelle.compute.scaling_result import TARGETS, Cost, Scaling
from chandelle.compute.scaling_text import memory, place_of, seconds
from chandelle.core.errors import InputError
from chandelle.report.style import INK, MUTED, Mark, dress, survey_marks

_YEAR_S = 3.15576e7
_TIMES_S = {
    **{10.0**k: seconds(10.0**k) for k in range(-6, 2)},
    **{60.0: "1 min", 600.0: "10 min", 3600.0: "1 h"},
    **{10.0**k * 86400.0: f"{10**k} d" for k in range(3)},
    **{10.0**k * _YEAR_S: f"{10**k} yr" for k in range(5)},
}
_MEMORIES_GB = {10.0**k: memory(10.0**k) for k in range(-3, 7)}
"""Ticks and their words."""
_N_CURVE = 60


def plot_scaling(
    *scalings: Scaling,
    labels: Sequence[str] | None = None,
    targets: Mapping[str, int] | None = None,
    profile: str | Profile | None = None,
    figure: Figure | None = None,
) -> tuple[Axes, Axes]:
    """Draw CPU time and memory against size, their laws with bands of 68 and 95 %, the targets.

    Parameters
    ----------
    *scalings : Scaling
        One or more, of three sizes each.
    labels : sequence of str, optional
        Their names; those of the functions if absent.
    targets : mapping of str to int, optional
        Sizes to project to; ZTF and LSST if absent.
    profile : str or Profile, optional
        A batch system, whose walltime and largest job are drawn too.
    figure : Figure, optional
        Where to draw; a new one when not given.

    Returns
    -------
    tuple of Axes
        Time and memory.

    Raises
    ------
    InputError
        If there is no scaling, or one of too few sizes.
    """
    names = list(labels) if labels is not None else [one.function for one in scalings]
    if not scalings or len(names) != len(scalings) or len(set(names)) < len(names):
        raise InputError(
            f"expected scalings and a label of its own for each, got {len(scalings)} and {names}; "
            "give labels="
        )
    wanted, place = TARGETS if targets is None else targets, place_of(profile)
    if figure is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = (dress(cast(Axes, ax)) for ax in figure.subplots(1, 2))
    looks = survey_marks([f"{i:03d}" for i in range(len(names))]).values()
    marks = dict(zip(names, looks, strict=True))
    for name, scaling in zip(names, scalings, strict=True):
        _draw(left, scaling, "cpu_s", wanted, mark=marks[name], label=name)
        _draw(right, scaling, "peak_gb", wanted, mark=marks[name], label=name)
    _dress_axis(left, _TIMES_S, "CPU time of a call")
    _dress_axis(right, _MEMORIES_GB, "largest memory")
    _mark_limit(right, max(one.memory_gb for one in scalings), "this machine")
    if place is not None:
        _mark_limit(left, 60.0 * place[1].walltime_min, f"walltime of {place[0]}")
        _mark_limit(right, place[1].memory_gb[-1], f"largest job of {place[0]}")
    for ax in (left, right):
        _mark_targets(ax, wanted)
    left.legend(fontsize=8, loc="upper left", facecolor="white", edgecolor="none", framealpha=0.9)
    return left, right


def _draw(
    ax: Axes, scaling: Scaling, cost: Cost, targets: Mapping[str, int], *, mark: Mark, label: str
) -> None:
    """Measurements, the law, its bands."""
    law, sizes = scaling.law(cost), [one.n for one in scaling.measured]
    n = np.geomspace(min(sizes), max([*sizes, *targets.values()]), _N_CURVE)
    spans = [law.predict(float(size)) for size in n]
    for low, high, alpha in (("low95", "high95", 0.12), ("low", "high", 0.25)):
        lower, upper = ([getattr(span, edge) for span in spans] for edge in (low, high))
        ax.fill_between(n, lower, upper, color=mark.color, alpha=alpha, linewidth=0)
    power = f"{label}, N^{law.power.median:.2f}" if law.is_growing else label
    look = {"color": mark.color, "lw": 1.4}
    measured = n <= max(sizes)
    medians = np.array([span.median for span in spans])
    ax.plot(n, medians, ls=(0, (4, 2)), **look)
    ax.plot(n[measured], medians[measured], **look)
    costs = [getattr(one, cost) for one in scaling.measured]
    ax.plot(sizes, costs, mark.matplotlib, color=mark.color, ms=5, label=power, zorder=5)


def _dress_axis(ax: Axes, ticks: Mapping[float, str], label: str) -> None:
    """Logarithmic axes, with the units that people use."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    shown = {value: words for value, words in ticks.items() if low <= value <= high}
    ax.set_yticks(list(shown), list(shown.values()))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(low, high)
    ax.set_xlabel("N")
    ax.set_ylabel(label)


def _mark_targets(ax: Axes, targets: Mapping[str, int]) -> None:
    for name, n in targets.items():
        ax.axvline(n, color=MUTED, lw=0.9, ls=":", zorder=1)
        at = {"xy": (n, 1.0), "xycoords": ("data", "axes fraction")}
        ax.annotate(name, **at, color=INK, fontsize=8, ha="center", va="bottom")


def _mark_limit(ax: Axes, value: float, name: str) -> None:
    """A line where something ends, if it lies in the picture."""
    low, high = ax.get_ylim()
    if low < value < high:
        ax.axhline(value, color=INK, lw=0.9, ls="--", zorder=1)
        at = {"xy": (0.99, value), "xycoords": ("axes fraction", "data")}
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
        ax.annotate(name, **at, color=INK, fontsize=8, ha="right", va="bottom", bbox=paper)
