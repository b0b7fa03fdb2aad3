"""Settings of a survey of raw frames. A preset is a file."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError
from chandelle.instrument.camera import Camera
from chandelle.instrument.camera_files import load_camera
from chandelle.simulate.frames.charge import check_deficit
from chandelle.simulate.frames.detector import DetectorSettings
from chandelle.simulate.frames.optics import PsfSettings
from chandelle.simulate.frames.throughput import ThroughputSettings
from chandelle.simulate.preset_files import is_path, preset_file, presets_in
from chandelle.simulate.settings import (
    CosmologySettings,
    PopulationSettings,
    RateSettings,
)

_FINITE = ConfigDict(allow_inf_nan=False)
_PRESETS = Path(__file__).parent / "presets"


class CadenceSettings(StageConfig):
    """When and where the telescope looks.

    `log` is that of a kind (ztf, deep, hsc, lsst), drawn for so many `nights`, or a file of
    exposures. With `fields` (ra, dec [deg]) a log that is drawn looks at these alone, in `bands`
    one after the other every `interval_nights`, each time within `dither_deg` of them. The first
    `exposures_per_band` are kept, all if absent.
    """

    model_config = _FINITE
    log: str = "ztf"
    nights: int = Field(default=0, ge=0)
    first_night: int | None = None
    fields: tuple[tuple[float, float], ...] = ()
    bands: tuple[str, ...] = ()
    interval_nights: float = Field(default=2.0, gt=0.0)
    dither_deg: float = Field(default=0.0, ge=0.0, le=1.0)
    exposures_per_band: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _is_one_of_two(self) -> "CadenceSettings":
        if is_path(self.log) and (self.fields or self.nights or self.first_night is not None):
            raise ValueError("a log from a file takes no fields, nights or first_night")
        if not is_path(self.log) and self.nights < 1:
            raise ValueError(f"nights: give how many nights of {self.log}")
        if bool(self.fields) != bool(self.bands):
            raise ValueError("give fields and bands, or neither of them")
        wrong = [place for place in self.fields if abs(place[1]) > 90.0]
        if wrong:
            raise ValueError(f"fields: expected ra and dec in degrees, found {wrong[0]}")
        return self


class SupernovaSettings(StageConfig):
    """The supernovae: as many as the rate gives, or `n`."""

    model_config = _FINITE
    n: int | None = Field(default=None, ge=0)
    z_min: float = Field(default=0.0, ge=0.0)
    z_max: float = Field(default=0.08, gt=0.0)
    rate: RateSettings = RateSettings()
    margin_days: tuple[float, float] = (0.0, 10.0)
    population: PopulationSettings = PopulationSettings()
    model: str = "salt3-f22"

    @model_validator(mode="after")
    def _has_a_range(self) -> "SupernovaSettings":
        if not self.z_min < self.z_max:
            raise ValueError(f"expected z_min < z_max, found {self.z_min} and {self.z_max}")
        return self


def _bright_to_faint(mag_range: tuple[float, float]) -> tuple[float, float]:
    if not mag_range[0] < mag_range[1]:
        raise ValueError(f"expected a bright and a faint magnitude, found {mag_range}")
    return mag_range


MagRange = Annotated[tuple[float, float], AfterValidator(_bright_to_faint)]
"""Two magnitudes, bright to faint."""


class StarSettings(StageConfig):
    """Stars of a range of magnitudes (r, AB), `density` times as many as there are."""

    model_config = _FINITE
    mag_range: MagRange = (12.0, 21.0)
    density: float = Field(default=1.0, ge=0.0)


class GalaxySettings(StageConfig):
    """Galaxies of a range of magnitudes (r, AB); supernovae have hosts of any."""

    model_config = _FINITE
    mag_range: MagRange = (15.0, 20.0)


class SeriesSettings(StageConfig):
    """Calibration series: in how many of the nights observed, how many frames.

    `biases` a night and `flats` a lamp; `lamps` are numbers by passband: those of ZTF, or one of
    the filter's own number, where absent. `flat_dn` is the level of a flat above the bias.
    """

    model_config = _FINITE
    nights: int = Field(default=2, ge=0)
    biases: int = Field(default=20, ge=0)
    flats: int = Field(default=3, ge=0)
    flat_dn: float = Field(default=18_000.0, gt=0.0)
    lamps: dict[str, tuple[int, ...]] = Field(default_factory=dict)


class FrameSettings(StageConfig):
    """A survey of raw frames: camera, cadence, sky, optics, detector.

    Of `camera` (one of chandelle, or a file) the `ccds` are kept, all if none is named, each
    quadrant cut to `quadrant_size` if given; with `recenter` they come to the pointing.
    `is_compressed` writes ``.fits.fz``; `tracks_per_exposure` is the mean number of satellites.
    """

    about: str = ""
    camera: str = "ztf"
    ccds: tuple[int, ...] = ()
    quadrant_size: int | None = Field(default=None, ge=16)
    recenter: bool = False
    is_compressed: bool = False
    tracks_per_exposure: float = Field(default=0.1, ge=0.0)
    cosmology: CosmologySettings = CosmologySettings()
    cadence: CadenceSettings
    supernovae: SupernovaSettings = SupernovaSettings()
    stars: StarSettings = StarSettings()
    galaxies: GalaxySettings = GalaxySettings()
    psf: PsfSettings = PsfSettings()
    throughput: ThroughputSettings = ThroughputSettings()
    detector: DetectorSettings = DetectorSettings()
    series: SeriesSettings = SeriesSettings()

    def load_camera(self) -> Camera:
        """The part of the camera that is simulated.

        Raises
        ------
        InputError
            If there is no such camera, CCD or size.
        """
        whole = load_camera(self.camera)
        return whole.subset(self.ccds or None, size=self.quadrant_size, recenter=self.recenter)

    def check_camera(self, where: str) -> None:
        """See that the camera has what the settings say; `where` they stand begins the message.

        Raises
        ------
        InputError
            If there is no such camera, CCD or size, a band or lamp is of no filter, or the charge
            would push too hard.
        """
        try:
            camera = self.load_camera()
            for band in (*self.cadence.bands, *self.series.lamps):
                camera.filter(band)
            for quadrant in camera.quadrants:
                check_deficit(self.detector.brighter_fatter, full_well=quadrant.full_well)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    def resolved(self, folder: Path) -> "FrameSettings":
        """The same with paths that hold anywhere, those that are relative being in a folder."""

        def whole(word: str) -> str:
            return str((folder / word).resolve()) if is_path(word) else word

        cadence = self.cadence.model_copy(update={"log": whole(self.cadence.log)})
        supernovae = self.supernovae.model_copy(update={"model": whole(self.supernovae.model)})
        changes = {"camera": whole(self.camera), "cadence": cadence, "supernovae": supernovae}
        return self.model_copy(update=changes)

    @property
    def files(self) -> tuple[str, ...]:
        """Files that settings name: a log, a camera, a model."""
        named = (self.cadence.log, self.camera, self.supernovae.model)
        return tuple(word for word in named if is_path(word))


def list_frame_presets() -> dict[str, str]:
    """Names of the presets of raw frames, and what each is."""
    return {path.stem: FrameSettings.from_toml(path).about for path in presets_in(_PRESETS)}


def load_frame_preset(name: str | Path) -> FrameSettings:
    """Read the settings of a survey of raw frames.

    Parameters
    ----------
    name : str or Path
        Of a preset, or a file of one's own (TOML); paths in it are relative to it.

    Returns
    -------
    FrameSettings
        Checked.

    Raises
    ------
    InputError
        If there is no such preset, or a setting is unknown or impossible.

    Examples
    --------
    >>> load_frame_preset("ztf-mini").quadrant_size
    512
    """
    path = preset_file(name, _PRESETS)
    settings = FrameSettings.from_toml(path)
    return settings if path.parent == _PRESETS else settings.resolved(path.parent)
