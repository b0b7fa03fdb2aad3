"""Cameras from TOML: those of the package, and the user's own.

A file has the camera's own keys, the tables ``site`` and ``quadrant`` (what all quadrants share),
the lists ``filters``, ``ccds`` and ``amplifiers`` (the quadrants of one CCD: every CCD has the
same), and ``overrides`` (a table with a column ``rcid`` and columns of keys of ``quadrant``).
"""

import difflib
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chandelle.core.errors import InputError
from chandelle.instrument.camera import Camera, Filter, Site
from chandelle.instrument.camera_tables import AmplifierRow, CameraTable, CcdRow, explain
from chandelle.instrument.ccd import Ccd, PocketParameters, Quadrant
from chandelle.instrument.passbands import list_passbands

_POCKET = ("alpha", "cmax", "beta", "nmax")


def _folder() -> Traversable:
    return files("chandelle.instrument") / "cameras"


@cache
def list_cameras() -> tuple[str, ...]:
    """Names of the cameras of the package, sorted.

    Returns
    -------
    tuple of str
        As `load_camera` takes them.

    Examples
    --------
    >>> list_cameras()
    ('lsst', 'ztf')
    """
    names = [entry.name for entry in _folder().iterdir()]
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_camera(name: str | Path) -> Camera:
    """Read a camera.

    Parameters
    ----------
    name : str or Path
        A camera of the package (``"ztf"``, ``"lsst"``), or the path of a TOML file.

    Returns
    -------
    Camera
        Checked.

    Raises
    ------
    InputError
        If there is none of that name, or the file does not describe a camera.

    Examples
    --------
    >>> camera = load_camera("ztf")
    >>> len(camera.quadrants), camera.quadrant(ccdid=13, qid=3).rcid
    (64, 50)
    """
    if name in list_cameras():
        text = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
        return _camera(text, where=f"{name}.toml", folder=Path())
    path = Path(name)
    if path.suffix != ".toml":
        raise InputError(
            f"camera {str(name)!r} is unknown; the package has {', '.join(list_cameras())}; give "
            "one of them, or the path of a .toml"
        )
    if not path.is_file():
        raise InputError(f"{path}: expected the TOML file of a camera, found none")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected TOML in UTF-8, {error}") from error
    return _camera(text, where=str(path), folder=path.parent)


def _camera(text: str, *, where: str, folder: Path) -> Camera:
    """Read, check and build a camera; paths of passbands are relative to `folder`."""
    try:
        table = CameraTable.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: expected TOML, {error}") from error
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error, CameraTable)}") from error
    _check_amplifiers(table, where)
    overrides = _overrides(table, where)
    ccds = tuple(_ccd(table, row, overrides, where) for row in table.ccds)
    _check_rcids(ccds, overrides, where)
    return Camera(
        name=table.name,
        pixel_scale_arcsec=table.pixel_scale_arcsec,
        exposure_s=table.exposure_s,
        overhead_s=table.overhead_s,
        site=Site(**table.site.model_dump()),
        filters=tuple(_filters(table, where, folder)),
        ccds=ccds,
    )


def _filters(table: CameraTable, where: str, folder: Path) -> Iterator[Filter]:
    """Filters whose passbands exist."""
    for number, row in enumerate(table.filters):
        passband = row.passband
        if passband not in list_passbands():
            path = folder / passband
            if not (path.suffix and path.is_file()):
                near = difflib.get_close_matches(passband, list_passbands(), n=1, cutoff=0.0)[0]
                raise InputError(
                    f"{where}: filters.{number}.passband: {passband!r} is neither a passband of "
                    f"the package nor a file beside this one; did you mean {near!r}? Known: "
                    f"{', '.join(list_passbands())}"
                )
            passband = str(path.resolve())
        yield Filter(name=row.name, passband=passband, code=row.code, number=row.number)


