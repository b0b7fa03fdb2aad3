"""SNANA FITS light curves: a HEAD table of supernovae, a PHOT table of epochs, pointers between."""

import logging
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from chandelle.core.errors import InputError
from chandelle.core.units import C_KM_S
from chandelle.lightcurve.ingest.bounded import is_archive, read_bounded
from chandelle.lightcurve.ingest.lost import Lost, unreadable
from chandelle.lightcurve.ingest.snana import SENTINELS, VpecSign
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

END_OF_OBJECT = -777.0
"""MJD of the row that SNANA writes behind the epochs of each supernova."""
_PAIR = re.compile(r"_(HEAD|PHOT)\.FITS(\.gz)?$", re.IGNORECASE)
_MAX_TABLE = 20_000_000_000
_MAX_RATIO = 200
_SMALL = 100_000_000
_POINTERS = ("PTROBS_MIN", "PTROBS_MAX")
_NEEDED_HEAD = ("SNID", "REDSHIFT_HELIO", *_POINTERS)
_NEEDED_PHOT = ("MJD", "FLUXCAL", "FLUXCALERR")
_NEVER_SENTINEL = ("SIM_RA", "SIM_DEC", "SIM_VPEC")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnanaFits:
    """What was read of FITS pairs: columns of the epochs, targets, and what was lost."""

    columns: dict[str, np.ndarray]
    targets: Targets
    lost: tuple[Lost, ...] = ()


def is_snana_fits(path: Path) -> bool:
    """Whether a name is that of a HEAD or PHOT file."""
    return _PAIR.search(path.name) is not None


def find_pairs(source: str | Path | Sequence[str | Path]) -> list[tuple[Path, Path]]:
    """Find HEAD and PHOT files that belong together: same name but for these words.

    Parameters
    ----------
    source : path or paths
        HEAD or PHOT files, or folders. In a folder ``FOLDER.LIST``, where it exists, names the
        HEAD files.

    Returns
    -------
    list of (Path, Path)
        HEAD and PHOT.

    Raises
    ------
    InputError
        If one of a pair is absent, or a list names a file outside its folder.
    """
    heads: dict[Path, None] = {}
    for one in [source] if isinstance(source, str | Path) else source:
        path = Path(one)
        if is_archive(path):
            raise InputError(f"{path}: unpack it first; SNANA FITS files are read from a folder")
        for file in _heads_of(path) if path.is_dir() else [path]:
            if not is_snana_fits(file):
                raise InputError(f"{file}: expected a name with _HEAD.FITS or _PHOT.FITS")
            heads[_sibling(file, "HEAD")] = None
    if not heads:
        raise InputError(f"{source}: no file *_HEAD.FITS or *_HEAD.FITS.gz found")
    return [(head, _sibling(head, "PHOT")) for head in heads]


def _heads_of(folder: Path) -> list[Path]:
    lists = folder / f"{folder.name}.LIST"
    if not lists.is_file():
        return sorted(p for p in folder.iterdir() if "_HEAD.FITS" in p.name.upper())
    names = read_bounded(lists).decode("utf-8", errors="replace").split()
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise InputError(f"{lists}: names a file outside its folder, {outside[0]}; mend the list")
    return [folder / name for name in names]


