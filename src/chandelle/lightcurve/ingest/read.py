"""Read light curves of any kind: check each epoch, convert it to nJy, count what is left out."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy.table import Table

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY, nanojansky_from_zp
from chandelle.instrument.passbands import list_passbands, load_passband
from chandelle.lightcurve.ingest.raw import RawLightCurves, with_lost
from chandelle.lightcurve.ingest.releases import read_release
from chandelle.lightcurve.ingest.snana import VpecSign, WhichFiles
from chandelle.lightcurve.ingest.tables import Rows, find_columns, load_file, rows_of
from chandelle.lightcurve.ingest.target_tables import (
    TARGET_ALIASES,
    names_of,
    targets_from,
    targets_of_rows,
)
from chandelle.lightcurve.ingest.validate import explain_bands, reject, summary
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.product import Meta, Origin
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

Source = (
    str
    | Path
    | pd.DataFrame
    | Table
    | pa.Table
    | LightCurves
    | RawLightCurves
    | Sequence[str | Path]
)
"""What light curves are read from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Epochs before the checks, with what came with them."""

    rows: Rows
    targets: Targets
    passbands: Mapping[str, Passband] = field(default_factory=dict)


def read_lightcurves(
    source: Source,
    *,
    targets: Targets | str | Path | pd.DataFrame | Table | None = None,
    kcor: str | Path | None = None,
    snana_vpec: VpecSign = "velocity",
    snana_files: WhichFiles = "listed",
    passbands: Mapping[str, Passband] | None = None,
    origin: Origin | None = None,
    strict: bool = False,
) -> LightCurves:
    """Read light curves, reject unusable epochs with a reason, and convert fluxes to nJy.

    Columns go by their usual names: target (`sn`, `name`, `target` ...), time (`mjd`, `time` ...),
    `band` or `filter`, `flux`, `fluxerr` or `flux_err`, `zp`, `zpsys` (AB only).

    Parameters
    ----------
    source : path, paths, DataFrame, Table, arrow table or LightCurves
        A folder that `LightCurves.write` wrote; a Parquet, CSV or ECSV file; a flat DataFrame or
        one with the (target, observation) index; an astropy Table or QTable (fluxes with units are
        converted); SNANA text as files, folder or tar archive, SNANA FITS pairs (HEAD, PHOT); ZTF
        alert packets; light curves of the Bright Transient Survey; the folder of the ZTF DR2.
    targets : Targets, path, DataFrame or Table, optional
        Name, redshift, mwebv ... of each supernova. Its order is kept, a target without epochs
        stays, and epochs of others are refused. Without it the table's own columns or meta serve.
    kcor : path, optional
        SNANA calibration file of the passbands and zero points; needed for SNANA.
    snana_vpec : {"velocity", "correction"}
        Sign of VPEC in SNANA headers: the velocity, positive when receding (today), or what is to
        be added (files of 2018 and before, Foundation DR1 for one).
    passbands : mapping, optional
        Passbands by name, beside those the package ships.
    origin : {"simulated", "published", "real"}, optional
        Where the data come from; carried by every product made of them.
    strict : bool
        Raise if any epoch is rejected.

    Returns
    -------
    LightCurves
        Good epochs in nJy (so `zp` is that of 1 nJy), rejected ones counted in `.rejected`.

    Raises
    ------
    InputError
        If the source is unusable as a whole, mixes JD with MJD, or `strict` and an epoch is bad.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "name": ["a", "a"], "mjd": [59000.0, 59003.0], "band": ["ztfg", "ztfr"],
    ...     "flux": [100.0, float("nan")], "fluxerr": [5.0, 5.0], "zp": 25.0, "zpsys": "ab",
    ... })
    >>> lcs = read_lightcurves(frame, targets=pd.DataFrame({"name": ["a"], "z": [0.03]}))
    >>> len(lcs), lcs.rejected.to_pylist()
    (1, [{'sn': 'a', 'reason': 'flux_nan', 'count': 1}])
    """
    if isinstance(source, LightCurves) or _is_product_folder(source):
        return _ready(source, targets=targets, passbands=passbands, origin=origin)
    raw = read_release(source, targets=targets, kcor=kcor, vpec=snana_vpec, files=snana_files)
    if raw is not None:
        read = _Read(rows=raw.rows, targets=raw.targets, passbands=raw.passbands)
    else:
        read = _read_table(source)
        if targets is not None:
            read = replace(read, targets=targets_from(targets))
    read = replace(read, passbands={**read.passbands, **(passbands or {})})
    lcs = _checked(read, origin=origin, strict=strict)
    return lcs if raw is None else with_lost(lcs, raw.lost, strict=strict)


def _is_product_folder(source: Any) -> bool:
    return isinstance(source, str | Path) and (Path(source) / "epochs.parquet").is_file()


def _ready(
    source: Any, *, targets: Any, passbands: Mapping[str, Passband] | None, origin: Origin | None
) -> LightCurves:
    """Take light curves that were checked before."""
    lcs = source if isinstance(source, LightCurves) else LightCurves.read(source)
    if targets is not None:
        lcs = replace(lcs, targets=targets_from(targets))
    if passbands:
        lcs = replace(lcs, passbands={**lcs.passbands, **passbands})
    if origin is not None:
        lcs = replace(lcs, meta=replace(lcs.meta, origin=origin))
    return lcs


def _read_table(source: Any) -> _Read:
    label = str(source) if isinstance(source, str | Path) else type(source).__name__
    table = load_file(Path(source)) if isinstance(source, str | Path) else source
    rows = rows_of(table, label=label)
    rows.columns["sn"] = names_of(rows)
    names = [str(n) for n in (table.colnames if isinstance(table, Table) else _names(table))]
    found = find_columns(names, TARGET_ALIASES)
    extra = {ours: table[theirs] for ours, theirs in found.items() if theirs in _names(table)}
    return _Read(rows=rows, targets=targets_of_rows(rows, extra))


def _names(table: Any) -> list[str]:
    if isinstance(table, Table):
        return list(table.colnames)
    return list(table.column_names) if isinstance(table, pa.Table) else list(table.columns)


def _checked(read: _Read, *, origin: Origin | None, strict: bool) -> LightCurves:
    columns = read.rows.columns
    orphans = np.setdiff1d(columns["sn"], read.targets["sn"])
    if len(orphans):
        raise InputError(
            f"{read.rows.label}: {len(orphans)} supernovae have epochs but no target, first "
            f"{orphans[0]}; add them to targets= (name, z) or drop their epochs"
        )
    known = set(read.passbands) | set(list_passbands())
    reasons = reject(columns, is_known=lambda band: _is_known(band, read.passbands))
    line = f"{read.rows.label}: {summary(reasons)}"
    unknown = columns["band"][reasons == "band_unknown"]
    if len(unknown):
        line += f"; unknown bands {explain_bands(unknown.tolist(), known)}"
    if strict and np.any(reasons != ""):
        raise InputError(line)
    _log.log(logging.WARNING if np.any(reasons != "") else logging.INFO, line)
    table = _epochs(columns, reasons)
    used = np.unique(table["band"].to_numpy())
    return LightCurves(
        table=table,
        meta=Meta(origin=origin, provenance={"source": read.rows.label, "ingest": line}),
        targets=read.targets,
        passbands={name: band for name, band in read.passbands.items() if name in used},
        rejected=_count(columns["sn"], reasons),
    )


def _is_known(band: str, passbands: Mapping[str, Passband]) -> bool:
    if band in passbands:
        return True
    try:
        load_passband(band)
    except InputError:
        return False
    return True


def _epochs(columns: Mapping[str, np.ndarray], reasons: np.ndarray) -> pa.Table:
    """Good epochs in nJy, in order of target and time as they came."""
    good = reasons == ""
    partial = np.isin(columns["sn"], np.unique(columns["sn"][~good]))
    flags = np.where(partial, int(Flag.POINTS_REJECTED), 0)
    zp = columns["zp"]
    out = {
        "sn": columns["sn"][good],
        "mjd": columns["mjd"][good],
        "band": columns["band"].astype(str)[good],
        "flux": nanojansky_from_zp(columns["flux"], zp)[good],
        "flux_err": nanojansky_from_zp(columns["flux_err"], zp)[good],
        "zp": np.full(int(good.sum()), ZP_NJY),
        "flags": flags[good],
    }
    if "exposure" in columns:
        out["exposure"] = columns["exposure"].astype(str)[good]
    return table_from_columns(out)


def _count(names: np.ndarray, reasons: np.ndarray) -> pa.Table:
    bad = reasons != ""
    counts = Counter(zip(names[bad].tolist(), reasons[bad].tolist(), strict=True))
    return pa.table(
        {
            "sn": pa.array([sn for sn, _ in counts], pa.string()),
            "reason": pa.array([reason for _, reason in counts], pa.string()),
            "count": pa.array(list(counts.values()), pa.int64()),
        }
    )
