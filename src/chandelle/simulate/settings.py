"""Settings of a simulated sample: its universe, its supernovae, its surveys. A preset is a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError
from chandelle.instrument.passbands import list_passbands
from chandelle.physics.distance import Cosmology
from chandelle.simulate.contaminants import CLASSES
from chandelle.simulate.modes import CalibrationModes
from chandelle.simulate.preset_files import is_path, preset_file, presets_in
from chandelle.simulate.selection import Detection, Spectroscopy

_FINITE = ConfigDict(allow_inf_nan=False)
_PRESETS = Path(__file__).parent / "presets"


class CosmologySettings(StageConfig):
    """The expansion; H0 in km/s/Mpc."""

    model_config = _FINITE
    Om: float = Field(default=0.3, ge=0.0, le=2.0)
    w: float = -1.0
    wa: float = 0.0
    Ok: float = 0.0
    H0: float = Field(default=70.0, gt=0.0)

    @property
    def cosmology(self) -> Cosmology:
        """As the kernels take it."""
        return Cosmology(**self.model_dump())


class PopulationSettings(StageConfig):
    """The supernovae: options of `supernova_population`, and pieces put in place of its own.

    `pieces` has a table a piece: `piece`, its class in `population_settings.PIECES` where it is not
    that of the default population, and its parameters. A `contaminant_fraction` of core-collapse
    supernovae takes `templates`: by class (SN II, SN Ic, ...), a file of phase, wave and flux;
    classes without one are not drawn.
    """

    model_config = _FINITE
    chromatic: bool = False
    outlier_fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    contaminant_fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    templates: dict[str, str] = Field(default_factory=dict)
    pieces: dict[str, dict[str, float | str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_templates(self) -> "PopulationSettings":
        unknown = sorted(set(self.templates) - set(CLASSES[1:]))
        if unknown:
            raise ValueError(
                f"templates: no class {', '.join(unknown)}; there are {', '.join(CLASSES[1:])}"
            )
        if bool(self.templates) != (self.contaminant_fraction > 0.0):
            raise ValueError("give a contaminant_fraction and templates, or neither of them")
        return self


class RateSettings(StageConfig):
    """Rate of supernovae at their place, r0 (1 + z)^power [Gpc^-3 yr^-1]."""

    model_config = _FINITE
    r0: float = Field(default=2.35e4, gt=0.0)
    power: float = 0.0


class ModeSettings(StageConfig):
    """A calibration mode: what a unit of it moves the zero points of passbands by [mag].

    With `surveys`, only theirs; a survey that does not observe a passband is not moved.
    """

    model_config = _FINITE
    name: str
    shift: dict[str, float]
    surveys: tuple[str, ...] = ()


_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class SurveySettings(StageConfig):
    """One survey: where and when it looks, and whom it finds.

    `log` is that of a kind (ztf, deep, hsc, lsst), drawn for so many `nights`, or a file of
    exposures, whose names of bands `bands` explains (`{g = "lsstg"}`, empty to leave one out); with
    `group`, its fields of that group alone. Its camera is one of chandelle or a file, or else a
    disk of `radius_deg` about the pointing. Supernovae peak anywhere between `margin_days` after
    the first exposure and before the last one, in the `footprint` (ra_min, ra_max, dec_min,
    dec_max), or in its fields: as many as the rate gives, or as it takes to have `n` of them in the
    sample. Epochs of a passband scatter by the part `floor` of their flux at least.
    """

    model_config = _FINITE
    name: str = Field(pattern=_NAME)
    log: str
    nights: int = Field(default=0, ge=0)
    first_night: int | None = None
    group: str = ""
    bands: dict[str, str] = Field(default_factory=dict)
    camera: str = ""
    radius_deg: float = Field(default=0.0, ge=0.0)
    footprint: tuple[float, float, float, float] | None = None
    z_min: float = Field(default=0.0, ge=0.0)
    z_max: float = Field(gt=0.0)
    rate: RateSettings = RateSettings()
    n: int | None = Field(default=None, ge=0)
    margin_days: tuple[float, float] = (20.0, 50.0)
    detection: Detection = Field(default_factory=Detection)
    spectroscopy: Spectroscopy | None = None
    floor: dict[str, Annotated[float, Field(ge=0.0, lt=1.0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_view(self) -> "SurveySettings":
        if bool(self.camera) == (self.radius_deg > 0.0):
            raise ValueError("give a camera or a radius_deg, one of them")
        if is_path(self.log) and (self.group or self.nights or self.first_night is not None):
            raise ValueError("a log from a file takes no group, nights or first_night")
        if self.bands and not is_path(self.log):
            raise ValueError("bands: what is drawn has the names of passbands; leave them out")
        return self


class SampleSettings(StageConfig):
    """A simulated sample of light curves.

    `selection` says whether the spectroscopic selection of its surveys is applied.
    """

    about: str = ""
    model: str = "salt3-f22"
    selection: bool = False
    cosmology: CosmologySettings = CosmologySettings()
    population: PopulationSettings = PopulationSettings()
    modes: tuple[ModeSettings, ...] = ()
    surveys: tuple[SurveySettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_names_once(self) -> "SampleSettings":
        for what, names in (
            ("survey", [one.name for one in self.surveys]),
            ("mode", [one.name for one in self.modes]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {', '.join(twice)} stands twice")
        unknown = sorted({name for one in self.modes for name in one.surveys} - set(self.names))
        if unknown:
            raise ValueError(f"modes: no survey {', '.join(unknown)}")
        known = set(list_passbands())
        named = [(f"mode {one.name}", tuple(one.shift)) for one in self.modes]
        named += [(f"{one.name}: floor", tuple(one.floor)) for one in self.surveys]
        named += [
            (f"{one.name}: spectroscopy", one.spectroscopy.bands)
            for one in self.surveys
            if one.spectroscopy is not None
        ]
        for where, bands in named:
            if not set(bands) <= known:
                raise ValueError(f"{where}: no passband {', '.join(sorted(set(bands) - known))}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Of the surveys."""
        return tuple(one.name for one in self.surveys)

    def survey(self, name: str) -> SurveySettings:
        """The survey of a name.

        Raises
        ------
        InputError
            If there is none.
        """
        for one in self.surveys:
            if one.name == name:
                return one
        raise InputError(f"no survey {name}; there are {', '.join(self.names)}")

    def modes_of(self, survey: str) -> CalibrationModes:
        """Modes of all surveys as one survey sees them: those of others move nothing there."""
        return CalibrationModes(
            shifts={
                one.name: one.shift if not one.surveys or survey in one.surveys else {}
                for one in self.modes
            }
        )

    def of_survey(self, name: str) -> "SampleSettings":
        """The same with one survey alone, and the modes that move it."""
        modes = tuple(
            one.model_copy(update={"surveys": (name,) if one.surveys else ()})
            for one in self.modes
            if not one.surveys or name in one.surveys
        )
        return self.model_copy(update={"surveys": (self.survey(name),), "modes": modes})

    def without_supernovae(self) -> "SampleSettings":
        """The same with what makes the logs alone, all else as by default."""
        of_log = ("name", "log", "nights", "first_night", "group", "bands", "camera", "radius_deg")
        surveys = tuple(
            SurveySettings(z_max=1.0, **{name: getattr(one, name) for name in of_log})
            for one in self.surveys
        )
        return SampleSettings(surveys=surveys)

    def resolved(self, folder: Path) -> "SampleSettings":
        """The same with paths that hold anywhere, those that are relative being in a folder."""

        def whole(word: str) -> str:
            return str((folder / word).resolve()) if is_path(word) else word

        surveys = tuple(
            one.model_copy(update={"log": whole(one.log), "camera": whole(one.camera)})
            for one in self.surveys
        )
        templates = self.population.templates.items()
        population = self.population.model_copy(
            update={"templates": {kind: str((folder / path).resolve()) for kind, path in templates}}
        )
        return self.model_copy(
            update={"surveys": surveys, "model": whole(self.model), "population": population}
        )

    def changed(
        self, *, n: Mapping[str, int] | None = None, selection: bool | None = None
    ) -> "SampleSettings":
        """The same with other numbers of supernovae by survey, or another selection.

        Raises
        ------
        InputError
            If a survey is unknown, a number negative, or no survey is left.
        """
        asked = dict(n or {})
        for name, count in asked.items():
            self.survey(name)
            if count < 0:
                raise InputError(f"{name}: a number of supernovae must be >= 0, got {count}")
        surveys = tuple(
            one.model_copy(update={"n": asked.get(one.name, one.n)})
            for one in self.surveys
            if asked.get(one.name, one.n) != 0
        )
        if not surveys:
            raise InputError("no survey is left: ask for a supernova in one of them at least")
        left = {one.name for one in surveys}
        modes = tuple(
            one.model_copy(update={"surveys": tuple(name for name in one.surveys if name in left)})
            for one in self.modes
            if not one.surveys or left & set(one.surveys)
        )
        selection = self.selection if selection is None else selection
        return self.model_copy(update={"surveys": surveys, "modes": modes, "selection": selection})


def list_presets() -> dict[str, str]:
    """Names of the presets of the catalog level, and what each is."""
    return {path.stem: SampleSettings.from_toml(path).about for path in presets_in(_PRESETS)}


def load_preset(name: str | Path) -> SampleSettings:
    """Read the settings of a sample.

    Parameters
    ----------
    name : str or Path
        Of a preset, or a file of one's own (TOML); paths in it are relative to it.

    Returns
    -------
    SampleSettings
        Checked.

    Raises
    ------
    InputError
        If there is no such preset, or a setting is unknown or impossible.

    Examples
    --------
    >>> load_preset("lemaitre").names
    ('ZTF', 'SNLS', 'HSC')
    """
    path = preset_file(name, _PRESETS)
    settings = SampleSettings.from_toml(path)
    return settings if path.parent == _PRESETS else settings.resolved(path.parent)
