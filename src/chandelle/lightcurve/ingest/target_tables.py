"""Targets from whatever table they came as, or from the light-curve table itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy.table import Table
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.units import C_KM_S
from chandelle.lightcurve.ingest.coded import Coded, encode, first_rows
from chandelle.lightcurve.ingest.plain import plain
from chandelle.lightcurve.ingest.tables import ALIASES, Rows, find_columns, load_file
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
_DIPOLE_KM_S = 369.82
_DIPOLE_RA_DEC = (167.942, -6.944)
"""Motion of the Sun with respect to the CMB, and where it goes [deg] (Planck 2018 I)."""
_SWAP_TOLERANCE = 0.3
_SWAP_DIPOLE = 2e-4
_SWAP_MIN_HD = 20


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
        If the name or the redshift is missing, or redshifts are swapped.
    """
    if isinstance(source, Targets):
        return source
    if not isinstance(source, str | Path | pd.DataFrame | pa.Table | Table | Mapping):
        raise InputError(
            "targets must be Targets, a path, a DataFrame or an astropy Table with a row a "
            f"supernova, got {type(source).__name__}"
        )
    label = "targets"
    if isinstance(source, str | Path):
        label = str(source)
        if Path(source).suffix == ".parquet":
            table = Targets.read(source)
            return table if _is_clean(table) else _build(table.to_pandas(), label, table.meta)
        source = load_file(Path(source))
    frame = cast(
        pd.DataFrame, source.to_pandas() if isinstance(source, Table | pa.Table) else source
    )
    if isinstance(frame, Mapping):
        frame = pd.DataFrame(frame)
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    return _build(frame, label, Meta())


def _is_clean(targets: Targets) -> bool:
    numbers = [name for name in TARGET_ALIASES if name not in (*_TEXT, *_NEVER_SENTINEL)]
    return not any(np.isin(targets[name], _SENTINELS).any() for name in numbers)


def _build(frame: pd.DataFrame, label: str, meta: Meta) -> Targets:
    found = find_columns([str(name) for name in frame.columns], TARGET_ALIASES, label=label)
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
    targets = Targets(table=table_from_columns(columns), meta=meta)
    refuse_swapped(targets, label=label)
    return targets


def refuse_swapped(targets: Targets, *, label: str) -> None:
    """Raise where z_hel and z_cmb, or z_hel and z_hd, stand in each other's column.

    The motion of the Sun tells: towards its direction z_cmb is larger than z_hel by 0.0012 (1 + z).

    Parameters
    ----------
    targets : Targets
        With ra and dec where known; without, nothing can be said.
    label : str
        What they are called in messages.

    Raises
    ------
    InputError
        If the differences follow the dipole with the wrong sign.
    """
    ra, dec = np.radians(targets["ra"]), np.radians(targets["dec"])
    ra_0, dec_0 = np.radians(_DIPOLE_RA_DEC)
    cosine = np.sin(dec) * np.sin(dec_0) + np.cos(dec) * np.cos(dec_0) * np.cos(ra - ra_0)
    z_hel = targets["z_hel"]
    expected = (1 + z_hel) * _DIPOLE_KM_S / C_KM_S * cosine
    for name, least in (("z_cmb", 1), ("z_hd", _SWAP_MIN_HD)):
        shift = targets[name] - z_hel
        known = np.isfinite(shift) & np.isfinite(expected)
        total = float(np.sum(expected[known] ** 2))
        if known.sum() < least or total < known.sum() * _SWAP_DIPOLE**2:
            continue
        slope = float(np.sum(expected[known] * shift[known])) / total
        if abs(slope + 1) < _SWAP_TOLERANCE:
            raise InputError(
                f"{label}: z_hel and {name} are swapped: {name} - z_hel follows the motion of the "
                f"Sun with the wrong sign ({slope:.2f} times what is expected of "
                f"{known.sum()} targets); name the columns the other way"
            )


def _column(name: str, values: Any) -> np.ndarray:
    if name in _TEXT:
        return encode(values).text()
    numbers = np.asarray(pd.to_numeric(pd.Series(values), errors="coerce"), dtype=float)
    if name in _NEVER_SENTINEL:
        return numbers
    return np.where(np.isin(numbers, _SENTINELS), np.nan, numbers)


