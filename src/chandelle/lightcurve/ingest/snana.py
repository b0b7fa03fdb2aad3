"""SNANA text light curves: a header of ``KEY: value`` lines, a VARLIST, rows of observations."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.core.units import C_KM_S
from chandelle.lightcurve.ingest.bounded import MAX_FILE, archive_files, is_archive, read_bounded
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

VpecSign = Literal["velocity", "correction"]
"""What VPEC of a header is: the velocity, positive when receding, or what is to be added."""
WhichFiles = Literal["listed", "all"]
"""Which files of a release are read: those on its list, or all."""
SUFFIXES = (".dat", ".txt")
_BINARY = (".fits", ".gz", ".parquet", ".avro", ".tar", ".png", ".pdf")
ZP_FLUXCAL = 27.5
"""Zero point of FLUXCAL [mag], in the magnitudes of the survey's filter system."""
SENTINELS = (-9.0, -99.0, -999.0, -9999.0)
"""Numbers by which SNANA says that a value is unknown."""
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

    @property
    def survey(self) -> str:
        """Who observed it, without what stands in brackets."""
        return self.header.get("SURVEY", "").split("(")[0].strip()

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
    return np.nan if value in SENTINELS or not np.isfinite(value) else value


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SnanaFiles:
    """What was read of a release in text form.

    Attributes
    ----------
    texts : list of SnanaText
        One a light curve, in order of file name.
    ignored : list of (str, float, str)
        Observations (supernova, MJD, filter) that the release rejects.
    failures : dict of str
        What is wrong with each file that could not be read.
    off_list : list of str
        Light curves that the release's own list leaves out.
    """

    texts: list[SnanaText] = field(default_factory=list)
    ignored: list[tuple[str, float, str]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    off_list: list[str] = field(default_factory=list)


def _texts(source: Path) -> dict[str, str]:
    """Text of each file by its name; an archive is not unpacked to disk."""
    if is_archive(source):
        found = archive_files(source)
    elif source.is_dir():
        paths = (path for path in sorted(source.rglob("*")) if path.is_file())
        found = ((str(path), read_bounded(path)) for path in paths if _may_be_text(path))
    else:
        found = iter([(str(source), read_bounded(source))])
    return {name: content.decode("utf-8", errors="replace") for name, content in found}


def _may_be_text(path: Path) -> bool:
    return path.suffix.lower() not in _BINARY and path.stat().st_size <= MAX_FILE


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
                found.append((words[1], _number(words[2]), words[3]))
    return found


def read_snana_texts(
    source: str | Path | Sequence[str | Path], *, files: WhichFiles = "listed"
) -> SnanaFiles:
    """Read every light curve of a file, folder, tar archive or list of these.

    Every .DAT or .txt file that has an SNID is a light curve. A file that cannot be read is named
    and costs only itself.

    Parameters
    ----------
    source : path or sequence of paths
        Where the files are.
    files : {"listed", "all"}
        Whether ``VERSION.LIST``, where a release has one, decides which files belong. With "all"
        a light curve whose SNID an earlier file of its survey had (those listed come first) goes
        by the name of its own file.

    Returns
    -------
    SnanaFiles
        The light curves, and what was left out.

    Raises
    ------
    InputError
        If there is no light curve.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    found = SnanaFiles()
    for one in sources:
        raw = _texts(Path(one))
        listed = _listed(raw) or set()
        for name in sorted(raw, key=lambda name: (Path(name).name not in listed, name)):
            path, text = Path(name), raw[name]
            is_light_curve = path.suffix.lower() in SUFFIXES and _has_epochs(text)
            if files == "listed" and listed and is_light_curve and path.name not in listed:
                found.off_list.append(name)
            elif len(raw) == 1 or is_light_curve or path.name in listed:
                _parse_into(found, text, name)
        found.ignored.extend(_ignored(raw))
    if not found.texts and not found.failures:
        raise InputError(f"{source}: no SNANA light curve found (text files with SNID and VARLIST)")
    if files == "all":
        return replace(found, texts=_with_unique_names(found.texts))
    return found


def _has_epochs(text: str) -> bool:
    return "SNID:" in text or "\nOBS:" in text


def _parse_into(found: SnanaFiles, text: str, name: str) -> None:
    try:
        found.texts.append(parse_snana(text, file=name))
    except InputError as error:
        found.failures[name] = str(error)


def _with_unique_names(texts: list[SnanaText]) -> list[SnanaText]:
    """Call a light curve by its file where an earlier one of the same survey has its SNID."""
    first: dict[tuple[str, str], SnanaText] = {}
    unique = []
    for text in texts:
        twin = first.setdefault((text.sn, text.survey), text)
        if twin is not text:
            _log.warning("%s: SNID %s stood in %s", text.file, text.sn, twin.file)
            text = replace(text, header={**text.header, "SNID": Path(text.file).stem})
        unique.append(text)
    return unique


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
        "survey": [t.survey for t in texts],
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
