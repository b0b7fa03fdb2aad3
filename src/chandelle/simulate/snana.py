"""SNANA files of a simulated sample: HEAD and PHOT tables with the truth, passbands, a README."""

import logging
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chandelle.core.atomic import atomic_folder
from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.simulate.snana_files import (
    MAG_OFFSET,
    MB_ZERO,
    TYPES,
    ZP_FLUXCAL,
    Columns,
    kcor_table,
    snana_readme,
    snana_table,
)
from chandelle.simulate.truth import Truth

_log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
END_OF_OBJECT = -777.0
_NULL = -9.0
_MAX_VERSION, _MAX_SNID = 70, 19
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PLAIN_TRUTH = {
    "SIM_REDSHIFT_CMB": "z_cos_true",
    "SIM_VPEC": "vpec_true",
    "SIM_DLMU": "mu_true",
    "SIM_LENSDMU": "lensing_mag_true",
    "SIM_PEAKMJD": "t0_true",
    "SIM_MAGSMEAR_COH": "gray_mag_true",
    "SIM_SALT2x1": "x1_true",
    "SIM_SALT2c": "c_true",
    "SIM_SALT2gammaDM": "step_mag_true",
    "SIM_HOSTLIB(LOGMASS_TRUE)": "host_logmass_true",
}


def snana_x0(x0: Floats) -> Floats:
    r"""SNANA's amplitude of a supernova of a SALT model.

    .. math:: x_0^\mathrm{SNANA} = 10^{0.4 \times 0.27}\, x_0

    for the same fluxes, as SNANA makes the magnitudes of the model fainter by 0.27.

    Parameters
    ----------
    x0 : array, shape (sn,)
        As chandelle and sncosmo have it.

    Returns
    -------
    array, shape (sn,)
        As SNANA has it.

    References
    ----------
    D. Brout et al., 2022, ApJ 938, 110 (the published mB of Pantheon+ is 10.635 - 2.5 log10 x0).

    Examples
    --------
    >>> snana_x0(np.array([1e-4])).round(7)
    array([0.0001282])
    """
    return x0 * 10.0 ** (0.4 * MAG_OFFSET)


def check_version(version: str) -> None:
    """Refuse what is no name of a version.

    Raises
    ------
    InputError
        If it has other characters than SNANA and a folder can have, or too many.
    """
    if not _NAME.fullmatch(version) or len(version) > _MAX_VERSION:
        raise InputError(
            f"version must be a name of letters, digits, _ . - up to {_MAX_VERSION} long, got "
            f"{version!r}"
        )


