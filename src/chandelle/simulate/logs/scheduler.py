"""What is observed when in one night: greedy by lateness and airmass, in blocks of one filter.

The night is filled with units. A unit is one program and a list of fields that are due: all are
taken in its first band, then all in its second, so pairs come about a block apart with one change
of filter a block. The unit taken next is the one whose fields are latest and fill it best.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from chandelle.simulate.logs.night import (
    airmass,
    altitude,
    moon_fraction,
    moon_position,
    of_date,
    separation,
    sidereal_time,
)
from chandelle.simulate.logs.settings import LogSettings, Program

Floats = NDArray[np.float64]
_DAY_S = 86400.0
_IDLE_DAYS = 10.0 / 1440.0
_GOLDEN = 0.6180339887498949
_ENOUGH, _PATIENCE = 0.4, 2
"""A unit less full than this waits so many idle times for more fields: filters change less."""
_AIRMASS_SLACK = 0.2
"""A field on time waits until its airmass is this near to the best of the night."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visits:
    """Exposures of one night in order of time.

    Attributes
    ----------
    start : array, shape (exposure,), d
        MJD of the opening of the shutter.
    field, band : array of int, shape (exposure,)
        Rows of the fields and of the bands of the settings.
    """

    start: Floats
    field: NDArray[np.int64]
    band: NDArray[np.int64]


def first_due(settings: LogSettings) -> Floats:
    """When each field is due first in each program, nights after the first.

    Spread over the interval (by the golden ratio, so that neighbors differ), or the first nights
    would be overfull and the next empty.

    Parameters
    ----------
    settings : LogSettings
        Fields and programs.

    Returns
    -------
    array, shape (program, field), d
        Infinite for fields of another group.
    """
    spread = (np.arange(len(settings.fields)) * _GOLDEN) % 1.0
    rows = [
        np.where(
            settings.fields.group == program.group,
            program.interval_nights * ((spread + 0.5 * number) % 1.0),
            np.inf,
        )
        for number, program in enumerate(settings.programs)
    ]
    return np.stack(rows)


def schedule(
    settings: LogSettings, due: Floats, *, nights_past: int, start: float, stop: float
) -> tuple[Visits, Floats]:
    """Fill one night.

    Parameters
    ----------
    settings : LogSettings
        The survey.
    due : array, shape (program, field), d
        From `first_due`, or from the night before.
    nights_past : int
        Nights since the first.
    start, stop : float, d
        MJD of the dark hours.

    Returns
    -------
    visits : Visits
        The exposures; each ends before `stop`.
    due : array, shape (program, field), d
        For the next night.
    """
    sky = _Sky.of(settings, start=start, stop=stop)
    due, now, last_band, waits = due.copy(), start, -1, 0
    parts: list[Visits] = []
    while now < stop:
        best = None
        for row, program in enumerate(settings.programs):
            unit = _best_unit(settings, sky, row, program, due[row], nights_past, now, stop)
            if unit is not None and (best is None or unit.merit > best.merit):
                best = unit
        waits += 1
        if best is None or (best.fullness < _ENOUGH and waits <= _PATIENCE):
            now += _IDLE_DAYS
            continue
        waits = 0
        visits, now, last_band = _take(settings, sky, best, now, last_band)
        parts.append(visits)
        program = settings.programs[best.row]
        late = np.maximum(due[best.row, best.fields], nights_past - 0.5)
        due[best.row, best.fields] = late + program.interval_nights
    return _joined(parts), due


