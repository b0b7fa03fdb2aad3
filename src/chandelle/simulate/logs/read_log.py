"""Real logs of exposures: own columns, or those of a skysurvey survey, checked row by row."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.instrument.band_names import ALIASES_VERSION, BAND_ALIASES, explain_bands
from chandelle.instrument.passbands import list_passbands
from chandelle.products.exposures import Exposures
from chandelle.products.product import Meta, read_meta, read_parquet
from chandelle.simulate.logs.fields import Fields

if TYPE_CHECKING:
    import astropy.table

_log = logging.getLogger(__name__)

REASONS = (
    "mjd_missing",
    "mjd_outside",
    "position_missing",
    "position_outside",
    "field_unknown",
    "band_missing",
    "band_left_out",
    "noise_not_positive",
    "zp_missing",
    "zp_absurd",
    "depth_missing",
    "depth_absurd",
    "depth_beyond_photons",
    "condition_absurd",
    "name_duplicate",
)
"""Why an exposure is left out; the first that applies counts."""

_MJD_RANGE = (15020.0, 88069.0)
"""The years 1900 to 2100."""
_ZP_RANGE, _DEPTH_RANGE = (10.0, 50.0), (5.0, 35.0)
# What a condition may be where it is known.
_CONDITIONS = {
    "exptime_s": (1e-3, 1e6),
    "airmass": (0.99, 40.0),
    "seeing_arcsec": (1e-3, 60.0),
    "sky_mag": (0.0, 35.0),
    "cloud_mag": (0.0, 30.0),
    "moon_fraction": (0.0, 1.0),
    "moon_altitude": (-90.0, 90.0),
    "sun_altitude": (-90.0, 90.0),
    "rotation": (-360.0, 360.0),
}
_SKYSURVEY = ("skynoise", "gain", "zp")


def read_exposures(
    source: "str | Path | pd.DataFrame | pa.Table | astropy.table.Table",
    *,
    survey: str = "",
    bands: Mapping[str, str | None] | None = None,
    fields: Fields | None = None,
) -> Exposures:
    r"""Read a log of exposures, leave out what is unusable, and count it.

    Own columns are those of `Exposures`; ``mjd band zp depth`` and ``ra dec`` (or ``field``) must
    be there. A column ``skynoise`` makes it a log of skysurvey: ``mjd band skynoise gain zp`` and
    ``ra dec`` (or ``fieldid``), where a flux f in units of `zp` has the variance
    :math:`\mathrm{skynoise}^2 + f/\mathrm{gain}`. Its depth is that of
    :math:`f_5 = [25/g + \sqrt{(25/g)^2 + 100\,\mathrm{skynoise}^2}]/2`, its electrons count from
    :math:`zp + 2.5 \log_{10} g`. Times are taken as they stand, for the middle of the exposure.

    Parameters
    ----------
    source : path, DataFrame, pyarrow or astropy Table
        A ``.parquet`` or ``.csv`` file, or a table.
    survey : str
        Its name, where there is no column `survey`.
    bands : mapping of str to str or None, optional
        What the log's names of bands mean, before the aliases that are known anyhow (`ZTF_g`,
        `lsst_r`); None leaves the exposures of a band out.
    fields : Fields, optional
        Where the fields are, for logs without ra and dec.

    Returns
    -------
    Exposures
        Good rows in order of time; ``meta.provenance["log"]`` has ``rows``, ``used`` and
        ``rejected``, the number left out for each of `REASONS`.

    Raises
    ------
    InputError
        If there is no such file, a column is missing, a band has no passband, or no row is good.

    Examples
    --------
    >>> log = read_exposures(pd.DataFrame({"mjd": [59000.1], "band": ["ztfg"], "ra": [10.0],
    ...     "dec": [20.0], "skynoise": [150.0], "gain": [1.0], "zp": [30.0]}))
    >>> log["depth"].round(2)
    array([22.79])
    """
    frame, label, meta = _frame_of(source)
    if not len(frame):
        raise InputError(f"{label}: the log has no row; give one exposure at least")
    is_skysurvey = "skynoise" in frame
    field_name = "fieldid" if "fieldid" in frame and "field" not in frame else "field"
    needed = ["mjd", "band", *(_SKYSURVEY if is_skysurvey else ("zp", "depth"))]
    _require(frame, needed, label)
    columns: dict[str, NDArray] = {name: _numbers(frame, name) for name in ("mjd", "zp")}
    bad: dict[str, NDArray[np.bool_]] = {}
    columns["field"] = _numbers(frame, field_name)
    _place(frame, columns, bad, fields, label, field_name)
    renamed = _name_bands(frame, columns, bad, bands or {}, label)
    _depths(frame, columns, bad, is_skysurvey)
    for name in _CONDITIONS:
        columns[name] = _numbers(frame, name)
    _check(columns, bad, label)
    columns["exposure"] = _names(frame, survey)
    others = np.flatnonzero(~np.any(list(bad.values()), axis=0))
    bad["name_duplicate"] = np.zeros(len(frame), dtype=bool)
    bad["name_duplicate"][others] = pd.Series(columns["exposure"][others]).duplicated().to_numpy()
    columns["survey"] = (
        _words(frame, "survey") if "survey" in frame else np.full(len(frame), survey)
    )
    for name in ("field", "night"):
        values = columns[name] if name in columns else _numbers(frame, name)
        columns[name] = np.where(np.isfinite(values), values, 0.0).astype(np.int64)
    keep, counts = _rejected(bad, len(frame), label)
    rows = keep[np.argsort(columns["mjd"][keep], kind="stable")]
    facts: dict[str, Any] = {
        "source": label,
        "rows": len(frame),
        "used": len(rows),
        "rejected": counts,
    }
    if renamed:
        facts["band_names"] = {"aliases_version": ALIASES_VERSION, "renamed": renamed}
    _log.info("exposures read", extra=facts)
    kept: dict[str, Sequence | np.ndarray] = {name: each[rows] for name, each in columns.items()}
    return Exposures.from_columns(kept, meta=meta.with_provenance(log=facts))


def _frame_of(source: Any) -> tuple[pd.DataFrame, str, Meta]:
    """Give the table, what it is called in messages, and where it came from."""
    meta = Meta(origin="real")
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix == ".parquet":
            own = read_meta(path, Exposures.schema)
            return read_parquet(path).to_pandas(), str(path), own if own.origin else meta
        if path.suffix != ".csv":
            raise InputError(f"{path}: a log is a .parquet or .csv file; convert it to one of both")
        try:
            return pd.read_csv(path, comment="#", skipinitialspace=True), str(path), meta
        except FileNotFoundError as error:
            raise InputError(f"{path}: expected a CSV file, found none") from error
        except (ValueError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: expected a table of exposures in CSV, {error}") from error
    if isinstance(source, pa.Table):
        return source.to_pandas(), "log", meta
    if isinstance(source, pd.DataFrame):
        return source, "log", meta
    if hasattr(source, "to_pandas") and hasattr(source, "colnames"):
        try:
            return source.to_pandas(), "log", meta
        except ValueError as error:
            raise InputError(f"log: the columns must have one axis, {error}") from error
    raise InputError(
        f"read_exposures takes a path, DataFrame, pyarrow or astropy Table, got "
        f"{type(source).__name__}"
    )


def _require(frame: pd.DataFrame, names: Sequence[str], label: str) -> None:
    missing = [name for name in names if name not in frame]
    if missing:
        raise InputError(
            f"{label}: missing column {', '.join(missing)}; found "
            f"{', '.join(map(str, frame.columns))}; a log has mjd, band, ra, dec, zp, depth, or "
            "as in skysurvey mjd, band, ra, dec, skynoise, gain, zp: rename or add them"
        )
    twice = sorted(set(frame.columns[frame.columns.duplicated()].map(str)))
    if twice:
        raise InputError(f"{label}: column {', '.join(twice)} stands twice; drop one of each")


def _numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Give a column as numbers; NaN for what is none, or where there is no such column."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return np.array(pd.to_numeric(pd.Series(frame[name]), errors="coerce"), dtype=float)


def _words(frame: pd.DataFrame, name: str) -> NDArray:
    """Give a column as text; empty for what is missing."""
    column = np.asarray(frame[name], dtype=object)
    return np.where(pd.isna(column), "", column).astype(str)


def _place(
    frame: pd.DataFrame,
    columns: dict[str, NDArray],
    bad: dict[str, NDArray[np.bool_]],
    fields: Fields | None,
    label: str,
    field_name: str,
) -> None:
    """Positions from ra and dec, or from the number of the field."""
    if "ra" in frame and "dec" in frame:
        ra, dec = _numbers(frame, "ra"), _numbers(frame, "dec")
        bad["position_outside"] = (np.abs(dec) > 90.0) | (np.abs(ra) > 360.0)
    elif fields is not None and field_name in frame:
        order = np.argsort(fields.number)
        spot = np.searchsorted(fields.number[order], columns["field"])
        row = order[np.minimum(spot, len(order) - 1)]
        bad["field_unknown"] = fields.number[row] != columns["field"]
        ra, dec = fields.ra[row], fields.dec[row]
    else:
        mend = "give fields=Fields(...) with their centers" if field_name in frame else "add them"
        raise InputError(f"{label}: no columns ra and dec to place the exposures; {mend}")
    bad["position_missing"] = ~(np.isfinite(ra) & np.isfinite(dec))
    columns["ra"], columns["dec"] = np.mod(ra, 360.0, where=np.isfinite(ra), out=ra.copy()), dec


def _name_bands(
    frame: pd.DataFrame,
    columns: dict[str, NDArray],
    bad: dict[str, NDArray[np.bool_]],
    bands: Mapping[str, str | None],
    label: str,
) -> dict[str, str]:
    """Names of passbands, and which were given others.

    A name that means nothing stops the reading, it may be all of a band.
    """
    names = _words(frame, "band")
    different, of_row = np.unique(names, return_inverse=True)
    meant = [bands.get(str(name), str(name)) for name in different]
    known = set(list_passbands())
    meant = [name if name in known else BAND_ALIASES.get(name or "", name) for name in meant]
    pairs = list(zip(different.tolist(), meant, strict=True))
    unknown = [name for name, own in pairs if own and own not in known]
    if unknown:
        raise InputError(
            f"{label}: {explain_bands(unknown, known)}; say what it is with "
            f"bands={{{unknown[0]!r}: 'ztfg'}} (None leaves its exposures out); passbands: "
            f"{', '.join(sorted(known))}"
        )
    columns["band"] = np.array([name or "" for name in meant])[of_row]
    bad["band_missing"] = names == ""
    bad["band_left_out"] = np.array([name is None for name in meant])[of_row]
    return {name: own for name, own in pairs if own and own != name}


def _depths(
    frame: pd.DataFrame,
    columns: dict[str, NDArray],
    bad: dict[str, NDArray[np.bool_]],
    is_skysurvey: bool,
) -> None:
    """Depth and zero point of an electron, converted where they are skysurvey's."""
    if not is_skysurvey:
        columns["depth"] = _numbers(frame, "depth")
        return
    noise, gain = _numbers(frame, "skynoise"), _numbers(frame, "gain")
    is_good = (noise > 0) & (gain > 0) & np.isfinite(noise) & np.isfinite(gain)
    bad["noise_not_positive"] = ~is_good
    noise, gain = np.where(is_good, noise, 1.0), np.where(is_good, gain, 1.0)
    limit = 0.5 * (25.0 / gain + np.hypot(25.0 / gain, 10.0 * noise))
    columns["depth"] = columns["zp"] - 2.5 * np.log10(limit)
    columns["zp"] = columns["zp"] + 2.5 * np.log10(gain)