def write_snana(
    folder: str | Path,
    lightcurves: LightCurves,
    truth: Truth,
    *,
    version: str,
    compress: bool = True,
) -> list[Path]:
    """Write light curves and their truth as SNANA has its simulations.

    Each survey is a version of its own, as SNANA means it: a folder ``VERSION`` (of several
    surveys ``VERSION_SURVEY``) with ``VERSION_HEAD.FITS.gz``, ``VERSION_PHOT.FITS.gz``,
    ``VERSION.LIST``, ``VERSION.README`` and ``VERSION_KCOR.FITS``. The last has the passbands, on
    AB magnitudes, for readers that need no more of a kcor file (chandelle's does not; SNANA's fits
    want one of kcor.exe). Filters go by the last letter of their names.

    In the HEAD, x0 and mB are SNANA's (`snana_x0`), REDSHIFT_FINAL is in the frame of the CMB
    without correction for velocities, SIM_VPEC is positive when receding, SIM_LENSDMU,
    SIM_MAGSMEAR_COH and SIM_SALT2gammaDM are positive when fainter, PEAKMJD is the epoch of the
    largest flux at 5 sigma, and what is unknown -9. Covariances and calibration modes of the fluxes
    have no place in these files; supernovae without an epoch are left out.

    Parameters
    ----------
    folder : str or Path
        Where the folders of the versions go.
    lightcurves : LightCurves
        Of a simulation.
    truth : Truth
        Of the same sample, others in it too.
    version : str
        Name: letters, digits, ``_ . -``, up to 70 of them.
    compress : bool
        Whether the tables are gzipped.

    Returns
    -------
    list of Path
        A folder a survey.

    Raises
    ------
    InputError
        If the name is none, a target has no truth, two passbands of a survey end with one letter,
        two names become one, or a folder holds other things.

    Examples
    --------
    >>> import tempfile
    >>> from chandelle.simulate.sample import simulate_lightcurves
    >>> sample = simulate_lightcurves(n={"ZTF": 1, "DEEP": 0})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [place] = write_snana(folder, sample.lightcurves, sample.truth, version="MINI")
    ...     sorted(path.name for path in place.iterdir())[2:]
    ['MINI_HEAD.FITS.gz', 'MINI_KCOR.FITS', 'MINI_PHOT.FITS.gz']
    """
    check_version(version)
    has_epochs = np.isin(lightcurves.targets["sn"], np.unique(lightcurves["sn"]))
    seen = lightcurves.select_targets(has_epochs)
    if not len(seen.targets):
        raise InputError(f"{version}: no supernova has an epoch, there is nothing to write")
    of_target = seen.targets["survey"].astype(str)
    surveys = list(dict.fromkeys(of_target.tolist()))
    folders = []
    for survey in surveys:
        own = seen.select_targets(of_target == survey)
        name = version if len(surveys) == 1 else _sanitized(f"{version}_{survey}")
        folders.append(Path(folder) / name)
        _write_version(folders[-1], own, truth, survey=survey or name, compress=compress)
    _log.info(
        "SNANA files written",
        extra={"folders": list(map(str, folders)), "left_out": int((~has_epochs).sum())},
    )
    return folders


def _sanitized(name: str) -> str:
    """Name without what SNANA cannot read: blanks, commas, quotes, slashes and the like."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", name)


def _write_version(
    folder: Path, lightcurves: LightCurves, truth: Truth, *, survey: str, compress: bool
) -> None:
    """Write the files of one survey."""
    name, letters = folder.name, _letters(lightcurves)
    rows, first = _rows_by_target(lightcurves)
    drawn = truth.meta.provenance.get("targets", {})
    model = drawn.get(survey, drawn).get("model", "SALT")
    model = _sanitized(Path(str(model)).name).upper()
    head = _head_columns(lightcurves, truth, rows, first, model=model)
    facts = {
        "HIERARCH CODE_IVERSION": (23, "layout of the tables"),
        "HIERARCH SNANA_VERSION": ("NULL", "not written by SNANA"),
        "SURVEY": _sanitized(survey),
        "HIERARCH SUBSURVEY_FLAG": 0,
        "HIERARCH MWEBV_APPLYFLAG": (0, "dust of the Milky Way is in the fluxes"),
        "FILTERS": "".join(letters.values()),
        "VERSION": name,
        "PHOTFILE": f"{name}_PHOT.FITS",
        "NPRIVATE": 0,
        "DATATYPE": "SIM_SNANA",
        "HIERARCH KCOR_FILE": (f"{name}_KCOR.FITS", "passbands, AB"),
        "HIERARCH SIM_MODEL_INDEX": 6,
        "HIERARCH SIMOPT_MWCOLORLAW": (99, "Fitzpatrick 1999"),
        "HIERARCH SIM_MWRV": 3.1,
        "HIERARCH SIMOPT_MWEBV": 0,
        "HIERARCH SIMOPT_FLUXERR": 0,
        "HIERARCH SIM_HOSTLIB_NPAR": 1,
        "HIERARCH SIM_HOSTLIB_PAR00": "SIM_HOSTLIB(LOGMASS_TRUE)",
    }
    suffix = ".FITS.gz" if compress else ".FITS"
    with atomic_folder(folder) as place:
        phot = _phot_columns(lightcurves, rows, first, letters)
        for kind, columns in (("HEAD", head), ("PHOT", phot)):
            (place / f"{name}_{kind}{suffix}").write_bytes(
                snana_table(facts, columns, kind, compress=compress)
            )
        curves = {band: _passband(lightcurves, band) for band in letters}
        (place / f"{name}_KCOR.FITS").write_bytes(kcor_table(curves))
        (place / f"{name}.LIST").write_text(f"{name}_HEAD.FITS\n")
        text = snana_readme(name, survey, model, n=len(lightcurves.targets), letters=letters)
        (place / f"{name}.README").write_text(text)


def _letters(lightcurves: LightCurves) -> dict[str, str]:
    """Letter of each passband: the last of its name."""
    bands = sorted(set(lightcurves["band"].tolist()))
    letters = {band: band[-1] for band in bands}
    if len(set(letters.values())) < len(bands):
        raise InputError(
            f"SNANA knows a filter by the last letter of its name, which is not alone in "
            f"{', '.join(bands)}; write surveys or passbands apart (select, select_targets)"
        )
    return letters


def _rows_by_target(lightcurves: LightCurves) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Epochs by target and time; where those of each target begin, and the end."""
    names = lightcurves.targets["sn"]
    order = np.argsort(names)
    target = order[np.searchsorted(names[order], lightcurves["sn"])]
    rows = np.lexsort((lightcurves["mjd"], target))
    return rows, np.searchsorted(target[rows], np.arange(len(names) + 1))


