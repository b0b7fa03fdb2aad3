"""SNANA text light curves: a header of ``KEY: value`` lines, a VARLIST, rows of observations."""

import logging
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.core.units import C_KM_S
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

VpecSign = Literal["velocity", "correction"]
SUFFIXES = (".dat", ".txt")
ZP_FLUXCAL = 27.5
"""Zero point of FLUXCAL [mag], in the magnitudes of the survey's filter system."""
_MAX_BYTES = 50_000_000
_SENTINELS = (-9.0, -99.0, -999.0, -9999.0)
_COLUMNS = ("MJD", "FLUXCAL", "FLUXCALERR")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnanaText:
    """One file: its header and its observations as text, by column."""

    file: str
    header: dict[str, str] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)

    @property
    def sn(self) -> str:
        """Name of the supernova."""
        return self.header["SNID"].split()[0]

    def number(self, *keys: str) -> float:
        """Value of the first of `keys` that the header has; NaN for none or a sentinel."""
        for key in keys:
            if self.header.get(key):
                return _number(self.header[key].split()[0])
        return np.nan

    def error(self, *keys: str) -> float:
        """What follows ``+-`` behind that value; NaN for nothing."""
        for key in keys:
            words = self.header.get(key, "").split()
            if "+-" in words[:-1]:
                return _number(words[words.index("+-") + 1])
        return np.nan


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        return np.nan
    return np.nan if value in _SENTINELS or not np.isfinite(value) else value


def parse_snana(text: str, *, file: str) -> SnanaText:
    """Read one file; what follows ``#`` is a comment.

    Raises
    ------
    InputError
        If it has no SNID, no VARLIST, lacks a column, or a row is of another length.
    """
    header: dict[str, str] = {}
    names: list[str] = []
    rows: list[list[str]] = []
    for line in text.splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip(), value.strip()
        if not colon:
            continue
        if key == "VARLIST" or (key == "VARNAMES" and not names):
            names = value.split()
        elif key == "OBS":
            rows.append(value.split())
        elif key == "END":
            break
        else:
            header.setdefault(key, value)
    if not header.get("SNID") or not names:
        raise InputError(f"{file}: expected SNANA text with SNID and VARLIST, found neither or one")
    missing = [name for name in _COLUMNS if name not in names]
    if missing or not {"FLT", "BAND"} & set(names):
        raise InputError(
            f"{file}: VARLIST must have FLT, {', '.join(_COLUMNS)}; found {', '.join(names)}"
        )
    if any(len(row) != len(names) for row in rows):
        length = next(len(row) for row in rows if len(row) != len(names))
        raise InputError(
            f"{file}: an OBS row has {length} values, VARLIST {len(names)}; mend or remove the row"
        )
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return SnanaText(file=file, header=header, columns=columns)


