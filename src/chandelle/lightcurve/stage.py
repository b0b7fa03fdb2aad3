"""Fit SALT to light curves: settings and the public entry."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.lightcurve.derivative_columns import add_derivatives, add_unknown_derivatives
from chandelle.lightcurve.fitting.compiled.driver import fit_compiled
from chandelle.lightcurve.fitting.constraints import SALT_NAMES, Constraints, constraints_of
from chandelle.lightcurve.fitting.extended import fit_extended
from chandelle.lightcurve.fitting.lanes import fit_lanes
from chandelle.lightcurve.fitting.prepare import prepare
from chandelle.lightcurve.fitting.problem import FitProblem, FitSettings, problem_of
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.lightcurve.ingest import Source, read_lightcurves
from chandelle.lightcurve.output import blank_columns, fill_columns, product_of
from chandelle.physics.dust import DustLaw
from chandelle.physics.salt import SaltModel, load_salt, peak_magnitude_offset
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

PHASE_RANGE = (-15.0, 45.0)
"""Phases that are fitted unless said otherwise, those of Pantheon+ [rest-frame day]."""
_HELD_Z_ERR = 1e-5
Engine = Literal["auto", "cpu", "jax"]
Free = Literal["z", "host_ebv"]
Pair = tuple[Any, Any]


def _as_tuple(names: Any) -> Any:
    return (names,) if isinstance(names, str) else names


class FitConfig(StageConfig):
    """Settings of the light-curve fit."""

    model: str = "salt3-f22"
    model_cov: bool = False
    dust: DustLaw = "f99"
    r_v: float = Field(default=3.1, gt=0)
    phase_range: tuple[float, float] | None = PHASE_RANGE
    wave_range: tuple[float, float] | None = None
    c_max: float = Field(default=1.0, gt=0)
    min_detection: float = Field(default=5.0, ge=0)
    free: Annotated[tuple[Free, ...], BeforeValidator(_as_tuple)] = ()
    bounds: dict[str, tuple[float, float]] = Field(default_factory=dict)
    priors: dict[str, tuple[float, float]] = Field(default_factory=dict)
    derivatives: bool = False
    engine: Engine = "auto"
    threads: int | None = Field(default=None, ge=1)


def fit_salt(
    lcs: Source,
    *,
    model: str | SaltModel = "salt3-f22",
    model_cov: bool = False,
    dust: DustLaw = "f99",
    r_v: float = 3.1,
    phase_range: tuple[float, float] | None = PHASE_RANGE,
    wave_range: tuple[float, float] | None = None,
    c_max: float = 1.0,
    min_detection: float = 5.0,
    free: Free | tuple[Free, ...] = (),
    bounds: Mapping[str, Pair] | None = None,
    priors: Mapping[str, Pair] | None = None,
    derivatives: bool = False,
    engine: Engine = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SaltFits:
    r"""Fit time of maximum, amplitude, stretch and color of every target.

    Minimizes :math:`\chi^2 = r^T C^{-1} r` over (t0, x0, x1, c) at the target's `z_hel` and
    `mwebv`, from several times of maximum, to the exact minimum; errors are those of the inverse
    Hessian, and of a parameter at its bound the width of what falls off from there. C is the whole
    covariance of the light curves' fluxes, `LightCurves.with_covariance`. Outside the model's
    phases its flux is zero; bands that leave its wavelengths are dropped.

    Parameters
    ----------
    lcs : LightCurves, or anything `read_lightcurves` takes
        Light curves with their targets. An unknown mwebv counts as zero, an unknown z_hd is z_cmb.
    model : str or SaltModel
        Name or folder of a model, or a loaded one.
    model_cov : bool
        Add the model's covariance, taken at the answer before and refitted until at rest.
    dust : {"f99", "ccm89", "o94"}
        Dust law of the Milky Way.
    r_v : float
        Its ratio of total to selective extinction.
    phase_range : (float, float) or None
        Fit only epochs within these rest-frame days about the fitted maximum; by default where
        SALT is well known. None fits all: an epoch outside the model's phases then counts as one
        without flux, as in sncosmo, and late epochs distort the fit.
    wave_range : (float, float), optional
        Fit only bands whose mean rest-frame wavelength [angstrom] lies within.
    c_max : float
        Bound of the absolute color, where `bounds` gives none.
    min_detection : float
        Least significance of the supernova as a whole, in sigma: chi2 must fall by its square.
    free : "z", "host_ebv" or a tuple of them
        What is fitted besides: the redshift, and E(B-V) of dust in the host (same law and ratio).
        A free redshift has the target's `z_hel` and `z_err` as its prior unless `priors` gives one,
        whose mean then stands for a `z_hel` that is not known. These fits run in JAX alone.
    bounds : mapping of str to (low, high), optional
        By parameter: t0, x0, x1, c, z, host_ebv; numbers, or arrays of one value a target.
    priors : mapping of str to (mean, sigma), optional
        Gaussian priors, likewise.
    derivatives : bool
        Add how t0, x0, x1, c and what `free` adds move with zero points, shifts of the passbands
        and the calibration modes of the light curves: columns `dtheta_dzp`, `dtheta_dlambda` and
        `dtheta_dmode`, which `SaltFits.derivative` gives by band or mode. A parameter that its
        bound holds does not move.
    engine : {"auto", "cpu", "jax"}
        Compiled loops for the CPU, or JAX; auto takes JAX where its device is a GPU or `free` is
        given.
    threads : int, optional
        Threads of the CPU engine; one a core by default.
    progress : callable, optional
        Called with the number of targets done and their total.

    Returns
    -------
    SaltFits
        One row a target in the order of the targets, `flags` with those of `quality_flags`.
        `status` is "ok", or z_invalid, mwebv_invalid, covariance_invalid, no_data,
        no_band_in_range, underconstrained, bounds_exclude_data, no_detection, not_converged or
        singular_covariance; parameters are then NaN.

    Raises
    ------
    InputError
        If a setting or the light curves are unusable as a whole.

    References
    ----------
    J. Guy et al., 2007, A&A 466, 11. M. Betoule et al., 2014, A&A 568, A22.
    """
    require_x64()
    config = config_of(
        "fit_salt",
        model=model,
        bounds=bounds,
        priors=priors,
        model_cov=model_cov,
        dust=dust,
        r_v=r_v,
        phase_range=phase_range,
        wave_range=wave_range,
        c_max=c_max,
        min_detection=min_detection,
        free=free,
        derivatives=derivatives,
        engine=engine,
        threads=threads,
    )
    lcs = read_lightcurves(lcs)
    plan = plan_of(config, lcs.targets, model=model, bounds=bounds, priors=priors)
    report = Progress(progress, len(lcs.targets))
    return fit_planned(plan, lcs, np.arange(len(lcs.targets)), report=report)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitPlan:
    """How all targets of a set are fitted, be it at once or in blocks.

    Attributes
    ----------
    config : FitConfig
        Settings.
    salt : SaltModel
        The model.
    constraints : Constraints
        Bounds and priors of all targets.
    c_max : float
        Largest absolute color that the bounds allow.
    """

    config: FitConfig
    salt: SaltModel
    constraints: Constraints
    c_max: float


def config_of(
    where: str,
    *,
    model: str | SaltModel = "salt3-f22",
    bounds: Mapping[str, Pair] | None = None,
    priors: Mapping[str, Pair] | None = None,
    **settings: Any,
) -> FitConfig:
    """Check the settings that were given to the function `where`; arrays are not recorded."""
    plain = {"bounds": _scalars(bounds), "priors": _scalars(priors)}
    return FitConfig.of(where, model=_name_of(model), **plain, **settings)


def plan_of(
    config: FitConfig,
    targets: Targets,
    *,
    model: str | SaltModel,
    bounds: Mapping[str, Pair] | None,
    priors: Mapping[str, Pair] | None,
) -> FitPlan:
    """Get ready to fit a set of targets.

    Parameters
    ----------
    config : FitConfig
        What `config_of` returned.
    targets : Targets
        All of the set.
    model, bounds, priors
        As `fit_salt` takes them.

    Returns
    -------
    FitPlan
        For `fit_planned`.

    Raises
    ------
    InputError
        If a setting is impossible.
    """
    _check(config, targets)
    salt = load_salt(model) if isinstance(model, str) else model
    constraints = _constraints(config, targets, bounds or {}, priors or {})
    c_max = np.abs([constraints.low[:, 3], constraints.high[:, 3]]).max(initial=config.c_max)
    return FitPlan(config=config, salt=salt, constraints=constraints, c_max=float(c_max))


def fit_planned(
    plan: FitPlan, lcs: LightCurves, rows: NDArray[np.int64], *, report: "Progress"
) -> SaltFits:
    """Fit some of the targets of a plan.

    Parameters
    ----------
    plan : FitPlan
        What `plan_of` returned.
    lcs : LightCurves
        Light curves of these targets, no others.
    rows : NDArray, shape (target,)
        Their rows among the targets of the plan.
    report : Progress
        Is told how many are done.

    Returns
    -------
    SaltFits
        One row a target of `lcs`.
    """
    config, salt = plan.config, plan.salt
    constraints = plan.constraints.take(rows)
    ready = prepare(lcs, salt, wave_range=config.wave_range, constraints=constraints)
    columns = blank_columns(lcs, ready, names=constraints.names)
    settings = FitSettings(
        model_cov=config.model_cov,
        dust=config.dust,
        r_v=config.r_v,
        phase_range=config.phase_range,
        c_max=plan.c_max,
    )
    posed = problem_of(ready, salt, constraints=constraints, settings=settings)
    done = report.done
    if posed is not None:
        problem, fitted = posed
        result = _run(problem, config, report)
        fill_columns(columns, problem, fitted, result, min_detection=config.min_detection)
        if config.derivatives:
            add_derivatives(columns, problem, fitted, result, lcs, threads=config.threads)
    elif config.derivatives:
        add_unknown_derivatives(columns, lcs, constraints.names)
    report(len(lcs.targets) - (report.done - done))
    return product_of(columns, lcs, config.record(), mb_offset=peak_magnitude_offset(salt))


class Progress:
    """Targets done, told to whoever wants to know."""

    def __init__(self, show: Callable[[int, int], None] | None, total: int) -> None:
        self.show, self.done, self.total = show, 0, total

    def __call__(self, count: int) -> None:
        """Count more targets as done."""
        self.done += count
        if self.show is not None and count:
            self.show(self.done, self.total)


def _run(problem: FitProblem, config: FitConfig, progress: Callable[[int], None]) -> FitArrays:
    """Fit with the engine that is wanted and able."""
    if len(problem.constraints.names) > len(SALT_NAMES):
        return fit_extended(problem, progress=progress)
    is_gpu = config.engine == "auto" and jax.default_backend() != "cpu"
    if config.engine == "jax" or is_gpu:
        return fit_lanes(problem, progress=progress)
    return fit_compiled(problem, threads=config.threads, progress=progress)


def _constraints(
    config: FitConfig, targets: Targets, bounds: Mapping[str, Pair], priors: Mapping[str, Pair]
) -> Constraints:
    """Bounds and priors of every target; a free redshift without a prior of its own has z_err."""
    if "z" in config.free and "z" not in priors:
        z_err = targets["z_err"]
        exact = int((z_err <= 0).sum())
        if exact:
            _log.warning("z is free and %d targets have a z_err of zero: it is held", exact)
        priors = {**priors, "z": (targets["z_hel"], np.where(z_err <= 0, _HELD_Z_ERR, z_err))}
        without = int((~np.isfinite(targets["z_err"])).sum())
        if without:
            _log.warning("z is free and %d targets have no z_err: they get no prior", without)
    return constraints_of(
        len(targets), extra=config.free, c_max=config.c_max, bounds=bounds, priors=priors
    )


def _name_of(model: str | SaltModel) -> str:
    """What finds the model again: its name, or the whole path of its folder."""
    if not isinstance(model, str):
        return model.name
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def _scalars(given: Mapping[str, Pair] | None) -> dict[str, Pair]:
    """What of bounds or priors is plain numbers, for the record."""
    return {name: pair for name, pair in (given or {}).items() if not any(map(np.ndim, pair))}


def _check(config: FitConfig, targets: Targets) -> None:
    for name in ("phase_range", "wave_range"):
        limits = getattr(config, name)
        if limits is not None and not limits[0] < limits[1]:
            raise InputError(f"{name} must be (low, high) with low < high, got {limits}")
    if len(set(config.free)) < len(config.free):
        raise InputError(f"free names a parameter twice: {', '.join(config.free)}")
    if config.free and config.engine == "cpu":
        raise InputError('free parameters are fitted by JAX alone; leave out engine="cpu"')
    without_dust = int(np.isnan(targets["mwebv"]).sum())
    if without_dust:
        _log.warning(
            "mwebv of %d targets is unknown and counts as zero; they are flagged", without_dust
        )
