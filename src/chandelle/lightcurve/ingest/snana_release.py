"""SNANA releases, as text or as FITS: passbands and zero points of the kcor file applied."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chandelle.core.errors import InputError
from chandelle.instrument.kcor import Kcor, read_kcor
from chandelle.lightcurve.ingest.coded import encode
from chandelle.lightcurve.ingest.epochs import Raw
from chandelle.lightcurve.ingest.lost import unreadable
from chandelle.lightcurve.ingest.snana import (
    ZP_FLUXCAL,
    VpecSign,
    WhichFiles,
    read_snana_texts,
    rows_from_snana,
    targets_from_snana,
)
from chandelle.lightcurve.ingest.snana_fits import find_pairs, read_snana_fits
from chandelle.lightcurve.ingest.tables import Rows
from chandelle.lightcurve.ingest.times import AT_THE_OBSERVATORY

_log = logging.getLogger(__name__)
_MJD_ROUNDING = 2.5e-3
"""Times of an IGNORE list were held in 32 bits (0.004 d apart at MJD 57000), then written to
0.001 d; those of Pantheon+ are off by up to 0.0023 d, and no other epoch of the filter
is within 0.02 d."""

Paths = str | Path | Sequence[str | Path]


def raw_snana_texts(
    source: Paths, *, label: str, kcor: str | Path | None, vpec: VpecSign, files: WhichFiles
) -> Raw:
    """Read SNANA text.

    Parameters
    ----------
    source : path or paths
        Files, folder or tar archive.
    label : str
        What they are called together.
    kcor : path
        Calibration file of the survey.
    vpec : {"velocity", "correction"}
        Sign of VPEC in the headers.
    files : {"listed", "all"}
        Whether a release's own list decides.

    Returns
    -------
    Raw
        Epochs with AB zero points; files that could not be read are among `lost`.

    Raises
    ------
    InputError
        If there is no `kcor`, or no light curve.
    """
    calibration = _calibration(label, kcor)
    found = read_snana_texts(source, files=files)
    lost = unreadable(found.failures, label=label, n_read=len(found.texts))
    if found.off_list:
        _log.info(
            "%s: %d light curves are not on the release's list and left out; "
            'snana_files="all" reads them',
            label,
            len(found.off_list),
        )
    columns: dict[str, Any] = rows_from_snana(found.texts)
    columns["ignored"] = _in_list(columns, found.ignored)
    lengths = [len(text.columns["MJD"]) for text in found.texts]
    targets = targets_from_snana(found.texts, vpec=vpec)
    columns["survey"] = np.repeat(targets["survey"].astype(str), lengths)
    return Raw(
        rows=_calibrated(columns, calibration, label=label),
        targets=targets,
        passbands=dict(calibration.passbands),
        lost=lost,
    )


def raw_snana_fits(source: Paths, *, kcor: str | Path | None, vpec: VpecSign) -> Raw:
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
    Raw
        Epochs with AB zero points. Columns SIM_* of the HEAD stand in the targets as they are.

    Raises
    ------
    InputError
        If there is no `kcor`, or no pair can be read.
    """
    pairs = find_pairs(source)
    label = str(source) if isinstance(source, str | Path) else str(pairs[0][0].parent)
    calibration = _calibration(label, kcor)
    found = read_snana_fits(pairs, label=label, vpec=vpec)
    surveys = np.unique(found.targets["survey"].astype(str))
    if len(surveys) > 1:
        _log.warning("%s: one kcor file for several surveys, %s", label, ", ".join(surveys))
    return Raw(
        rows=_calibrated(found.columns, calibration, label=label),
        targets=found.targets,
        passbands=dict(calibration.passbands),
        lost=found.lost,
    )


def _calibration(label: str, kcor: str | Path | None) -> Kcor:
    if kcor is None:
        raise InputError(
            f"{label}: SNANA light curves need their passbands and zero points; give kcor=, the "
            "survey's calibration file (kcor_*.fits)"
        )
    return read_kcor(kcor)


def _calibrated(columns: Mapping[str, Any], calibration: Kcor, *, label: str) -> Rows:
    """Full filter names instead of letters, and the AB zero point of FLUXCAL in each filter."""
    band = encode(columns["band"])
    names = [calibration.name_of(letter) or letter for letter in band.values.tolist()]
    offsets = [calibration.zero_points.get(name, 0.0) for name in names]
    zp = ZP_FLUXCAL - np.array(offsets, dtype=float)[band.codes]
    return Rows(
        columns={**columns, "band": band.renamed(names), "zp": zp},
        label=label,
        facts=dict(AT_THE_OBSERVATORY),
    )


def _in_list(
    columns: Mapping[str, np.ndarray], ignored: Sequence[tuple[str, float, str]]
) -> np.ndarray:
    """Epochs that the release's list rejects: same name and filter, and nearly the same MJD."""
    hit = np.zeros(len(columns["mjd"]), dtype=bool)
    for sn, mjd, band in ignored:
        near = np.abs(columns["mjd"] - mjd) < _MJD_ROUNDING
        hit |= (columns["sn"] == sn) & (columns["band"] == band) & near
    return hit
