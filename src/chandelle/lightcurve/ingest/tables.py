"""Tables of epochs, whatever they came as, brought to named numpy columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units
from astropy.table import Table
from astropy.time import Time
from astropy.utils.masked import Masked

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY

ALIASES: Mapping[str, tuple[str, ...]] = {
    "sn": ("sn", "target", "name", "snid", "ztfname", "object_id", "objid", "id", "cid"),
    "mjd": ("mjd", "time", "date", "jd", "mjdobs", "mjd_obs"),
    "band": ("band", "bandpass", "filter", "flt"),
    "flux": ("flux", "f"),
    "flux_err": ("flux_err", "fluxerr", "fe", "fluxerror", "flux_error"),
    "zp": ("zp", "zpt", "zeropoint", "zero_point", "zeropt"),
    "zpsys": ("zpsys", "zpmagsys", "magsys"),
    "exposure": ("exposure", "expid"),
}
"""Names under which a column is found, in order of preference; case is ignored."""

_REQUIRED = ("mjd", "band", "flux", "flux_err")
_REFUSED = {
    ".pkl": "a pickle can run code",
    ".pickle": "a pickle can run code",
    ".joblib": "a pickle can run code",
    ".npy": "a numpy file can hide a pickle",
    ".yaml": "YAML can run code",
    ".yml": "YAML can run code",
}
_CONFLICT_MAG = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Epochs as they were read: columns of one length, with what the table said of its target."""

    columns: dict[str, np.ndarray]
    meta: dict[str, Any] = field(default_factory=dict)
    label: str = "table"


def refuse_unsafe(path: Path) -> None:
    """Raise for a file whose format can run code."""
    why = _REFUSED.get(path.suffix.lower())
    if why:
        raise InputError(
            f"{path}: {path.suffix} is refused ({why}); write the table as Parquet, CSV or ECSV"
        )


def find_columns(names: list[str], aliases: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Map our column names to those of a table, by the aliases."""
    lower = {name.lower(): name for name in reversed(names)}
    found = {}
    for ours, theirs in aliases.items():
        hit = next((lower[alias] for alias in theirs if alias in lower), None)
        if hit is not None:
            found[ours] = hit
    return found


def load_file(path: Path) -> pd.DataFrame | Table:
    """Read Parquet, CSV or ECSV.

    Raises
    ------
    InputError
        If the file is absent, of a refused or unknown kind, or not what its name says.
    """
    refuse_unsafe(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    try:
        if suffix in {".parquet", ".pq"}:
            return pq.read_table(path).to_pandas()
        if suffix == ".csv":
            return pd.read_csv(path)
        if suffix == ".ecsv":
            return Table.read(path, format="ascii.ecsv")
    except (pa.ArrowInvalid, pd.errors.ParserError, ValueError) as error:
        raise InputError(f"{path}: expected {suffix[1:]}, {error}") from error
    raise InputError(
        f"{path}: expected .parquet, .csv, .ecsv or SNANA text, got {suffix or 'no suffix'!r}"
    )


def rows_of(table: pd.DataFrame | pa.Table | Table | Mapping[str, Any], *, label: str) -> Rows:
    """Bring one table to named columns.

    A flux with a physical unit is converted to nJy; a plain number needs a zero point.

    Raises
    ------
    InputError
        If a column is missing or its unit is unusable.
    """
    if isinstance(table, pa.Table):
        table = cast(pa.Table, table).to_pandas()
    if isinstance(table, pd.DataFrame):
        table = _flatten_index(table)
    names = [str(n) for n in (table.colnames if isinstance(table, Table) else table)]
    found = find_columns(names, ALIASES)
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        wanted = "; ".join(f"{name} (or {', '.join(ALIASES[name][1:])})" for name in missing)
        raise InputError(f"{label}: missing column {wanted}; found {', '.join(names)}")
    columns = {name: plain(table[found[name]]) for name in found if name != "mjd"}
    columns["mjd"] = _mjd(table[found["mjd"]], label=label, is_jd=found["mjd"].lower() == "jd")
    _convert_fluxes(columns, table, found, label=label)
    meta = dict(getattr(table, "meta", None) or {})
    return Rows(columns=columns, meta=meta, label=label)


def _flatten_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Make columns of a (target, observation) index; drop a plain row number."""
    if isinstance(frame.index, pd.MultiIndex):
        names = [
            str(name) if name is not None else ("target", "observation")[min(level, 1)]
            for level, name in enumerate(frame.index.names)
        ]
        if not find_columns(names, {"sn": ALIASES["sn"]}):
            names[0] = "target"
        frame = frame.copy()
        frame.index = frame.index.set_names(names)
        return frame.reset_index()
    if str(frame.index.name).lower() in ALIASES["sn"]:
        return frame.reset_index()
    return frame


def plain(column: Any) -> np.ndarray:
    """Give a column as a plain array: text decoded, masked numbers NaN, masked text empty."""
    if isinstance(column, np.ma.MaskedArray | Masked):
        masked = cast(Any, column)
        masked = masked.astype(float) if masked.dtype.kind in "iu" else masked
        column = masked.filled(np.nan if masked.dtype.kind == "f" else "")
    values = np.asarray(column)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8")
    if values.dtype.kind == "O":
        return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values], dtype=str)
    return values


