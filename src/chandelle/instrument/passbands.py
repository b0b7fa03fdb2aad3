"""The passbands shipped with chandelle, and passbands from two-column files."""

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from chandelle.core.errors import InputError
from chandelle.products.passband import Passband


def _folder() -> Traversable:
    return files("chandelle.instrument") / "data" / "passbands"


@cache
def list_passbands() -> tuple[str, ...]:
    """Names `load_passband` knows, sorted: ZTF, LSST and Bessell.

    Returns
    -------
    tuple of str
        As in sncosmo.

    Examples
    --------
    >>> "ztfg" in list_passbands()
    True
    """
    names = [entry.name for entry in _folder().iterdir()]
    return tuple(sorted(name.removesuffix(".dat") for name in names if name.endswith(".dat")))


@cache
def load_passband(name: str) -> Passband:
    """Load a passband that ships with chandelle.

    Parameters
    ----------
    name : str
        As in sncosmo: ``ztfg ztfr ztfi``, ``lsstu lsstg lsstr lssti lsstz lssty``,
        ``bessellux bessellb bessellv bessellr besselli``.

    Returns
    -------
    Passband
        Read once; its arrays are read-only.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> load_passband("ztfg").name
    'ztfg'
    """
    if name not in list_passbands():
        near = difflib.get_close_matches(name, list_passbands(), n=1, cutoff=0.0)
        raise InputError(
            f"passband {name!r} is unknown, did you mean {near[0]!r}? Known: "
            f"{', '.join(list_passbands())}; read others with read_passband(path, name=...)"
        )
    text = (_folder() / f"{name}.dat").read_text(encoding="utf-8")
    lines = text.splitlines()
    header = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    return _passband(lines, name=name, where=f"{name}.dat", source=header)


def mean_waves(bands: Sequence[str], passbands: Mapping[str, Passband]) -> dict[str, float]:
    """Mean wavelength of each band [angstrom]; NaN where its passband is unknown.

    Parameters
    ----------
    bands : sequence of str
        Names.
    passbands : mapping of str to Passband
        Those that came with the data; others are looked up in the package.

    Returns
    -------
    dict of str to float
        In the order of `bands`.
    """
    waves = {}
    for band in bands:
        try:
            passband = passbands[band] if band in passbands else load_passband(band)
            waves[band] = passband.mean_wave
        except InputError:
            waves[band] = np.nan
    return waves


def read_passband(path: str | Path, *, name: str | None = None) -> Passband:
    """Read a photon-counting passband from a text file of two columns.

    Parameters
    ----------
    path : str or Path
        Wavelength [angstrom] and transmission, one sample a line; ``#`` starts a comment.
    name : str, optional
        Name to give it; the file's stem if absent.

    Returns
    -------
    Passband
        The samples as they are; nothing is cut or normalized.

    Raises
    ------
    InputError
        If the file is absent or is not a table of two columns.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such passband file")
    lines = path.read_text(encoding="utf-8").splitlines()
    return _passband(lines, name=name or path.stem, where=str(path), source=str(path))


def _passband(lines: list[str], *, name: str, where: str, source: str) -> Passband:
    rows = [line for line in lines if line.split("#")[0].strip()]
    if not rows:
        raise InputError(f"{where}: expected two columns, wave [angstrom] and transmission, got 0")
    try:
        table = np.loadtxt(rows, usecols=(0, 1), ndmin=2)
    except (ValueError, IndexError) as error:
        raise InputError(
            f"{where}: expected two columns, wave [angstrom] and transmission; {error}"
        ) from error
    wave, transmission = np.ascontiguousarray(table.T)
    wave.setflags(write=False)
    transmission.setflags(write=False)
    return Passband(name=name, wave=wave, transmission=transmission, source=source)
