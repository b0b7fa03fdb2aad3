"""Which format a source is in, and its reader."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chandelle.lightcurve.ingest.alerts import SUFFIX as ALERT
from chandelle.lightcurve.ingest.alerts import raw_alerts
from chandelle.lightcurve.ingest.bounded import archive_names, is_archive
from chandelle.lightcurve.ingest.bts import is_bts, raw_bts
from chandelle.lightcurve.ingest.dr2_layout import is_dr2, raw_dr2
from chandelle.lightcurve.ingest.epochs import Raw
from chandelle.lightcurve.ingest.snana import VpecSign
from chandelle.lightcurve.ingest.snana_fits import is_snana_fits
from chandelle.lightcurve.ingest.snana_release import raw_snana_fits
from chandelle.lightcurve.ingest.target_tables import targets_from


def read_release(
    source: Any,
    *,
    targets: Any = None,
    kcor: str | Path | None = None,
    vpec: VpecSign = "velocity",
    bands: Mapping[str, str] | None = None,
) -> Raw | None:
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
    bands : mapping, optional
        What the source's names of bands mean.

    Returns
    -------
    Raw or None
        With targets. None if the source is a table, SNANA text, or nothing that is known here.

    Raises
    ------
    InputError
        If the reader of the format raises.
    """
    kind = format_of(source)
    if kind is None:
        return None
    if kind == "bts":
        return raw_bts(source, targets=targets, bands=bands)
    if kind == "snana_fits":
        raw = raw_snana_fits(source, kcor=kcor, vpec=vpec)
    elif kind == "alerts":
        raw = raw_alerts(source)
    else:
        raw = raw_dr2(Path(source))
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
        "snana_fits", "alerts", "bts", "dr2"; None for anything else, and for a list of files that
        are not all SNANA FITS or alerts.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        return _format_of_many(path) if path.is_dir() or is_archive(path) else _format_of_file(path)
    if not isinstance(source, Sequence) or not all(isinstance(p, str | Path) for p in source):
        return None
    kinds = {_format_of_file(Path(one)) for one in source}
    return kinds.pop() if len(kinds) == 1 else None


def _format_of_file(path: Path) -> str | None:
    if path.suffix.lower() == ALERT:
        return "alerts"
    return "snana_fits" if is_snana_fits(path) else None


def _format_of_many(path: Path) -> str | None:
    """Format of a folder or an archive; a FITS pair counts only in the folder itself."""
    if path.is_dir():
        if is_dr2(path):
            return "dr2"
        here = [file.name for file in path.iterdir()]
        names = [file.name for file in path.rglob("*")]
    else:
        here = names = archive_names(path)
    if any(name.lower().endswith(ALERT) for name in names):
        return "alerts"
    if any(is_snana_fits(Path(name)) for name in here):
        return "snana_fits"
    return "bts" if is_bts(path, here) else None
