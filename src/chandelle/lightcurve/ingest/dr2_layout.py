"""The tree of the ZTF SN Ia DR2: tables of supernovae and hosts, one light curve a file."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.bounded import is_plain_name, read_bounded
from chandelle.lightcurve.ingest.csvtable import numbers, parse_csv, require, words
from chandelle.lightcurve.ingest.epochs import Raw
from chandelle.lightcurve.ingest.frames import cmb_redshift
from chandelle.lightcurve.ingest.lost import Lost, lost_rows, unreadable
from chandelle.lightcurve.ingest.tables import Rows
from chandelle.lightcurve.ingest.times import AT_THE_OBSERVATORY
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

DIRECTORY = "ZTFCOSMODIR"
"""Environment variable of the tree's folder."""
FLAGS: Mapping[int, str] = {
    1: "no_error",
    2: "chi2",
    4: "clouds",
    8: "infobits",
    16: "shallow",
    32: "seeing",
    64: "field",
    128: "moon",
    256: "baseline",
    512: "airmass",
    1024: "detection",
}
"""Bits of the column `flag` of a light curve: flux_err is 0; chi2/dof above 3; clouds; infobits of
the image; limit brighter than 19.3 mag; seeing above 3 arcsec; field above 879; moon; has a
baseline correction; airmass above 2; flux at 5 sigma."""
REJECTED_FLAGS = (1, 2, 4, 8, 16)
"""Bits for which an epoch is left out unless said otherwise, as by the package ztfcosmo."""
_DEFAULT = ("salt2-T21", "gri", (-10, 40))
_EPOCH = ("mjd", "filter", "flux", "flux_err", "ZP", "flag")
_HOST = ("mass", "mass_err", "restframe_gz", "restframe_gz_err")
_SUPERNOVA = ("redshift", "mwebv")
_NAMES = {
    "redshift": "z_hel",
    "redshift_err": "z_err",
    "mwebv": "mwebv",
    "ra": "ra",
    "dec": "dec",
    "sn_type": "class",
    "globalmass": "host_logmass",
    "globalmass_err": "host_logmass_err",
    "globalrestframe_gz": "host_color",
    "globalrestframe_gz_err": "host_color_err",
    "localmass": "local_logmass",
    "localmass_err": "local_logmass_err",
    "localrestframe_gz": "local_color",
    "localrestframe_gz_err": "local_color_err",
    "sub_type": "sub_type",
    "source": "z_source",
    "lccoverage_flag": "lccoverage_flag",
    "fitquality_flag": "fitquality_flag",
}
"""Columns of the joined tables and what they are called here; all others become ``dr2_NAME``."""
_TEXT = ("class", "sub_type", "z_source")


def dr2_directory(directory: str | Path | None = None) -> Path:
    """Find the folder of the tree.

    Parameters
    ----------
    directory : path, optional
        The folder; without it that of the environment variable ZTFCOSMODIR.

    Returns
    -------
    Path
        A folder with the table of supernovae.

    Raises
    ------
    InputError
        If neither is given, or the folder is another.
    """
    given = directory if directory is not None else os.environ.get(DIRECTORY)
    if not given:
        raise InputError(f"the ZTF DR2 was not found: give its folder, or set ${DIRECTORY} to it")
    folder = Path(given)
    if not is_dr2(folder):
        raise InputError(f"{folder}: expected the ZTF DR2, found no tables/snia_data.csv")
    return folder


def is_dr2(folder: Path) -> bool:
    """Whether a folder holds the tree."""
    return (folder / "tables" / "snia_data.csv").is_file()


def raw_dr2(
    folder: Path,
    *,
    flags: Sequence[int] = REJECTED_FLAGS,
    salt_table: tuple[str, str, tuple[int, int]] = _DEFAULT,
) -> Raw:
    """Read tables and light curves of the tree.

    Parameters
    ----------
    folder : Path
        What `dr2_directory` found.
    flags : sequence of int
        Bits for which an epoch is left out, counted as ``dr2_flag_BIT`` of its lowest.
    salt_table : (model, bands, phases)
        Which of the release's own fits goes with the targets.

    Returns
    -------
    Raw
        One target a row of the table of supernovae, in its order.

    Raises
    ------
    InputError
        If a table is missing or malformed, or no light curve can be read.
    """
    targets = dr2_targets(folder, salt_table=salt_table)
    frames, lost = _light_curves(folder, targets["sn"].astype(str).tolist())
    counts = [len(frame) for frame in frames.values()]
    table = pd.concat(frames.values(), ignore_index=True)
    owner = np.repeat(np.array(list(frames), dtype=str), counts)
    reasons = _flagged(table["flag"].to_numpy(), flags)
    good = reasons == ""
    columns = {
        "sn": owner[good],
        "mjd": table["mjd"].to_numpy()[good],
        "band": table["filter"].to_numpy(dtype=str)[good],
        "flux": table["flux"].to_numpy()[good],
        "flux_err": table["flux_err"].to_numpy()[good],
        "zp": table["ZP"].to_numpy()[good],
    }
    return Raw(
        rows=Rows(columns=columns, label=str(folder), facts=dict(AT_THE_OBSERVATORY)),
        targets=targets,
        lost=lost + lost_rows(owner, reasons),
    )


