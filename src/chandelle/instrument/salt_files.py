"""SALT2 and SALT3 models as they lie on disk: the folder layout that sncosmo reads."""

import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chandelle.core.atomic import atomic_folder
from chandelle.core.errors import InputError

SHIPPED = ("salt3-f22",)
FLUX_SCALE = 1e-12
"""Unit of the templates: erg/s/cm2/angstrom for x0 = 1 is this times the files' numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Values on a grid of rest-frame phase [day] and wavelength [angstrom]."""

    phase: NDArray[np.float64]
    wave: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SaltFiles:
    """Content of a SALT model folder, in physical units.

    Attributes
    ----------
    name : str
        Name of the model or of its folder.
    kind : {"salt2", "salt3"}
        Decides what the variances mean: relative to M0 (salt2) or absolute (salt3).
    m0, m1 : Grid, erg/s/cm2/angstrom
        Templates, on one grid.
    variance_0, variance_1, covariance_01 : Grid
        Model variance of the templates: dimensionless (salt2) or flux squared (salt3).
    error_scale : Grid or None
        Factor on the model error (salt2 only).
    color_law : NDArray, shape (coefficient,)
        Coefficients of the color law.
    color_law_range : tuple of float, angstrom
        Where the polynomial holds; linear outside.
    color_dispersion : NDArray, shape (2, wave)
        Wavelength [angstrom] and dispersion [relative flux].
    """

    name: str
    kind: Literal["salt2", "salt3"]
    m0: Grid
    m1: Grid
    variance_0: Grid
    variance_1: Grid
    covariance_01: Grid
    error_scale: Grid | None
    color_law: NDArray[np.float64]
    color_law_range: tuple[float, float]
    color_dispersion: NDArray[np.float64]


def read_salt(name_or_directory: str | Path) -> SaltFiles:
    """Read a SALT model: a shipped one by name, or any folder in sncosmo's layout.

    Parameters
    ----------
    name_or_directory : str or Path
        ``"salt3-f22"``, or a folder with ``salt2_template_0.dat`` or ``salt3_template_0.dat`` and
        the other files of the model.

    Returns
    -------
    SaltFiles
        The numbers of the files in physical units.

    Raises
    ------
    InputError
        If the name is unknown, a file is missing or malformed; the message names the file.

    Examples
    --------
    >>> read_salt("salt3-f22").m0.values.shape
    (71, 901)
    """
    if str(name_or_directory) in SHIPPED:
        return _shipped(str(name_or_directory))
    folder = Path(name_or_directory)
    if not folder.is_dir():
        raise InputError(
            f"no SALT model {str(name_or_directory)!r}: expected one of {', '.join(SHIPPED)} or a "
            "folder with salt2_template_0.dat or salt3_template_0.dat"
        )
    for kind in ("salt3", "salt2"):
        if (folder / f"{kind}_template_0.dat").is_file():
            return _read_folder(folder, kind)
    raise InputError(f"{folder}: neither salt2_template_0.dat nor salt3_template_0.dat is there")


def write_salt(model: SaltFiles, folder: str | Path) -> None:
    """Write a SALT model as the folder that sncosmo and saltjax read, and `read_salt`.

    Parameters
    ----------
    model : SaltFiles
        What `read_salt` gave.
    folder : str or Path
        Holds text files of the model afterwards, and nothing else.

    Raises
    ------
    InputError
        If the folder holds other things.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_salt(read_salt("salt3-f22"), folder)
    ...     read_salt(folder).m0.values.shape
    (71, 901)
    """
    word, scale = _variances_of(model.kind)
    grids = {
        "template_0": (model.m0, FLUX_SCALE),
        "template_1": (model.m1, FLUX_SCALE),
        f"lc_{word}variance_0": (model.variance_0, scale),
        f"lc_{word}variance_1": (model.variance_1, scale),
        f"lc_{word}covariance_01": (model.covariance_01, scale),
    }
    if model.error_scale is not None:
        grids["lc_dispersion_scaling"] = (model.error_scale, 1.0)
    low, high = model.color_law_range
    law = [str(len(model.color_law)), *(f"{a:.17g}" for a in model.color_law)]
    law += ["Salt2ExtinctionLaw.version 1"]
    law += [f"Salt2ExtinctionLaw.min_lambda {low:.17g}"]
    law += [f"Salt2ExtinctionLaw.max_lambda {high:.17g}"]
    with atomic_folder(folder) as new:
        for name, (grid, unit) in grids.items():
            phase, wave = np.meshgrid(grid.phase, grid.wave, indexing="ij")
            columns = [phase.ravel(), wave.ravel(), grid.values.ravel() / unit]
            np.savetxt(new / f"{model.kind}_{name}.dat", np.column_stack(columns), fmt="%.17g")
        dispersion = new / f"{model.kind}_color_dispersion.dat"
        np.savetxt(dispersion, model.color_dispersion.T, fmt="%.17g")
        text = "\n".join(law) + "\n"
        (new / f"{model.kind}_color_correction.dat").write_text(text, encoding="utf-8")


def _variances_of(kind: Literal["salt2", "salt3"]) -> tuple[str, float]:
    """Word in the names of the files of variances, and the unit of their numbers."""
    return ("relative_", 1.0) if kind == "salt2" else ("", FLUX_SCALE**2)


