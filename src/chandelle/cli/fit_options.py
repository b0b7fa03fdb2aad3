"""Options of ``chandelle fit-lightcurves``: how files are read, and how they are fitted."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from chandelle.cli.pairs import families, named, named_pairs, systems
from chandelle.core.errors import InputError

_Quiet = Parameter(show_default=False)
_Words = Annotated[tuple[str, ...], _Quiet]
_FOR_PRODUCTS = ("targets", "passband", "origin", "published")
"""Options of reading that mean something for light curves written by chandelle too."""


@Parameter(name="*", group=Group("Reading", sort_key=1))
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How the files are read.

    Parameters
    ----------
    targets
        Table of names, redshifts and the rest, if the files do not hold them.
    bands
        What a name of a band means, NAME=BAND as g=ztfg; repeat.
    passband
        Passband that does not ship, NAME=FILE with wavelength [angstrom] and transmission; repeat.
    passband_family
        Passbands of a filter by position on the focal plane, NAME=FILE with wave, transmission and
        radius, x_fp, y_fp or sensor; NAME=PATH:BAND for a folder of snfit's or HDF5; repeat.
    passband_step
        How finely these tell positions apart [angstrom]; what the file says, or 0.08 if not given.
    zpsys
        Magnitude system of all rows (ab, vega), or what a name in the column zpsys means:
        NAME=FILE, a spectrum of magnitude zero, or a TOML file of composite systems; repeat.
    time_scale
        Scale of the MJD, if the files do not say; UTC then.
    duplicates
        What to do with a supernova of two surveys: refuse, one target a survey, or one of all.
    header_override
        SNANA file whose values replace those of the targets; repeat, later ones go before.
    kcor
        SNANA calibration file, for SNANA.
    snana_vpec
        What VPEC in SNANA files is: the velocity, or (2018 and before) the correction to add.
    snana_files
        Files of an SNANA folder: those of its LIST, or every one.
    strict
        Refuse a file in which any epoch is unusable.
    origin
        Where the data come from, if the files do not say.
    published
        Short for --origin published.
    """

    targets: Path | None = None
    bands: _Words = ()
    passband: _Words = ()
    passband_family: _Words = ()
    passband_step: float | None = None
    zpsys: _Words = ()
    time_scale: Literal["utc", "tai", "tt", "tdb"] | None = None
    duplicates: Literal["error", "keep", "merge"] = "error"
    header_override: Annotated[tuple[Path, ...], _Quiet] = ()
    kcor: Path | None = None
    snana_vpec: Literal["velocity", "correction"] = "velocity"
    snana_files: Literal["listed", "all"] = "listed"
    strict: bool = False
    origin: Literal["simulated", "published", "real"] | None = None
    published: bool = False

    def arguments(self) -> dict[str, Any]:
        """Arguments of `read_lightcurves`.

        Raises
        ------
        InputError
            If an option has another form than its help says, or a file is absent.
        """
        from chandelle.instrument.passbands import read_passband

        for name in ("kcor", "targets"):
            file = getattr(self, name)
            if file is not None and not file.is_file():
                raise InputError(f"--{name} {file}: no such file")
        same = ("targets", "time_scale", "duplicates", "header_override", "kcor", "snana_vpec")
        files = named("--passband", self.passband, form="NAME=FILE")
        varying = families("--passband-family", self.passband_family, step=self.passband_step)
        if self.passband_step is not None and not varying:
            raise InputError(f"--passband-step {self.passband_step}: there is no --passband-family")
        twice = sorted(files.keys() & varying.keys())
        if twice:
            raise InputError(f"--passband-family: {twice[0]} has a --passband too; drop one")
        passbands = {name: read_passband(file, name=name) for name, file in files.items()}
        return {
            **{name: getattr(self, name) for name in (*same, "snana_files", "strict")},
            "bands": named("--bands", self.bands, form="NAME=BAND") or None,
            "passbands": {**passbands, **varying},
            "zpsys": systems("--zpsys", self.zpsys),
            "origin": "published" if self.published else self.origin,
        }

    def files(self) -> list[Path]:
        """Files and folders that these options name."""
        systems_of_files = [word for word in self.zpsys if "=" in word or word.endswith(".toml")]
        words = [*self.passband, *self.passband_family, *systems_of_files]
        values = [word.partition("=")[2] or word for word in words]
        before_band = [value.rpartition(":")[0] for value in values]
        given = (self.targets, self.kcor, *self.header_override, *values, *before_band)
        return [Path(path) for path in given if path]

    def refuse_for(self, folder: Path) -> None:
        """Raise if an option has no meaning for light curves written by chandelle.

        Raises
        ------
        InputError
            With the name of the option.
        """
        for field in fields(self):
            is_given = getattr(self, field.name) != field.default
            if is_given and field.name not in _FOR_PRODUCTS:
                raise InputError(
                    f"--{field.name.replace('_', '-')} is for files as they were published, "
                    f"{folder} holds light curves that were read before; leave it out"
                )


