"""Files of passbands that depend on the position: tables, snfit's folders, HDF5 of sncosmo."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from astropy.table import Table
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.products.passband_family import AXES, WAVE_STEP, Curve, PassbandFamily

_COMMON_CARDS = ("MIRROR_REFLECTIVITY", "OPTICS_TRANS", "QE", "ATMOSPHERIC_TRANS")


def read_passband_family(
    path: str | Path, *, name: str | None = None, band: str | None = None, step: float | None = None
) -> PassbandFamily:
    """Read the passbands of one filter over the focal plane.

    Parameters
    ----------
    path : str or Path
        A table (Parquet, CSV or ECSV) with a row a position and wavelength: columns `wave`
        [angstrom], `transmission` and one or more of `sensor`, `radius`, `x_fp` and `y_fp`, as
        `PassbandFamily.write` makes it; a folder in the layout of snfit (``instrument.cards`` with
        RADIALLY_VARIABLE_FILTERS, megacampsf for one); or an HDF5 file of sncosmo's (ZTF, MegaCam,
        HSC; needs h5py), positions in its filter frame.
    name : str, optional
        What the light curves call the filter; by default the table's own, or stem and band.
    band : str, optional
        Which filter of a folder or an HDF5 file.
    step : float, optional
        How finely positions are told apart [angstrom], `PassbandFamily.step`.

    Returns
    -------
    PassbandFamily
        All that multiplies the filter's transmission is in it.

    Raises
    ------
    InputError
        If the file is absent or of another layout, or has no such band.
    """
    path = Path(path)
    fine = WAVE_STEP if step is None else step
    if path.is_dir():
        return _read_snfit(path, name=name, band=band, step=fine)
    if not path.is_file():
        raise InputError(f"{path}: no such file of passbands")
    if path.suffix.lower() in {".hdf5", ".h5"}:
        return _read_hdf5(path, name=name, band=band, step=fine)
    return _read_table(path, name=name, step=step)


def _read_table(path: Path, *, name: str | None, step: float | None) -> PassbandFamily:
    """Read a table of a row a position and wavelength."""
    columns, said = _load(path)
    axes = tuple(axis for axis in AXES if axis in columns)
    missing = [column for column in ("wave", "transmission") if column not in columns]
    if missing or not axes:
        raise InputError(
            f"{path}: expected columns wave [angstrom], transmission and a position "
            f"({', '.join(AXES)}), found {', '.join(columns)}"
        )
    try:
        values = {key: np.asarray(columns[key], dtype=float) for key in columns}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: columns must be numbers, {error}") from error
    places = np.stack([values[axis] for axis in axes], axis=1)
    different, index = np.unique(places, axis=0, return_inverse=True)
    curves = {}
    for k, place in enumerate(different.tolist()):
        rows = np.flatnonzero(index.ravel() == k)
        rows = rows[np.argsort(values["wave"][rows], kind="stable")]
        curves[tuple(place)] = (values["wave"][rows], values["transmission"][rows])
    return PassbandFamily.from_curves(
        name or said.get("name") or path.stem,
        curves,
        axes=axes,
        unit=said.get("unit", ""),
        step=float(said.get("step", WAVE_STEP)) if step is None else step,
        source=said.get("source") or str(path),
    )


def _load(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Columns of a table, and what it says of itself."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".ecsv":
            table = Table.read(path, format="ascii.ecsv")
            meta = {str(key): str(value) for key, value in table.meta.items()}
            wanted = [n for n in (*AXES, "wave", "transmission") if n in table.colnames]
            return {n: np.asarray(table[n]) for n in wanted}, meta
        if suffix in {".parquet", ".pq"}:
            arrow = pq.read_table(path)
        elif suffix == ".csv":
            arrow = pacsv.read_csv(path)
        else:
            raise InputError(
                f"{path}: passbands by position are read from .parquet, .csv, .ecsv or .hdf5, or "
                "from a folder of snfit's; a single curve by read_passband"
            )
    except (pa.ArrowInvalid, ValueError) as error:
        raise InputError(f"{path}: expected {suffix[1:]}, {error}") from error
    meta = {k.decode(): v.decode() for k, v in (arrow.schema.metadata or {}).items()}
    wanted = [n for n in (*AXES, "wave", "transmission") if n in arrow.column_names]
    return {n: arrow[n].to_numpy() for n in wanted}, meta


def _read_snfit(folder: Path, *, name: str | None, band: str | None, step: float) -> PassbandFamily:
    """Read a folder of snfit's with radially variable filters."""
    cards = _cards(folder / "instrument.cards")
    if "RADIALLY_VARIABLE_FILTERS" not in cards:
        raise InputError(
            f"{folder}: instrument.cards has no RADIALLY_VARIABLE_FILTERS; a filter without them "
            "is one curve, read_passband"
        )
    wheel: dict[str, list[str]] = {}
    for words in _lines(folder / cards["RADIALLY_VARIABLE_FILTERS"]):
        wheel.setdefault(words[0], []).append(words[-1])
    own = _chosen(band, wheel, where=str(folder))
    common: list[Curve] = []
    factor = 1.0
    for card in _COMMON_CARDS:
        try:
            factor *= float(cards.get(card, "1"))
        except ValueError:
            common.append(_curve(folder / cards[card]))
    if "CHROMATIC_CORRECTIONS" in cards:
        rows = _lines(folder / cards["CHROMATIC_CORRECTIONS"])
        common += [_curve(folder / words[-1]) for words in rows if words[0] == own]
    curves, unit = {}, ""
    for file in wheel[own]:
        radius, unit = _measurement_radius(folder / file)
        wave, transmission = _curve(folder / file)
        curves[(radius,)] = (wave, factor * transmission)
    return PassbandFamily.from_curves(
        name or f"{folder.name}_{own}",
        curves,
        common=common,
        unit=unit,
        step=step,
        source=f"{folder} {own}",
    )


