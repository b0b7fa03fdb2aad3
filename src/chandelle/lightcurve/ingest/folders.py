"""Several tables of epochs, one supernova a file: a list of paths, or a folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.coded import Coded, concatenate
from chandelle.lightcurve.ingest.epochs import Raw
from chandelle.lightcurve.ingest.positions import positions_in
from chandelle.lightcurve.ingest.snana import SUFFIXES, is_snana_text
from chandelle.lightcurve.ingest.tables import (
    ALIASES,
    TABLE_SUFFIXES,
    TEXT_COLUMNS,
    Rows,
    column_names,
    find_columns,
    flat,
    load_file,
    rows_of,
)
from chandelle.lightcurve.ingest.target_tables import TARGET_ALIASES, names_of, targets_of_rows
from chandelle.lightcurve.ingest.times import TimeScale
from chandelle.products.targets import Targets

_UNKNOWN = {"zpsys": "ab"}


def tables_in(folder: Path) -> list[Path]:
    """Tables of a folder that has no SNANA text; none if it has.

    Parameters
    ----------
    folder : Path
        Searched with its sub-folders.

    Returns
    -------
    list of Path
        In order of name.

    Raises
    ------
    InputError
        If the folder has neither.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if any(path.suffix.lower() in SUFFIXES and is_snana_text(path) for path in files):
        return []
    tables = [path for path in files if path.suffix.lower() in TABLE_SUFFIXES]
    if not tables:
        kinds = ", ".join(sorted({path.suffix or "no suffix" for path in files})[:5])
        raise InputError(
            f"{folder}: no light curves found; expected SNANA text (.DAT or .txt with SNID), "
            f"tables ({', '.join(TABLE_SUFFIXES)}), or what LightCurves.write wrote, found "
            + (f"{len(files)} files ({kinds})" if files else "an empty folder")
        )
    return tables


def read_table(source: Any, *, time_scale: TimeScale | None = None, name: str | None = None) -> Raw:
    """Read one table.

    Parameters
    ----------
    source : path, DataFrame, Table or arrow table
        Epochs of any number of supernovae.
    time_scale : str, optional
        As `read_times` takes it.
    name : str, optional
        Of the supernova, where the table has no column of names.

    Returns
    -------
    Raw
        Targets are to be made of it.
    """
    is_path = isinstance(source, str | Path)
    label = str(source) if is_path else type(source).__name__
    table = flat(load_file(Path(source)) if is_path else source, label=label)
    rows = rows_of(table, label=label, time_scale=time_scale)
    is_named = "sn" in rows.columns or any(str(key).lower() in ALIASES["sn"] for key in rows.meta)
    if name is not None and not is_named:
        rows = replace(rows, meta={**rows.meta, "sn": name})
    rows.columns["sn"] = names_of(rows)
    found = find_columns(column_names(table), TARGET_ALIASES, label=label)
    return Raw(rows=rows, extra={ours: table[theirs] for ours, theirs in found.items()})


def read_tables(
    paths: Sequence[str | Path], *, label: str, time_scale: TimeScale | None = None
) -> Raw:
    """Read tables, one supernova a file, named by its column or meta, else by the file's stem.

    Parameters
    ----------
    paths : sequence of paths
        Parquet, CSV or ECSV files.
    label : str
        What they are called together.
    time_scale : str, optional
        As `read_times` takes it.

    Returns
    -------
    Raw
        All epochs, and a target a file (a supernova whose table is empty keeps its own).

    Raises
    ------
    InputError
        If a file is unusable, or their times are of different kinds.
    """
    raws = [read_table(path, time_scale=time_scale, name=Path(path).stem) for path in paths]
    places = {raw.rows.facts["time_place"]: raw.rows.label for raw in raws}
    scales = {raw.rows.facts["time_scale"]: raw.rows.label for raw in raws}
    for kinds in (places, scales):
        if len(kinds) > 1:
            said = ", ".join(f"{kind} ({file})" for kind, file in kinds.items())
            raise InputError(f"{label}: times are of different kinds, {said}; bring them to one")
    unit = _common_units(raws, label=label)
    names = dict.fromkeys(name for raw in raws for name in raw.rows.columns)
    columns = {name: _stacked(raws, name) for name in names}
    rows = Rows(columns=columns, label=label, facts=raws[0].rows.facts, unit=unit)
    parts = [targets_of_rows(raw.rows, raw.extra).table for raw in raws]
    targets = Targets(table=pa.concat_tables(parts, promote_options="default"))
    return Raw(rows=rows, targets=targets)


def _common_units(raws: Sequence[Raw], *, label: str) -> dict[str, str]:
    """Units of the positions, which must be the same in all tables that have them."""
    common: dict[str, str] = {}
    for raw in raws:
        for axis in positions_in(raw.rows.columns):
            said = raw.rows.unit.get(axis, "")
            if common.setdefault(axis, said) != said:
                raise InputError(
                    f"{label}: column {axis} is in {said or 'no unit'} in {raw.rows.label}, in "
                    f"{common[axis] or 'no unit'} before; bring the files to one unit"
                )
    return common


def _stacked(raws: Sequence[Raw], name: str) -> Any:
    parts = []
    for raw in raws:
        column = raw.rows.columns.get(name)
        if name in TEXT_COLUMNS:
            empty = np.array([_UNKNOWN.get(name, "")])
            absent = Coded(values=empty, codes=np.zeros(raw.rows.n, dtype=np.intp))
            parts.append(absent if column is None else column)
        else:
            parts.append(np.full(raw.rows.n, np.nan) if column is None else column)
    return concatenate(parts) if name in TEXT_COLUMNS else np.concatenate(parts)