@Parameter(name="*", group=Group("Fit", sort_key=2))
@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How the light curves are fitted; what is given here goes before the settings file.

    Parameters
    ----------
    model
        Name of a SALT model, or its folder in sncosmo's layout; salt3-f22 if not given.
    model_cov
        Add the covariance of the SALT model.
    dust
        Dust law of the Milky Way; f99 if not given.
    r_v
        Its ratio of total to selective extinction; 3.1 if not given.
    phase_range
        Rest-frame days about maximum that are fitted, -inf inf for all; -15 45 if not given.
    wave_range
        Mean rest-frame wavelengths [angstrom] of the bands that are fitted; all if not given.
    c_max
        Bound of the absolute color, where --bounds gives none; 1 if not given.
    min_detection
        Least significance of a supernova [sigma]; 5 if not given.
    free
        Fit this too: z (its prior is the target's z_err), or host_ebv; repeat.
    bounds
        Bounds of a parameter (t0, x0, x1, c, z, host_ebv), NAME=LOW:HIGH as c=-0.5:0.5; repeat.
    priors
        Gaussian prior of a parameter, NAME=MEAN:SIGMA as x1=0:1; repeat.
    derivatives
        Add how the answers move with zero points, passbands and calibration modes.
    engine
        Compiled loops for the CPU, or JAX; JAX on a GPU, else the CPU if not given.
    threads
        Threads of the CPU engine; one a core if not given.
    config
        TOML file with any of these settings of the fit.
    block
        Supernovae in memory at a time, where light curves are a folder written by chandelle.
    """

    model: str | None = None
    model_cov: bool | None = None
    dust: Literal["f99", "ccm89", "o94"] | None = None
    r_v: float | None = None
    phase_range: tuple[float, float] | None = None
    wave_range: tuple[float, float] | None = None
    c_max: float | None = None
    min_detection: float | None = None
    free: Annotated[tuple[Literal["z", "host_ebv"], ...], _Quiet] = ()
    bounds: _Words = ()
    priors: _Words = ()
    derivatives: bool | None = None
    engine: Literal["auto", "cpu", "jax"] | None = None
    threads: int | None = None
    config: Path | None = None
    block: int = 4096

    def files(self) -> list[Path]:
        """Files that these options name."""
        return [] if self.config is None else [self.config]

    def settings(self) -> dict[str, Any]:
        """Settings of `fit_salt`.

        Raises
        ------
        InputError
            If an option has another form than its help says, or an impossible value.
        """
        from chandelle.cli.settings import settings_of
        from chandelle.lightcurve.stage import FitConfig

        if self.block < 1:
            raise InputError(f"--block {self.block}: expected 1 or more")
        same = ("model", "model_cov", "dust", "r_v", "phase_range", "wave_range", "c_max")
        others = ("min_detection", "derivatives", "engine", "threads")
        return settings_of(
            FitConfig,
            self.config,
            **{name: getattr(self, name) for name in (*same, *others)},
            free=self.free or None,
            bounds=named_pairs("--bounds", self.bounds, form="NAME=LOW:HIGH") or None,
            priors=named_pairs("--priors", self.priors, form="NAME=MEAN:SIGMA") or None,
        )
