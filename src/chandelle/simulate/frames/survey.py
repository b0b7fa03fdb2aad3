"""``ch.simulate_survey``: raw frames of a survey with their truth, in a folder."""

import json
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from chandelle.compute.drive import Policy
from chandelle.compute.lazy_engine import engine_for
from chandelle.compute.places import Place
from chandelle.compute.stage import Home
from chandelle.compute.steps import Report, TasksFailedError, run_steps
from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError
from chandelle.instrument.camera import Camera
from chandelle.products.exposures import Exposures
from chandelle.products.targets import Targets
from chandelle.simulate.frames.optics import PsfField
from chandelle.simulate.frames.settings import FrameSettings
from chandelle.simulate.frames.sky import Sky
from chandelle.simulate.frames.tasks import BLOCK, SETTINGS_FILE, STAGE, TRUTH, FramesConfig
from chandelle.simulate.frames.throughput import Pixels, lamp_name, lamp_pattern
from chandelle.simulate.frames.truth_tables import TrueGalaxies, TrueStars
from chandelle.simulate.frames.unit_tables import (
    TrueCosmics,
    TrueDefects,
    TrueFluxes,
    TrueQuadrants,
    TrueSources,
    TrueTracks,
    TrueUnits,
)
from chandelle.simulate.truth import Truth

_SETTINGS = "survey.toml"


@dataclass(frozen=True)
class SimulatedSurvey:
    """A survey of raw frames on disk, with its truth; tables are read when they are asked for.

    Parameters
    ----------
    folder : Path
        With ``raw/`` and ``truth/``.
    """

    folder: Path

    def __post_init__(self) -> None:
        path = self.folder / TRUTH / SETTINGS_FILE
        if not path.is_file():
            raise InputError(
                f"{path}: expected the settings that a survey of raw frames was made with, found "
                "none; make it with simulate_survey"
            )

    @property
    def _truth(self) -> Path:
        return self.folder / TRUTH

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        return json.loads((self._truth / SETTINGS_FILE).read_text(encoding="utf-8"))

    @cached_property
    def settings(self) -> FrameSettings:
        """That it was made with."""
        return FrameSettings.of(str(self._truth / SETTINGS_FILE), **self._made_with["settings"])

    @property
    def seed(self) -> int:
        """That it was made with."""
        return self._made_with["seed"]

    @cached_property
    def camera(self) -> Camera:
        """The part of the camera that is simulated."""
        return self.settings.load_camera()

    @cached_property
    def sky(self) -> Sky:
        """Log and sky, all of it."""
        return Sky.read(self._truth)

    @property
    def exposures(self) -> Exposures:
        """The log."""
        return self.sky.exposures

    @property
    def targets(self) -> Targets:
        """What an observer knows of the supernovae."""
        return self.sky.targets

    @property
    def supernovae(self) -> Truth:
        """What was drawn of them."""
        return self.sky.supernovae

    @property
    def fluxes(self) -> TrueFluxes:
        """Of the supernovae in the exposures that see them."""
        return self.sky.fluxes

    @property
    def stars(self) -> TrueStars:
        """Of the sky."""
        return self.sky.stars

    @property
    def galaxies(self) -> TrueGalaxies:
        """Hosts and others."""
        return self.sky.galaxies

    @cached_property
    def sources(self) -> TrueSources:
        """What each frame saw, and where."""
        return TrueSources.read_folder(self._truth / "sources")

    @cached_property
    def units(self) -> TrueUnits:
        """Each quadrant of each frame."""
        return TrueUnits.read_folder(self._truth / "units")

    @cached_property
    def cosmics(self) -> TrueCosmics:
        """Cosmic rays of each frame."""
        return TrueCosmics.read_folder(self._truth / "cosmics")

    @cached_property
    def tracks(self) -> TrueTracks:
        """Satellites of each exposure."""
        return TrueTracks.read(self._truth / "tracks.parquet")

    @cached_property
    def defects(self) -> TrueDefects:
        """Dead columns and hot pixels."""
        return TrueDefects.read(self._truth / "defects.parquet")

    @cached_property
    def quadrants(self) -> TrueQuadrants:
        """The amplifiers."""
        return TrueQuadrants.read(self._truth / "quadrants.parquet")

    def frames(self, kind: str = "object", *, band: str | None = None) -> list[Path]:
        """Raw files of a kind (object, bias, flat), of one passband if it is given."""
        units = self.units
        kept = units["kind"] == kind
        if band is not None:
            kept &= units["band"] == band
        return [self.folder / path for path in dict.fromkeys(units["path"][kept].tolist())]

    def psf(self, exposure: str) -> PsfField:
        """True point-spread function of an exposure."""
        rows = np.flatnonzero(self.exposures["exposure"] == exposure)
        if not len(rows):
            raise InputError(f"{self.folder}: no exposure {exposure}")
        seeing = float(self.exposures["seeing_arcsec"][rows[0]])
        return PsfField.draw(
            self.camera,
            self.settings.psf,
            fwhm=seeing / self.camera.pixel_scale_arcsec,
            exposure=exposure,
            seed=self.seed,
        )

    def transmission(self, ccdid: int, band: str) -> Pixels:
        """True transmission of a CCD in a passband, along the axes of the CCD."""
        path = self._truth / "transmission" / f"c{ccdid:02d}.fits"
        try:
            return np.asarray(fits.getdata(path, band), np.float32)
        except KeyError as error:
            bands = ", ".join(sorted(set(self.exposures["band"].tolist())))
            raise InputError(f"{path}: no band {band}; it has {bands}") from error

    def lamp(self, ccdid: int, band: str, lamp: int) -> Pixels:
        """What a lamp shows beyond the transmission, along the axes of the CCD."""
        ccd, name = self.camera.ccd(ccdid), lamp_name(band, lamp)
        columns, rows = lamp_pattern(
            self.camera, ccd, name, self.settings.throughput, seed=self.seed
        )
        return columns + rows[:, None]

    def __repr__(self) -> str:
        kinds = Counter(self.units["kind"].tolist())
        counts = ", ".join(f"{n} quadrants of {kind} frames" for kind, n in kinds.items())
        counts = counts or "no frame yet"
        sky = self.sky
        return (
            f"SimulatedSurvey {self.folder}: {counts}; {len(sky.targets)} supernovae, "
            f"{len(sky.stars)} stars, {len(sky.galaxies)} galaxies"
        )


