"""What an exposure sees: every star, supernova and galaxy with its place and its electrons."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chandelle.core.units import ZP_NJY
from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import DEG_PER_ARCSEC, Ccd
from chandelle.simulate.frames.drawing import Galaxy
from chandelle.simulate.frames.optics import Pointing
from chandelle.simulate.frames.sky import COLOR_BANDS, Sky
from chandelle.simulate.frames.star_catalog import star_magnitudes, star_positions
from chandelle.simulate.frames.throughput import COLOR_PIVOT, ThroughputSettings, color_loss
from chandelle.simulate.frames.truth_tables import TrueGalaxies
from chandelle.simulate.logs.clouds import cloud_loss

Floats = NDArray[np.float64]
Facts = Mapping[str, Any]
"""An exposure: a row of the log."""
_REACH = ((1e4, 30), (1e5, 80), (np.inf, 600))
"""Light of a source of up to so many electrons reaches a CCD from so many pixels off it."""
_cloud_loss = eqx.filter_jit(cloud_loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What an exposure sees.

    Attributes
    ----------
    name, kind : array of str, shape (source,)
        Kinds are star, galaxy and sn.
    xi, eta : array, shape (source,), deg
        Places in the focal plane.
    mag, color : array, shape (source,), mag
        AB in the band above the atmosphere, g - i.
    zp : array, shape (source,), mag
        AB magnitude of one electron in the exposure there, for that color.
    galaxy : array of int, shape (source,)
        Row of the galaxies; -1 for a point.
    """

    name: NDArray
    kind: NDArray
    xi: Floats
    eta: Floats
    mag: Floats
    color: Floats
    zp: Floats
    galaxy: NDArray[np.int64]

    @property
    def flux(self) -> Floats:
        """Electrons before the transmission of the CCD."""
        return 10.0 ** (0.4 * (self.zp - self.mag))

    def select(self, rows: NDArray) -> "Sources":
        """Sources of a mask or of indices."""
        return Sources(**{name: getattr(self, name)[rows] for name in self.__slots__})

    def near(self, ccd: Ccd) -> "Sources":
        """Those whose light reaches a CCD."""
        x, y = ccd.to_pixel(self.xi, self.eta)
        limits, pixels = zip(*_REACH, strict=True)
        margin = np.array(pixels)[np.searchsorted(limits, self.flux)]
        is_near = (x > -margin) & (x < ccd.n_columns + margin)
        return self.select(is_near & (y > -margin) & (y < ccd.n_rows + margin))


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Sees a sky through a camera.

    Attributes
    ----------
    sky : Sky
        What stands there.
    camera : Camera
        Its focal plane.
    settings : ThroughputSettings
        Distortion and color terms.
    """

    sky: Sky
    camera: Camera
    settings: ThroughputSettings

    @cached_property
    def _of_exposure(self) -> dict[str, NDArray[np.int64]]:
        """Rows of the fluxes of supernovae by exposure."""
        names = self.sky.fluxes["exposure"].astype(str)
        order = np.argsort(names, kind="stable")
        different, first = np.unique(names[order], return_index=True)
        return dict(zip(different.tolist(), np.split(order, first)[1:], strict=True))

    @cached_property
    def galaxies(self) -> "Galaxies":
        """Shapes of the galaxies."""
        return Galaxies.of(self.sky.galaxies)

    @cached_property
    def _row_of_target(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.sky.targets["sn"].tolist())}

    def pointing(self, exposure: Facts) -> Pointing:
        """Where an exposure looks."""
        rotation = exposure["rotation"]
        return Pointing(
            ra=exposure["ra"],
            dec=exposure["dec"],
            rotation=0.0 if np.isnan(rotation) else rotation,
            distortion=self.settings.distortion,
        )

    def see(self, exposure: Facts, clouds: Floats | None) -> Sources:
        """All sources of the sky as an exposure sees them.

        Parameters
        ----------
        exposure : mapping
            Row of the log.
        clouds : array, shape (coefficient,), optional
            Of the exposure, as `log_clouds` gives them.

        Returns
        -------
        Sources
            Galaxies first, then stars, then supernovae; wherever they fall.
        """
        parts = [self._galaxies(exposure), self._stars(exposure), self._supernovae(exposure)]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        xi, eta = self.pointing(exposure).to_focal_plane(columns.pop("ra"), columns.pop("dec"))
        loss = color_loss(
            self.camera,
            self.settings,
            xi=xi,
            eta=eta,
            color=columns["color"],
            airmass=exposure["airmass"],
        )
        zp = self.zero_point(exposure, clouds, xi, eta) - loss
        return Sources(xi=xi, eta=eta, zp=zp, **columns)

    def zero_point(self, exposure: Facts, clouds: Floats | None, xi: Floats, eta: Floats) -> Floats:
        """AB magnitude of one electron at places of the focal plane, at the pivot of color."""
        return exposure["zp"] + cloud_change(exposure, clouds, xi, eta)

    def _galaxies(self, exposure: Facts) -> dict[str, NDArray]:
        galaxies = self.sky.galaxies
        n = len(galaxies)
        return {
            "name": galaxies["galaxy"].astype(str),
            "kind": np.full(n, "galaxy"),
            "ra": galaxies["ra"],
            "dec": galaxies["dec"],
            "mag": galaxies.magnitudes(exposure["band"]),
            "color": galaxies.magnitudes(COLOR_BANDS[0]) - galaxies.magnitudes(COLOR_BANDS[1]),
            "galaxy": np.arange(n),
        }

    def _stars(self, exposure: Facts) -> dict[str, NDArray]:
        stars = self.sky.stars
        ra, dec = star_positions(stars, exposure["mjd"])
        return {
            "name": stars["star"].astype(str),
            "kind": np.full(len(stars), "star"),
            "ra": ra,
            "dec": dec,
            "mag": star_magnitudes(stars, exposure["band"], exposure["mjd"]),
            "color": stars["color"],
            "galaxy": np.full(len(stars), -1),
        }

    def _supernovae(self, exposure: Facts) -> dict[str, NDArray]:
        fluxes, targets = self.sky.fluxes, self.sky.targets
        rows = self._of_exposure.get(exposure["exposure"], np.zeros(0, np.int64))
        rows = rows[fluxes["flux"][rows] > 0.0]
        names = fluxes["sn"][rows]
        which = np.array([self._row_of_target[name] for name in names], dtype=np.int64)
        color = fluxes["color"][rows]
        return {
            "name": names.astype(str),
            "kind": np.full(len(rows), "sn"),
            "ra": targets["ra"][which],
            "dec": targets["dec"][which],
            "mag": ZP_NJY - 2.5 * np.log10(fluxes["flux"][rows]),
            "color": np.where(np.isnan(color), COLOR_PIVOT, color),
            "galaxy": np.full(len(rows), -1),
        }


def cloud_change(exposure: Facts, clouds: Floats | None, xi: Floats, eta: Floats) -> Floats:
    """What places of the focal plane lose less to clouds than the mean of the field [mag]."""
    if clouds is None:
        return np.zeros(len(xi))
    # Clouds drift over the sky: the waves are those of the tangent plane, unturned.
    angle = np.radians(np.nan_to_num(exposure["rotation"]))
    cos, sin = np.cos(angle), np.sin(angle)
    turned = cos * xi + sin * eta, -sin * xi + cos * eta
    size = 1 << max(len(xi) - 1, 15).bit_length()
    padded = (jnp.asarray(np.pad(part, (0, size - len(part)))) for part in turned)
    loss = np.asarray(_cloud_loss(jnp.asarray(clouds), *padded))[: len(xi)]
    return exposure["cloud_mag"] - loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxies:
    """Galaxies as columns of plain arrays, from which those of a frame are taken."""

    bulge_fraction: Floats
    bulge_radius_arcsec: Floats
    disk_radius_arcsec: Floats
    bulge_axis_ratio: Floats
    axis_ratio: Floats
    position_angle: Floats

    @classmethod
    def of(cls, galaxies: TrueGalaxies) -> "Galaxies":
        """Columns of a table."""
        return cls(**{name: galaxies[name] for name in cls.__slots__})

    def in_pixels(self, row: int, ccd: Ccd, pointing: Pointing) -> Galaxy:
        """One of them in the pixels of a CCD."""
        angle, turn = np.radians(self.position_angle[row]), np.radians(pointing.rotation)
        # From north through east; the focal plane is turned by the rotation.
        along = np.array([np.sin(angle - turn), np.cos(angle - turn)])
        dx, dy = np.linalg.solve(ccd.jacobian, along)
        scale = ccd.pixel_scale_arcsec
        return Galaxy(
            bulge_fraction=float(self.bulge_fraction[row]),
            bulge_radius=float(self.bulge_radius_arcsec[row]) / scale,
            disk_radius=float(self.disk_radius_arcsec[row]) / scale,
            bulge_axis_ratio=float(self.bulge_axis_ratio[row]),
            disk_axis_ratio=float(self.axis_ratio[row]),
            angle=float(np.arctan2(dy, dx)),
        )


def shear_in_pixels(ccd: Ccd, g1: Floats, g2: Floats) -> tuple[Floats, Floats]:
    """Turn reduced shear from the axes of the focal plane to those of the pixels."""
    # A spin of two: turned back by twice the angle of the axes, mirrored with them.
    axis = ccd.jacobian[:, 0] / (ccd.pixel_scale_arcsec * DEG_PER_ARCSEC)
    back = (axis[0] - 1j * axis[1]) ** 2
    turned = (g1 + 1j * g2) * back
    return turned.real, (-1.0 if ccd.is_mirrored else 1.0) * turned.imag
