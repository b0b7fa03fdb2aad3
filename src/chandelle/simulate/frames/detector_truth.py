"""The truth of the detector and of what crosses it: amplifiers, defects, satellites."""

from pathlib import Path
from typing import Any

import numpy as np

from chandelle.instrument.camera import Camera
from chandelle.products.exposures import Exposures
from chandelle.products.product import Meta
from chandelle.simulate.frames.charge import place_dead_columns, place_hot_pixels
from chandelle.simulate.frames.detector import DetectorSettings, fixed_key
from chandelle.simulate.frames.sky import SkyDrawing
from chandelle.simulate.frames.strikes import SatelliteTracks, draw_tracks
from chandelle.simulate.frames.unit_tables import TrueDefects, TrueQuadrants, TrueTracks

_SIMULATED = Meta(origin="simulated")


def write_detector(drawing: SkyDrawing, exposures: Exposures, folder: Path) -> None:
    """Write quadrants, defects and tracks into the truth of a survey."""
    camera, settings = drawing.camera, drawing.settings
    TrueQuadrants.of(camera).write(folder / "quadrants.parquet")
    defects = true_defects(camera, settings.detector, seed=drawing.seed)
    defects.write(folder / "defects.parquet")
    tracks = true_tracks(exposures, camera, rate=settings.tracks_per_exposure, seed=drawing.seed)
    tracks.write(folder / "tracks.parquet")


def true_defects(camera: Camera, settings: DetectorSettings, *, seed: int) -> TrueDefects:
    """Dead columns and hot pixels of a camera, as `read_out` has them."""
    rows: list[tuple[int, str, int, int, float]] = []
    for quadrant in camera.quadrants:
        key, rcid = fixed_key(seed, quadrant), quadrant.rcid
        dead = place_dead_columns(quadrant.n_columns, mean=settings.dead_columns, key=key)
        rows += [(rcid, "dead_column", int(x), -1, np.nan) for x in dead]
        shape = (quadrant.n_rows, quadrant.n_columns)
        hot = place_hot_pixels(
            shape, fraction=settings.hot_pixels, current=settings.hot_current, key=key
        )
        rows += [
            (rcid, "hot_pixel", int(x), int(y), float(i)) for y, x, i in zip(*hot, strict=True)
        ]
    names = ("rcid", "kind", "x", "y", "current")
    kinds = (np.int64, str, np.int64, np.int64, np.float64)
    columns: dict[str, Any] = {
        name: np.array([row[k] for row in rows], dtype=kind)
        for k, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    return TrueDefects.from_columns(columns, meta=_SIMULATED)


def true_tracks(exposures: Exposures, camera: Camera, *, rate: float, seed: int) -> TrueTracks:
    """Satellites of all exposures, as the frames have them."""
    names = exposures["exposure"].tolist()
    found = [draw_tracks(name, camera, seed=seed, rate=rate) for name in names]
    columns: dict[str, Any] = {
        part: np.concatenate([np.zeros(0), *(getattr(one, part) for one in found)])
        for part in SatelliteTracks._fields
    }
    columns["exposure"] = np.repeat(
        np.array(names, dtype=str), [len(one.angle_deg) for one in found]
    )
    return TrueTracks.from_columns(columns, meta=_SIMULATED)
