"""What a light curve looks like on matplotlib axes: fluxes over pulls."""

import dataclasses
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from chandelle.core.flags import Flag
from chandelle.core.units import AB_JY
from chandelle.lightcurve.residuals import phase_window
from chandelle.products.passband import filter_of
from chandelle.report.curves import CURVE_GRID
from chandelle.report.lightcurve_sheet import Sheet
from chandelle.report.style import GRID, INK, MUTED, Mark

Scale = Literal["flux", "mag"]
Times = Literal["mjd", "phase"]

LIMIT_SIGMA = 3.0
"""Below this significance an epoch has no magnitude, and its upper limit is drawn instead."""
_ZP_MICRO = 2.5 * np.log10(AB_JY * 1e6)
_LEAST_PULL = 3.6
_MOST_PULL = 15.0
_MARGIN_DAYS = 6.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Epochs of one supernova; x in the units of the axis."""

    x: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_err: NDArray[np.float64]
    pull: NDArray[np.float64]
    band: NDArray[np.int64]
    in_fit: NDArray[np.bool_]

    def take(self, keep: NDArray[np.bool_]) -> "_Points":
        return dataclasses.replace(
            self, **{f.name: getattr(self, f.name)[keep] for f in dataclasses.fields(self)}
        )


def draw_lightcurve(
    upper: Axes,
    lower: Axes,
    sheet: Sheet,
    i: int,
    *,
    scale: Scale = "flux",
    times: Times = "mjd",
) -> None:
    """Draw one supernova: points, curves with their error, pulls below.

    Full symbols are epochs that the answer rests on, open ones are not. Arrows are upper limits:
    of magnitudes, and of a supernova without a detection. Pulls beyond the panel stand at its edge
    as carets.

    Parameters
    ----------
    upper, lower : Axes
        Sharing x.
    sheet : Sheet
        Light curves.
    i : int
        Which of them.
    scale : {"flux", "mag"}
        Of the upper panel.
    times : {"mjd", "phase"}
        Of the x axis; phase only where there is an answer.
    """
    packed = sheet.packed
    row = int(packed.row[i])
    stretch = 1.0 if sheet.fits is None or row < 0 else 1.0 + float(sheet.fits["z"][row])
    by_phase = times == "phase" and row >= 0
    unit, zero = (stretch, 0.0) if by_phase else (1.0, float(packed.origin[i]))
    points = _points(sheet, i, unit=unit, zero=zero)
    start, stop = packed.window[i]
    grid = zero + (start + (stop - start) * CURVE_GRID) / unit
    curves = range(packed.first_curve[i], packed.first_curve[i + 1])
    is_limit = _is_limit(sheet, i, points, scale=scale)
    _limit_pulls(lower, points)
    for name, mark in sheet.marks.items():
        k = packed.bands.index(name)
        for is_full in (True, False):
            part = points.take((points.band == k) & (points.in_fit == is_full) & ~is_limit)
            _draw_points(upper, part, mark, is_full=is_full, scale=scale)
        _draw_limits(upper, points.take((points.band == k) & is_limit), mark, scale=scale)
        for is_full in (True, False):
            part = points.take((points.band == k) & (points.in_fit == is_full))
            _draw_pulls(lower, part, mark, is_full=is_full)
        for j in curves:
            if packed.curve_band[j] == k:
                flux, err = packed.curve[j].astype(float), sheet.curve_err[j]
                _draw_curve(upper, grid, flux, err, mark, scale=scale)
    _dress_panels(upper, lower, sheet, i, points, grid, scale=scale, unit=unit, zero=zero)


def _points(sheet: Sheet, i: int, *, unit: float, zero: float) -> _Points:
    packed = sheet.packed
    here = slice(packed.first_epoch[i], packed.first_epoch[i + 1])
    time, band = packed.time[here].astype(float), packed.band[here].astype(np.int64)
    flux, err, model = (a[here].astype(float) for a in (packed.flux, packed.flux_err, packed.model))
    extra = np.zeros(len(time))
    start, stop = packed.window[i]
    for j in range(packed.first_curve[i], packed.first_curve[i + 1]):
        mine = band == packed.curve_band[j]
        grid = start + (stop - start) * CURVE_GRID
        extra[mine] = np.interp(time[mine], grid, sheet.model_err[j])
    return _Points(
        x=zero + time / unit,
        flux=flux,
        flux_err=err,
        pull=(flux - model) / np.hypot(err, extra),
        band=band,
        in_fit=sheet.in_fit[here],
    )


def _is_limit(sheet: Sheet, i: int, points: _Points, *, scale: Scale) -> NDArray[np.bool_]:
    if scale == "mag":
        return points.flux < LIMIT_SIGMA * points.flux_err
    none = np.zeros(len(points.x), dtype=bool)
    if sheet.fits is None:
        return none
    own = sheet.fits["sn"].astype(str) == sheet.packed.names[i]
    return none | bool((sheet.fits.flags[own] & int(Flag.UPPER_LIMIT)).any())


def _mag(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    """AB magnitude of a flux in microjansky, NaN where it is not positive."""
    return _ZP_MICRO - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))


def _look(mark: Mark, *, is_full: bool) -> dict[str, Any]:
    face = mark.color if is_full else "white"
    return {
        "fmt": mark.matplotlib,
        "color": mark.color,
        "mfc": face,
        "mec": mark.color,
        "mew": 0.9,
        "ms": 4.6 if is_full else 4.2,
        "elinewidth": 0.8,
        "alpha": 1.0 if is_full else 0.75,
        "zorder": 3.0 if is_full else 2.5,
        "label": "_",
    }


def _draw_points(ax: Axes, part: _Points, mark: Mark, *, is_full: bool, scale: Scale) -> None:
    y, err = part.flux, part.flux_err
    if scale == "mag":
        y, err = _mag(part.flux), 2.5 / np.log(10.0) * part.flux_err / part.flux
    ax.errorbar(part.x, y, yerr=err, **_look(mark, is_full=is_full))


def _draw_limits(ax: Axes, part: _Points, mark: Mark, *, scale: Scale) -> None:
    """Arrows that point to where the flux may be, from the limit."""
    if len(part.x) == 0:
        return
    limit = LIMIT_SIGMA * part.flux_err + np.maximum(part.flux, 0.0)
    y = _mag(limit) if scale == "mag" else limit
    ax.plot(part.x, y, ls="none", marker="_", color=mark.color, ms=6, mew=1.2, label="_")
    for x, top in zip(part.x, y, strict=True):
        ax.annotate(
            "",
            xy=(x, top),
            xycoords="data",
            xytext=(0, -13),
            textcoords="offset points",
            arrowprops={"arrowstyle": "<|-", "color": mark.color, "lw": 0.9, "shrinkA": 0},
            annotation_clip=True,
        )


def _draw_curve(
    ax: Axes,
    x: NDArray[np.float64],
    flux: NDArray[np.float64],
    err: NDArray[np.float64],
    mark: Mark,
    *,
    scale: Scale,
) -> None:
    low, high, middle = flux - err, flux + err, flux
    if scale == "mag":
        low, high, middle = _mag(low), _mag(high), _mag(flux)
    ax.plot(x, middle, color=mark.color, lw=1.3, zorder=2.0)
    if np.isfinite(err).any():
        ax.fill_between(x, low, high, color=mark.color, alpha=0.18, lw=0, zorder=1.5)


def _limit_pulls(ax: Axes, points: _Points) -> None:
    pulls = points.pull[points.in_fit & np.isfinite(points.pull)]
    most = max(_LEAST_PULL, 1.15 * (1.0 + np.abs(pulls).max(initial=0.0)))
    ax.set_ylim(-min(most, _MOST_PULL), min(most, _MOST_PULL))


def _draw_pulls(ax: Axes, part: _Points, mark: Mark, *, is_full: bool) -> None:
    edge = ax.get_ylim()[1]
    inside = np.abs(part.pull) < edge
    ax.errorbar(part.x[inside], part.pull[inside], yerr=1.0, **_look(mark, is_full=is_full))
    for sign, caret in ((1, "^"), (-1, "v")):
        beyond = sign * part.pull >= edge
        ax.plot(
            part.x[beyond],
            np.full(beyond.sum(), sign * 0.93 * edge),
            ls="none",
            marker=caret,
            ms=4.5,
            color=mark.color,
            mfc=mark.color if is_full else "white",
        )


def _dress_panels(
    upper: Axes,
    lower: Axes,
    sheet: Sheet,
    i: int,
    points: _Points,
    grid: NDArray[np.float64],
    *,
    scale: Scale,
    unit: float,
    zero: float,
) -> None:
    _limit_times(lower, points, grid)
    if scale == "flux":
        _limit_fluxes(upper, sheet, i, points)
        upper.axhline(0.0, color=INK, lw=0.7, zorder=1.0)
    else:
        _limit_magnitudes(upper, points)
    lower.axhspan(-1, 1, color=GRID, alpha=0.6, lw=0, zorder=0.5)
    lower.axhline(0.0, color=INK, lw=0.7, zorder=1.0)
    row = int(sheet.packed.row[i])
    if sheet.fits is not None and row >= 0:
        stretch = 1.0 + float(sheet.fits["z"][row])
        low, high = (zero + edge * stretch / unit for edge in phase_window(sheet.fits))
        left, right = lower.get_xlim()
        for axes in (upper, lower):
            for start, stop in ((left, min(low, right)), (max(high, left), right)):
                if start < stop:
                    axes.axvspan(start, stop, color=MUTED, alpha=0.10, lw=0, zorder=0.2)
        lower.set_xlim(left, right)


def _limit_times(ax: Axes, points: _Points, grid: NDArray[np.float64]) -> None:
    """Show the range of the model, the same for all, where there is an answer."""
    ends = [points.x.min() - _MARGIN_DAYS, points.x.max() + _MARGIN_DAYS]
    if np.isfinite(grid).all():
        room = 0.07 * (grid[-1] - grid[0])
        ends = [grid[0] - 0.3 * room, grid[-1] + room]
    ax.set_xlim(*ends)


def _limit_fluxes(ax: Axes, sheet: Sheet, i: int, points: _Points) -> None:
    """Hold the curves and the fitted points; a wild point out of the fit does not set the range."""
    left, right = ax.get_xlim()
    seen = points.take((points.x >= left) & (points.x <= right))
    lead = seen.take(seen.in_fit) if seen.in_fit.any() else seen
    curves = sheet.packed.curve[sheet.packed.first_curve[i] : sheet.packed.first_curve[i + 1]]
    top = max((lead.flux + lead.flux_err).max(), curves.max(initial=0.0))
    low = min((seen.flux - seen.flux_err).min(), 0.0)
    low = max(low, -0.25 * top)
    ax.set_ylim(low - 0.05 * top, 1.12 * top)


def _limit_magnitudes(ax: Axes, points: _Points) -> None:
    bright = points.flux >= LIMIT_SIGMA * points.flux_err
    limit = LIMIT_SIGMA * points.flux_err + np.maximum(points.flux, 0.0)
    mags = np.append(_mag(points.flux[bright]), _mag(limit[~bright]))
    ax.set_ylim(mags.max() + 0.9, mags.min() - 0.5)


def legend_of(ax: Axes, sheet: Sheet, i: int, *, scale: Scale) -> None:
    """Name the bands of one supernova, and what open symbols and arrows are.

    Parameters
    ----------
    ax : Axes
        Where.
    sheet : Sheet
        Light curves.
    i : int
        Which of them.
    scale : {"flux", "mag"}
        Of the panel.
    """
    packed = sheet.packed
    here = slice(packed.first_epoch[i], packed.first_epoch[i + 1])
    seen = {packed.bands[k] for k in np.unique(packed.band[here])}
    look = {"ls": "none", "ms": 5}
    of_filter = {filter_of(name): mark for name, mark in sheet.marks.items() if name in seen}
    entries = [
        Line2D([], [], marker=mark.matplotlib, color=mark.color, label=name, **look)
        for name, mark in of_filter.items()
    ]
    if not sheet.in_fit[here].all():
        entries.append(
            Line2D([], [], marker="o", color=MUTED, mfc="white", label="not in the fit", **look)
        )
    points = _points(sheet, i, unit=1.0, zero=0.0)
    if _is_limit(sheet, i, points, scale=scale).any():
        label = f"{LIMIT_SIGMA:g} σ upper limit"
        entries.append(Line2D([], [], marker=r"$\downarrow$", color=MUTED, label=label, **look))
    legend = ax.legend(
        handles=entries, frameon=False, fontsize=8, loc="upper right", handletextpad=0.2
    )
    for words in legend.get_texts():
        words.set_parse_math(False)
