"""The simulation of raw frames as tasks: the sky, what does not change, the frames in blocks."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from astropy.io import fits
from pydantic import Field

from chandelle.compute.stage import Home, Plan, Stage
from chandelle.compute.task import Task
from chandelle.core.atomic import atomic_file
from chandelle.core.config import StageConfig
from chandelle.core.precision import require_x64
from chandelle.core.provenance import code_version
from chandelle.products.exposures import Exposures
from chandelle.simulate.frames.detector_truth import write_detector
from chandelle.simulate.frames.expose import FRAME_PARTS, FrameMaker
from chandelle.simulate.frames.series import frames_of
from chandelle.simulate.frames.settings import FrameSettings, load_frame_preset
from chandelle.simulate.frames.sky import SKY_FILES, Sky, SkyDrawing
from chandelle.simulate.frames.throughput import transmission

_CODE = ("core", "instrument", "numerics", "physics", "products", "simulate")
TRUTH = "truth"
"""Folder of the truth of a survey."""
SETTINGS_FILE = "settings.json"
"""Settings and seed that all of a survey was made with, in the folder of its truth."""
_DETECTOR_FILES = ("quadrants.parquet", "defects.parquet", "tracks.parquet", SETTINGS_FILE)
_MEMORY_GB = 2.0
BLOCK = 20
"""Frames of a CCD in a task."""


class FramesConfig(StageConfig):
    """Settings of the simulation of raw frames.

    `preset` is the name of one, or a file of settings; `block` the frames of a CCD in a task, which
    no answer depends on.
    """

    preset: str = "ztf-mini"
    seed: int = Field(default=1, ge=0, lt=2**63)
    block: int = Field(default=BLOCK, ge=1)

    @cached_property
    def settings(self) -> FrameSettings:
        """Settings of the survey, whole."""
        return load_frame_preset(self.preset)

    def of_frames(self) -> dict[str, Any]:
        """All that frames are made of, as JSON holds it: words and blocks change none."""
        settings = self.settings.model_copy(update={"about": ""}).record()
        return {"settings": settings, "seed": self.seed}


def _drawing(facts: Mapping[str, Any]) -> SkyDrawing:
    """The survey of a task."""
    require_x64()
    settings = FrameSettings.of("task", **facts["settings"])
    return SkyDrawing(settings=settings, seed=facts["seed"])


def _task(config: FramesConfig, stage: str, key: str, call: str, **how: Any) -> Task:
    return Task(
        stage=stage,
        key=key,
        call=f"{__name__}:{call}",
        settings=config.of_frames() | how.pop("more", {}),
        code=code_version(*_CODE),
        memory_gb=_MEMORY_GB,
        **how,
    )


def _plan_sky(home: Home, config: FramesConfig) -> list[Task]:
    outputs = tuple(f"{TRUTH}/{name}" for name in (*SKY_FILES, *_DETECTOR_FILES))
    inputs = home.inputs(*config.settings.files)
    return [_task(config, "make-sky", "sky", "make_sky", inputs=inputs, outputs=outputs)]


def make_sky(task: Task, folder: Path) -> dict[str, Any]:
    """Draw the log and what stands on the sky."""
    drawing = _drawing(task.settings)
    sky = drawing.draw()
    sky.write(folder / TRUTH)
    write_detector(drawing, sky.exposures, folder / TRUTH)
    with atomic_file(folder / TRUTH / SETTINGS_FILE) as temporary:
        temporary.write_text(json.dumps(task.settings, indent=1, sort_keys=True), encoding="utf-8")
    return {
        "exposures": len(sky.exposures),
        "supernovae": len(sky.targets),
        "stars": len(sky.stars),
        "galaxies": len(sky.galaxies),
    }


def _wrote(home: Home, task: Task) -> dict[str, str]:
    """Inputs of a step: what a task of an earlier one read and wrote."""
    receipt = home.receipt_of(task)
    return dict(task.inputs) | {path: one["sha256"] for path, one in receipt.outputs.items()}


def _plan_frames(home: Home, config: FramesConfig) -> Plan:
    (drawn,) = _plan_sky(home, config)
    inputs = _wrote(home, drawn)
    exposures = Exposures.read(home.folder / TRUTH / "exposures.parquet")
    camera = config.settings.load_camera()
    frames = frames_of(exposures, config.settings.series, camera)
    blocks = [
        (ccd.ccdid, range(start, min(start + config.block, len(frames))))
        for ccd in camera.ccds
        for start in range(0, len(frames), config.block)
    ]

    is_compressed = config.settings.is_compressed

    def block(number: int) -> Task:
        ccdid, rows = blocks[number]
        key = f"c{ccdid:02d}-{rows.start:06d}"
        paths = [frames[row].path(camera, ccdid, is_compressed=is_compressed) for row in rows]
        truths = [f"{TRUTH}/{part}/{_stem(path)}.parquet" for path in paths for part in FRAME_PARTS]
        return _task(
            config,
            "draw-frames",
            key,
            "draw_frames",
            inputs=inputs,
            outputs=(*paths, *truths),
            more={"ccdid": ccdid, "start": rows.start, "stop": rows.stop},
        )

    return Plan(block, len(blocks))


def draw_frames(task: Task, folder: Path) -> dict[str, Any]:
    """Make some of the raw frames of a CCD, with their truth."""
    drawing, sky = _drawing(task.settings), Sky.read(folder / TRUTH)
    maker = FrameMaker(
        settings=drawing.settings,
        camera=drawing.camera,
        sky=sky,
        clouds=drawing.clouds(sky.exposures),
        seed=drawing.seed,
    )
    frames = frames_of(sky.exposures, drawing.settings.series, drawing.camera)
    rows, ccdid = range(task.settings["start"], task.settings["stop"]), task.settings["ccdid"]
    n_sources = 0
    for row in rows:
        truth = maker.write(frames[row], ccdid, folder)
        truth.write(folder / TRUTH, _stem(maker.path(frames[row], ccdid)))
        n_sources += len(truth.sources)
    return {"frames": len(rows), "sources": n_sources}


def _stem(path: str) -> str:
    """Name of a raw file without its ending."""
    return Path(path).name.split(".fits")[0]


def _plan_transmissions(home: Home, config: FramesConfig) -> list[Task]:
    (drawn,) = _plan_sky(home, config)
    inputs = _wrote(home, drawn)
    exposures = Exposures.read(home.folder / TRUTH / "exposures.parquet")
    bands = sorted(set(exposures["band"].tolist()))
    return [
        _task(
            config,
            "write-transmissions",
            f"c{ccd.ccdid:02d}",
            "write_transmissions",
            inputs=inputs,
            outputs=(f"{TRUTH}/transmission/c{ccd.ccdid:02d}.fits",),
            more={"ccdid": ccd.ccdid, "bands": bands},
        )
        for ccd in config.settings.load_camera().ccds
    ]


def write_transmissions(task: Task, folder: Path) -> dict[str, Any]:
    """Write the true transmission of a CCD, an extension a band, along the axes of the CCD."""
    drawing, bands = _drawing(task.settings), task.settings["bands"]
    ccd = drawing.camera.ccd(task.settings["ccdid"])
    units: list[Any] = [fits.PrimaryHDU()]
    for band in bands:
        found = transmission(
            drawing.camera, ccd, band, drawing.settings.throughput, seed=drawing.seed
        )
        units.append(fits.ImageHDU(found, name=band))
    with atomic_file(folder / task.outputs[0]) as temporary:
        fits.HDUList(units).writeto(temporary, overwrite=True)
    return {"bands": len(bands)}


STAGE = Stage(
    name="simulate-frames",
    writes="raw",
    config=FramesConfig,
    steps={
        "make-sky": _plan_sky,
        "write-transmissions": _plan_transmissions,
        "draw-frames": _plan_frames,
    },
)
