"""Where on the focal plane each epoch fell, and the passband it was therefore taken through."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from astropy import units
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.coded import Coded
from chandelle.lightcurve.ingest.plain import numbers
from chandelle.products.passband import Passband
from chandelle.products.passband_family import AXES, CATEGORICAL, PassbandFamily
from chandelle.products.position_members import member, nearest_members

POSITION_ALIASES: Mapping[str, tuple[str, ...]] = {
    "sensor": ("sensor", "sensor_id", "detector"),
    "radius": ("radius", "radius_fp", "r_fp"),
    "x_fp": ("x_fp", "xfp", "x_focal"),
    "y_fp": ("y_fp", "yfp", "y_focal"),
}
"""Names of the columns that say where an epoch fell; case is ignored."""

MISSING, OUTSIDE = 1, 2
"""What is wrong with a position; 0 for nothing."""


class Placed(NamedTuple):
    """Epochs with the passband of each.

    Attributes
    ----------
    passband : Coded
        Name of the passband, that of a member where the filter has a family; the filter's own
        where the position is bad.
    problem : NDArray of int8, shape (obs,)
        0, `MISSING` or `OUTSIDE`.
    passbands : dict
        Those without position, and the members in use.
    facts : dict
        By family: its step [angstrom] and how many members are in use.
    """

    passband: Coded
    problem: NDArray[np.int8]
    passbands: dict[str, Passband]
    facts: dict[str, dict[str, float]]


def position_columns(
    table: Any, found: Mapping[str, str], *, label: str
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """Read the columns of a table that say where its epochs fell.

    Parameters
    ----------
    table : DataFrame or Table
        Epochs.
    found : mapping
        What the table calls our columns.
    label : str
        What the table is called in messages.

    Returns
    -------
    columns : dict of arrays, shape (obs,)
        Numbers; a column of words is left out, as it may serve another purpose.
    unit : dict of str
        Of the columns that state one.
    """
    columns, unit = {}, {}
    for ours, theirs in found.items():
        try:
            columns[ours] = numbers(table[theirs], name=theirs, label=label)
        except InputError:
            continue
        said = getattr(table[theirs], "unit", None)
        if said is not None:
            unit[ours] = str(said)
    return columns, unit


def place_epochs(
    columns: Mapping[str, Any],
    known: Mapping[str, Passband | PassbandFamily],
    *,
    unit: Mapping[str, str],
    label: str,
) -> Placed:
    """Give each epoch the passband at its position.

    Parameters
    ----------
    columns : mapping
        `band` (Coded, names of filters), and columns of positions where there are any.
    known : mapping
        Passbands and families by the name of the filter.
    unit : mapping
        Of the columns of positions that state one.
    label : str
        What the table is called in messages.

    Returns
    -------
    Placed
        Passbands by epoch.

    Raises
    ------
    InputError
        If a filter in use has a family but the table has no positions, or in another unit.
    """
    band: Coded = columns["band"]
    values, codes = band.values.tolist(), band.codes.copy()
    problem = np.zeros(len(band), dtype=np.int8)
    passbands = {n: p for n, p in known.items() if isinstance(p, Passband)}
    facts = {}
    for value, is_used in zip(range(len(band.values)), band.is_used(), strict=True):
        family = known.get(values[value])
        if not is_used or not isinstance(family, PassbandFamily):
            continue
        family = replace(family, name=values[value])
        rows = np.flatnonzero(band.codes == value)
        position = _positions(columns, family, unit=unit, label=label)[rows]
        place = nearest_members(family, position)
        is_good = np.isfinite(place).all(axis=1)
        problem[rows[~is_good]] = OUTSIDE
        problem[rows[~np.isfinite(position).all(axis=1)]] = MISSING
        different, index = np.unique(place[is_good], axis=0, return_inverse=True)
        members = [member(family, one) for one in different]
        codes[rows[is_good]] = len(values) + index.ravel()
        values += [one.name for one in members]
        passbands |= {one.name: one for one in members}
        facts[family.name] = {"step_angstrom": family.step, "members": len(members)}
    passband = Coded(values=np.array(values, dtype=str), codes=codes)
    return Placed(passband, problem, passbands, facts)


def _positions(
    columns: Mapping[str, Any], family: PassbandFamily, *, unit: Mapping[str, str], label: str
) -> NDArray[np.float64]:
    """Coordinates of all epochs in the order and unit of a family, shape (obs, axis)."""
    parts = []
    for axis in family.axes:
        if axis in columns:
            parts.append(_in_unit(columns[axis], axis, family, unit=unit, label=label))
        elif axis == "radius" and {"x_fp", "y_fp"} <= set(columns):
            x, y = (
                _in_unit(columns[n], n, family, unit=unit, label=label) for n in ("x_fp", "y_fp")
            )
            parts.append(np.hypot(x, y))
        else:
            names = ", ".join(POSITION_ALIASES[axis][1:])
            also = "; or x_fp and y_fp" if axis == "radius" else ""
            at = f" [{family.unit}]" if family.unit and axis != CATEGORICAL else ""
            raise InputError(
                f"{label}: the passband of {family.name} depends on the position, {family.extent()}"
                f", but there is no column {axis}{at} of numbers (or {names}{also}); add it, or "
                f"give one passband for all, passbands={{{family.name!r}: family.at(...)}}"
            )
    return np.stack(parts, axis=1)


def _in_unit(
    values: NDArray[np.float64],
    axis: str,
    family: PassbandFamily,
    *,
    unit: Mapping[str, str],
    label: str,
) -> NDArray[np.float64]:
    """Convert a column that states its unit to that of the family."""
    said = unit.get(axis, "")
    if not said or axis == CATEGORICAL:
        return values
    try:
        factor = cast(float, units.Unit(said).to(units.Unit(family.unit)))
    except (ValueError, TypeError, units.UnitsError) as error:
        raise InputError(
            f"{label}: column {axis} is in {said}, the passbands of {family.name} are tabulated in "
            f"{family.unit or 'no unit'}; bring one to the other"
        ) from error
    return values * factor


def positions_in(columns: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Return the columns of positions among others."""
    return {axis: columns[axis] for axis in AXES if axis in columns}
