r"""What becomes of light on its way to the pixels: vignetting, dust, the pixels themselves.

The transmission of a CCD in a band is

.. math:: T(x, y) = V(r)\, S_{band}(x, y)\, S_{window}(x, y)\, A_{amplifier}\, [1 + q(x, y)]

relative to the middle of the focal plane: vignetting, shadows of dust on the filter and on the
window (rings, out of focus), and the sensitivity of amplifiers and of single pixels. All of it
belongs to camera, CCD, band and seed. A flat-field lamp fills the aperture in another way than the
sky: what it shows beyond T, `lamp_pattern`, is what a star flat must find.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from chandelle.core.config import StageConfig
from chandelle.core.rng import key_for
from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import Ccd
from chandelle.simulate.frames.deviates import add_normal, normal, uniform

Pixels = NDArray[np.float32]
Halves = tuple[Pixels, Pixels]
_AMPLIFIER = 0.01
_RING_INNER = 0.4
_SLOPE = 0.3
"""Scatter of the slope of a lamp along either axis, over its gradient."""
_SKY_BOWL = 0.3
"""Scatter of the curvature of a sky over its gradient."""
COLOR_PIVOT = 1.0
"""g - i [AB mag] at which no color term changes anything: that of a star like the sun."""


class ThroughputSettings(StageConfig):
    """Transmission over the focal plane, and what of it depends on color.

    `vignetting` is lost in the corner; `pixel_scatter` the scatter of single pixels; `shadows` a
    CCD come each from filter and window, `shadow_depth` deep at most, `shadow_radius` wide [pixel].
    `lamp_gradient` is how far a flat-field lamp is off the sky in the corner. `color_term` is what
    a star redder by 1 mag in g - i loses in the corner of the focal plane, `color_airmass` what a
    bluer one loses an airmass [mag/mag]. `distortion` is that of the optics [deg^-2],
    `sky_gradient` how far the sky changes from the middle to the corner.
    """

    vignetting: float = Field(default=0.08, ge=0.0, lt=1.0)
    pixel_scatter: float = Field(default=0.008, ge=0.0, lt=0.2)
    shadows: int = Field(default=15, ge=0, le=64)
    shadow_depth: float = Field(default=0.03, ge=0.0, lt=1.0)
    shadow_radius: float = Field(default=30.0, gt=0.0)
    lamp_gradient: float = Field(default=0.015, ge=0.0, lt=0.5)
    color_term: float = Field(default=0.01, ge=-0.2, le=0.2)
    color_airmass: float = Field(default=0.005, ge=-0.1, le=0.1)
    distortion: float = Field(default=2e-5, ge=-1e-3, le=1e-3)
    sky_gradient: float = Field(default=0.02, ge=0.0, lt=0.5)


def transmission(
    camera: Camera, ccd: Ccd, passband: str, settings: ThroughputSettings, *, seed: int
) -> Pixels:
    """Transmission of a CCD in a band.

    Parameters
    ----------
    camera : Camera
        That the CCD is of.
    ccd : Ccd
        Which.
    passband : str
        Name.
    settings : ThroughputSettings
        How large each effect is.
    seed : int
        Root of all random numbers.

    Returns
    -------
    array, shape (y, x)
        Along the axes of the CCD; 1 in the middle of the focal plane but for dust and pixels.
    """
    place = ("throughput", camera.name, ccd.ccdid)
    found = np.ones((ccd.n_rows, ccd.n_columns), np.float32)
    add_normal(found, settings.pixel_scatter, key_for(seed, *place, "pixels"))
    columns, rows = bowl(ccd, camera.radius_deg)
    for line, row in zip(found, rows, strict=True):
        line *= 1.0 - settings.vignetting * (columns + row) ** 2
    draws = normal(key_for(seed, *place), "amplifiers", shape=len(ccd.quadrants))
    for quadrant, change in zip(ccd.quadrants, _AMPLIFIER * draws, strict=True):
        found[quadrant.place] *= 1.0 + np.float32(change)
    for layer in ("window", passband):
        _shade(found, settings, seed=seed, place=(*place, layer))
    return found


def _shade(
    image: Pixels, settings: ThroughputSettings, *, seed: int, place: tuple[str | int, ...]
) -> None:
    """Shadows of grains of dust on one surface: rings, since they are out of focus."""
    n_rows, n_columns = image.shape
    for x, y, depth, size in uniform(key_for(seed, *place), "dust", shape=(settings.shadows, 4)):
        radius = settings.shadow_radius * (0.5 + size)
        column, row = x * (n_columns - 1), y * (n_rows - 1)
        first, last = int(max(row - radius, 0)), int(min(row + radius + 2, n_rows))
        left, right = int(max(column - radius, 0)), int(min(column + radius + 2, n_columns))
        part = image[first:last, left:right]
        distance = np.hypot(
            np.arange(first, last)[:, None] - row, np.arange(left, right)[None, :] - column
        )
        # Both edges of the ring are soft over a tenth of its radius.
        soft = 0.1 * radius
        ring = np.clip((radius - distance) / soft, 0.0, 1.0)
        ring *= np.clip((distance - _RING_INNER * radius) / soft, 0.0, 1.0)
        part *= (1.0 - settings.shadow_depth * depth * ring).astype(np.float32)


def bowl(ccd: Ccd, radius: float) -> Halves:
    r"""Square of the distance from the middle of the focal plane over that of the corner.

    Parameters
    ----------
    ccd : Ccd
        Which.
    radius : float, deg
        Of the corner.

    Returns
    -------
    columns, rows : array, shape (x,) and (y,)
        A pixel has the sum of both.
    """
    return smooth_pattern(ccd, radius=radius, slope=(0.0, 0.0), depth=1.0, middle=0.0)


def smooth_pattern(
    ccd: Ccd,
    *,
    radius: float,
    slope: tuple[float, float],
    depth: float,
    middle: float = 1.0,
) -> Halves:
    r"""A pattern of degree two over the focal plane.

    .. math:: p = p_0 + (s_x \xi + s_y \eta) / R + b (\xi^2 + \eta^2) / R^2

    The axes of a CCD are at right angles and of one scale, so p is a sum of what depends on the
    column and what depends on the row.

    Parameters
    ----------
    ccd : Ccd
        Which.
    radius : float, deg
        R.
    slope : tuple of float
        Along xi and eta.
    depth : float
        b.
    middle : float
        Value in the middle of the focal plane.

    Returns
    -------
    columns, rows : array, shape (x,) and (y,)
        A pixel has the sum of both.
    """

    def value(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        xi, eta = (part / radius for part in ccd.to_focal_plane(x, y))
        return middle + slope[0] * xi + slope[1] * eta + depth * (xi**2 + eta**2)

    x, y = np.arange(ccd.n_columns, dtype=float), np.arange(ccd.n_rows, dtype=float)
    columns = value(x, np.zeros_like(x))
    rows = value(np.zeros_like(y), y) - columns[0]
    return columns.astype(np.float32), rows.astype(np.float32)


def lamp_name(band: str, lamp: int) -> str:
    """Name of a lamp, which its pattern is drawn by."""
    return f"{band}-{lamp}"


def lamp_pattern(
    camera: Camera, ccd: Ccd, lamp: str, settings: ThroughputSettings, *, seed: int
) -> Halves:
    """What a flat-field lamp shows beyond the transmission, as `smooth_pattern` gives it."""
    draws = normal(key_for(seed, "lamp", camera.name, lamp), "slope", shape=2)
    slope = (_SLOPE * settings.lamp_gradient * draws[0], _SLOPE * settings.lamp_gradient * draws[1])
    return smooth_pattern(ccd, radius=camera.radius_deg, slope=slope, depth=settings.lamp_gradient)


def sky_pattern(
    camera: Camera, ccd: Ccd, exposure: str, settings: ThroughputSettings, *, seed: int
) -> Halves:
    """How the sky of an exposure changes over the focal plane, as `smooth_pattern` gives it."""
    draws = normal(key_for(seed, "sky", exposure), "pattern", shape=3)
    scale = settings.sky_gradient / np.sqrt(2.0)
    return smooth_pattern(
        ccd,
        radius=camera.radius_deg,
        slope=(scale * draws[0], scale * draws[1]),
        depth=_SKY_BOWL * settings.sky_gradient * draws[2],
    )


def color_loss(
    camera: Camera,
    settings: ThroughputSettings,
    *,
    xi: NDArray[np.float64],
    eta: NDArray[np.float64],
    color: NDArray[np.float64],
    airmass: float,
) -> NDArray[np.float64]:
    r"""What a source loses because of its color.

    .. math:: \Delta m = (C - C_0) [k_r (\xi^2 + \eta^2) / R^2 - k_X (X - 1)]

    Parameters
    ----------
    camera : Camera
        Whose focal plane.
    settings : ThroughputSettings
        Of k_r (`color_term`) and k_X (`color_airmass`).
    xi, eta : array, deg
        Places.
    color : array, mag
        g - i, AB.
    airmass : float
        X.

    Returns
    -------
    array, mag
        Positive where it is fainter.
    """
    over = settings.color_term * (xi**2 + eta**2) / camera.radius_deg**2
    return (color - COLOR_PIVOT) * (over - settings.color_airmass * (airmass - 1.0))