@cache
def _shipped(name: str) -> SaltFiles:
    with (files("chandelle.instrument") / "data" / f"{name}.npz").open("rb") as file:
        arrays = dict(np.load(io.BytesIO(file.read()), allow_pickle=False))

    def grid(key: str, scale: float) -> Grid:
        return Grid(phase=arrays["phase"], wave=arrays["wave"], values=arrays[key] * scale)

    low, high = arrays["color_law_range"].tolist()
    return SaltFiles(
        name=name,
        kind="salt3",
        m0=grid("template_0", FLUX_SCALE),
        m1=grid("template_1", FLUX_SCALE),
        variance_0=grid("lc_variance_0", FLUX_SCALE**2),
        variance_1=grid("lc_variance_1", FLUX_SCALE**2),
        covariance_01=grid("lc_covariance_01", FLUX_SCALE**2),
        error_scale=None,
        color_law=arrays["color_law"],
        color_law_range=(low, high),
        color_dispersion=np.ascontiguousarray(arrays["color_dispersion"].T),
    )


def _read_folder(folder: Path, kind: Literal["salt2", "salt3"]) -> SaltFiles:
    word, scale = _variances_of(kind)
    m0 = _read_grid(folder / f"{kind}_template_0.dat", FLUX_SCALE)
    m1 = _read_grid(folder / f"{kind}_template_1.dat", FLUX_SCALE)
    if not (np.array_equal(m0.phase, m1.phase) and np.array_equal(m0.wave, m1.wave)):
        raise InputError(
            f"{folder / f'{kind}_template_1.dat'}: its grid {m1.values.shape} must be that of "
            f"{kind}_template_0.dat {m0.values.shape}; resample it"
        )
    error_scale = None
    if kind == "salt2":
        error_scale = _read_grid(folder / "salt2_lc_dispersion_scaling.dat", 1.0)
    color_law, color_law_range = _read_color_law(folder / f"{kind}_color_correction.dat")
    return SaltFiles(
        name=folder.name,
        kind=kind,
        m0=m0,
        m1=m1,
        variance_0=_read_grid(folder / f"{kind}_lc_{word}variance_0.dat", scale),
        variance_1=_read_grid(folder / f"{kind}_lc_{word}variance_1.dat", scale),
        covariance_01=_read_grid(folder / f"{kind}_lc_{word}covariance_01.dat", scale),
        error_scale=error_scale,
        color_law=color_law,
        color_law_range=color_law_range,
        color_dispersion=_read_columns(folder / f"{kind}_color_dispersion.dat", 2),
    )


def _read_columns(path: Path, count: int) -> NDArray[np.float64]:
    if not path.is_file():
        raise InputError(f"{path}: missing; a SALT folder must hold it")
    try:
        columns = np.loadtxt(path, unpack=True, ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: expected {count} columns of numbers; {error}") from error
    if columns.shape[0] != count or not np.isfinite(columns).all():
        raise InputError(f"{path}: expected {count} finite columns, got {columns.shape[0]}")
    return columns


def _read_grid(path: Path, scale: float) -> Grid:
    """Read lines of phase, wavelength, value; the phase varies slowest."""
    phase, wave, values = _read_columns(path, 3)
    later = phase != phase[0]
    n_wave = int(np.argmax(later)) if later.any() else len(phase)
    n_phase = len(phase) // n_wave
    phases, waves = phase[::n_wave], wave[:n_wave]
    regular = (
        n_phase * n_wave == len(phase)
        and np.array_equal(phase, np.repeat(phases, n_wave))
        and np.array_equal(wave, np.tile(waves, n_phase))
    )
    if not regular or min(n_phase, n_wave) < 4:
        raise InputError(
            f"{path}: expected a full grid of at least 4 phases by 4 wavelengths, each phase with "
            f"the same wavelengths; got {len(phase)} lines, {n_wave} of them at the first phase"
        )
    if not ((np.diff(phases) > 0).all() and (np.diff(waves) > 0).all()):
        raise InputError(f"{path}: phases and wavelengths must increase")
    return Grid(phase=phases, wave=waves, values=values.reshape(n_phase, n_wave) * scale)


def _read_color_law(path: Path) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Read the number of coefficients, the coefficients, then pairs of keyword and value."""
    if not path.is_file():
        raise InputError(f"{path}: missing; a SALT folder must hold it")
    words = path.read_text(encoding="utf-8").split()
    try:
        count = int(words[0])
        coefficients = np.array([float(word) for word in words[1 : count + 1]])
        rest = words[count + 1 :]
        settings = {
            key.removeprefix("Salt2ExtinctionLaw."): float(value)
            for key, value in zip(rest[::2], rest[1::2], strict=True)
        }
    except (IndexError, ValueError) as error:
        raise InputError(f"{path}: expected count, coefficients, keywords; {error}") from error
    unknown = set(settings) - {"version", "min_lambda", "max_lambda"}
    if unknown or len(coefficients) != count:
        raise InputError(f"{path}: {count} coefficients expected, unknown words {sorted(unknown)}")
    if settings.get("version") != 1:
        raise InputError(
            f"{path}: only Salt2ExtinctionLaw.version 1 is known, got {settings.get('version')}"
        )
    return coefficients, (settings.get("min_lambda", 3000.0), settings.get("max_lambda", 7000.0))