def simulate_survey(
    preset: str | Path = "ztf-mini",
    *,
    out: str | Path,
    seed: int = 1,
    on: Place = "local",
    block: int = BLOCK,
    policy: Policy | None = None,
    progress: Report | None = None,
) -> SimulatedSurvey:
    """Simulate the raw frames of a survey, with its calibration series and its truth.

    Every frame has random keys of its own: the bytes are the same wherever it is made, in blocks
    of any size. A second call goes on where the first was ended.

    Parameters
    ----------
    preset : str or Path
        ``"ztf-mini"``, ``"lsst-mini"``, or a file of settings (TOML).
    out : str or Path
        Folder that gets ``raw/``, ``truth/`` and a ``survey.toml``.
    seed : int
        Root of all random numbers.
    on : str or dask Client
        Where tasks run, as for `chandelle.run`.
    block : int
        Frames of a CCD in a task.
    policy : Policy, optional
        What is done about failures.
    progress : callable, optional
        Is told the name of a step and its `Tally`.

    Returns
    -------
    SimulatedSurvey
        `.frames()`, `.exposures`, `.sources`, `.units`, `.stars`, `.supernovae` and more.

    Raises
    ------
    InputError
        If a setting is unknown or impossible, or the folder is of another survey.
    TasksFailedError
        If frames could not be made.
    """
    config = FramesConfig.of("simulate_survey", preset=str(preset), seed=seed, block=block)
    config.settings.check_camera(config.preset)
    folder = Path(out)
    _note_settings(folder, config)
    with engine_for(on, folder) as engine:
        try:
            run_steps(STAGE, config, Home(folder), engine, policy=policy, progress=progress)
        except TasksFailedError as error:
            raise TasksFailedError(f"{config.preset}: {error}") from error
    return SimulatedSurvey(folder)


def _note_settings(folder: Path, config: FramesConfig) -> None:
    """Write what makes the survey into its settings; refuse a folder of another survey.

    Raises
    ------
    InputError
        If the folder has frames of other settings, or settings of other stages.
    """
    made_with, path = folder / TRUTH / SETTINGS_FILE, folder / _SETTINGS
    if made_with.exists():
        found = json.loads(made_with.read_text(encoding="utf-8"))
        if found != config.of_frames():
            raise InputError(
                f"{folder}: holds another survey: {made_with} differs from {config.preset} with "
                f"seed {config.seed}; give another folder, or the same settings and seed"
            )
    whole = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if set(whole) - {STAGE.name}:
        raise InputError(
            f"{path}: is of another survey, with [{'], ['.join(whole)}]; give another folder"
        )
    preset = config.preset
    if Path(preset).suffix == ".toml":
        preset = str(Path(preset).resolve())
    text = f"[{STAGE.name}]\npreset = {json.dumps(preset)}\nseed = {config.seed}\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
