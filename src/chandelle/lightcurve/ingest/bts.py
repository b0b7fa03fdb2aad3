"""ZTF Bright Transient Survey: one CSV of alert magnitudes a supernova, and the survey's table."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy import units
from astropy.coordinates import Angle

from chandelle.core.errors import InputError
from chandelle.core.units import LN10_OVER_2P5, ZP_NJY, nanojansky_from_zp
from chandelle.lightcurve.ingest.bounded import archive_files, is_archive, read_bounded
from chandelle.lightcurve.ingest.csvtable import numbers, parse_csv, require, words
from chandelle.lightcurve.ingest.epochs import Raw
from chandelle.lightcurve.ingest.frames import cmb_redshift
from chandelle.lightcurve.ingest.lost import unreadable
from chandelle.lightcurve.ingest.tables import Rows
from chandelle.lightcurve.ingest.target_tables import targets_from
from chandelle.lightcurve.ingest.times import AT_THE_OBSERVATORY
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

COLUMNS = ("time", "mag", "magerr", "band")
"""Header of a light-curve file."""
_NEEDED = ("ZTFID", "redshift")
BANDS = {"g": "ztfg", "r": "ztfr", "R": "ztfr", "i": "ztfi"}
"""Passband of each letter."""
A_V_PER_EBV = 2.742 / 0.86
"""A_V of the table over E(B-V): both are of the map of SFD, 2.742 and 0.86 times its E(B-V)
(Schlafly & Finkbeiner 2011, Landolt V at R_V = 3.1)."""
_SUFFIX = ".csv"
_HEAD = 1000
_PEAK_JD_0 = 2_458_000.0
_JD_OF_MJD_0 = 2_400_000.5

TargetsOfBts = Targets | str | Path | pd.DataFrame | None


def raw_bts(
    source: str | Path, *, targets: TargetsOfBts = None, bands: Mapping[str, str] | None = None
) -> Raw:
    """Read light curves of alert magnitudes (detections only) and what the survey says of them.

    Parameters
    ----------
    source : path
        Folder or tar archive of files ``NAME.csv`` with columns time [MJD], mag, magerr, band.
    targets : path, DataFrame or Targets, optional
        The table of the survey (`bts_targets`), or any other of targets.
    bands : mapping, optional
        Passbands of letters beside, or other than, `BANDS`.

    Returns
    -------
    Raw
        One target a file, in order of name, whether the table knows it or not: without redshift
        it is NaN. Rows of the table without a light curve here are not taken.

    Raises
    ------
    InputError
        If there is no file, or none can be read.
    """
    passbands = {**BANDS, **(bands or {})}
    frames: dict[str, pd.DataFrame] = {}
    failures: dict[str, str] = {}
    for file, content in _files(Path(source)):
        try:
            frames[Path(file).stem] = _light_curve(content, file=file)
        except InputError as error:
            failures[file] = str(error)
    if not frames and not failures:
        raise InputError(f"{source}: no light curve (NAME.csv) found")
    lost = unreadable(failures, label=str(source), n_read=len(frames))
    names = sorted({*frames, *(Path(file).stem for file in failures)})
    table = pd.concat([frames[name] for name in names if name in frames], ignore_index=True)
    counts = [len(frames[name]) if name in frames else 0 for name in names]
    mag = table["mag"].to_numpy()
    flux = nanojansky_from_zp(1.0, mag)
    letters = table["band"].to_numpy(dtype=str)
    columns = {
        "sn": np.repeat(np.array(names, dtype=str), counts),
        "mjd": table["time"].to_numpy(),
        "band": np.array([passbands.get(letter, letter) for letter in letters], dtype=str),
        "flux": flux,
        "flux_err": flux * LN10_OVER_2P5 * table["magerr"].to_numpy(),
        "zp": np.full(len(table), ZP_NJY),
    }
    return Raw(
        rows=Rows(columns=columns, label=str(source), facts=dict(AT_THE_OBSERVATORY)),
        targets=_targets_of(names, targets, label=str(source)),
        lost=lost,
    )


def is_bts(source: Path, names: Sequence[str]) -> bool:
    """Whether a folder or archive with files of these names holds such light curves.

    Parameters
    ----------
    source : Path
        Folder or tar archive.
    names : sequence of str
        Names of its files.

    Returns
    -------
    bool
        True if the first CSV file has the header of one.
    """
    if not any(name.lower().endswith(_SUFFIX) for name in names):
        return False
    _, content = next(_files(source))
    return tuple(content.split(b"\n", 1)[0].decode(errors="replace").strip().split(",")) == COLUMNS


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    if is_archive(source):
        yield from archive_files(source, (_SUFFIX,))
        return
    for path in sorted(source.glob(f"*{_SUFFIX}")):
        yield str(path), read_bounded(path)


def _light_curve(content: bytes, *, file: str) -> pd.DataFrame:
    frame = parse_csv(content, file=file, needed=COLUMNS, dtype={"band": str})
    columns = {name: numbers(frame, name) for name in COLUMNS[:3]}
    return pd.DataFrame({**columns, "band": words(frame, "band")})


def bts_targets(source: str | Path | pd.DataFrame) -> Targets:
    """Read the table of the Bright Transient Survey as its explorer gives it.

    Parameters
    ----------
    source : path or DataFrame
        CSV, also gzipped, with ZTFID, RA, Dec, redshift, type, A_V.

    Returns
    -------
    Targets
        `mwebv` of A_V (`A_V_PER_EBV`); an unknown redshift ("-") is NaN. Beside the usual columns
        iau_name, peak_mjd, peak_mag and peak_band.

    Raises
    ------
    InputError
        If it is not this table.
    """
    label = str(source) if isinstance(source, str | Path) else "targets"
    if isinstance(source, pd.DataFrame):
        frame = source
        require(frame, _NEEDED, file=label)
    else:
        frame = parse_csv(read_bounded(Path(source)), file=label, needed=_NEEDED, dtype=str)
    ra = _degrees(words(frame, "RA"), units.hourangle, label=label)
    dec = _degrees(words(frame, "Dec"), units.deg, label=label)
    columns: dict[str, Sequence | np.ndarray] = {
        "sn": words(frame, "ZTFID"),
        "ra": ra,
        "dec": dec,
        "z_hel": numbers(frame, "redshift"),
        "z_cmb": cmb_redshift(numbers(frame, "redshift"), ra, dec),
        "mwebv": numbers(frame, "A_V") / A_V_PER_EBV,
        "class": words(frame, "type"),
        "survey": np.full(len(frame), "ZTF"),
        "iau_name": words(frame, "IAUID"),
        "peak_mjd": numbers(frame, "peakt") + _PEAK_JD_0 - _JD_OF_MJD_0,
        "peak_mag": numbers(frame, "peakmag"),
        "peak_band": np.array(
            [BANDS.get(letter, "") for letter in words(frame, "peakfilt")], dtype=str
        ),
    }
    return Targets(table=table_from_columns(columns), meta=Meta())


def _degrees(angles: np.ndarray, unit: units.UnitBase, *, label: str) -> np.ndarray:
    """Sexagesimal angles in degrees; NaN where there is none."""
    known = ~np.isin(angles, ["", "-"])
    degrees = np.full(len(angles), np.nan)
    try:
        degrees[known] = Angle(angles[known], unit=unit).deg if known.any() else np.nan
    except ValueError as error:
        raise InputError(f"{label}: expected positions like 08:29:47.6, {error}") from error
    return degrees


def _targets_of(names: Sequence[str], source: TargetsOfBts, *, label: str) -> Targets:
    """What the table says of each of these supernovae, in their order; NaN where it does not."""
    if source is None:
        n = len(names)
        columns: dict[str, Sequence | np.ndarray] = {"sn": names, "z_hel": np.full(n, np.nan)}
        return Targets(table=table_from_columns(columns), meta=Meta())
    table = _known_targets(source)
    row_of = {name: row for row, name in enumerate(table["sn"].tolist())}
    if len(row_of) < len(table):
        raise InputError(f"{label}: a name stands twice in the targets; names must be unique")
    unknown = [name for name in names if name not in row_of]
    if unknown:
        _log.warning(
            "%s: %d supernovae are not in the targets and get no redshift, first %s",
            label,
            len(unknown),
            unknown[0],
        )
    others = len(row_of) + len(unknown) - len(names)
    _log.info("%s: %d targets have no light curve here and are not taken", label, others)
    taken = table.table.take(pa.array([row_of.get(name) for name in names], pa.int64()))
    fields = {field.name: taken[field.name] for field in taken.schema}
    fields["sn"] = pa.chunked_array([pa.array(names, pa.string())])
    return Targets(table=pa.table(fields), meta=table.meta)


def _known_targets(source: Targets | str | Path | pd.DataFrame) -> Targets:
    """The survey's own table by its column ZTFID, else any table of targets."""
    if isinstance(source, str | Path) and Path(source).name.lower().endswith((".csv", ".csv.gz")):
        head = read_bounded(Path(source))[:_HEAD]
        return bts_targets(source) if b"ZTFID" in head else targets_from(source)
    if isinstance(source, pd.DataFrame) and "ZTFID" in source:
        return bts_targets(source)
    return targets_from(source)
