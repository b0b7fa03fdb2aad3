"""SNANA header overrides: what to believe of a supernova instead of its file's header."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.core.units import C_KM_S
from chandelle.lightcurve.ingest.tables import refuse_unsafe
from chandelle.products.targets import Targets

_COLUMN_OF = {
    "REDSHIFT_HELIO": "z_hel",
    "REDSHIFT_CMB": "z_cmb",
    "REDSHIFT_FINAL": "z_cmb",
    "VPEC": "vpec",
    "MWEBV": "mwebv",
    "HOSTGAL_LOGMASS": "host_logmass",
    "HOSTGAL_LOGMASS_ERR": "host_logmass_err",
    "HOSTGAL_SSFR": "host_logssfr",
    "RA": "ra",
    "DEC": "dec",
}
_ERROR_OF = {"host_logmass": "host_logmass_err"}
_SENTINELS = (-9.0, -99.0, -999.0, -9999.0)


def read_override(path: str | Path) -> pd.DataFrame:
    """Read one file: ``VARNAMES: CID KEY ...``, then ``SN: name value ...`` lines.

    Parameters
    ----------
    path : str or Path
        Text, as the header_override files of Pantheon+.

    Returns
    -------
    DataFrame
        Indexed by name, columns as `Targets` calls them; sentinels are NaN except in vpec.

    Raises
    ------
    InputError
        If the file is absent or malformed, or has a key that is no property of a target.
    """
    path = Path(path)
    refuse_unsafe(path)
    if not path.is_file():
        raise InputError(f"{path}: no such header override")
    keys: list[str] = []
    rows: list[list[str]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["VARNAMES:"]:
            keys = words[1:]
        elif words[:1] == ["SN:"]:
            rows.append(words[1:])
    if len(keys) < 2 or keys[0] != "CID":
        raise InputError(f"{path}: expected a line 'VARNAMES: CID KEY ...', found {keys or 'none'}")
    unknown = [key for key in keys[1:] if key.upper() not in _COLUMN_OF]
    if unknown:
        raise InputError(
            f"{path}: {', '.join(unknown)} cannot be replaced; known are {', '.join(_COLUMN_OF)}"
        )
    if any(len(row) != len(keys) for row in rows):
        row = next(row for row in rows if len(row) != len(keys))
        raise InputError(f"{path}: expected {len(keys)} values a line, found {' '.join(row)!r}")
    names = ["sn", *(_COLUMN_OF[key.upper()] for key in keys[1:])]
    frame = pd.DataFrame(rows, columns=names).set_index("sn")
    try:
        frame = frame.astype(float)
    except ValueError as error:
        raise InputError(f"{path}: values must be numbers, {error}") from error
    for name in frame.columns:
        if name not in ("vpec", "dec"):
            frame[name] = frame[name].mask(frame[name].isin(_SENTINELS))
    return frame[~frame.index.duplicated(keep="last")]


def override(targets: Targets, paths: str | Path | Sequence[str | Path]) -> tuple[Targets, dict]:
    r"""Replace what is known of the targets by what override files say.

    z_hd follows: :math:`1 + z_{hd} = (1 + z_{cmb}) / (1 + v / c)`, with v = VPEC positive when
    receding. The error of a replaced host mass becomes unknown unless it is replaced too.

    Parameters
    ----------
    targets : Targets
        Names as in the files; names of others are passed over.
    paths : path or sequence of paths
        Later files go before earlier ones.

    Returns
    -------
    targets : Targets
        New values.
    counts : dict of str to int
        How many targets each column was replaced for.

    Raises
    ------
    InputError
        If a file is unusable.
    """
    frame = targets.to_pandas()
    names = pd.Index(frame["sn"].astype(str))
    counts: dict[str, int] = {}
    changed = np.zeros(len(frame), dtype=bool)
    for path in [paths] if isinstance(paths, str | Path) else paths:
        new = read_override(path)
        rows = new.index.get_indexer(names)
        hit = rows >= 0
        for name in new.columns:
            old = frame[name].to_numpy(dtype=float) if name in frame else np.nan
            frame[name] = np.where(hit, new[name].to_numpy()[rows], old)
            counts[name] = counts.get(name, 0) + int(hit.sum())
            error = _ERROR_OF.get(name)
            if error and error not in new.columns:
                frame[error] = frame[error].mask(hit)
            changed |= hit & (name in ("z_cmb", "vpec"))
    velocity = np.nan_to_num(frame["vpec"].to_numpy(dtype=float))
    z_hd = (1 + frame["z_cmb"].to_numpy(dtype=float)) / (1 + velocity / C_KM_S) - 1
    frame["z_hd"] = np.where(changed & np.isfinite(z_hd), z_hd, frame["z_hd"])
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    return Targets(table=table, meta=targets.meta), counts
