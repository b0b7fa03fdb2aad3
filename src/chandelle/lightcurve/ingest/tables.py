"""Tables of epochs, whatever they came as, brought to named numpy columns."""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.coded import Coded, encode
from chandelle.lightcurve.ingest.csvtable import find_header
from chandelle.lightcurve.ingest.fluxes import fluxes_of
from chandelle.lightcurve.ingest.plain import plain as plain
from chandelle.lightcurve.ingest.positions import POSITION_ALIASES, position_columns
from chandelle.lightcurve.ingest.times import TimeScale, read_times

_log = logging.getLogger(__name__)

ALIASES: Mapping[str, tuple[str, ...]] = {
    "sn": ("sn", "target", "name", "snid", "ztfname", "object_id", "objid", "id", "cid"),
    "mjd": (
        *("mjd", "time", "date", "jd", "mjdobs", "mjd_obs", "datetime", "obsdate"),
        *("mjd_utc", "mjd_tai", "mjd_tt", "mjd_tdb", "jd_utc", "jd_tdb", "midpointmjdtai"),
        *("hmjd", "hjd", "bmjd", "bjd", "bmjd_tdb", "bjd_tdb", "hjd_utc", "bjd_utc"),
    ),
    "band": ("band", "bandpass", "filter", "flt"),
    "flux": ("flux", "f"),
    "flux_err": ("flux_err", "fluxerr", "fe", "fluxerror", "flux_error"),
    "mag": ("mag", "magnitude", "magpsf"),
    "mag_err": ("mag_err", "magerr", "magerror", "mag_error", "e_mag", "emag", "sigmapsf"),
    "zp": ("zp", "zpt", "zeropoint", "zero_point", "zeropt"),
    "zpsys": ("zpsys", "zpmagsys", "magsys"),
    "exposure": ("exposure", "expid"),
    "survey": ("survey",),
    "isdiffpos": ("isdiffpos", "is_diff_pos"),
}
"""Names under which a column is found, in order of preference; case is ignored."""

