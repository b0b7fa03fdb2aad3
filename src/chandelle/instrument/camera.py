"""A camera as plain values: its site, filters and CCDs, and where they look.

The focal plane is the tangent plane at the pointing, xi to the east and eta to the north [degree].
CCDs and quadrants are in `instrument.ccd`, the orders of a quadrant's array (as stored, as read, as
on the CCD) in `instrument.orders`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from chandelle.core.errors import InputError
from chandelle.instrument.ccd import DEG_PER_ARCSEC, Ccd, Quadrant
from chandelle.instrument.passbands import list_passbands, load_passband, read_passband
from chandelle.products.passband import Passband

_MARGIN_DEG = 1e-6
"""About a CCD, for the rounding of what lies on its border."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the telescope stands.

    Attributes
    ----------
    latitude_deg, longitude_deg : float, degree
        Geodetic; the longitude grows to the east.
    height_m : float, m
        Above sea level.
    """

    latitude_deg: float
    longitude_deg: float
    height_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One filter of a camera.

    Attributes
    ----------
    name : str
        As the headers write it.
    passband : str
        A passband of the package, or the path of a two-column file.
    code : str
        In the names of the files.
    number : int
        In the headers.
    """

    name: str
    passband: str
    code: str
    number: int

    def load(self) -> Passband:
        """Its transmission."""
        if self.passband in list_passbands():
            return load_passband(self.passband)
        return read_passband(Path(self.passband))


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera and its telescope.

    Attributes
    ----------
    name : str
    pixel_scale_arcsec : float, arcsec/pixel
    exposure_s, overhead_s : float, s
        Of a usual exposure; time lost between two.
    site : Site
    filters : tuple of Filter
    ccds : tuple of Ccd
    optics_radius_deg : float or None
        From the pointing to the farthest corner that the optics light, where that is beyond the
        CCDs here.
    """

    name: str
    pixel_scale_arcsec: float
    exposure_s: float
    overhead_s: float
    site: Site
    filters: tuple[Filter, ...]
    ccds: tuple[Ccd, ...]
    optics_radius_deg: float | None = None

    @property
    def radius_deg(self) -> float:
        """From the pointing to the farthest corner of the focal plane [degree]."""
        if self.optics_radius_deg is not None:
            return self.optics_radius_deg
        return float(np.linalg.norm(self.corners(), axis=-1).max())

    @property
    def quadrants(self) -> tuple[Quadrant, ...]:
        """All quadrants, CCD by CCD."""
        return tuple(quadrant for ccd in self.ccds for quadrant in ccd.quadrants)

    @property
    def area_deg2(self) -> float:
        """Light-sensitive area in the tangent plane [deg2]; gaps between CCDs do not count."""
        pixels = sum(each.n_rows * each.n_columns for each in self.quadrants)
        return pixels * (self.pixel_scale_arcsec * DEG_PER_ARCSEC) ** 2

    def ccd(self, ccdid: int) -> Ccd:
        """The CCD of that number; `InputError` if there is none."""
        found = {each.ccdid: each for each in self.ccds}
        if ccdid not in found:
            raise InputError(f"camera {self.name}: no CCD {ccdid}; it has {_ranges(list(found))}")
        return found[ccdid]

    def quadrant(
        self, rcid: int | None = None, *, ccdid: int | None = None, qid: int | None = None
    ) -> Quadrant:
        """Look a quadrant up by `rcid`, or by `ccdid` and `qid`.

        Parameters
        ----------
        rcid : int, optional
            Number in the camera.
        ccdid, qid : int, optional
            CCD, and place in it.

        Returns
        -------
        Quadrant
            The only one.

        Raises
        ------
        InputError
            If there is none, or if not one of the two ways is taken.
        """
        if [ccdid is None, qid is None] != [rcid is not None] * 2:
            raise InputError("expected rcid, or ccdid with qid, to name a quadrant")
        if rcid is None:
            assert ccdid is not None
            known, number = {each.qid: each for each in self.ccd(ccdid).quadrants}, qid
            what = f"CCD {ccdid} has no quadrant {qid}; its qid are"
        else:
            known, number = {each.rcid: each for each in self.quadrants}, rcid
            what = f"no quadrant has rcid {rcid}; its rcid are"
        if number not in known:
            raise InputError(f"camera {self.name}: {what} {_ranges(list(known))}")
        return known[number]

    def filter(self, word: str) -> Filter:
        """The filter of that name, passband or code; `InputError` if there is none."""
        for each in self.filters:
            if word in (each.name, each.passband, each.code):
                return each
        known = ", ".join(each.passband for each in self.filters)
        raise InputError(f"camera {self.name}: no filter {word!r}; its passbands are {known}")

    def corners(self) -> Float[np.ndarray, "quadrant 4 2"]:
        """Corners of all quadrants: xi, eta [degree], in the order of `quadrants`."""
        return np.stack([ccd.corners(each) for ccd in self.ccds for each in ccd.quadrants])

    def centers(self) -> Float[np.ndarray, "quadrant 2"]:
        """Centers of all quadrants: xi, eta [degree], in the order of `quadrants`."""
        return self.corners().mean(axis=1)

    def locate(
        self, xi: Float[np.ndarray, "*shape"], eta: Float[np.ndarray, "*shape"]
    ) -> tuple[Int[np.ndarray, "*shape"], Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
        """Find the pixels that see places of the focal plane.

        Parameters
        ----------
        xi, eta : array, degree
            Places in the tangent plane.

        Returns
        -------
        rcid : array
            Quadrant that sees them; -1 in a gap or outside.
        x, y : array, pixel
            In the quadrant, along the axes of the CCD; NaN where `rcid` is -1.
        """
        places = np.ravel(xi), np.ravel(eta)
        rcid = np.full(len(places[0]), -1)
        x, y = np.full(rcid.shape, np.nan), np.full(rcid.shape, np.nan)
        for ccd in self.ccds:
            corners = np.concatenate([ccd.corners(each) for each in ccd.quadrants])
            low, high = corners.min(axis=0) - _MARGIN_DEG, corners.max(axis=0) + _MARGIN_DEG
            near = np.ones(rcid.shape, dtype=bool)
            for place, start, stop in zip(places, low, high, strict=True):
                near &= (place >= start) & (place <= stop)
            rows = np.flatnonzero(near)
            column, row = ccd.to_pixel(*(place[rows] for place in places))
            for each in ccd.quadrants:
                dx, dy = column - each.x0, row - each.y0
                is_in = (dx >= -0.5) & (dx < each.n_columns - 0.5)
                is_in &= (dy >= -0.5) & (dy < each.n_rows - 0.5)
                rcid[rows[is_in]] = each.rcid
                x[rows[is_in]], y[rows[is_in]] = dx[is_in], dy[is_in]
        shape = np.shape(xi)
        return rcid.reshape(shape), x.reshape(shape), y.reshape(shape)

    def subset(
        self,
        ccds: Sequence[int] | None = None,
        *,
        size: int | None = None,
        recenter: bool = False,
        name: str | None = None,
    ) -> "Camera":
        """A smaller camera: some of the CCDs, each quadrant cut to a square.

        Parameters
        ----------
        ccds : sequence of int, optional
            Those kept; all if not given.
        size : int, optional
            Side of each quadrant [pixel]. The quadrants stay adjacent, about the center of the CCD.
        recenter : bool
            Whether the mean center of the CCDs kept comes to the pointing, and the optics are made
            as small as they are; else they keep their places in the optics of the whole.
        name : str, optional
            Of the new camera; the old one if not given.

        Returns
        -------
        Camera
            Numbers of CCDs and quadrants as before.

        Raises
        ------
        InputError
            If a CCD is unknown, or a quadrant smaller than `size`.
        """
        kept = self.ccds if ccds is None else tuple(self.ccd(each) for each in ccds)
        if not kept:
            raise InputError(f"camera {self.name}: a subset needs at least one CCD, got none")
        if size is not None:
            kept = tuple(ccd.cut(size) for ccd in kept)
        if recenter:
            xi, eta = np.mean([(ccd.xi, ccd.eta) for ccd in kept], axis=0).tolist()
            kept = tuple(replace(ccd, xi=ccd.xi - xi, eta=ccd.eta - eta) for ccd in kept)
        radius = None if recenter else self.radius_deg
        return replace(self, name=name or self.name, ccds=kept, optics_radius_deg=radius)


def _ranges(numbers: Sequence[int]) -> str:
    """Whole numbers in words: 1-4, 7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