def _sibling(path: Path, kind: str) -> Path:
    """The HEAD or PHOT file of the same name, gzipped or not."""
    stem = _PAIR.sub("", path.name)
    wanted = re.compile(rf"{re.escape(stem)}_{kind}\.FITS(\.gz)?", re.IGNORECASE)
    for file in [path, *sorted(path.parent.glob(f"{_escaped(stem)}_*"))]:
        if wanted.fullmatch(file.name) and file.is_file():
            return file
    raise InputError(
        f"{path.parent / stem}_{kind}.FITS(.gz): no such file; HEAD and PHOT are a pair"
    )


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def read_snana_fits(
    pairs: Sequence[tuple[Path, Path]], *, label: str, vpec: VpecSign = "velocity"
) -> SnanaFits:
    """Read pairs of tables; a pair that cannot be read is named and costs only itself.

    Parameters
    ----------
    pairs : sequence of (Path, Path)
        HEAD and PHOT.
    label : str
        Where they are, for messages.
    vpec : {"velocity", "correction"}
        Sign of VPEC in the HEAD.

    Returns
    -------
    SnanaFits
        Epochs: sn, mjd, band (the filter letter), flux, flux_err (FLUXCAL), survey. Simulated
        surveys number their supernovae alike: an SNID may stand in several.

    Raises
    ------
    InputError
        If no pair can be read.
    """
    read: list[SnanaFits] = []
    failures: dict[str, str] = {}
    for head, phot in pairs:
        try:
            read.append(_read_pair(head, phot, vpec=vpec))
        except InputError as error:
            failures[head.name] = str(error)
    lost = unreadable(failures, label=label, n_read=len(read))
    columns = {key: np.concatenate([one.columns[key] for one in read]) for key in read[0].columns}
    return SnanaFits(
        columns=columns,
        targets=_joined([one.targets for one in read]),
        lost=lost + tuple(item for one in read for item in one.lost),
    )


def _joined(parts: Sequence[Targets]) -> Targets:
    """One table; a truth column that only some files have is null for the others."""
    tables = [part.table for part in parts]
    return Targets(table=pa.concat_tables(tables, promote_options="permissive"), meta=Meta())


def _read_pair(head: Path, phot: Path, *, vpec: VpecSign) -> SnanaFits:
    survey, supernovae = _table(head, needed=_NEEDED_HEAD)
    _, epochs = _table(phot, needed=_NEEDED_PHOT)
    band = next((name for name in ("BAND", "FLT") if name in epochs), None)
    if band is None:
        raise InputError(f"{phot}: expected a column BAND or FLT, found {', '.join(epochs)}")
    names = supernovae["SNID"].astype(str)
    start, stop = (supernovae[name].astype(np.int64) for name in _POINTERS)
    count, why = _check_pointers(start - 1, stop, epochs["MJD"], supernovae.get("NOBS"))
    if np.any(why != ""):
        bad = np.flatnonzero(why != "")
        _log.warning(
            "%s: %d supernovae point at no epochs, first %s", head, len(bad), names[bad[0]]
        )
    row = np.repeat(start - 1 - np.concatenate([[0], np.cumsum(count)[:-1]]), count)
    row = row + np.arange(count.sum())
    columns = {
        "sn": np.repeat(names, count),
        "mjd": epochs["MJD"].astype(float)[row],
        "band": epochs[band].astype(str)[row],
        "flux": epochs["FLUXCAL"].astype(float)[row],
        "flux_err": epochs["FLUXCALERR"].astype(float)[row],
        "survey": np.full(count.sum(), survey),
    }
    lost = tuple(Lost(str(names[i]), str(why[i]), 1) for i in np.flatnonzero(why != ""))
    return SnanaFits(
        columns=columns, targets=_targets(supernovae, survey=survey, vpec=vpec), lost=lost
    )