def _texts_of_archive(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            if not member.isfile():
                continue
            if member.size > _MAX_BYTES:
                raise InputError(f"{path}: {member.name} has {member.size} bytes, a light curve?")
            stream = archive.extractfile(member)
            if stream is not None:
                yield member.name, stream.read().decode("utf-8", errors="replace")


def _texts(source: Path) -> Iterator[tuple[str, str]]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file() and path.stat().st_size <= _MAX_BYTES:
                yield str(path), path.read_text(encoding="utf-8", errors="replace")
    elif source.name.lower().endswith((".tar.gz", ".tgz", ".tar")):
        yield from _texts_of_archive(source)
    else:
        yield str(source), source.read_text(encoding="utf-8", errors="replace")


def _listed(texts: dict[str, str]) -> set[str] | None:
    """File names of the official list, ``VERSION/VERSION.LIST``; None where there is none.

    A list that names a file which is not there is not followed: it is wrong somewhere (Foundation
    DR1 misspells one of its own).
    """
    present = {Path(name).name for name in texts}
    for name, text in texts.items():
        path = Path(name)
        if path.suffix == ".LIST" and path.stem == path.parent.name:
            listed = set(text.split())
            if listed <= present:
                return listed
            absent = ", ".join(sorted(listed - present))
            _log.warning("%s names absent files (%s): every light curve is read", name, absent)
    return None


def _ignored(texts: dict[str, str]) -> list[tuple[str, float, str]]:
    """Observations that ``VERSION.IGNORE`` rejects: (supernova, MJD, filter)."""
    found = []
    for name, text in texts.items():
        if Path(name).suffix != ".IGNORE":
            continue
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if len(words) >= 4 and words[0] == "IGNORE:":
                found.append((words[1], float(words[2]), words[3]))
    return found


def read_snana_texts(
    source: str | Path | Sequence[str | Path],
) -> tuple[list[SnanaText], list[tuple[str, float, str]]]:
    """Read every light curve of a file, folder, tar archive or list of these.

    In a folder or archive the list ``VERSION.LIST`` decides which files belong, where it exists;
    else every .DAT or .txt file that has an SNID.

    Parameters
    ----------
    source : path or sequence of paths
        Where the files are.

    Returns
    -------
    texts : list of SnanaText
        One a supernova, in order of file name.
    ignored : list of (str, float, str)
        Observations (supernova, MJD, filter) that the data release rejects.

    Raises
    ------
    InputError
        If there is no light curve, a file is malformed, or two files carry one name.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    texts: list[SnanaText] = []
    ignored: list[tuple[str, float, str]] = []
    for one in sources:
        raw = dict(_texts(Path(one)))
        listed = _listed(raw)
        for name, text in sorted(raw.items()):
            path = Path(name)
            wanted = len(raw) == 1 or (
                path.name in listed
                if listed is not None
                else path.suffix.lower() in SUFFIXES and "SNID:" in text
            )
            if wanted:
                texts.append(parse_snana(text, file=name))
        ignored += _ignored(raw)
    if not texts:
        raise InputError(f"{source}: no SNANA light curve found (text files with SNID and VARLIST)")
    return texts, ignored


def is_snana_text(path: Path) -> bool:
    """Whether a file looks like an SNANA light curve."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return "SNID:" in file.read(20_000)


def targets_from_snana(texts: Sequence[SnanaText], *, vpec: VpecSign = "velocity") -> Targets:
    r"""Targets of the headers.

    REDSHIFT_FINAL or REDSHIFT_CMB is `z_cmb`, and :math:`1 + z_{hd} = (1 + z_{cmb}) / (1 + v / c)`
    with v the peculiar velocity, positive when receding. Sentinels (-9, -99, -999) become NaN,
    and so does a host mass that is not positive.

    Parameters
    ----------
    texts : sequence of SnanaText
        What `read_snana_texts` returned.
    vpec : {"velocity", "correction"}
        What VPEC is: v (Pantheon+, 2022), or -v, to be added (Foundation DR1, 2018).

    Returns
    -------
    Targets
        One row a file.
    """
    z_cmb = np.array([t.number("REDSHIFT_CMB", "REDSHIFT_FINAL") for t in texts])
    velocity = np.array([t.number("VPEC") for t in texts])
    velocity = -velocity if vpec == "correction" else velocity
    z_hd = (1 + z_cmb) / (1 + np.nan_to_num(velocity) / C_KM_S) - 1
    mass_keys = ("HOSTGAL_LOGMASS", "HOST_LOGMASS")
    mass = np.array([t.number(*mass_keys) for t in texts])
    mass = np.where(mass > 0, mass, np.nan)
    columns = {
        "sn": [t.sn for t in texts],
        "ra": [t.number("RA") for t in texts],
        "dec": [t.number("DEC", "DECL") for t in texts],
        "z_hel": [t.number("REDSHIFT_HELIO") for t in texts],
        "z_cmb": z_cmb,
        "z_hd": z_hd,
        "z_err": [t.error("REDSHIFT_HELIO") for t in texts],
        "vpec": velocity,
        "mwebv": [t.number("MWEBV") for t in texts],
        "survey": [t.header.get("SURVEY", "").split("(")[0].strip() for t in texts],
        "host_logmass": mass,
        "host_logmass_err": np.where(
            np.isfinite(mass), [t.error(*mass_keys) for t in texts], np.nan
        ),
    }
    return Targets(table=table_from_columns(columns), meta=Meta())


def rows_from_snana(texts: Sequence[SnanaText]) -> dict[str, np.ndarray]:
    """Observations of all files, one row each: sn, mjd, band (the filter letter), flux, flux_err.

    Parameters
    ----------
    texts : sequence of SnanaText
        What `read_snana_texts` returned.

    Returns
    -------
    dict of arrays
        Fluxes are FLUXCAL; a value that is not a number is NaN.
    """
    lengths = [len(t.columns["MJD"]) for t in texts]

    def words(*names: str) -> np.ndarray:
        chosen = [next(t.columns[n] for n in names if n in t.columns) for t in texts]
        return np.concatenate([np.asarray(c, dtype=str) for c in chosen])

    def numbers(name: str) -> np.ndarray:
        array = pa.array(words(name).tolist())
        try:
            return array.cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:
            return np.array([_float(word) for word in array.to_pylist()])

    return {
        "sn": np.repeat([t.sn for t in texts], lengths),
        "mjd": numbers("MJD"),
        "band": words("FLT", "BAND"),
        "flux": numbers("FLUXCAL"),
        "flux_err": numbers("FLUXCALERR"),
    }


def _float(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return np.nan