def _light_curves(
    folder: Path, names: Sequence[str]
) -> tuple[dict[str, pd.DataFrame], tuple[Lost, ...]]:
    """Columns of each file by the name of its supernova, and those that have none to read."""
    frames: dict[str, pd.DataFrame] = {}
    failures: dict[str, str] = {}
    absent: list[str] = []
    for name in names:
        path = folder / "lightcurves" / f"{name}_lc.csv"
        if not is_plain_name(name):
            failures[name] = f"{folder}: {name!r} is no name of a supernova"
        elif not path.is_file():
            absent.append(name)
        else:
            try:
                frames[name] = _light_curve(path)
            except InputError as error:
                failures[name] = str(error)
    lost = unreadable(failures, label=str(folder), n_read=len(frames))
    if absent:
        _log.warning(
            "%s: %d supernovae have no light curve, first %s", folder, len(absent), absent[0]
        )
    if not frames:
        raise InputError(f"{folder}: no file lightcurves/NAME_lc.csv of {len(names)} supernovae")
    return frames, lost + tuple(Lost(name, "no_file", 1) for name in absent)


def _flagged(flag: np.ndarray, bits: Sequence[int]) -> np.ndarray:
    """Name the lowest of `bits` that is set in each flag word; empty where none is."""
    reasons = np.full(len(flag), "", dtype="U24")
    for bit in sorted(bits, reverse=True):
        reasons[(flag & bit) != 0] = f"dr2_flag_{bit}_{FLAGS.get(bit, 'unknown')}"
    return reasons


def _light_curve(path: Path) -> pd.DataFrame:
    """Columns of one file: blanks between values, ``#`` before comments."""
    frame = parse_csv(read_bounded(path), file=str(path), needed=_EPOCH, sep=r"\s+", comment="#")
    flag = numbers(frame, "flag")
    if np.isnan(flag).any():
        raise InputError(f"{path}: column flag must hold integers")
    columns = {name: numbers(frame, name) for name in ("mjd", "flux", "flux_err", "ZP")}
    return pd.DataFrame(
        {**columns, "flag": flag.astype(np.int64), "filter": words(frame, "filter")}
    )


def dr2_targets(
    folder: Path, *, salt_table: tuple[str, str, tuple[int, int]] = _DEFAULT
) -> Targets:
    """Read the tables of supernovae and of their hosts, joined.

    Parameters
    ----------
    folder : Path
        The tree.
    salt_table : (model, bands, phases)
        Which of the release's own fits.

    Returns
    -------
    Targets
        z_hel, mwebv, host_logmass ...; local_color and host_color (rest-frame g - z), sub_type,
        lccoverage_flag and fitquality_flag; other columns of the release as ``dr2_NAME``
        (dr2_t0, dr2_x1, dr2_c ...).

    Raises
    ------
    InputError
        If a table is missing or malformed.
    """
    model, bands, (low, high) = salt_table
    name = Path("tables") / "snia_data.csv"
    if (model, bands, (low, high)) != _DEFAULT:
        file = f"snia_data_phase{low:d}to{high:d}_{bands}_{model}.csv"
        if Path(file).name != file:
            raise InputError(f"salt_table: {model!r}, {bands!r} are no names of a model and bands")
        name = Path("tables") / "extra" / file
    frame = _table(folder / name, index="ztfname", needed=_SUPERNOVA)
    for where in ("global", "local"):
        host = _table(folder / "tables" / f"{where}host_data.csv", index=None, needed=_HOST[:2])
        host = host.rename(columns={column: f"{where}{column}" for column in _HOST})
        frame = frame.join(host.drop(columns=[column for column in host if column in frame]))
    columns: dict[str, Sequence | np.ndarray] = {"sn": frame.index.to_numpy(dtype=str)}
    for theirs in frame:
        ours = _NAMES.get(str(theirs), f"dr2_{theirs}")
        is_text = ours in _TEXT or pd.Series(frame[theirs]).dtype.kind not in "fiub"
        columns[ours] = words(frame, str(theirs)) if is_text else numbers(frame, str(theirs))
    if "ra" in columns and "dec" in columns:
        columns["z_cmb"] = cmb_redshift(columns["z_hel"], columns["ra"], columns["dec"])
    columns["survey"] = np.full(len(frame), "ZTF")
    return Targets(table=table_from_columns(columns), meta=Meta())


def _table(path: Path, *, index: str | None, needed: Sequence[str]) -> pd.DataFrame:
    """One table of the release, its rows by the name of the supernova."""
    frame = parse_csv(read_bounded(path), file=str(path), needed=needed, index_col=0)
    if index is not None:
        require(frame, [index], file=str(path))
        frame = frame.set_index(index)
    if frame.index.has_duplicates:
        twin = frame.index[frame.index.duplicated()][0]
        raise InputError(f"{path}: {twin} stands twice; a supernova has one row")
    return frame
