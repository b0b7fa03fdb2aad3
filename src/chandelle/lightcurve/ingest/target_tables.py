"""Targets from whatever table they came as, or from the light-curve table itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from astropy.table import Table
from astropy.utils.masked import Masked

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.tables import ALIASES, Rows, find_columns, load_file, plain
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

TARGET_ALIASES: Mapping[str, tuple[str, ...]] = {
    "sn": ALIASES["sn"],
    "ra": ("ra",),
    "dec": ("dec", "decl"),
    "z_hel": ("z_hel", "zhel", "z_helio", "z", "redshift", "redshift_helio"),
    "z_cmb": ("z_cmb", "zcmb", "redshift_cmb"),
    "z_hd": ("z_hd", "zhd"),
    "z_err": ("z_err", "zerr", "redshift_err", "zhelerr"),
    "vpec": ("vpec",),
    "mwebv": ("mwebv", "ebv", "mw_ebv"),
    "class": ("class", "type", "classification"),
    "survey": ("survey",),
    "host_logmass": ("host_logmass", "globalmass", "hostgal_logmass"),
    "host_logmass_err": ("host_logmass_err", "globalmass_err", "hostgal_logmass_err"),
}
"""Names under which what is known of a target is found; case is ignored."""

_TEXT = ("sn", "class", "survey")
_SENTINELS = (-9.0, -99.0, -999.0, -9999.0)
_NEVER_SENTINEL = ("dec", "vpec")


def targets_from(source: "Targets | str | Path | pd.DataFrame | Table") -> Targets:
    """Read targets from a product, a file (Parquet, CSV, ECSV), a DataFrame or an astropy Table.

    Sentinels (-9, -99, -999) become NaN.

    Parameters
    ----------
    source : Targets, path, DataFrame or Table
        One row a target, with its name and heliocentric redshift (`z` or `z_hel`).

    Returns
    -------
    Targets
        In the order of the source.

    Raises
    ------
    InputError
        If the name or the redshift is missing.
    """
    if isinstance(source, Targets):
        return source
    label = "targets"
    if isinstance(source, str | Path):
        label = str(source)
        if Path(source).suffix == ".parquet":
            table = Targets.read(source)
            return table if _is_clean(table) else _build(table.to_pandas(), label, table.meta)
        source = load_file(Path(source))
    frame = cast(pd.DataFrame, source.to_pandas() if isinstance(source, Table) else source)
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    return _build(frame, label, Meta())


def _is_clean(targets: Targets) -> bool:
    numbers = [name for name in TARGET_ALIASES if name not in (*_TEXT, *_NEVER_SENTINEL)]
    return not any(np.isin(targets[name], _SENTINELS).any() for name in numbers)


def _build(frame: pd.DataFrame, label: str, meta: Meta) -> Targets:
    found = find_columns([str(name) for name in frame.columns], TARGET_ALIASES)
    missing = [name for name in ("sn", "z_hel") if name not in found]
    if missing:
        raise InputError(
            f"{label}: missing column "
            + "; ".join(f"{name} (or {', '.join(TARGET_ALIASES[name][1:])})" for name in missing)
            + f"; found {', '.join(map(str, frame.columns))}"
        )
    columns: dict[str, Sequence | np.ndarray] = {
        name: _column(name, frame[theirs].to_numpy()) for name, theirs in found.items()
    }
    return Targets(table=table_from_columns(columns), meta=meta)


def _column(name: str, values: np.ndarray) -> np.ndarray:
    if name in _TEXT:
        return np.array(["" if pd.isna(value) else str(value) for value in values], dtype=str)
    numbers = np.asarray(pd.to_numeric(pd.Series(values), errors="coerce"), dtype=float)
    if name in _NEVER_SENTINEL:
        return numbers
    return np.where(np.isin(numbers, _SENTINELS), np.nan, numbers)


def names_of(rows: Rows) -> np.ndarray:
    """Name of the target of each row; a table without one is a single supernova."""
    if "sn" in rows.columns:
        return rows.columns["sn"].astype(str)
    meta = {str(key).lower(): value for key, value in rows.meta.items()}
    name = next((str(meta[key]) for key in ALIASES["sn"] if key in meta), "sn")
    return np.full(len(rows.columns["mjd"]), name)


def targets_of_rows(rows: Rows, extra: Mapping[str, Any] | None = None) -> Targets:
    """Targets as far as the light-curve table knows them: its own columns, or its meta.

    Parameters
    ----------
    rows : Rows
        Epochs with their names in column `sn`.
    extra : mapping, optional
        Columns of the whole table (per epoch) from which z, mwebv ... are taken.

    Returns
    -------
    Targets
        In the order of first appearance; an unknown redshift is NaN.
    """
    names, first, owner = np.unique(rows.columns["sn"], return_index=True, return_inverse=True)
    order = np.argsort(first)
    columns: dict[str, Sequence | np.ndarray] = {
        "sn": names[order],
        "z_hel": np.full(len(names), np.nan),
    }
    meta = {str(key).lower(): value for key, value in rows.meta.items()}
    for name, aliases in TARGET_ALIASES.items():
        if name == "sn":
            continue
        hit = next((meta[alias] for alias in aliases if alias in meta), None)
        if hit is not None and np.ndim(hit) == 0:
            columns[name] = _column(name, np.full(len(names), hit))
        elif extra is not None and name in extra:
            values = extra[name]
            is_masked = isinstance(values, np.ma.MaskedArray | Masked)
            values = _column(name, plain(values) if is_masked else np.asarray(values))
            _refuse_several(name, values, names=names, first=first, owner=owner, rows=rows)
            columns[name] = values[first][order]
    return Targets(table=table_from_columns(columns), meta=Meta())


def _refuse_several(
    name: str,
    values: np.ndarray,
    *,
    names: np.ndarray,
    first: np.ndarray,
    owner: np.ndarray,
    rows: Rows,
) -> None:
    """A target has one redshift, one mwebv ...; several are two supernovae under one name."""
    own = values[first][owner]
    differs = values != own
    if values.dtype.kind == "f":
        differs &= ~(np.isnan(values) & np.isnan(own))
    if np.any(differs):
        row = int(np.flatnonzero(differs)[0])
        raise InputError(
            f"{rows.label}: {names[owner[row]]} has {name} {own[row]} and {values[row]}; a "
            "supernova has one: add a column of names, or mend the values"
        )