def _cards(path: Path) -> dict[str, str]:
    """``@KEY value`` lines of a file of snfit's."""
    return {words[0][1:]: words[1] for words in _lines(path) if words[0].startswith("@")}


def _measurement_radius(path: Path) -> tuple[float, str]:
    """Radius at which a filter was measured, and its unit."""
    for words in _lines(path):
        if words[0] == "@MEASUREMENT_RADIUS" and len(words) > 1:
            return float(words[1]), words[2] if len(words) > 2 else ""
    raise InputError(f"{path}: expected a line '@MEASUREMENT_RADIUS 12 cm'")


def _curve(path: Path) -> Curve:
    """Wavelength and transmission of a text file; its headers are passed over."""
    rows = []
    for words in _lines(path):
        try:
            rows.append([float(word) for word in words[:2]])
        except ValueError:
            continue
    pairs = [row for row in rows if len(row) == 2]
    if len(pairs) < 2:
        raise InputError(f"{path}: expected two columns, wave [angstrom] and transmission")
    wave, transmission = np.array(pairs).T
    return wave, transmission


def _lines(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file, which the folder's cards name")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.split("#")[0].split() for line in lines if line.split("#")[0].strip()]


def _chosen(band: str | None, known: Mapping[str, Any], *, where: str) -> str:
    if band is None or band not in known:
        raise InputError(f"{where}: band must be one of {', '.join(sorted(known))}, got {band}")
    return band


def _read_hdf5(path: Path, *, name: str | None, band: str | None, step: float) -> PassbandFamily:
    """Read an HDF5 file of sncosmo's general interpolator."""
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path}: reading HDF5 needs h5py, pip install h5py") from error
    with h5py.File(path) as file:
        content: Any = file
        if "bandpasses" not in content:
            raise InputError(f"{path}: expected groups bandpasses and static, found {list(file)}")
        own = _chosen(band, dict(content["bandpasses"]), where=str(path))
        group = {key: _floats(part) for key, part in content["bandpasses"][own].items()}
        common = [_pair(part) for part in dict(content.get("static", {})).values()]
        quantum = {int(key): _pair(part) for key, part in dict(content.get("qe/map", {})).items()}
    is_radial = "radii" in group
    axes = ("radius",) if is_radial else ("x_fp", "y_fp")
    wave, nodes = group["wave"], [group[key] for key in (("radii",) if is_radial else ("X", "Y"))]
    places = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, len(axes)).tolist()
    table = group["trans"].reshape(len(places), len(wave))
    curves = {tuple(place): (wave, row) for place, row in zip(places, table, strict=True)}
    if quantum:
        axes = ("sensor", *axes)
        curves = {
            (float(sensor), *place): (wave, row * np.interp(wave, *curve, left=0.0, right=0.0))
            for sensor, curve in quantum.items()
            for place, (_, row) in curves.items()
        }
    return PassbandFamily.from_curves(
        name or f"{path.stem}_{own}",
        curves,
        axes=axes,
        common=common,
        unit="mm",
        step=step,
        source=f"{path} {own}",
    )


def _floats(part: Any) -> NDArray[np.float64]:
    """Content of a data set of HDF5."""
    return np.asarray(part[...], dtype=np.float64)


def _pair(part: Any) -> Curve:
    """Wavelength and transmission of a data set of two columns."""
    wave, transmission = _floats(part).T
    return wave, transmission
