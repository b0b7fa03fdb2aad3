"""Raw frames of a CCD: light, transmission, detector, and the truth of all of it."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chandelle.core.rng import key_for
from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import Ccd, Quadrant
from chandelle.simulate.frames.detector import Readout, read_out
from chandelle.simulate.frames.deviates import normal, one_thread
from chandelle.simulate.frames.drawing import blank, draw_sources
from chandelle.simulate.frames.frame_cards import frame_cards
from chandelle.simulate.frames.optics import PsfField
from chandelle.simulate.frames.raw_files import write_raw
from chandelle.simulate.frames.series import Frame
from chandelle.simulate.frames.settings import FrameSettings
from chandelle.simulate.frames.sky import Sky
from chandelle.simulate.frames.sources import (
    Facts,
    Observer,
    Sources,
    shear_in_pixels,
)
from chandelle.simulate.frames.strikes import CosmicRays, add_tracks, draw_tracks, tracks_across
from chandelle.simulate.frames.throughput import (
    lamp_name,
    lamp_pattern,
    sky_pattern,
    transmission,
)
from chandelle.simulate.frames.unit_tables import TrueCosmics, TrueSources, TrueUnits

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]
_LAMP_SCATTER = 0.005
_FILTERS_KEPT = 2
FRAME_PARTS = ("sources", "units", "cosmics")
"""Tables of the truth that are written frame by frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTruth:
    """The truth of a frame of a CCD."""

    sources: TrueSources
    units: TrueUnits
    cosmics: TrueCosmics

    def write(self, folder: Path, name: str) -> None:
        """Write a file each into the folders of a truth, under the name of the frame."""
        for part in FRAME_PARTS:
            getattr(self, part).write(folder / part / f"{name}.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """A frame of a CCD before it is written: readouts by qid, and the truth."""

    readouts: dict[int, Readout]
    truth: FrameTruth


@dataclass(frozen=True, kw_only=True)
class FrameMaker:
    """Makes the raw frames of a survey, each from its name alone.

    Attributes
    ----------
    settings : FrameSettings
        Of the survey.
    camera : Camera
        The part of it that is simulated.
    sky : Sky
        What stands there.
    clouds : array, shape (exposure, coefficient), optional
        Of the log.
    seed : int
        Root of all random numbers.
    """

    settings: FrameSettings
    camera: Camera
    sky: Sky
    clouds: Floats | None
    seed: int

    @cached_property
    def observer(self) -> Observer:
        """Sees the sky through the camera."""
        return Observer(sky=self.sky, camera=self.camera, settings=self.settings.throughput)

    @cached_property
    def rows(self) -> list[Facts]:
        """The log, row by row."""
        return self.sky.exposures.to_arrow().to_pylist()

    @cached_property
    def _transmission(self) -> Any:
        """Transmission by CCD and band, the last few kept."""

        @lru_cache(maxsize=_FILTERS_KEPT)
        def of(ccdid: int, band: str) -> Pixels:
            ccd, settings = self.camera.ccd(ccdid), self.settings.throughput
            return transmission(self.camera, ccd, band, settings, seed=self.seed)

        return of

    def transmission(self, ccdid: int, band: str) -> Pixels:
        """Transmission of a CCD in a band, shape (y, x)."""
        return self._transmission(ccdid, band)

    def path(self, frame: Frame, ccdid: int) -> str:
        """Of the raw file, in the folder of the survey."""
        return frame.path(self.camera, ccdid, is_compressed=self.settings.is_compressed)

    def write(self, frame: Frame, ccdid: int, folder: Path) -> FrameTruth:
        """Make a frame of a CCD, write its raw file, and give its truth."""
        exposed, ccd = self.expose(frame, ccdid), self.camera.ccd(ccdid)
        arrays = {qid: (one.science, one.overscan) for qid, one in exposed.readouts.items()}
        path = folder / self.path(frame, ccdid)
        row = self.rows[frame.row] if frame.kind == "object" else None
        cards, guesses = frame_cards(frame, self.camera, ccd, row, seed=self.seed)
        write_raw(path, ccd, arrays, cards=cards, quadrant_cards=guesses)
        return exposed.truth

    def expose(self, frame: Frame, ccdid: int) -> Exposed:
        """Make a frame of a CCD."""
        ccd = self.camera.ccd(ccdid)
        with one_thread():
            return (self._object if frame.kind == "object" else self._calibration)(frame, ccd)

    def _calibration(self, frame: Frame, ccd: Ccd) -> Exposed:
        """Make a bias or a flat of a CCD."""
        light = np.zeros((ccd.n_rows, ccd.n_columns), np.float32)
        level, pattern = 0.0, (light[0], light[:, 0])
        if frame.kind == "flat":
            gain = np.mean([quadrant.gain for quadrant in self.camera.quadrants])
            change = normal(key_for(self.seed, "lamp", frame.name), "level", shape=1)[0]
            level = float(self.settings.series.flat_dn * gain * (1.0 + _LAMP_SCATTER * change))
            pattern = lamp_pattern(
                self.camera,
                ccd,
                lamp_name(frame.band, frame.lamp),
                self.settings.throughput,
                seed=self.seed,
            )
            _add_pattern(light, level, pattern)
            light *= self.transmission(ccd.ccdid, frame.band)
        readouts = self._read(light, frame, ccd)
        facts = [
            self._unit(frame, quadrant, light=level * _middle_of(pattern, quadrant))
            for quadrant in ccd.quadrants
        ]
        return self._exposed(frame, ccd, readouts, units=facts)

    def _object(self, frame: Frame, ccd: Ccd) -> Exposed:
        """Make a science frame of a CCD."""
        row = self.rows[frame.row]
        clouds = None if self.clouds is None else self.clouds[frame.row]
        settings, scale = self.settings.throughput, self.camera.pixel_scale_arcsec
        psf = PsfField.draw(
            self.camera,
            self.settings.psf,
            fwhm=row["seeing_arcsec"] / scale,
            exposure=frame.name,
            seed=self.seed,
        )
        sources = self.observer.see(row, clouds).near(ccd)
        image = self._drawn(sources, ccd, psf, row)
        light = image.array
        sky = 10.0 ** (0.4 * (row["zp"] - row["sky_mag"])) * scale**2
        pattern = sky_pattern(self.camera, ccd, frame.name, settings, seed=self.seed)
        _add_pattern(light, sky, pattern)
        tracks = draw_tracks(
            frame.name, self.camera, seed=self.seed, rate=self.settings.tracks_per_exposure
        )
        for quadrant in ccd.quadrants:
            add_tracks(light[quadrant.place], ccd, quadrant, tracks, fwhm_pixels=psf.fwhm)
        # About a bright star a Fourier transform leaves less than nothing, seen where it is dark.
        np.maximum(light, 0.0, out=light)
        light *= self.transmission(ccd.ccdid, row["band"])
        readouts = self._read(light, frame, ccd)
        units = [
            self._unit(
                frame,
                quadrant,
                light=sky * _middle_of(pattern, quadrant),
                n_track=tracks_across(ccd, quadrant, tracks),
                **self._middle(row, clouds, ccd, quadrant, psf),
            )
            for quadrant in ccd.quadrants
        ]
        seen = self._truth(sources, ccd, row)
        return self._exposed(frame, ccd, readouts, units=units, sources=seen)

    def _exposed(
        self,
        frame: Frame,
        ccd: Ccd,
        readouts: dict[int, Readout],
        *,
        units: list[dict[str, Any]],
        sources: dict[str, Any] | None = None,
    ) -> Exposed:
        """Put readouts and truth together."""
        rays = {quadrant.rcid: readouts[quadrant.qid].cosmic_rays for quadrant in ccd.quadrants}
        counts = [len(one.x) for one in rays.values()]
        cosmics = {
            "exposure": np.full(sum(counts), frame.name),
            "rcid": np.repeat(list(rays), counts),
            **{
                name: np.concatenate([getattr(one, name) for one in rays.values()])
                for name in CosmicRays._fields
            },
        }
        columns = {name: [row[name] for row in units] for name in units[0]}
        truth = FrameTruth(
            sources=TrueSources.of_frame(sources or {}),
            units=TrueUnits.of_frame(columns | {"n_cosmic": counts}),
            cosmics=TrueCosmics.of_frame(cosmics),
        )
        return Exposed(readouts=readouts, truth=truth)

    def _drawn(self, sources: Sources, ccd: Ccd, psf: PsfField, row: Facts) -> Any:
        """Draw the sources of a CCD."""
        image = blank(ccd.n_rows, ccd.n_columns)
        fwhm, g1, g2 = psf.shape(sources.xi, sources.eta)
        x, y = ccd.to_pixel(sources.xi, sources.eta)
        pointing, galaxies = self.observer.pointing(row), self.observer.galaxies
        draw_sources(
            image,
            psf,
            x=x,
            y=y,
            flux=sources.flux,
            shape=(fwhm, *shear_in_pixels(ccd, g1, g2)),
            galaxies=[
                None if k < 0 else galaxies.in_pixels(k, ccd, pointing)
                for k in sources.galaxy.tolist()
            ],
        )
        return image

    def _read(self, light: Pixels, frame: Frame, ccd: Ccd) -> dict[int, Readout]:
        """Read the quadrants out, by qid."""
        return {
            quadrant.qid: read_out(
                light[quadrant.place],
                quadrant,
                settings=self.settings.detector,
                frame=frame.name,
                seed=self.seed,
                night=frame.night,
                exptime_s=frame.exptime_s,
                place_in_series=None if frame.kind == "object" else frame.place,
            )
            for quadrant in ccd.quadrants
        }

    def _middle(
        self, row: Facts, clouds: Floats | None, ccd: Ccd, quadrant: Quadrant, psf: PsfField
    ) -> dict[str, float]:
        """Zero point, clouds and sharpness in the middle of a quadrant."""
        x = np.array([quadrant.x0 + 0.5 * (quadrant.n_columns - 1)])
        y = np.array([quadrant.y0 + 0.5 * (quadrant.n_rows - 1)])
        xi, eta = ccd.to_focal_plane(x, y)
        zp = self.observer.zero_point(row, clouds, xi, eta)[0]
        fwhm, g1, g2 = psf.shape(xi, eta)
        g1, g2 = shear_in_pixels(ccd, g1, g2)
        return {
            "zp": float(zp),
            "cloud_mag": float(row["zp"] + row["cloud_mag"] - zp),
            "fwhm": float(fwhm[0]),
            "g1": float(g1[0]),
            "g2": float(g2[0]),
        }

    def _unit(
        self,
        frame: Frame,
        quadrant: Quadrant,
        *,
        light: float,
        n_track: int = 0,
        zp: float = np.nan,
        cloud_mag: float = np.nan,
        fwhm: float = np.nan,
        g1: float = np.nan,
        g2: float = np.nan,
    ) -> dict[str, Any]:
        """A row of `TrueUnits`."""
        return {
            "exposure": frame.name,
            "path": self.path(frame, quadrant.ccdid),
            "kind": frame.kind,
            "ccdid": quadrant.ccdid,
            "rcid": quadrant.rcid,
            "mjd": frame.start_mjd + 0.5 * frame.exptime_s / 86_400.0,
            "night": frame.night,
            "band": frame.band,
            "zp": zp,
            "cloud_mag": cloud_mag,
            "light": light,
            "fwhm": fwhm,
            "g1": g1,
            "g2": g2,
            "n_track": n_track,
        }

    def _truth(self, sources: Sources, ccd: Ccd, row: Facts) -> dict[str, Any]:
        """Columns of `TrueSources`: those whose middle is on the CCD."""
        column, line = ccd.to_pixel(sources.xi, sources.eta)
        rcid, x, y = np.full(len(column), -1), column.copy(), line.copy()
        for quadrant in ccd.quadrants:
            dx, dy = column - quadrant.x0, line - quadrant.y0
            is_in = (dx >= -0.5) & (dx < quadrant.n_columns - 0.5)
            is_in &= (dy >= -0.5) & (dy < quadrant.n_rows - 0.5)
            rcid[is_in], x[is_in], y[is_in] = quadrant.rcid, dx[is_in], dy[is_in]
        kept = rcid >= 0
        seen = sources.select(kept)
        return {
            "source": seen.name,
            "kind": seen.kind,
            "exposure": np.full(len(seen.name), row["exposure"]),
            "band": np.full(len(seen.name), row["band"]),
            "rcid": rcid[kept],
            "x": x[kept],
            "y": y[kept],
            "mag": seen.mag,
            "color": seen.color,
            "zp": seen.zp,
            "flux": seen.flux,
        }


def _add_pattern(light: Pixels, level: float, pattern: tuple[Pixels, Pixels]) -> None:
    """Add a level times a pattern over the focal plane."""
    columns, rows = pattern
    for line, row in zip(light, rows, strict=True):
        line += np.float32(level) * (columns + row)


def _middle_of(pattern: tuple[Pixels, Pixels], quadrant: Quadrant) -> float:
    """A pattern in the middle of a quadrant."""
    columns, rows = pattern
    x, y = quadrant.x0 + quadrant.n_columns // 2, quadrant.y0 + quadrant.n_rows // 2
    return float(columns[x] + rows[y])
