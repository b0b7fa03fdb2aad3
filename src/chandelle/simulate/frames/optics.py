r"""Where the sky falls in the focal plane, and how sharp.

A pointing takes the sky to its tangent plane, turns it, and distorts it:
:math:`r' = r (1 + k r^2)`, r in degrees from the pointing. The point-spread function is a Moffat
profile whose width and ellipticity vary over the focal plane, with a wide wing.
"""

from dataclasses import dataclass
from typing import Any

import galsim
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from chandelle.core.config import StageConfig
from chandelle.core.rng import key_for
from chandelle.instrument.camera import Camera
from chandelle.simulate.frames.deviates import normal
from chandelle.simulate.logs.pairs import directions

Floats = NDArray[np.float64]
Profile = Any
"""A `galsim.GSObject`: the types of GalSim do not tell it from its chromatic ones."""
_SHARPEST = 0.8
"""Full width at half maximum of the optics and the air, at least [pixel]."""
POINTS = galsim.GSParams(folding_threshold=1e-3)
"""Accuracy of stars and supernovae: at most so much of their light comes back from the edges."""


def pixel_fwhm2(beta: float) -> float:
    r"""What a pixel adds to the square of the full width at half maximum of a Moffat profile.

    .. math:: \Delta w^2 = \frac{2}{3} (h - 1) \left(1 + \frac{\beta + 1}{h}\right),
              \quad h = 2^{1/\beta}

    in the first order, where a pixel adds 1/24 of its Laplacian to a profile; that of a Gaussian,
    :math:`8 \ln 2 / 12`, for a large exponent.

    Parameters
    ----------
    beta : float
        Exponent.

    Returns
    -------
    float, pixel2
        Good to 1 % of a width of 1.7 pixels or more, to 2 % of one of 1.4.
    """
    half = 2.0 ** (1.0 / beta)
    return 2.0 / 3.0 * (half - 1.0) * (1.0 + (beta + 1.0) / half)


class PsfSettings(StageConfig):
    """The point-spread function.

    The core is a Moffat profile of exponent `beta`; its width grows by `defocus` from the middle
    to the corner of the focal plane, its ellipticity is `guiding` everywhere (scatter from exposure
    to exposure) and `astigmatism` in the corners. `wing` is the fraction of the light in a Moffat
    of exponent 2, `wing_width` times as wide.
    """

    beta: float = Field(default=3.5, gt=1.5, le=6.0)
    defocus: float = Field(default=0.08, ge=0.0, lt=1.0)
    guiding: float = Field(default=0.01, ge=0.0, lt=0.2)
    astigmatism: float = Field(default=0.03, ge=0.0, lt=0.3)
    wing: float = Field(default=0.03, ge=0.0, lt=0.5)
    wing_width: float = Field(default=5.0, gt=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """Where an exposure looks.

    Attributes
    ----------
    ra, dec : float, deg
        ICRS, of the middle of the focal plane.
    rotation : float, deg
        Of the focal plane, from north to east.
    distortion : float, deg^-2
        k of the radial term.
    """

    ra: float
    dec: float
    rotation: float = 0.0
    distortion: float = 0.0

    def to_focal_plane(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """Places of the focal plane where directions within 90 deg fall, xi and eta [deg]."""
        # Unit vectors to the pointing, and to the east and the north of it.
        axes = directions(
            np.array([self.ra, self.ra + 90.0, self.ra]), np.array([self.dec, 0.0, self.dec + 90.0])
        )
        ahead, east, north = axes @ directions(ra, dec).T
        xi, eta = np.degrees(east / ahead), np.degrees(north / ahead)
        angle = np.radians(self.rotation)
        cos, sin = np.cos(angle), np.sin(angle)
        xi, eta = cos * xi - sin * eta, sin * xi + cos * eta
        scale = 1.0 + self.distortion * (xi**2 + eta**2)
        return xi * scale, eta * scale


@dataclass(frozen=True, slots=True, kw_only=True)
class PsfField:
    """The point-spread function of one exposure.

    Attributes
    ----------
    fwhm : float, pixel
        Full width at half maximum in the middle, pixel included.
    guiding : tuple of float
        Shear that all of the focal plane has.
    settings : PsfSettings
        How it varies.
    radius : float, deg
        From the middle of the focal plane to its corner.
    """

    fwhm: float
    guiding: tuple[float, float]
    settings: PsfSettings
    radius: float

    @classmethod
    def draw(
        cls, camera: Camera, settings: PsfSettings, *, fwhm: float, exposure: str, seed: int
    ) -> "PsfField":
        """That of a named exposure."""
        shear = settings.guiding * normal(key_for(seed, "psf", exposure), "shear", shape=2)
        return cls(
            fwhm=fwhm,
            guiding=(float(shear[0]), float(shear[1])),
            settings=settings,
            radius=camera.radius_deg,
        )

    def shape(self, xi: Floats, eta: Floats) -> tuple[Floats, Floats, Floats]:
        r"""Width and ellipticity at places of the focal plane.

        .. math:: w = w_0 (1 + d \rho^2), \quad g = g_0 + a \rho^2 e^{2 i \varphi}

        with :math:`\rho` the distance from the middle over that of the corner.

        Parameters
        ----------
        xi, eta : array, deg
            Places.

        Returns
        -------
        fwhm : array, pixel
            Of the core, pixel included.
        g1, g2 : array
            Reduced shear in the axes of the focal plane.
        """
        x, y = xi / self.radius, eta / self.radius
        fwhm = self.fwhm * (1.0 + self.settings.defocus * (x**2 + y**2))
        g1 = self.guiding[0] + self.settings.astigmatism * (x**2 - y**2)
        g2 = self.guiding[1] + self.settings.astigmatism * 2.0 * x * y
        return fwhm, g1, g2

    def core(
        self, fwhm: float, g1: float, g2: float, *, accuracy: galsim.GSParams = POINTS
    ) -> Profile:
        """Light of the core before the pixels, of flux `1 - wing`; lengths in pixels.

        Parameters
        ----------
        fwhm : float, pixel
            Pixel included.
        g1, g2 : float
            Reduced shear in the axes of the pixels.
        accuracy : galsim.GSParams
            Of what is drawn with it.
        """
        width = float(np.sqrt(max(fwhm**2 - pixel_fwhm2(self.settings.beta), _SHARPEST**2)))
        profile = galsim.Moffat(
            beta=self.settings.beta, fwhm=width, flux=1.0 - self.settings.wing, gsparams=accuracy
        )
        return profile.shear(g1=g1, g2=g2)

    def wing(self, fwhm: float) -> Profile:
        """Light of the wing, of flux `wing`; so wide that the pixels change nothing."""
        return galsim.Moffat(
            beta=2.0, fwhm=self.settings.wing_width * fwhm, flux=self.settings.wing
        )