def _check_pointers(
    start: np.ndarray, stop: np.ndarray, mjd: np.ndarray, nobs: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Number of epochs of each supernova, zero with a reason where its pointers cannot be right.

    They must lie within the table, hold no end marker, and agree with NOBS.
    """
    count = stop - start
    n_end = np.concatenate([[0], np.cumsum(mjd == END_OF_OBJECT)])
    is_within = (start >= 0) & (count >= 0) & (stop <= len(mjd))
    inside = (np.where(is_within, edge, 0) for edge in (start, stop))
    low, high = inside
    is_good = is_within & (n_end[high] == n_end[low])
    if nobs is not None:
        is_good &= count == nobs
    is_empty = (nobs == 0) if nobs is not None else np.zeros(len(start), dtype=bool)
    why = np.where(is_good | is_empty, "", "bad_pointer")
    return np.where(is_good & ~is_empty, count, 0), why


def _table(path: Path, *, needed: Sequence[str]) -> tuple[str, dict[str, np.ndarray]]:
    """Survey and columns of the first table of a file, text stripped of its blanks."""
    try:
        with fits.open(path, memmap=False) as opened:
            hdus: Any = opened
            _refuse_bomb(path, hdus[0])
            if len(hdus) < 2 or not isinstance(hdus[1], fits.BinTableHDU):
                raise InputError(
                    f"{path}: expected an SNANA FITS table in extension 1, found none; "
                    "is the file whole?"
                )
            _refuse_bomb(path, hdus[1])
            survey = str(hdus[0].header.get("SURVEY", "")).split("(")[0].strip()
            data: Any = hdus[1].data
            columns = {name: _plain(data[name]) for name in data.names}
    except (OSError, EOFError, zlib.error, TypeError, KeyError, VerifyError) as error:
        raise InputError(f"{path}: expected an SNANA FITS table, {error}") from error
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}; found {', '.join(columns)}")
    return survey, columns


def _plain(values: np.ndarray) -> np.ndarray:
    """Native byte order; text without the blanks that fill a FITS field."""
    if values.dtype.kind in "SU":
        return np.char.strip(values.astype(str))
    return values.astype(values.dtype.newbyteorder("="))


def _refuse_bomb(path: Path, hdu: Any) -> None:
    """Refuse a table that unpacks to much more than the file."""
    size = int(hdu.size)
    if size > _MAX_TABLE or size > max(_SMALL, _MAX_RATIO * path.stat().st_size):
        raise InputError(
            f"{path}: {path.stat().st_size} bytes that unpack to {size}; a light curve?"
        )


def _targets(table: Mapping[str, np.ndarray], *, survey: str, vpec: VpecSign) -> Targets:
    """Targets of a HEAD table; columns SIM_* stay under their own names."""
    n = len(table["SNID"])

    def number(*names: str) -> np.ndarray:
        name = next((name for name in names if name in table), None)
        return np.full(n, np.nan) if name is None else _without_sentinels(table[name])

    z_cmb = number("REDSHIFT_CMB", "REDSHIFT_FINAL")
    velocity = number("VPEC") * (-1.0 if vpec == "correction" else 1.0)
    mass = number("HOSTGAL_LOGMASS", "HOST_LOGMASS")
    mass = np.where(mass > 0, mass, np.nan)
    mass_err = number("HOSTGAL_LOGMASS_ERR", "HOST_LOGMASS_ERR")
    columns: dict[str, Sequence | np.ndarray] = {
        "sn": table["SNID"].astype(str),
        "ra": number("RA"),
        "dec": np.asarray(table.get("DEC", table.get("DECL", np.full(n, np.nan))), dtype=float),
        "z_hel": number("REDSHIFT_HELIO"),
        "z_cmb": z_cmb,
        "z_hd": (1 + z_cmb) / (1 + np.nan_to_num(velocity) / C_KM_S) - 1,
        "z_err": number("REDSHIFT_HELIO_ERR"),
        "vpec": velocity,
        "mwebv": number("MWEBV"),
        "survey": np.full(n, survey),
        "host_logmass": mass,
        "host_logmass_err": np.where(np.isfinite(mass), mass_err, np.nan),
    }
    for name, values in table.items():
        if name.startswith("SIM_"):
            is_truth = values.dtype.kind == "f" and name not in _NEVER_SENTINEL
            columns[name] = _without_sentinels(values) if is_truth else values
    return Targets(table=table_from_columns(columns), meta=Meta())


def _without_sentinels(values: np.ndarray) -> np.ndarray:
    numbers = values.astype(float)
    return np.where(np.isin(numbers, SENTINELS), np.nan, numbers)
