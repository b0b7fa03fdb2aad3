"""SNANA releases, as text or as FITS: passbands and zero points of the kcor file applied."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from chandelle.core.errors import InputError
from chandelle.instrument.kcor import Kcor, read_kcor
from chandelle.lightcurve.ingest.raw import RawLightCurves, unreadable
from chandelle.lightcurve.ingest.snana import (
    ZP_FLUXCAL,
    VpecSign,
    WhichFiles,
    read_snana_texts,
    rows_from_snana,
    targets_from_snana,
)
from chandelle.lightcurve.ingest.snana_fits import find_pairs, read_snana_fits
from chandelle.lightcurve.ingest.tables import Rows, refuse_unsafe

_log = logging.getLogger(__name__)
_MJD_ROUNDING = 2.5e-3
"""Times of an IGNORE list were held in 32 bits (0.004 d apart at MJD 57000), then written to 0.001 d;
those of Pantheon+ are off by up to 0.0023 d, and no other epoch of the filter is within 0.02 d."""

Paths = str | Path | Sequence[str | Path]


def raw_snana_texts(
    source: Paths, *, kcor: str | Path | None, vpec: VpecSign, files: WhichFiles
) -> RawLightCurves:
    """Read SNANA text.

    Parameters
    ----------
    source : path or paths
        Files, folder or tar archive.
    kcor : path
        Calibration file of the survey.
    vpec : {"velocity", "correction"}
        Sign of VPEC in the headers.
    files : {"listed", "all"}
        Whether a release's own list decides.

    Returns
    -------
    RawLightCurves
        Epochs with AB zero points; files that could not be read are among `lost`.

    Raises
    ------
    InputError
        If there is no `kcor`, or no light curve.
    """
    for path in [source] if isinstance(source, str | Path) else source:
        refuse_unsafe(Path(path))
    calibration = _calibration(source, kcor)
    found = read_snana_texts(source, files=files)
    lost = unreadable(found.failures, label=str(source), n_read=len(found.texts))
    if found.off_list:
        _log.info(
            "%s: %d light curves are not on the release's list and left out; "
            'snana_files="all" reads them',
            source,
            len(found.off_list),
        )
    columns = rows_from_snana(found.texts)
    columns["ignored"] = _in_list(columns, found.ignored)
    return RawLightCurves(
        rows=Rows(columns=_calibrate(columns, calibration), label=str(source)),
        targets=targets_from_snana(found.texts, vpec=vpec),
        passbands=dict(calibration.passbands),
        lost=lost,
    )


def raw_snana_fits(source: Paths, *, kcor: str | Path | None, vpec: VpecSign) -> RawLightCurves:
    """Read SNANA FITS pairs; the simulated truth goes with the targets.

    Parameters
    ----------
    source : path or paths
        HEAD, PHOT, or folders of them.
    kcor : path
        Calibration file of the survey.
    vpec : {"velocity", "correction"}
        Sign of VPEC in the table.

    Returns
    -------
    RawLightCurves
        Epochs with AB zero points. Columns SIM_* of the HEAD stand in the targets as they are.

    Raises
    ------
    InputError
        If there is no `kcor`, or no pair can be read.
    """
    calibration = _calibration(source, kcor)
    found = read_snana_fits(find_pairs(source), label=str(source), vpec=vpec)
    surveys = np.unique(found.targets["survey"].astype(str))
    if len(surveys) > 1:
        _log.warning("%s: one kcor file for several surveys, %s", source, ", ".join(surveys))
    return RawLightCurves(
        rows=Rows(columns=_calibrate(found.columns, calibration), label=str(source)),
        targets=found.targets,
        passbands=dict(calibration.passbands),
        lost=found.lost,
    )


def _calibration(source: Paths, kcor: str | Path | None) -> Kcor:
    if kcor is None:
        raise InputError(
            f"{source}: SNANA light curves need their passbands and zero points; give kcor=, the "
            "survey's calibration file (kcor_*.fits)"
        )
    return read_kcor(kcor)


def _calibrate(columns: dict[str, np.ndarray], calibration: Kcor) -> dict[str, np.ndarray]:
    """Full filter names instead of letters, and the AB zero point of FLUXCAL in each filter."""
    letters, index = np.unique(columns["band"], return_inverse=True)
    names = [calibration.name_of(str(letter)) or str(letter) for letter in letters]
    offsets = [calibration.zero_points.get(name, 0.0) for name in names]
    band = np.array(names, dtype=str)[index]
    return {**columns, "band": band, "zp": ZP_FLUXCAL - np.array(offsets, dtype=float)[index]}


def _in_list(
    columns: Mapping[str, np.ndarray], ignored: Sequence[tuple[str, float, str]]
) -> np.ndarray:
    """Epochs that the release's list rejects: same name and filter, and nearly the same MJD."""
    hit = np.zeros(len(columns["mjd"]), dtype=bool)
    for sn, mjd, band in ignored:
        near = np.abs(columns["mjd"] - mjd) < _MJD_ROUNDING
        hit |= (columns["sn"] == sn) & (columns["band"] == band) & near
    return hit
