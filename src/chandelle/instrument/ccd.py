"""A CCD and its quadrants as plain values: shapes, places, how they are read, what they do.

A CCD has pixels (x, y), 0-based, along its own axes; a quadrant is the part of it that one
amplifier reads, and its pixels count from its own corner.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from chandelle.core.errors import InputError

DEG_PER_ARCSEC = 1.0 / 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PocketParameters:
    """The charge trap of an amplifier (`physics.pocket`), in the unit of the pixels it acts on.

    Attributes
    ----------
    alpha, beta : float
        Exponents of the charge held and of the pixel.
    cmax, nmax : float, DN above the bias
        Most charge the trap holds; scale of the pixel.
    """

    alpha: float
    cmax: float
    beta: float
    nmax: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quadrant:
    """The pixels of one amplifier.

    Attributes
    ----------
    ccdid, qid, rcid : int
        CCD, place in the CCD, and number in the camera.
    n_rows, n_columns : int
        Shape of the science array, overscan apart.
    x0, y0 : int
        First pixel in the CCD.
    read_x, read_y : int
        1 where the first pixel read has the smallest coordinate, -1 where the largest.
    raw_x, raw_y : int
        1 where the array is stored along the axes of the CCD, -1 where against them.
    gain : float, electron/DN
    read_noise : float, electron
    dark_current : float, electron/s
    saturation_dn : float, DN above the bias
    full_well : float, electron
    overscan_columns : int
        Columns read after the last one of each row.
    bias_dn : float, DN
    response_a, response_b : float, 1/DN^2, 1/DN
        DN_true = x / (A x^2 + B x + 1) for x DN measured above the bias.
    pocket : PocketParameters or None
        None where the amplifier has no trap.
    science_extension, overscan_extension : int
        Of the raw FITS file of its CCD; the overscan may be 0 if there is none.
    """

    ccdid: int
    qid: int
    rcid: int
    n_rows: int
    n_columns: int
    x0: int
    y0: int
    read_x: int
    read_y: int
    raw_x: int
    raw_y: int
    gain: float
    read_noise: float
    dark_current: float
    saturation_dn: float
    full_well: float
    overscan_columns: int
    bias_dn: float
    response_a: float
    response_b: float
    pocket: PocketParameters | None
    science_extension: int
    overscan_extension: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Its pixels in the array of its CCD, rows and columns."""
        rows = slice(self.y0, self.y0 + self.n_rows)
        return rows, slice(self.x0, self.x0 + self.n_columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ccd:
    """One CCD: where it lies in the focal plane, and its quadrants.

    Attributes
    ----------
    ccdid : int
    xi, eta : float, degree
        Its center.
    rotation_deg : float, degree
        From the axis of xi to its x axis, towards eta.
    is_mirrored : bool
        True where its y axis is a quarter turn back from the x axis, not ahead.
    pixel_scale_arcsec : float
    quadrants : tuple of Quadrant
        In the order of `qid`.
    """

    ccdid: int
    xi: float
    eta: float
    rotation_deg: float
    is_mirrored: bool
    pixel_scale_arcsec: float
    quadrants: tuple[Quadrant, ...]

    @property
    def n_rows(self) -> int:
        """Pixels along y."""
        return max(each.y0 + each.n_rows for each in self.quadrants)

    @property
    def n_columns(self) -> int:
        """Pixels along x."""
        return max(each.x0 + each.n_columns for each in self.quadrants)

    @property
    def jacobian(self) -> Float[np.ndarray, "2 2"]:
        """Derivatives of (xi, eta), rows, by (x, y), columns [degree/pixel]: a CD matrix."""
        angle = math.radians(self.rotation_deg)
        cos, sin = math.cos(angle), math.sin(angle)
        parity = -1.0 if self.is_mirrored else 1.0
        axes = np.array([[cos, -sin * parity], [sin, cos * parity]])
        return axes * self.pixel_scale_arcsec * DEG_PER_ARCSEC

    def to_focal_plane(
        self, x: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"]
    ) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
        """Where pixels of the CCD lie: xi, eta [degree]; a pixel's center is an integer."""
        dx, dy = x - 0.5 * (self.n_columns - 1), y - 0.5 * (self.n_rows - 1)
        (xi_x, xi_y), (eta_x, eta_y) = self.jacobian
        return self.xi + xi_x * dx + xi_y * dy, self.eta + eta_x * dx + eta_y * dy

    def to_pixel(
        self, xi: Float[np.ndarray, "*shape"], eta: Float[np.ndarray, "*shape"]
    ) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
        """Pixels x, y of the CCD at places of the focal plane; outside of it too."""
        (x_xi, x_eta), (y_xi, y_eta) = np.linalg.inv(self.jacobian)
        dxi, deta = xi - self.xi, eta - self.eta
        x = 0.5 * (self.n_columns - 1) + x_xi * dxi + x_eta * deta
        return x, 0.5 * (self.n_rows - 1) + y_xi * dxi + y_eta * deta

    def corners(self, quadrant: Quadrant) -> Float[np.ndarray, "4 2"]:
        """Outer corners of a quadrant: xi, eta [degree], around it from its first pixel."""
        left, low = quadrant.x0 - 0.5, quadrant.y0 - 0.5
        right, high = left + quadrant.n_columns, low + quadrant.n_rows
        x, y = np.array([left, right, right, left]), np.array([low, low, high, high])
        return np.stack(self.to_focal_plane(x, y), axis=-1)

    def cut(self, size: int) -> "Ccd":
        """Cut each quadrant to a square; the squares touch as the quadrants did.

        Parameters
        ----------
        size : int, pixel
            Side of the squares.

        Returns
        -------
        Ccd
            About the same center.

        Raises
        ------
        InputError
            If a quadrant is smaller.
        """
        for each in self.quadrants:
            largest = min(each.n_rows, each.n_columns)
            if not 0 < size <= largest:
                raise InputError(
                    f"CCD {self.ccdid}: a quadrant of {each.n_rows} x {each.n_columns} pixels "
                    f"cannot be cut to {size} x {size}; take 1 to {largest}"
                )
        columns = sorted({each.x0 for each in self.quadrants})
        rows = sorted({each.y0 for each in self.quadrants})
        squares = tuple(
            replace(
                each,
                n_rows=size,
                n_columns=size,
                x0=size * columns.index(each.x0),
                y0=size * rows.index(each.y0),
            )
            for each in self.quadrants
        )
        return replace(self, quadrants=squares)