def _numbers(values: np.ndarray, *, name: str, label: str) -> np.ndarray:
    try:
        return values.astype(float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{label}: column {name} must be numbers, {error}") from error


def _mjd(column: Any, *, label: str, is_jd: bool) -> np.ndarray:
    if isinstance(column, Time):
        return plain(column.mjd).astype(float)
    values = plain(column)
    if values.dtype.kind in "mM":
        raise InputError(f"{label}: times must be MJD numbers or an astropy Time, got dates")
    values = _numbers(values, name="mjd", label=label)
    good = values[np.isfinite(values)]
    are_jd = good > 2.4e6
    if are_jd.any() and not are_jd.all():
        raise InputError(
            f"{label}: {are_jd.sum()} of {len(good)} times are JD (> 2.4e6), the others MJD; "
            "bring them to one scale"
        )
    if (len(good) and are_jd.all()) or is_jd:
        return values - 2_400_000.5
    return values


def _convert_fluxes(columns: dict[str, np.ndarray], table: Any, found: dict, *, label: str) -> None:
    """Bring flux and flux_err to one unit in place, and give every row its zero point."""
    for name in ("flux", "flux_err"):
        columns[name] = _numbers(columns[name], name=name, label=label)
    unit, unit_err = (_unit(table[found[name]]) for name in ("flux", "flux_err"))
    if unit is None and unit_err is None:
        if "zp" not in columns:
            raise InputError(
                f"{label}: missing column zp (or {', '.join(ALIASES['zp'][1:])}), and the flux has "
                "no physical unit; add AB zero points, or give the flux as Jy, mJy or nJy"
            )
        columns["zp"] = _numbers(columns["zp"], name="zp", label=label)
        return
    if unit is None or unit_err is None:
        raise InputError(
            f"{label}: flux has unit {unit}, flux_err {unit_err}; give both a unit, or none"
        )
    factor, factor_err = unit.to(units.nJy), unit_err.to(units.nJy)
    if "zp" in columns:
        zp = _numbers(columns["zp"], name="zp", label=label)
        own = ZP_NJY - 2.5 * np.log10(factor)
        if np.any(np.abs(zp - own) > _CONFLICT_MAG):
            raise InputError(
                f"{label}: the flux is in {unit} (zero point {own:.3f}), the zp column says "
                f"{np.nanmin(zp):.3f} .. {np.nanmax(zp):.3f}; drop the one that is wrong"
            )
    columns["flux"] = columns["flux"] * factor
    columns["flux_err"] = columns["flux_err"] * factor_err
    columns["zp"] = np.full(len(columns["flux"]), ZP_NJY)


def _unit(column: Any) -> units.UnitBase | None:
    """Flux-density unit of a column; None for plain numbers and counts."""
    unit = getattr(column, "unit", None)
    if unit is None:
        return None
    unit = units.Unit(unit)
    if unit.is_equivalent(units.nJy):
        return unit
    if unit.is_equivalent(units.dimensionless_unscaled) or unit in (units.ct, units.electron):
        return None
    if unit.is_equivalent(units.ct) or unit.is_equivalent(units.adu):
        return None
    raise InputError(f"flux unit must be Jy, mJy, nJy ... or counts with zp, got {unit}")