def _check_amplifiers(table: CameraTable, where: str) -> None:
    """No qid, extension or pixel twice."""
    shape = table.quadrant
    for (i, one), (j, other) in combinations(enumerate(table.amplifiers), 2):
        place = f"{where}: amplifiers.{i} and amplifiers.{j}"
        if one.qid == other.qid:
            raise InputError(f"{place}: both have qid {one.qid}; give each its own")
        if abs(one.x0 - other.x0) < shape.n_columns and abs(one.y0 - other.y0) < shape.n_rows:
            raise InputError(
                f"{place}: quadrants of {shape.n_rows} x {shape.n_columns} pixels at (x0, y0) = "
                f"({one.x0}, {one.y0}) and ({other.x0}, {other.y0}) overlap; move one"
            )
    extensions = [
        number
        for row in table.amplifiers
        for number in (row.science_extension, row.overscan_extension)
        if number
    ]
    twice = sorted({number for number in extensions if extensions.count(number) > 1})
    if twice:
        raise InputError(
            f"{where}: amplifiers: FITS extension {twice[0]} is used twice; each science and "
            "overscan array needs its own"
        )
    if shape.overscan_columns and not all(row.overscan_extension for row in table.amplifiers):
        raise InputError(
            f"{where}: amplifiers: with quadrant.overscan_columns = {shape.overscan_columns} each "
            "needs an overscan_extension of 1 or more; add it, or set overscan_columns = 0"
        )


def _overrides(table: CameraTable, where: str) -> dict[int, dict[str, Any]]:
    """Values of single quadrants, by rcid."""
    columns, found = table.overrides.columns, {}
    for number, row in enumerate(table.overrides.rows):
        place = f"{where}: overrides.rows.{number}"
        if len(row) != len(columns):
            raise InputError(
                f"{place}: expected {len(columns)} values ({', '.join(columns)}), found {len(row)}"
            )
        values: dict[str, Any] = dict(zip(columns, row, strict=True))
        rcid = values.pop("rcid")
        if rcid != int(rcid) or rcid in found:
            raise InputError(f"{place}: rcid {rcid:g}: expected a whole number, each only once")
        found[int(rcid)] = values
    return found


def _ccd(table: CameraTable, row: CcdRow, overrides: dict[int, dict[str, Any]], where: str) -> Ccd:
    """One CCD with its quadrants."""
    first = len(table.amplifiers) * (row.id - 1) if row.first_rcid is None else row.first_rcid
    quadrants = tuple(
        _quadrant(table, row.id, first + amplifier.qid - 1, amplifier, overrides, where)
        for amplifier in sorted(table.amplifiers, key=lambda each: each.qid)
    )
    return Ccd(
        ccdid=row.id,
        xi=row.center_deg[0],
        eta=row.center_deg[1],
        rotation_deg=table.rotation_deg if row.rotation_deg is None else row.rotation_deg,
        is_mirrored=table.is_mirrored,
        pixel_scale_arcsec=table.pixel_scale_arcsec,
        quadrants=quadrants,
    )


def _quadrant(
    table: CameraTable,
    ccdid: int,
    rcid: int,
    amplifier: AmplifierRow,
    overrides: dict[int, dict[str, Any]],
    where: str,
) -> Quadrant:
    """One quadrant: what all share, what its amplifier says, what is its own."""
    shared = table.quadrant
    try:
        shared = type(shared).model_validate(shared.model_dump() | overrides.get(rcid, {}))
    except ValidationError as error:
        said = explain(error, type(shared))
        raise InputError(f"{where}: overrides of rcid {rcid}: {said}") from error
    values = shared.model_dump()
    trap = {key: values.pop(f"pocket_{key}") for key in _POCKET}
    has_trap = [key for key in _POCKET if trap[key] is not None]
    if has_trap and len(has_trap) < len(_POCKET):
        raise InputError(
            f"{where}: the pocket of rcid {rcid} has {', '.join(has_trap)} only; give all of "
            f"{', '.join(f'pocket_{key}' for key in _POCKET)}, or none"
        )
    return Quadrant(
        ccdid=ccdid,
        rcid=rcid,
        **amplifier.model_dump(),
        **values,
        pocket=PocketParameters(**trap) if has_trap else None,
    )


def _check_rcids(ccds: tuple[Ccd, ...], overrides: dict[int, dict[str, Any]], where: str) -> None:
    """No CCD and no rcid twice, and no override without its quadrant."""
    owner: dict[int, int] = {}
    for number, ccd in enumerate(ccds):
        for quadrant in ccd.quadrants:
            rcid = quadrant.rcid
            if rcid in owner:
                raise InputError(
                    f"{where}: ccds.{owner[rcid]} and ccds.{number}: both have rcid {rcid}; give "
                    "each its own id, or a first_rcid"
                )
            owner[rcid] = number
    ids = [ccd.ccdid for ccd in ccds]
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise InputError(f"{where}: ccds: id {twice[0]} is used twice; give each its own")
    lost = sorted(set(overrides) - set(owner))
    if lost:
        raise InputError(
            f"{where}: overrides: no quadrant has rcid {lost[0]}; expected {min(owner)} to "
            f"{max(owner)}"
        )
