"""The simulation of raw frames as tasks: the sky, the frames in blocks, their truth in one."""

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
from chandelle.products.product import Meta
from chandelle.simulate.frames.expose import FrameMaker
from chandelle.simulate.frames.series import frames_of
from chandelle.simulate.frames.settings import FrameSettings, load_frame_preset
from chandelle.simulate.frames.sky import SKY_FILES, Sky, SkyDrawing
from chandelle.simulate.frames.throughput import transmission
from chandelle.simulate.frames.unit_tables import TrueQuadrants, TrueSources, TrueUnits

_CODE = ("core", "instrument", "numerics", "physics", "products", "simulate")
TRUTH = "truth"
"""Folder of the truth of a survey."""
_SOURCES, _UNITS = f"{TRUTH}/sources", f"{TRUTH}/units"
_QUADRANTS = "quadrants.parquet"
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


def _drawing(facts: Mapping[str, Any]) -> SkyDrawing:
    """The survey of a task."""
    require_x64()
    settings = FrameSettings.of("task", **facts["settings"])
    return SkyDrawing(settings=settings, seed=facts["seed"])


def _task(config: FramesConfig, stage: str, key: str, call: str, **how: Any) -> Task:
    # Words change no frame.
    settings = config.settings.model_copy(update={"about": ""}).record()
    return Task(
        stage=stage,
        key=key,
        call=f"{__name__}:{call}",
        settings={"settings": settings, "seed": config.seed} | how.pop("more", {}),
        code=code_version(*_CODE),
        memory_gb=_MEMORY_GB,
        **how,
    )


def _plan_sky(home: Home, config: FramesConfig) -> list[Task]:
    outputs = tuple(f"{TRUTH}/{name}" for name in (*SKY_FILES, _QUADRANTS))
    inputs = home.inputs(*config.settings.files)
    return [_task(config, "make-sky", "sky", "make_sky", inputs=inputs, outputs=outputs)]


def make_sky(task: Task, folder: Path) -> dict[str, Any]:
    """Draw the log and what stands on the sky."""
    drawing = _drawing(task.settings)
    sky = drawing.draw()
    sky.write(folder / TRUTH)
    TrueQuadrants.of(drawing.camera).write(folder / TRUTH / _QUADRANTS)
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
        return _task(
            config,
            "draw-frames",
            key,
            "draw_frames",
            inputs=inputs,
            outputs=(*paths, f"{_SOURCES}/{key}.parquet", f"{_UNITS}/{key}.parquet"),
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
    rows = range(task.settings["start"], task.settings["stop"])
    made = [maker.write(frames[row], task.settings["ccdid"], folder) for row in rows]
    meta = Meta(origin="simulated")
    *_, sources, units = task.outputs
    seen = TrueSources.joined([one.sources for one in made], meta=meta)
    seen.write(folder / sources)
    TrueUnits.joined([one.units for one in made], meta=meta).write(folder / units)
    return {"frames": len(made), "sources": len(seen)}


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
