"""Stars, supernovae and galaxies drawn on the image of a CCD by GalSim.

The core of each is convolved with the pixel; its stamp holds all but 1e-4 of a point's light. Wings
are drawn apart, to where they fall below 0.01 electron a pixel. Nothing of the package's own model
of a scene is used, so that what measures the images is tested by an outside code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import galsim
import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.simulate.frames.optics import POINTS, Profile, PsfField

Floats = NDArray[np.float64]
_FAINT = 0.01
"""Electrons a pixel: light below that is not drawn."""
_LOST = 1e-4
_LEAST_WING, _MOST_WING = 25, 600
_GALAXIES = galsim.GSParams()
_RADII = (3.0, 16.0)
"""Half-light radii to which a bulge or a disk is drawn: at least, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxy:
    """A bulge (de Vaucouleurs) and a disk (exponential), in pixels.

    Attributes
    ----------
    bulge_fraction : float
        Of the flux.
    bulge_radius, disk_radius : float, pixel
        Half-light radii, those of circles of the same area.
    bulge_axis_ratio, disk_axis_ratio : float
        Minor over major axis.
    angle : float, rad
        From the x axis of the pixels to the major axis, towards y.
    """

    bulge_fraction: float
    bulge_radius: float
    disk_radius: float
    bulge_axis_ratio: float
    disk_axis_ratio: float
    angle: float

    def profile(self) -> Profile:
        """Surface brightness, of flux 1."""
        angle = self.angle * galsim.radians
        parts = []
        if self.bulge_fraction > 0.0:
            bulge = galsim.DeVaucouleurs(half_light_radius=self.bulge_radius)
            bulge = bulge.shear(q=self.bulge_axis_ratio, beta=angle)
            parts.append(self.bulge_fraction * bulge)
        if self.bulge_fraction < 1.0:
            disk = galsim.Exponential(half_light_radius=self.disk_radius)
            disk = disk.shear(q=self.disk_axis_ratio, beta=angle)
            parts.append((1.0 - self.bulge_fraction) * disk)
        return galsim.Sum(parts)

    def reach(self, flux: float) -> float:
        r"""Pixels from the middle to where it falls below `_FAINT` electrons a pixel.

        .. math:: I_{bulge} = 94.5 \frac{F}{R^2} e^{-7.669 (r/R)^{1/4}}, \quad
                  I_{disk} = \frac{F}{2 \pi h^2} e^{-r/h}, \quad h = R / 1.678

        Parameters
        ----------
        flux : float, electron
            F of both.
        """
        bulge, disk = self.bulge_fraction * flux, (1.0 - self.bulge_fraction) * flux
        ends = [0.0]
        if bulge > 0.0:
            peak = 94.5 * bulge / self.bulge_radius**2
            radii = (np.log(max(peak / _FAINT, 1.0)) / 7.669) ** 4
            ends.append(self.bulge_radius * np.clip(radii, *_RADII) / self.bulge_axis_ratio**0.5)
        if disk > 0.0:
            scale = self.disk_radius / 1.678
            radii = np.log(max(disk / (2.0 * np.pi * scale**2) / _FAINT, 1.0)) / 1.678
            ends.append(self.disk_radius * np.clip(radii, *_RADII) / self.disk_axis_ratio**0.5)
        return float(max(ends))


def blank(n_rows: int, n_columns: int) -> galsim.Image:
    """An image without light, single precision, whose first pixel is (0, 0)."""
    bounds = galsim.BoundsI(0, n_columns - 1, 0, n_rows - 1)
    return galsim.ImageF(bounds, init_value=0.0)


def draw_sources(
    image: galsim.Image,
    psf: PsfField,
    *,
    x: Floats,
    y: Floats,
    flux: Floats,
    shape: tuple[Floats, Floats, Floats],
    galaxies: Sequence[Galaxy | None],
) -> None:
    """Add sources to an image.

    Parameters
    ----------
    image : galsim.Image
        Of `blank`; changed.
    psf : PsfField
        Of the exposure.
    x, y : array, shape (source,), pixel
        Places; those off the image give the light that reaches it.
    flux : array, shape (source,), electron
        Of each.
    shape : tuple of array, shape (source,)
        Full width at half maximum [pixel] and reduced shear in the axes of the pixels.
    galaxies : sequence of Galaxy or None
        None for a point.

    Raises
    ------
    InputError
        If a flux is not a number.
    """
    bad = np.flatnonzero(~np.isfinite(flux))
    if len(bad):
        raise InputError(f"sources: flux of source {bad[0]} is {flux[bad[0]]}, expected electrons")
    for k in range(len(x)):
        if not flux[k] > 0.0:
            continue
        fwhm, g1, g2 = (float(part[k]) for part in shape)
        place = galsim.PositionD(float(x[k]), float(y[k]))
        galaxy, reach = galaxies[k], _core_reach(psf, fwhm, flux[k])
        core = psf.core(fwhm, g1, g2, accuracy=POINTS if galaxy is None else _GALAXIES)
        if galaxy is not None:
            core, reach = galsim.Convolve(galaxy.profile(), core), reach + galaxy.reach(flux[k])
        _add(image, core * float(flux[k]), place, reach, "auto")
        if psf.settings.wing > 0.0:
            wing = psf.wing(fwhm) * float(flux[k])
            _add(image, wing, place, _wing_reach(psf, fwhm, flux[k]), "no_pixel")


def _add(
    image: galsim.Image,
    profile: Profile,
    place: galsim.PositionD,
    reach: float,
    method: str,
) -> None:
    """Add a profile to the pixels within its reach."""
    half, middle = int(np.ceil(reach)), place.round()
    stamp = galsim.BoundsI(middle.x - half, middle.x + half, middle.y - half, middle.y + half)
    seen = stamp & image.bounds
    if seen.isDefined():
        profile.drawImage(image[seen], method=method, add_to_image=True, center=place, scale=1.0)


def _moffat_reach(fwhm: float, flux: float, beta: float, *, lost: float) -> float:
    """Where a Moffat profile is fainter than `_FAINT` and all but a part of its light is inside."""
    scale2 = 0.25 * fwhm**2 / (2.0 ** (1.0 / beta) - 1.0)
    peak = flux * (beta - 1.0) / (np.pi * scale2)
    faint = max(peak / _FAINT, 1.0) ** (1.0 / beta)
    return float(np.sqrt(scale2 * (max(faint, lost ** (1.0 / (1.0 - beta))) - 1.0)))


def _core_reach(psf: PsfField, fwhm: float, flux: float) -> float:
    return 2.0 + _moffat_reach(fwhm, flux, psf.settings.beta, lost=_LOST)


def _wing_reach(psf: PsfField, fwhm: float, flux: float) -> float:
    settings = psf.settings
    reach = _moffat_reach(settings.wing_width * fwhm, settings.wing * flux, 2.0, lost=1.0)
    return float(np.clip(reach, _LEAST_WING, _MOST_WING))
