"""Times of epochs: MJD, JD, `Time` or dates with their zone, brought to MJD of one scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd
from astropy.time import Time
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.plain import MISSING_WORDS, numbers, plain

TimeScale = Literal["utc", "tai", "tt", "tdb"]
"""Scales in which MJD may be given; they differ by about a minute."""

DEFAULT_SCALE: TimeScale = "utc"
AT_THE_OBSERVATORY: Mapping[str, str] = {
    "time_scale": DEFAULT_SCALE,
    "time_place": "observatory",
}
"""Facts of times that a release gives as UTC of the telescope."""
_SCALES = get_args(TimeScale)
_JD_FROM = 2.4e6
_JD_OF_MJD_ZERO = 2_400_000.5
_ZONE = r"[T ]\d{2}:?\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_PLACES = {
    "hjd": "heliocentric",
    "hmjd": "heliocentric",
    "bjd": "barycentric",
    "bmjd": "barycentric",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Times of a table.

    Attributes
    ----------
    mjd : NDArray, shape (obs,), d
        In `scale`; NaN where unknown.
    scale : str
        Of the numbers.
    place : str
        "observatory", or "heliocentric" or "barycentric" where the column's name says so.
    """

    mjd: NDArray[np.float64]
    scale: TimeScale
    place: str


def read_times(
    column: Any, *, name: str, label: str, declared: str | None, scale: TimeScale | None
) -> Times:
    """Bring a column of times to MJD.

    Parameters
    ----------
    column : Series, array, Column or Time
        MJD or JD numbers, an astropy `Time`, or ISO dates with ``Z`` or an offset from UTC.
    name : str
        Of the column: hjd, bjd, mjd_tdb ... say more than their numbers.
    label : str
        What the table is called in messages.
    declared : str, optional
        Scale that the table declares (FITS keyword TIMESYS).
    scale : {"utc", "tai", "tt", "tdb"}, optional
        Scale wanted. Numbers are taken to be in it, `Time` and dates are converted to it. Without
        it, what the name or the table says, else UTC.

    Returns
    -------
    Times
        In one scale.

    Raises
    ------
    InputError
        If scales contradict, dates have no zone, or JD and MJD are mixed.
    """
    said = _scale_in(name) or _known(declared)
    if scale is not None and scale not in _SCALES:
        raise InputError(f"time_scale must be one of {', '.join(_SCALES)}, got {scale!r}")
    kept = scale or said or DEFAULT_SCALE
    place = _PLACES.get(name.lower().split("_")[0], "observatory")
    if isinstance(column, Time):
        return Times(mjd=_of_time(column, kept, label), scale=kept, place=place)
    if _is_date(column):
        mjd = _of_dates(column, name=name, label=label)
        return Times(mjd=_converted(mjd, "utc", kept), scale=kept, place=place)
    if said and said != kept:
        raise InputError(
            f"{label}: column {name} is in {said.upper()}, time_scale says {kept!r}; drop the one "
            "that is wrong, or give the times as astropy Time to have them converted"
        )
    values = numbers(column, name=name, label=label)
    is_jd = "jd" in name.lower() and "mjd" not in name.lower()
    return Times(mjd=_of_numbers(values, is_jd=is_jd, label=label), scale=kept, place=place)


def _scale_in(name: str) -> TimeScale | None:
    """Scale that a column's name ends with, as in mjd_tdb or midpointMjdTai."""
    tail = name.lower().removeprefix("midpointmjd").split("_")[-1]
    return _known(tail)


def _known(scale: str | None) -> TimeScale | None:
    lower = str(scale or "").strip().lower()
    return cast(TimeScale, lower) if lower in _SCALES else None


def _of_time(column: Time, scale: TimeScale, label: str) -> NDArray[np.float64]:
    if column.scale == "local":
        raise InputError(f"{label}: a Time of scale 'local' has no place on Earth; give it in UTC")
    mjd = np.where(np.asarray(column.mask), np.nan, plain(column.mjd))
    if np.isfinite(mjd).all():
        return np.array(plain(getattr(column, scale).mjd), dtype=float)
    return _converted(mjd, column.scale, scale)


def _converted(mjd: NDArray[np.float64], scale: str, to: TimeScale) -> NDArray[np.float64]:
    """MJD of another scale; astropy wants finite ones."""
    if scale == to:
        return mjd
    known = np.isfinite(mjd)
    out = np.full(len(mjd), np.nan)
    out[known] = getattr(Time(mjd[known], format="mjd", scale=scale), to).mjd
    return out


def _is_date(column: Any) -> bool:
    """Whether a column holds dates: of such a type, or text that is not numbers."""
    kind = getattr(column, "dtype", np.dtype(object))
    if isinstance(kind, pd.DatetimeTZDtype) or getattr(kind, "kind", "") in "mM":
        return True
    if pd.api.types.is_numeric_dtype(kind):
        return False
    text = pd.Series(plain(column)).astype(str)
    first = text.loc[~_is_missing(text)].iloc[:1]
    return bool(len(first)) and bool(first.str.contains(r"^\d{4}-\d{2}|^\d{8}T").any())


def _is_missing(text: pd.Series) -> pd.Series:
    """Which cells are words for nothing."""
    return text.str.strip().str.lower().isin(MISSING_WORDS)


def _of_dates(column: Any, *, name: str, label: str) -> NDArray[np.float64]:
    """MJD (UTC) of dates that carry their zone."""
    stamps = pd.Series(column)
    mend = "add Z (for UTC) or the offset (+02:00), or give MJD or an astropy Time"
    if getattr(stamps.dtype, "kind", "") in "mM" and not isinstance(
        stamps.dtype, pd.DatetimeTZDtype
    ):
        raise InputError(f"{label}: column {name} has dates without a zone; {mend}")
    if not isinstance(stamps.dtype, pd.DatetimeTZDtype):
        text = pd.Series(plain(column)).astype(str).str.strip()
        known = ~_is_missing(text)
        naive = np.flatnonzero(known & ~text.str.contains(_ZONE))
        if len(naive):
            raise InputError(
                f"{label}: {len(naive)} of {len(text)} times have no zone, first "
                f"{text.iloc[naive[0]]!r} in row {naive[0]} of column {name}; {mend}"
            )
        try:
            stamps = pd.to_datetime(text.where(known), utc=True, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise InputError(f"{label}: column {name} must be ISO dates, {error}") from error
    days = (stamps - pd.Timestamp("1858-11-17", tz="UTC")) / pd.Timedelta(days=1)
    return days.to_numpy(dtype=float, na_value=np.nan)


def _of_numbers(values: NDArray[np.float64], *, is_jd: bool, label: str) -> NDArray[np.float64]:
    finite = np.isfinite(values)
    are_jd = finite & (values > _JD_FROM)
    n_jd, n = int(are_jd.sum()), int(finite.sum())
    if 0 < n_jd < n:
        raise InputError(
            f"{label}: {n_jd} of {n} times are JD (> 2.4e6), the others MJD, first MJD in row "
            f"{np.flatnonzero(finite & ~are_jd)[0]}; bring them to one scale"
        )
    if is_jd and n_jd < n:
        raise InputError(
            f"{label}: the column is called JD, but its times start at {values[finite][0]}; JD is "
            "above 2.4e6: call it mjd, or add what was subtracted"
        )
    return values - _JD_OF_MJD_ZERO if n_jd else values
