"""ZTF alert packets (Avro): the light curve of an object from its detections and their history."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chandelle.core.errors import InputError
from chandelle.core.units import LN10_OVER_2P5, ZP_NJY, nanojansky_from_zp
from chandelle.lightcurve.ingest.avro import read_avro
from chandelle.lightcurve.ingest.bounded import archive_files, is_archive, read_bounded
from chandelle.lightcurve.ingest.csvtable import numbers
from chandelle.lightcurve.ingest.epochs import Raw
from chandelle.lightcurve.ingest.lost import lost_rows, unreadable
from chandelle.lightcurve.ingest.tables import Rows
from chandelle.lightcurve.ingest.times import AT_THE_OBSERVATORY
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

BANDS = {1: "ztfg", 2: "ztfr", 3: "ztfi"}
"""Passband of each ZTF filter number `fid`."""
SUFFIX = ".avro"
_JD_OF_MJD_0 = 2_400_000.5
_NO_WARNING = "0"
_UNMEASURED = -90_000.0
_NEEDED = {
    "candidate": ("jd", "fid", "pid", "magpsf", "sigmapsf", "isdiffpos", "ra", "dec"),
    "prv_candidates": ("jd", "fid", "pid", "magpsf", "sigmapsf", "isdiffpos"),
    "fp_hists": (
        *("jd", "fid", "pid", "magzpsci", "procstatus"),
        *("forcediffimflux", "forcediffimfluxunc"),
    ),
}
"""What is taken of each part of a packet."""
_ALL = tuple(dict.fromkeys(name for needed in _NEEDED.values() for name in needed))
_NUMBERS = tuple(name for name in _ALL if name not in ("isdiffpos", "procstatus", "pid", "fid"))
_SIGNS = {"t": 1.0, "1": 1.0, "true": 1.0, "f": -1.0, "0": -1.0, "false": -1.0}


def raw_alerts(source: str | Path | Sequence[str | Path]) -> Raw:
    """Read alert packets into one light curve an object.

    Detections are `magpsf` with the sign of `isdiffpos`; forced photometry, where a packet has it
    (`fp_hists`), takes the place of the detection in the same exposure. Of several packets the
    latest counts. Times are those at the start of the exposure, as the packets give them.

    Parameters
    ----------
    source : path or paths
        Packets, a folder or a tar archive of them.

    Returns
    -------
    Raw
        Objects in order of their first packet, redshifts unknown. Left out, and counted in `lost`:
        upper_limit (exposures without detection), forced_warning (`procstatus` is not 0),
        forced_unmeasured, sign_unknown, and duplicate (the same exposure in another packet).

    Raises
    ------
    InputError
        If no packet can be read.
    """
    parts: list[dict[str, list]] = []
    failures: dict[str, str] = {}
    for name, content in _files(source):
        try:
            parts += [_points(record, file=name) for record in read_avro(content, file=name)]
        except InputError as error:
            failures[name] = str(error)
    if not parts and not failures:
        raise InputError(f"{source}: no alert packet (*{SUFFIX}) found")
    lost = unreadable(failures, label=str(source), n_read=len(parts))
    points = pd.DataFrame(
        {name: [value for part in parts for value in part[name]] for name in parts[0]}
    )
    reasons = _reasons(points)
    good = reasons == ""
    return Raw(
        rows=Rows(
            columns=_columns(points.loc[good]), label=str(source), facts=dict(AT_THE_OBSERVATORY)
        ),
        targets=_targets(points),
        lost=lost + lost_rows(points["sn"].to_numpy(dtype=str), reasons),
    )


def _files(source: str | Path | Sequence[str | Path]) -> Iterator[tuple[str, bytes]]:
    for one in [source] if isinstance(source, str | Path) else source:
        path = Path(one)
        if is_archive(path):
            yield from archive_files(path, (SUFFIX,))
        elif path.is_dir():
            for file in sorted(path.rglob(f"*{SUFFIX}")):
                yield str(file), read_bounded(file)
        else:
            yield str(path), read_bounded(path)


def _points(packet: Mapping[str, Any], *, file: str) -> dict[str, list]:
    """Every measurement of a packet as it stands there, by column."""
    if "objectId" not in packet or not isinstance(packet.get("candidate"), Mapping):
        raise InputError(
            f"{file}: missing objectId or candidate; expected a ZTF alert, found "
            f"{', '.join(map(str, packet)) or 'nothing'}"
        )
    columns: dict[str, list] = {name: [] for name in (*_ALL, "is_forced")}
    for part, needed in _NEEDED.items():
        records = packet.get(part) or []
        records = [records] if isinstance(records, Mapping) else records
        for record in records[:1]:
            missing = [f"{part}.{name}" for name in needed if name not in record]
            if missing:
                raise InputError(
                    f"{file}: missing {', '.join(missing)}; found {', '.join(map(str, record))}"
                )
        for name in _ALL:
            columns[name] += [record.get(name) for record in records]
        columns["is_forced"] += [part == "fp_hists"] * len(records)
    n = len(columns["is_forced"])
    columns["sn"] = [str(packet["objectId"])] * n
    columns["packet_jd"] = [float(packet["candidate"]["jd"])] * n
    return columns


def _reasons(points: pd.DataFrame) -> np.ndarray:
    """Make the columns numbers, in place, and say why a measurement is left out."""
    for name in _NUMBERS:
        points[name] = numbers(points, name)
    points["sign"] = points["isdiffpos"].astype(str).str.lower().map(_SIGNS).astype(float)
    is_forced = points["is_forced"].to_numpy(dtype=bool)
    flux = points["forcediffimflux"].to_numpy()
    unmeasured = ~(flux > _UNMEASURED)
    status = points["procstatus"].astype(str).to_numpy()
    reasons = np.select(
        [
            is_forced & unmeasured,
            is_forced & (status != _NO_WARNING),
            ~is_forced & np.isnan(points["magpsf"].to_numpy()),
            ~is_forced & np.isnan(points["sign"].to_numpy()),
        ],
        ["forced_unmeasured", "forced_warning", "upper_limit", "sign_unknown"],
        default="",
    )
    worth = pd.DataFrame(
        {
            "is_bad": reasons != "",
            "is_detection": ~is_forced,
            "age": -points["packet_jd"].to_numpy(),
        }
    )
    order = worth.sort_values(list(worth.columns), kind="stable").index
    repeated = points.loc[order].duplicated(["sn", "pid", "fid"], keep="first")
    return np.where(repeated.sort_index().to_numpy(), "duplicate", reasons)


def _columns(points: pd.DataFrame) -> dict[str, np.ndarray]:
    """Fluxes [nJy] of the measurements that stay, in order of object and time."""
    points = points.sort_values(["sn", "jd"], kind="stable")
    forced = points["is_forced"].to_numpy(dtype=bool)
    size = nanojansky_from_zp(1.0, points["magpsf"].to_numpy())
    detected = points["sign"].to_numpy() * size
    detected_err = size * points["sigmapsf"].to_numpy() * LN10_OVER_2P5
    zp = np.where(forced, points["magzpsci"].to_numpy(), ZP_NJY)
    fids = points["fid"].tolist()
    return {
        "sn": points["sn"].to_numpy(dtype=str),
        "mjd": points["jd"].to_numpy() - _JD_OF_MJD_0,
        "band": np.array([BANDS.get(fid, f"fid {fid}") for fid in fids], dtype=str),
        "flux": np.where(forced, points["forcediffimflux"].to_numpy(), detected),
        "flux_err": np.where(forced, points["forcediffimfluxunc"].to_numpy(), detected_err),
        "zp": zp,
        "exposure": points["pid"].astype(str).to_numpy(dtype=str),
    }


def _targets(points: pd.DataFrame) -> Targets:
    """Objects at the median position of their detections."""
    by_name = points.groupby("sn", sort=False)
    position = {name: by_name[name].median() for name in ("ra", "dec")}
    names = np.asarray(position["ra"].index, dtype=str)
    columns: dict[str, Sequence | np.ndarray] = {
        "sn": names,
        "ra": np.asarray(position["ra"], dtype=float),
        "dec": np.asarray(position["dec"], dtype=float),
        "z_hel": np.full(len(names), np.nan),
        "survey": np.full(len(names), "ZTF"),
    }
    return Targets(table=table_from_columns(columns), meta=Meta())
