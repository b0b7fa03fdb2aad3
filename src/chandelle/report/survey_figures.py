"""Figures of a survey: where it points, when it looks and how deep, whom it finds."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import load_passband
from chandelle.products.exposures import Exposures
from chandelle.report.style import MUTED, band_marks, dress, new_axes

_GALACTIC_POLE = (192.85948, 27.12825, 32.93192)
"""Right ascension and declination of the pole, and longitude of the ascending node [deg]."""


def plot_pointings(exposures: Exposures, *, ax: Axes | None = None) -> Axes:
    """Draw how often each field was taken, on the sky in Mollweide's projection.

    Parameters
    ----------
    exposures : Exposures
        A log.
    ax : Axes, optional
        Of the projection "mollweide"; a new figure's when not given.

    Returns
    -------
    Axes
        East is left; the line is the plane of the Milky Way.

    Raises
    ------
    InputError
        If the log is empty, or the axes have another projection.
    """
    if not len(exposures):
        raise InputError("pointings: the log has no exposure")
    if ax is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(7.0, 4.0), layout="constrained")
        ax = figure.add_subplot(projection="mollweide")
    if ax.name != "mollweide":
        raise InputError(f"pointings are drawn on axes of projection 'mollweide', got {ax.name}")
    _, first, counts = np.unique(exposures["field"], return_index=True, return_counts=True)
    ra, dec = (exposures[name][first] for name in ("ra", "dec"))
    points: PathCollection = ax.scatter(
        *_on_map(ra, dec), c=counts, s=12.0, cmap="viridis", linewidths=0.0
    )
    longitude = np.linspace(0.0, 360.0, 361)
    x, y = _on_map(*_of_galaxy(longitude))
    order = np.argsort(x)
    ax.plot(x[order], y[order], color=MUTED, linewidth=1.0)
    hours = np.arange(-150, 151, 60)
    ax.set_xticks(np.radians(hours), [f"{-h % 360}°" for h in hours])
    ax.tick_params(labelsize=7)
    ax.grid(visible=True, linewidth=0.3)
    ax.figure.colorbar(points, ax=ax, shrink=0.7, label="exposures")
    return ax


def _on_map(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place on the map, rad: right ascension 0 in the middle, growing to the left."""
    return np.radians(-((ra + 180.0) % 360.0 - 180.0)), np.radians(dec)


def _of_galaxy(longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right ascension and declination of the plane of the Milky Way [deg]."""
    ra_pole, dec_pole, node = np.radians(_GALACTIC_POLE)
    angle = np.radians(longitude) - node
    dec = np.arcsin(np.cos(dec_pole) * np.sin(angle))
    ra = ra_pole + np.arctan2(np.cos(angle), -np.sin(dec_pole) * np.sin(angle))
    return np.degrees(ra) % 360.0, np.degrees(dec)


def plot_cadence(exposures: Exposures, *, field: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw when a field was taken, and how deep.

    Parameters
    ----------
    exposures : Exposures
        A log.
    field : int, optional
        Number of the field; that with most exposures if absent.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        One mark an exposure, by band.

    Raises
    ------
    InputError
        If the field was never taken.
    """
    fields, counts = np.unique(exposures["field"], return_counts=True)
    if not len(fields) or (field is not None and field not in fields):
        raise InputError(f"cadence: no exposure of field {field} among {len(exposures)}")
    chosen = int(fields[np.argmax(counts)]) if field is None else field
    ax = new_axes(ax, figsize=(7.0, 3.4))
    rows = exposures["field"] == chosen
    bands = sorted(
        set(exposures["band"][rows].tolist()), key=lambda name: load_passband(name).mean_wave
    )
    marks = band_marks({name: load_passband(name).mean_wave for name in bands})
    for name in bands:
        own = rows & (exposures["band"] == name)
        ax.plot(
            exposures["mjd"][own],
            exposures["depth"][own],
            linestyle="none",
            marker=marks[name].matplotlib,
            color=marks[name].color,
            markersize=3.5,
            label=f"{name} ({own.sum()})",
        )
    ax.invert_yaxis()
    ax.set_xlabel("MJD")
    ax.set_ylabel("5 sigma depth [AB mag]")
    ax.set_title(f"field {chosen}", fontsize=9)
    ax.legend(frameon=False, fontsize=8, ncols=3)
    return dress(ax)