def _phot_columns(
    lightcurves: LightCurves,
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    letters: Mapping[str, str],
) -> Columns:
    """Epochs, with a row that ends each supernova."""
    ends = first[1:]
    scale = 10.0 ** (-0.4 * (ZP_NJY - ZP_FLUXCAL))

    def ended(values: NDArray, mark: str | float) -> NDArray:
        return np.insert(values[rows], ends, mark)

    bands = np.array([letters[band] for band in lightcurves["band"].tolist()], dtype="U4")
    n = len(rows) + len(ends)
    return {
        "MJD": ("1D", ended(lightcurves["mjd"], END_OF_OBJECT)),
        "BAND": ("2A", ended(bands, "-")),
        "FIELD": ("12A", ended(np.full(len(rows), "NULL"), "XXXX")),
        "PHOTFLAG": ("1J", np.zeros(n, dtype=np.int32)),
        "FLUXCAL": ("1E", ended(scale * lightcurves["flux"], END_OF_OBJECT)),
        "FLUXCALERR": ("1E", ended(scale * lightcurves["flux_err"], END_OF_OBJECT)),
    }


def _head_columns(
    lightcurves: LightCurves,
    truth: Truth,
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    *,
    model: str,
) -> Columns:
    """Supernovae, pointers to their epochs, and what was drawn."""
    targets = lightcurves.targets
    snid = np.array([_sanitized(name) for name in targets["sn"].tolist()])
    if len(set(snid.tolist())) < len(snid) or max(map(len, snid.tolist())) > _MAX_SNID:
        raise InputError(
            f"SNANA's names have up to {_MAX_SNID} letters, digits, _ . + -; those of the targets "
            "are longer, or two become one; rename them"
        )
    count, start = np.diff(first), first[:-1] + np.arange(len(targets)) + 1
    types = np.array([TYPES.get(name, int(_NULL)) for name in _classes(lightcurves)])
    z_err = _known(targets["z_err"], fill=0.0)
    columns: Columns = {
        "SNID": (f"{_MAX_SNID}A", snid),
        "FAKE": ("1I", np.full(len(targets), 2)),
        "RA": ("1D", targets["ra"]),
        "DEC": ("1D", targets["dec"]),
        "SNTYPE": ("1J", types),
        "NOBS": ("1J", count),
        "PTROBS_MIN": ("1J", start),
        "PTROBS_MAX": ("1J", start + count - 1),
        "MWEBV": ("1D", _known(targets["mwebv"])),
        "MWEBV_ERR": ("1D", np.zeros(len(targets))),
        "REDSHIFT_HELIO": ("1D", _known(targets["z_hel"])),
        "REDSHIFT_HELIO_ERR": ("1D", z_err),
        "REDSHIFT_FINAL": ("1D", _known(targets["z_cmb"])),
        "REDSHIFT_FINAL_ERR": ("1D", z_err),
        "VPEC": ("1D", _known(targets["vpec"], fill=0.0)),
        "VPEC_ERR": ("1D", np.zeros(len(targets))),
        "HOSTGAL_LOGMASS": ("1D", _known(targets["host_logmass"])),
        "HOSTGAL_LOGMASS_ERR": ("1D", _known(targets["host_logmass_err"])),
        "PEAKMJD": ("1D", _peak_mjd(lightcurves, rows, first)),
    }
    is_ia = types == TYPES["SN Ia"]
    kinds = np.array([name.removeprefix("SN ") for name in _classes(lightcurves)])
    words: Columns = {
        "SIM_MODEL_NAME": ("32A", np.where(is_ia, model[:32], "NON1A")),
        "SIM_TYPE_NAME": ("8A", kinds),
    }
    numbers: Columns = {
        "SIM_MODEL_INDEX": ("1I", np.where(is_ia, 6, int(_NULL))),
        "SIM_GENTYPE": ("1I", types),
        "SIM_TYPE_INDEX": ("1I", types),
        "SIM_TEMPLATE_INDEX": ("1J", np.zeros(len(targets), dtype=np.int32)),
        "SIM_REDSHIFT_HELIO": ("1D", _known(targets["z_hel"])),
        "SIM_RA": ("1D", targets["ra"]),
        "SIM_DEC": ("1D", targets["dec"]),
        "SIM_MWEBV": ("1D", _known(targets["mwebv"])),
    }
    return columns | words | numbers | _truth_columns(lightcurves, truth)


