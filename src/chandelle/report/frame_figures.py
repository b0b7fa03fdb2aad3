"""Figures of raw frames: a CCD, a quadrant with its overscan, the sharpness over the field."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import Quadrant
from chandelle.instrument.orders import reorder
from chandelle.report.style import INK, new_axes
from chandelle.simulate.frames.optics import PsfField

_STICKS = 15
"""Sticks of ellipticity along the focal plane."""


def read_quadrant(path: str | Path, quadrant: Quadrant) -> tuple[NDArray, NDArray]:
    """Science and overscan of a quadrant of a raw file, in the order of reading.

    Parameters
    ----------
    path : str or Path
        Raw file of the CCD.
    quadrant : Quadrant
        Which.

    Returns
    -------
    science, overscan : array, DN
        The first pixel read is [0, 0].

    Raises
    ------
    InputError
        If the file has no such quadrant.
    """
    try:
        with fits.open(path) as units:
            parts = [
                np.asarray(units[number].data)  # type: ignore[attr-defined]
                for number in (quadrant.science_extension, quadrant.overscan_extension)
            ]
    except (IndexError, OSError) as error:
        raise InputError(
            f"{path}: expected a raw file with extensions {quadrant.science_extension} and "
            f"{quadrant.overscan_extension} of quadrant {quadrant.rcid}, found {error}"
        ) from error
    science, overscan = (reorder(part, quadrant, source="raw", target="read") for part in parts)
    return science, overscan


def plot_raw_quadrant(path: str | Path, quadrant: Quadrant, *, ax: Axes | None = None) -> Axes:
    """Draw a quadrant of a raw file in the order of reading, its overscan beside it.

    Parameters
    ----------
    path : str or Path
        Raw file of the CCD.
    quadrant : Quadrant
        Which.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        The first pixel read is at the lower left, the overscan at the right.

    Raises
    ------
    InputError
        As `read_quadrant`.
    """
    science, overscan = read_quadrant(path, quadrant)
    ax = new_axes(ax, figsize=(5.2, 4.6))
    image = _show(ax, np.concatenate([science, overscan], axis=1), science)
    ax.axvline(quadrant.n_columns - 0.5, color=INK, linewidth=0.8)
    ax.set_xlabel("column, as read")
    ax.set_ylabel("row, as read")
    ax.set_title(Path(path).name, fontsize=8)
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="DN")
    return ax


def plot_raw_ccd(path: str | Path, camera: Camera, *, ax: Axes | None = None) -> Axes:
    """Draw all quadrants of a raw file as they lie on the CCD, each above its own overscan.

    Parameters
    ----------
    path : str or Path
        Raw file; its header names the CCD.
    camera : Camera
        That the CCD is of.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        Along the axes of the CCD.

    Raises
    ------
    InputError
        If the CCD is not of the camera, or as `read_quadrant`.
    """
    ccd = camera.ccd(int(fits.getheader(path)["CCD_ID"]))  # type: ignore[arg-type]
    mosaic = np.full((ccd.n_rows, ccd.n_columns), np.nan)
    for quadrant in ccd.quadrants:
        science, overscan = read_quadrant(path, quadrant)
        level = np.median(overscan[:, overscan.shape[1] // 2 :], axis=1, keepdims=True)
        above = science.astype(float) - level
        mosaic[quadrant.place] = reorder(above, quadrant, source="read", target="sky")
    ax = new_axes(ax, figsize=(5.2, 4.6))
    image = _show(ax, mosaic, mosaic)
    ax.set_xlabel("x (pixel)")
    ax.set_ylabel("y (pixel)")
    ax.set_title(Path(path).name, fontsize=8)
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="DN above the overscan")
    return ax


def plot_transmission(image: NDArray, *, ax: Axes | None = None) -> Axes:
    """Draw the transmission of a CCD.

    Parameters
    ----------
    image : array, shape (y, x)
        As `SimulatedSurvey.transmission` gives it.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        Along the axes of the CCD.
    """
    ax = new_axes(ax, figsize=(5.2, 4.6))
    shown = _show(ax, image, image)
    ax.set_xlabel("x (pixel)")
    ax.set_ylabel("y (pixel)")
    ax.figure.colorbar(shown, ax=ax, shrink=0.8, label="transmission")
    return ax


def plot_psf_field(psf: PsfField, camera: Camera, *, ax: Axes | None = None) -> Axes:
    """Draw the sharpness of an exposure over the focal plane, sticks for the ellipticity.

    Parameters
    ----------
    psf : PsfField
        Of the exposure.
    camera : Camera
        Its focal plane.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        East is left; a stick is along the major axis.
    """
    corners = camera.corners().reshape(-1, 2)
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    xi, eta = np.meshgrid(np.linspace(left, right, 101), np.linspace(low, high, 101))
    ax = new_axes(ax, figsize=(5.4, 4.6))
    width = psf.shape(xi, eta)[0] * camera.pixel_scale_arcsec
    filled = ax.contourf(xi, eta, width, levels=24, cmap="viridis")
    x, y = np.meshgrid(np.linspace(left, right, _STICKS), np.linspace(low, high, _STICKS))
    _, g1, g2 = psf.shape(x, y)
    size, angle = np.hypot(g1, g2), 0.5 * np.arctan2(g2, g1)
    sticks = ax.quiver(
        x,
        y,
        size * np.cos(angle),
        size * np.sin(angle),
        angles="xy",  # east is left
        pivot="middle",
        headwidth=0.0,
        headlength=0.0,
        headaxislength=0.0,
        color="white",
        width=0.003,
    )
    ax.set_title("sticks along the major axis; in the corner one of g = 0.02", fontsize=8)
    ax.quiverkey(sticks, 0.95, 0.96, 0.02, "", color="white")
    ax.invert_xaxis()
    ax.set_aspect("equal")
    ax.set_xlabel("xi, east (deg)")
    ax.set_ylabel("eta, north (deg)")
    ax.figure.colorbar(filled, ax=ax, shrink=0.8, label="FWHM (arcsec)")
    return ax


def _show(ax: Axes, image: NDArray, levels: NDArray) -> AxesImage:
    """Show an image between the 1st and 99.5th percentile of what sets its levels."""
    ax.grid(visible=False)
    low, high = np.nanpercentile(levels, [1.0, 99.5])
    return ax.imshow(image, origin="lower", cmap="gray", vmin=low, vmax=high, aspect="equal")