def _check(columns: dict[str, NDArray], bad: dict[str, NDArray[np.bool_]], label: str) -> None:
    """Ranges of numbers."""
    mjd = columns["mjd"]
    if np.isfinite(mjd).any() and np.nanmedian(mjd) > 2.4e6:
        raise InputError(
            f"{label}: mjd is {np.nanmedian(mjd):.1f}, a Julian date; subtract 2400000.5"
        )
    ranges = {"mjd_outside": ("mjd", _MJD_RANGE), "zp_absurd": ("zp", _ZP_RANGE)}
    ranges["depth_absurd"] = ("depth", _DEPTH_RANGE)
    for reason, (name, limits) in ranges.items():
        bad[reason] = _outside(columns[name], limits)
        bad[f"{name}_missing"] = ~np.isfinite(columns[name])
    # A source at 5 sigma has 25 photo-electrons at least.
    bad["depth_beyond_photons"] = columns["depth"] > columns["zp"] - 2.5 * np.log10(25.0) + 1e-9
    outside = [_outside(columns[name], limits) for name, limits in _CONDITIONS.items()]
    bad["condition_absurd"] = np.any(outside, axis=0)


def _outside(values: NDArray, limits: tuple[float, float]) -> NDArray[np.bool_]:
    """Whether a number that is there lies outside of a range."""
    return (values < limits[0]) | (values > limits[1])


def _names(frame: pd.DataFrame, survey: str) -> NDArray:
    """Names of the exposures, made of survey and row where there are none."""
    made = np.array([f"{survey or 'log'}-{row:07d}" for row in range(len(frame))])
    if "exposure" not in frame:
        return made
    given = _words(frame, "exposure")
    return np.where(given == "", made, given)


def _rejected(
    bad: Mapping[str, NDArray[np.bool_]], n: int, label: str
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Rows that are good, and how many are bad by their first reason."""
    is_left, counts = np.ones(n, dtype=bool), {}
    for reason in REASONS:
        if reason in bad and (first := bad[reason] & is_left).any():
            counts[reason] = int(first.sum())
            is_left &= ~first
    if not is_left.any():
        why = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        raise InputError(f"{label}: none of {n} exposures is usable: {why}; mend those columns")
    return np.flatnonzero(is_left), counts