def _truth_columns(lightcurves: LightCurves, truth: Truth) -> Columns:
    """What was drawn of each target, x0 and mB as SNANA has them."""
    row_of = {name: row for row, name in enumerate(truth["sn"].tolist())}
    names = lightcurves.targets["sn"].tolist()
    missing = sorted(set(names) - set(row_of))
    if missing:
        raise InputError(f"{len(missing)} targets have no truth, first {missing[0]}")
    rows = np.array([row_of[name] for name in names])
    n, has = len(rows), set(truth.table.column_names)
    columns: Columns = {
        name: ("1D", _known(truth[own][rows]) if own in has else np.full(n, _NULL))
        for name, own in _PLAIN_TRUTH.items()
    }
    x0 = snana_x0(truth["x0_true"][rows])
    columns["SIM_SALT2x0"] = ("1D", _known(x0))
    columns["SIM_SALT2mB"] = ("1D", _known(MB_ZERO - 2.5 * np.log10(x0)))
    for name in ("alpha", "beta"):
        value = truth.parameters.get(name, _NULL)
        columns[f"SIM_SALT2{name}"] = ("1D", np.full(n, value))
    return columns


def _known(values: NDArray, *, fill: float = _NULL) -> Floats:
    """Numbers, and `fill` for what is missing."""
    numbers = np.asarray(values, dtype=float)
    return np.where(np.isfinite(numbers), numbers, fill)


def _classes(lightcurves: LightCurves) -> list[str]:
    """Class of each target, type Ia where none is told."""
    if "class" not in lightcurves.targets.table.column_names:
        return ["SN Ia"] * len(lightcurves.targets)
    return [name or "SN Ia" for name in lightcurves.targets["class"].tolist()]


def _peak_mjd(
    lightcurves: LightCurves, rows: NDArray[np.int64], first: NDArray[np.int64]
) -> Floats:
    """Time of the largest flux of 5 sigma; of the largest ratio to its error where none is."""
    mjd, flux = lightcurves["mjd"][rows], lightcurves["flux"][rows]
    ratio = flux / lightcurves["flux_err"][rows]
    peak = np.empty(len(first) - 1)
    for i, (start, stop) in enumerate(pairwise(first)):
        is_seen = ratio[start:stop] >= 5.0
        score = np.where(is_seen, flux[start:stop], -np.inf) if is_seen.any() else ratio[start:stop]
        peak[i] = mjd[start + int(np.argmax(score))]
    return peak


def _passband(lightcurves: LightCurves, band: str) -> Passband:
    own = lightcurves.passbands
    return own[band] if band in own else load_passband(band)
