"""What strikes the detector and is no star: cosmic rays, and the tracks of satellites."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import DEG_PER_ARCSEC, Ccd, Quadrant
from chandelle.simulate.frames.deviates import normal, poisson, uniform

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

_UM2_PER_CM2 = 1e8
_LEAST_COSINE = 0.02
_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
_SIGMAS = 6.0
"""Half width of the band that a track lights."""
_PIXEL_VARIANCE = 1.0 / 12.0
_BORDER = 1e-9
"""Degrees: a track along the border of a quadrant is not across it."""


class CosmicRaySettings(StageConfig):
    """Muons: how many, and what they leave in the silicon.

    At sea level one crosses each horizontal cm2 a minute, at 1.7 km about 1.5. They leave about 80
    electrons a micron; `straggling` is the width of that, as a fraction (a Moyal law, which stands
    for Landau's). Thin sensors are of 10 to 20 microns, thick ones of 100 to 250. `diffusion_um` is
    how far charge strays, one sigma.

    References: Particle Data Group, Review of Particle Physics, "Cosmic rays" and "Passage of
    particles through matter"; D. Groom, 2002, Experimental Astronomy 14, 45.
    """

    model_config = ConfigDict(allow_inf_nan=False)
    rate_per_cm2_s: float = Field(default=0.025, ge=0.0)
    electrons_per_um: float = Field(default=80.0, ge=0.0)
    straggling: float = Field(default=0.15, ge=0.0, le=0.2)
    thickness_um: float = Field(default=16.0, gt=0.0)
    diffusion_um: float = Field(default=4.0, ge=0.0)
    pixel_um: float = Field(default=15.0, gt=0.0)


class CosmicRays(NamedTuple):
    """Cosmic rays of a quadrant, one number a ray, in sky order.

    `x`, `y` is where they enter [pixel], `dx`, `dy` how far they go across [pixel], `electrons`
    what they leave, some of it outside of the quadrant.
    """

    x: Floats
    y: Floats
    dx: Floats
    dy: Floats
    electrons: Floats


class SatelliteTracks(NamedTuple):
    """Tracks across a focal plane, one number a track.

    A track is the line cos(angle) xi + sin(angle) eta = offset [degree]; `electrons_per_arcsec` is
    its light a unit of its length, `width_arcsec` the full width at half maximum of the satellite.
    """

    angle_deg: Floats
    offset_deg: Floats
    electrons_per_arcsec: Floats
    width_arcsec: Floats


def draw_cosmic_rays(
    shape: tuple[int, ...],
    settings: CosmicRaySettings,
    *,
    exptime_s: float,
    key: Key[Array, ""],
) -> CosmicRays:
    """Draw the cosmic rays of a quadrant in an exposure.

    Their intensity falls as the square of the cosine c of the angle from the zenith, and the sensor
    lies flat, so that c^3 is its law among those that cross it.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the quadrant.
    settings : CosmicRaySettings
        Their rate, and the sensor.
    exptime_s : float, s
        Time in which they come.
    key : Key
        Of the quadrant in this frame.

    Returns
    -------
    CosmicRays
        A Poisson number of them.
    """
    rows, columns = shape
    area_cm2 = rows * columns * settings.pixel_um**2 / _UM2_PER_CM2
    n = poisson(key, "cosmic rays", mean=settings.rate_per_cm2_s * area_cm2 * exptime_s)
    across, along, tilt, azimuth = uniform(key, "paths", shape=(4, n))
    cosine = np.maximum(tilt**0.25, _LEAST_COSINE)
    length = settings.thickness_um / settings.pixel_um * np.sqrt(1.0 - cosine**2) / cosine
    # Minus the logarithm of the square of a normal number follows Moyal's law.
    excess = -2.0 * np.log(np.abs(normal(key, "straggling", shape=n)))
    mean = settings.electrons_per_um * settings.thickness_um / cosine
    return CosmicRays(
        x=across * columns - 0.5,
        y=along * rows - 0.5,
        dx=length * np.cos(2.0 * np.pi * azimuth),
        dy=length * np.sin(2.0 * np.pi * azimuth),
        electrons=np.maximum(mean * (1.0 + settings.straggling * excess), 0.0),
    )


def add_cosmic_rays(
    electrons: Pixels, rays: CosmicRays, settings: CosmicRaySettings, *, key: Key[Array, ""]
) -> None:
    """Add the charge of cosmic rays, in place, evenly along each and strayed by diffusion.

    Parameters
    ----------
    electrons : NDArray, shape (y, x), electron
        Charge in sky order, changed; what falls outside is lost.
    rays : CosmicRays
        Those of the quadrant.
    settings : CosmicRaySettings
        Diffusion, and size of the pixels.
    key : Key
        Of the quadrant in this frame.
    """
    steps = 64 + 16 * np.ceil(np.hypot(rays.dx, rays.dy)).astype(np.int64)
    ray = np.repeat(np.arange(len(steps)), steps)
    first = np.cumsum(steps) - steps
    part = (np.arange(len(ray)) - first[ray] + 0.5) / steps[ray]
    stray_x, stray_y = (
        settings.diffusion_um / settings.pixel_um * normal(key, "diffusion", shape=(2, len(ray)))
    )
    column = np.rint(rays.x[ray] + part * rays.dx[ray] + stray_x).astype(np.int64)
    row = np.rint(rays.y[ray] + part * rays.dy[ray] + stray_y).astype(np.int64)
    rows, columns = electrons.shape
    is_in = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    share = (rays.electrons / steps)[ray]
    np.add.at(electrons, (row[is_in], column[is_in]), share[is_in].astype(np.float32))


def draw_tracks(
    exposure: str,
    camera: Camera,
    *,
    seed: int,
    rate: float,
    electrons_per_arcsec: tuple[float, float] = (300.0, 30000.0),
    width_arcsec: float = 0.5,
) -> SatelliteTracks:
    """Draw the satellite tracks of an exposure, straight across the whole focal plane.

    Parameters
    ----------
    exposure : str
        Its name.
    camera : Camera
        It says how far out tracks matter.
    seed : int
        Of the run.
    rate : float
        Mean number of tracks that cross the circle around the focal plane.
    electrons_per_arcsec : tuple of float, electron/arcsec
        Range of their light, uniform in its logarithm: in the ZTF camera, a satellite of magnitude
        8 that moves by half a degree a second gives about 2000.
    width_arcsec : float, arcsec
        Full width at half maximum of a satellite, seeing apart.

    Returns
    -------
    SatelliteTracks
        A Poisson number of them.
    """
    low, high = electrons_per_arcsec
    if not (0.0 < low <= high and rate >= 0.0 and width_arcsec >= 0.0):
        raise InputError(
            "tracks expect a rate and a width of 0 or more and a range of light above 0, found "
            f"{rate:g}, {width_arcsec:g} arcsec and {low:g} to {high:g} electrons per arcsec"
        )
    key = key_for(seed, "satellite tracks", exposure)
    n = poisson(key, "number", mean=rate)
    angle, offset, light = uniform(key, "lines and light", shape=(3, n))
    return SatelliteTracks(
        angle_deg=360.0 * angle,
        offset_deg=camera.radius_deg * offset,
        electrons_per_arcsec=low * (high / low) ** light,
        width_arcsec=np.full(n, width_arcsec),
    )


def add_tracks(
    light: Pixels, ccd: Ccd, quadrant: Quadrant, tracks: SatelliteTracks, *, fwhm_pixels: float
) -> None:
    """Add the light of satellite tracks to a quadrant, in place.

    Across a track the light is Gaussian: seeing, satellite and pixel added in quadrature.

    Parameters
    ----------
    light : NDArray, shape (y, x), electron
        Photo-electrons expected, in sky order, changed.
    ccd : Ccd
        Where the quadrant lies.
    quadrant : Quadrant
        One of its quadrants.
    tracks : SatelliteTracks
        Those of the exposure.
    fwhm_pixels : float, pixel
        Full width at half maximum of the point spread function.
    """
    scale = ccd.pixel_scale_arcsec
    first = ccd.to_focal_plane(np.array([float(quadrant.x0)]), np.array([float(quadrant.y0)]))
    xi, eta = (float(each[0]) for each in first)
    for angle_deg, offset, per_arcsec, width in zip(*tracks, strict=True):
        angle = math.radians(angle_deg)
        normal_to = np.array([math.cos(angle), math.sin(angle)])
        # Distance from the track [pixel] is start + across x + along y.
        across, along = normal_to @ ccd.jacobian / (scale * DEG_PER_ARCSEC)
        start = (normal_to @ [xi, eta] - offset) / (scale * DEG_PER_ARCSEC)
        fwhm = math.hypot(fwhm_pixels, width / scale) / _FWHM_PER_SIGMA
        sigma = math.sqrt(fwhm**2 + _PIXEL_VARIANCE)
        if abs(across) >= abs(along):
            _add_track(light, (start, across, along), sigma, per_arcsec * scale)
        else:
            _add_track(light.T, (start, along, across), sigma, per_arcsec * scale)


def _add_track(
    light: Pixels, line: tuple[float, float, float], sigma: float, per_pixel: float
) -> None:
    """Light a band around a track that goes rather along the rows' count than along a row."""
    start, across, along = line
    n_rows, n_columns = light.shape
    row = np.arange(n_rows)[:, None]
    half = math.ceil(_SIGMAS * sigma / abs(across))
    center = np.rint(-(start + along * row) / across).astype(np.int64)
    column = center + np.arange(-half, half + 1)
    distance = start + across * column + along * row
    profile = np.exp(-0.5 * (distance / sigma) ** 2) / (math.sqrt(2.0 * math.pi) * sigma)
    is_in = (column >= 0) & (column < n_columns)
    rows = np.broadcast_to(row, column.shape)
    light[rows[is_in], column[is_in]] += (per_pixel * profile[is_in]).astype(np.float32)


def tracks_across(ccd: Ccd, quadrant: Quadrant, tracks: SatelliteTracks) -> int:
    """How many tracks go across a quadrant: its corners are on both sides of them."""
    xi, eta = ccd.corners(quadrant).T
    angle = np.radians(tracks.angle_deg)[:, None]
    side = np.cos(angle) * xi + np.sin(angle) * eta - tracks.offset_deg[:, None]
    return int(((side.min(axis=1) < -_BORDER) & (side.max(axis=1) > _BORDER)).sum())