def names_of(rows: Rows) -> Coded:
    """Name of the target of each row; a table without one is a single supernova."""
    if "sn" in rows.columns:
        return rows.coded("sn")
    meta = {str(key).lower(): value for key, value in rows.meta.items()}
    name = next((str(meta[key]) for key in ALIASES["sn"] if key in meta), "sn")
    return Coded(values=np.array([name]), codes=np.zeros(rows.n, dtype=np.intp))


def targets_of_rows(
    rows: Rows, extra: Mapping[str, Any] | None = None, *, is_merged: bool = False
) -> Targets:
    """Targets as far as the light-curve table knows them: its own columns, or its meta.

    Parameters
    ----------
    rows : Rows
        Epochs with their names in column `sn`.
    extra : mapping, optional
        Columns of the whole table (per epoch) from which z, mwebv ... are taken: the first known
        value of each supernova.
    is_merged : bool
        Surveys may differ in what they say of a supernova; else that is refused.

    Returns
    -------
    Targets
        In the order of first appearance; an unknown redshift is NaN.

    Raises
    ------
    InputError
        If a supernova has two redshifts.
    """
    sn = rows.coded("sn")
    first = first_rows(sn.codes, len(sn.values))
    # A single supernova without epochs is still one; rows without a name are none.
    kept = (sn.values != "") & ((first >= 0) | (len(sn.values) == 1))
    order = np.flatnonzero(kept)[np.argsort(first[kept], kind="stable")]
    columns: dict[str, Sequence | np.ndarray] = {
        "sn": sn.values[order],
        "z_hel": np.full(len(order), np.nan),
    }
    meta = {str(key).lower(): value for key, value in rows.meta.items()}
    for name, aliases in TARGET_ALIASES.items():
        if name == "sn":
            continue
        hit = next((meta[alias] for alias in aliases if alias in meta), None)
        if hit is not None and np.ndim(hit) == 0:
            columns[name] = _column(name, np.full(len(order), hit))
        elif extra is not None and name in extra and rows.n:
            values = extra[name]
            by_sn = (_own_text if name in _TEXT else _own_numbers)(
                name, values, sn, rows, is_merged
            )
            columns[name] = by_sn[order]
    targets = Targets(table=table_from_columns(columns), meta=Meta())
    refuse_swapped(targets, label=rows.label)
    return targets


def _own_text(name: str, values: Any, sn: Coded, rows: Rows, is_merged: bool) -> np.ndarray:
    """First known text of each supernova, shape (value of sn,)."""
    coded = encode(values)
    known = (coded.values != "")[coded.codes]
    first = first_rows(sn.codes, len(sn.values), known)
    own = coded.codes[first]
    if not is_merged:
        _refuse_several(name, coded.codes, own, known, sn, rows, coded.values)
    return np.where(first >= 0, coded.values[own], "")


def _own_numbers(name: str, values: Any, sn: Coded, rows: Rows, is_merged: bool) -> np.ndarray:
    """First known number of each supernova, shape (value of sn,)."""
    is_masked = isinstance(values, np.ma.MaskedArray | Masked)
    numbers = _column(name, plain(values) if is_masked else np.asarray(values))
    known = ~np.isnan(numbers)
    first = first_rows(sn.codes, len(sn.values), known)
    own = np.where(first >= 0, numbers[first], np.nan)
    if not is_merged:
        _refuse_several(name, numbers, own, known, sn, rows)
    return own


def _refuse_several(
    name: str,
    values: NDArray,
    own: NDArray,
    known: NDArray[np.bool_],
    sn: Coded,
    rows: Rows,
    words: NDArray | None = None,
) -> None:
    """A target has one redshift, one mwebv ...; several are two supernovae under one name."""
    differs = known & (values != own[sn.codes]) & (sn.values != "")[sn.codes]
    if np.any(differs):
        row = int(np.flatnonzero(differs)[0])
        two = [own[sn.codes[row]], values[row]]
        two = two if words is None else [words[two[0]], words[two[1]]]
        raise InputError(
            f"{rows.label}: {sn.values[sn.codes[row]]} has {name} {two[0]} and {two[1]}; a "
            "supernova has one: add a column of names, or mend the values"
        )