TEXT_COLUMNS = ("sn", "band", "zpsys", "exposure", "survey", "isdiffpos")
_COVARIANCE = ("cov_factor", "fluxcov", "cov", "covar", "covariance", "covmat")
"""What sncosmo and this package call the column of a flux covariance."""
TABLE_SUFFIXES = (".parquet", ".pq", ".csv", ".ecsv")
_REFUSED = {
    ".pkl": "a pickle can run code",
    ".pickle": "a pickle can run code",
    ".joblib": "a pickle can run code",
    ".npy": "a numpy file can hide a pickle",
    ".yaml": "YAML can run code",
    ".yml": "YAML can run code",
}
_INSTEAD = {
    ".yaml": "settings belong in TOML, tables in",
    ".yml": "settings belong in TOML, tables in",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Epochs as they were read: columns of one length, with what the table said of its target.

    Text columns may be `Coded` or plain arrays, numbers are float64; `facts` goes into the
    provenance of the product (the scale of the times for one), `unit` has those that columns of
    positions state.
    """

    columns: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)
    label: str = "table"
    facts: dict[str, Any] = field(default_factory=dict)
    unit: dict[str, str] = field(default_factory=dict)

    def coded(self, name: str) -> Coded:
        """Return a column of text, encoded."""
        return encode(self.columns[name])

    @property
    def n(self) -> int:
        """Number of epochs."""
        return len(self.columns["mjd"])


def refuse_unsafe(path: Path) -> None:
    """Raise for a file whose format can run code."""
    suffix = path.suffix.lower()
    why = _REFUSED.get(suffix)
    if why:
        raise InputError(
            f"{path}: {path.suffix} is refused ({why}); "
            f"{_INSTEAD.get(suffix, 'write the table as')} Parquet, CSV or ECSV"
        )


def find_columns(
    names: Sequence[str], aliases: Mapping[str, tuple[str, ...]], *, label: str
) -> dict[str, str]:
    """Map our column names to those of a table, by the aliases.

    Parameters
    ----------
    names : sequence of str
        Columns of the table.
    aliases : mapping
        Under which names ours are found; case is ignored.
    label : str
        What the table is called in messages.

    Returns
    -------
    dict of str
        Those that it has.

    Raises
    ------
    InputError
        If one of them stands twice.
    """
    lower = {name.lower(): name for name in reversed(names)}
    found = {}
    for ours, theirs in aliases.items():
        hit = next((lower[alias] for alias in theirs if alias in lower), None)
        if hit is not None:
            found[ours] = hit
    twice = [name for name in found.values() if names.count(name) > 1]
    if twice:
        raise InputError(f"{label}: column {twice[0]} stands twice; drop or rename the wrong one")
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
            return _load_csv(path)
        if suffix == ".ecsv":
            return Table.read(path, format="ascii.ecsv")
    except (pa.ArrowInvalid, pd.errors.ParserError, csv.Error, ValueError) as error:
        raise InputError(f"{path}: expected {suffix[1:]}, {error}") from error
    raise InputError(
        f"{path}: expected .parquet, .csv, .ecsv or SNANA text, got {suffix or 'no suffix'!r}"
    )


def _load_csv(path: Path) -> pd.DataFrame:
    """Read CSV with names as text: 000006 keeps its zeros. A name may stand twice."""
    text = {alias for name in TEXT_COLUMNS for alias in ALIASES[name]}
    with path.open(encoding="utf-8-sig", newline="") as file:
        names, is_comment = find_header(file)
        frame = pd.read_csv(
            file,
            names=list(range(len(names))) if names else None,
            header=None if is_comment else 0,
            dtype={i: str for i, name in enumerate(names) if name.lower() in text},
            skipinitialspace=True,
        )
    return frame.set_axis(names, axis="columns")


def column_names(table: Any) -> list[str]:
    """Names of the columns of any kind of table."""
    if isinstance(table, Table):
        return [str(name) for name in table.colnames]
    names = table.column_names if isinstance(table, pa.Table) else list(table)
    return [str(name) for name in names]


def flat(table: Any, *, label: str) -> Any:
    """Turn an arrow table or a mapping into a DataFrame, and an index of names into columns.

    Raises
    ------
    InputError
        If the index has levels without a name beyond (target, observation), or one of a column.
    """
    if isinstance(table, pa.Table):
        table = cast(pa.Table, table).to_pandas()
    if isinstance(table, Mapping):
        table = pd.DataFrame(table)
    return _flatten_index(table, label=label) if isinstance(table, pd.DataFrame) else table


def rows_of(
    table: pd.DataFrame | pa.Table | Table | Mapping[str, Any],
    *,
    label: str,
    time_scale: TimeScale | None = None,
) -> Rows:
    """Bring one table to named columns.

    A flux with a physical unit is converted to nJy; a plain number needs a zero point; magnitudes
    become fluxes where the table has no flux.

    Parameters
    ----------
    table : DataFrame, arrow table, Table or mapping of columns
        Epochs.
    label : str
        What it is called in messages.
    time_scale : {"utc", "tai", "tt", "tdb"}, optional
        As `read_times` takes it.

    Returns
    -------
    Rows
        Numbers as float64, text encoded.

    Raises
    ------
    InputError
        If a column is missing or its unit is unusable.
    """
    table = flat(table, label=label)
    names = column_names(table)
    left_out = [name for name in names if name.lower() in _COVARIANCE]
    if left_out:
        _log.warning(
            "%s: the covariance in column %s is not read, as it is not cut with the rows: errors "
            "count as independent until it is given to LightCurves.with_covariance of the result",
            label,
            left_out[0],
        )
    found = find_columns(names, ALIASES, label=label)
    has_mag = "flux" not in found and "mag" in found
    required = ("mjd", "band", *(("mag", "mag_err") if has_mag else ("flux", "flux_err")))
    missing = [name for name in required if name not in found]
    if missing:
        wanted = "; ".join(f"{name} (or {', '.join(ALIASES[name][1:])})" for name in missing)
        raise InputError(f"{label}: missing column {wanted}; found {', '.join(names)}")
    columns: dict[str, Any] = {
        name: encode(table[found[name]]) for name in TEXT_COLUMNS if name in found
    }
    meta = dict(getattr(table, "meta", None) or getattr(table, "attrs", None) or {})
    times = read_times(
        table[found["mjd"]],
        name=found["mjd"],
        label=label,
        declared=next((v for k, v in meta.items() if str(k).lower() == "timesys"), None),
        scale=time_scale,
    )
    columns["mjd"] = times.mjd
    columns |= fluxes_of(table, found, label=label, has_mag=has_mag)
    found_places = find_columns(names, POSITION_ALIASES, label=label)
    places, unit = position_columns(table, found_places, label=label)
    facts = {"time_scale": times.scale, "time_place": times.place}
    return Rows(columns=columns | places, meta=meta, label=label, facts=facts, unit=unit)


def _flatten_index(frame: pd.DataFrame, *, label: str) -> pd.DataFrame:
    """Make columns of a (target, observation) index; drop a plain row number."""
    if isinstance(frame.index, pd.MultiIndex):
        names = [
            str(name) if name is not None else ("target", "observation")[min(level, 1)]
            for level, name in enumerate(frame.index.names)
        ]
        if not any(name.lower() in ALIASES["sn"] for name in names):
            names[0] = "target"
        frame = frame.copy()
        frame.index = frame.index.set_names(names)
    elif str(frame.index.name).lower() not in ALIASES["sn"]:
        return frame
    names = [str(name) for name in frame.index.names]
    wrong = [name for name in names if names.count(name) > 1 or name in frame.columns]
    if wrong:
        raise InputError(
            f"{label}: expected an index (target, observation) or none, found {len(names)} levels, "
            f"of which {wrong[0]} stands twice or is a column too; name the levels, or drop them "
            "by reset_index(drop=True)"
        )
    return frame.reset_index()


def take(columns: Mapping[str, Any], rows: NDArray) -> dict[str, Any]:
    """Rows of all columns, by mask or indices."""
    return {
        name: column.take(rows) if isinstance(column, Coded) else column[rows]
        for name, column in columns.items()
    }