def _joined(parts: list[Visits]) -> Visits:
    def column(name: str, kind: type) -> NDArray:
        return np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)])

    return Visits(
        start=column("start", float), field=column("field", int), band=column("band", int)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sky:
    """The fields and the moon on one night, of date; best airmass of each field."""

    ra: Floats
    polar: Floats
    equatorial: Floats
    best: Floats
    sin_lowest: float
    is_far: NDArray[np.bool_]
    moon: tuple[float, float]
    lit: float

    @classmethod
    def of(cls, settings: LogSettings, *, start: float, stop: float) -> "_Sky":
        ra, dec = of_date(settings.fields.ra, settings.fields.dec, start)
        hour = sidereal_time(np.array([start, stop]), settings.site.longitude)[:, None] - ra
        hour = (hour + 180.0) % 360.0 - 180.0
        # The field culminates in the night where the hour angle passes through zero.
        nearest = np.where((hour[0] <= 0.0) & (hour[1] >= 0.0), 0.0, np.minimum(*np.abs(hour)))
        best = airmass(altitude(ra, dec, ra + nearest, latitude=settings.site.latitude))
        lat = np.radians(settings.site.latitude)
        middle = np.array([0.5 * (start + stop)])
        moon = moon_position(middle, settings.site)
        # The moon goes 4 deg at most in half a night.
        far = separation(ra, dec, *moon) > settings.moon_separation + 4.0
        return cls(
            ra=ra,
            polar=np.sin(lat) * np.sin(np.radians(dec)),
            equatorial=np.cos(lat) * np.cos(np.radians(dec)),
            best=best,
            sin_lowest=_sin_lowest(settings.airmass_limit),
            is_far=far,
            moon=(float(moon[0][0]), float(moon[1][0])),
            lit=float(moon_fraction(middle)[0]),
        )

    def sin_altitude(self, rows: NDArray[np.int64], sidereal: float) -> Floats:
        """Sine of the altitude of some fields at a sidereal time [deg]."""
        hour = np.radians(sidereal - self.ra[rows])
        return self.polar[rows] + self.equatorial[rows] * np.cos(hour)


@cache
def _sin_lowest(airmass_limit: float) -> float:
    """Sine of the altitude [to 0.001 deg] above which the airmass keeps the limit."""
    height = np.linspace(0.001, 90.0, 90_000)
    return float(np.sin(np.radians(height[airmass(height) <= airmass_limit][0])))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Unit:
    """One program on its chosen fields."""

    row: int
    fields: NDArray[np.int64]
    fullness: float
    merit: float


def _costs(settings: LogSettings, program: Program) -> list[float]:
    """Seconds that one field takes in each band."""
    exptime = {band.name: band.exptime_s for band in settings.bands}
    return [program.repeats * (exptime[b] + settings.overhead_s) for b in program.bands]


def _best_unit(
    settings: LogSettings,
    sky: _Sky,
    row: int,
    program: Program,
    due: Floats,
    nights_past: int,
    now: float,
    stop: float,
) -> _Unit | None:
    """Choose the fields of a program for the unit that would begin now."""
    candidates = np.flatnonzero((due < nights_past + 0.5) & sky.is_far)
    costs = _costs(settings, program)
    changes = len(costs) * settings.filter_change_s
    room = int(((stop - now) * _DAY_S - changes) // sum(costs))
    size = min(max(1, int(60.0 * program.block_minutes // costs[0])), room)
    if not len(candidates) or size < 1 or _is_too_bright(settings, sky, program, now):
        return None
    length = (min(size, len(candidates)) * sum(costs) + changes) / _DAY_S
    # Lowest at one of the ends: the altitude of a visible field has no minimum inside.
    edges = sidereal_time(np.array([now, now + length]), settings.site.longitude)
    lowest = np.minimum(*(sky.sin_altitude(candidates, edge) for edge in edges))
    is_up = lowest >= sky.sin_lowest
    candidates = candidates[is_up]
    excess = airmass(np.degrees(np.arcsin(np.minimum(lowest[is_up], 1.0)))) - sky.best[candidates]
    late = (nights_past + 0.5 - due[candidates]) / program.interval_nights
    slack = _AIRMASS_SLACK * (1.0 + late)
    is_near = excess <= slack
    candidates, late = candidates[is_near], late[is_near]
    if not len(candidates):
        return None
    score = late - (excess / slack)[is_near]
    # A stable sort of the scores: equal ones go by the row of the field.
    chosen = np.argsort(-score, kind="stable")[:size]
    fullness = len(chosen) / size
    merit = fullness * (1.0 + float(late[chosen].mean()))
    fields = candidates[chosen]
    return _Unit(row=row, fields=fields, fullness=fullness, merit=merit)


def _is_too_bright(settings: LogSettings, sky: _Sky, program: Program, now: float) -> bool:
    if sky.lit <= program.moon_limit:
        return False
    block = len(program.bands) * program.block_minutes / 1440.0
    local = sidereal_time(np.array([now, now + block]), settings.site.longitude)
    ra, dec = np.array([sky.moon[0]]), np.array([sky.moon[1]])
    # The moon of midnight stands for the night: it is 4 deg away at most.
    return bool(altitude(ra, dec, local, latitude=settings.site.latitude).max() > -4.0)


def _take(
    settings: LogSettings, sky: _Sky, unit: _Unit, now: float, last_band: int
) -> tuple[Visits, float, int]:
    """Lay the exposures of a unit out in time, fields from west to east."""
    program = settings.programs[unit.row]
    local = sidereal_time(np.array([now]), settings.site.longitude)
    hour = (local - sky.ra[unit.fields] + 180.0) % 360.0
    fields = np.repeat(unit.fields[np.argsort(-hour, kind="stable")], program.repeats)
    rows = {band.name: row for row, band in enumerate(settings.bands)}
    # The band that is in goes first where the unit has it: one change less.
    bands = sorted([rows[name] for name in program.bands], key=lambda band: band != last_band)
    starts: list[Floats] = []
    for band in bands:
        if band != last_band:
            now += settings.filter_change_s / _DAY_S
        step = (settings.bands[band].exptime_s + settings.overhead_s) / _DAY_S
        starts.append(now + step * np.arange(len(fields), dtype=np.float64))
        now, last_band = now + step * len(fields), band
    visits = Visits(
        start=np.concatenate(starts),
        field=np.tile(fields, len(bands)),
        band=np.repeat(np.array(bands), len(fields)),
    )
    return visits, now, last_band
