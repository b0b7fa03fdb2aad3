"""Which format a source is in, and its reader."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.alerts import SUFFIX as ALERT
from chandelle.lightcurve.ingest.alerts import raw_alerts
from chandelle.lightcurve.ingest.bounded import archive_names, is_archive
from chandelle.lightcurve.ingest.bts import is_bts, raw_bts
from chandelle.lightcurve.ingest.dr2_layout import is_dr2, raw_dr2
from chandelle.lightcurve.ingest.raw import RawLightCurves
from chandelle.lightcurve.ingest.snana import VpecSign, WhichFiles, is_snana_text
from chandelle.lightcurve.ingest.snana_fits import is_snana_fits
from chandelle.lightcurve.ingest.snana_release import raw_snana_fits, raw_snana_texts
from chandelle.lightcurve.ingest.target_tables import targets_from

_ONE_FOLDER = ("bts", "dr2")


def read_release(
    source: Any,
    *,
    targets: Any = None,
    kcor: str | Path | None = None,
    vpec: VpecSign = "velocity",
    files: WhichFiles = "listed",
) -> RawLightCurves | None:
    """Read a source that is in the format of a survey or a simulation.

    Parameters
    ----------
    source : path, paths, or anything else
        Where the light curves are.
    targets : Targets, path, DataFrame or Table, optional
        Used in place of what the source says of its targets.
    kcor : path, optional
        Calibration file, for SNANA.
    vpec : {"velocity", "correction"}
        Sign of VPEC, for SNANA.
    files : {"listed", "all"}
        Whether a release's own list decides, for SNANA text.

    Returns
    -------
    RawLightCurves or None
        None if the source is a table, or nothing that is known here.

    Raises
    ------
    InputError
        If the reader of the format raises.
    """
    if isinstance(source, RawLightCurves):
        return source
    kind = format_of(source)
    if kind is None:
        return None
    if kind == "bts":
        return raw_bts(source, targets=targets)
    if kind == "snana_fits":
        raw = raw_snana_fits(source, kcor=kcor, vpec=vpec)
    elif kind == "alerts":
        raw = raw_alerts(source)
    elif kind == "dr2":
        raw = raw_dr2(Path(source))
    else:
        raw = raw_snana_texts(source, kcor=kcor, vpec=vpec, files=files)
    return raw if targets is None else replace(raw, targets=targets_from(targets))


def format_of(source: Any) -> str | None:
    """Recognize a format by the names of its files.

    Parameters
    ----------
    source : path, paths, or anything else
        Where the light curves are.

    Returns
    -------
    str or None
        "snana_fits", "snana_text", "alerts", "bts", "dr2", or None.

    Raises
    ------
    InputError
        If it is a list of files of several formats.
    """
    if isinstance(source, str | Path):
        return _format_of_path(Path(source))
    if not isinstance(source, Sequence):
        return None
    kinds = {_format_of_path(Path(one)) or "snana_text" for one in source}
    if len(kinds) > 1:
        raise InputError(f"a list of files must be of one format, got {', '.join(sorted(kinds))}")
    kind = kinds.pop() if kinds else None
    if kind in _ONE_FOLDER:
        raise InputError(
            f"{source[0]}: a list is not read in this format ({kind}); give the folder"
        )
    return kind


def _format_of_path(path: Path) -> str | None:
    if path.is_dir():
        if is_dr2(path):
            return "dr2"
        names = [file.name for file in path.iterdir()]
        if any(file.suffix.lower() == ALERT for file in path.rglob("*")):
            return "alerts"
    elif is_archive(path):
        names = archive_names(path)
        if any(name.lower().endswith(ALERT) for name in names):
            return "alerts"
    else:
        if path.suffix.lower() == ALERT:
            return "alerts"
        if is_snana_fits(path):
            return "snana_fits"
        return "snana_text" if is_snana_text(path) else None
    if any(is_snana_fits(Path(name)) for name in names):
        return "snana_fits"
    return "bts" if is_bts(path, names) else "snana_text"
