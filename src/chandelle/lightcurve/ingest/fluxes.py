"""Fluxes of a table: units converted, magnitudes turned into fluxes, a zero point for each row."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from astropy import units
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.units import LN10_OVER_2P5, ZP_NJY
from chandelle.lightcurve.ingest.coded import Coded, encode
from chandelle.lightcurve.ingest.plain import numbers

_CONFLICT_MAG = 1e-3
_MAG_SENTINEL = 90.0
"""Magnitudes beyond it are "no measurement" (99, -99, 999), as are NaN."""
_POSITIVE = ("t", "true", "1", "+", "y", "yes")
_NEGATIVE = ("f", "false", "0", "-", "n", "no", "-1")


def fluxes_of(
    table: Any, found: Mapping[str, str], *, label: str, has_mag: bool
) -> dict[str, NDArray[np.float64]]:
    """Fluxes, errors and zero points of a table.

    Parameters
    ----------
    table : DataFrame or Table
        Epochs.
    found : mapping
        What the table calls our columns.
    label : str
        What the table is called in messages.
    has_mag : bool
        It has magnitudes instead of fluxes; those of negative differences (`isdiffpos`) give
        negative fluxes.

    Returns
    -------
    dict of arrays, shape (obs,)
        flux, flux_err, zp [mag], in the magnitude system of the row.

    Raises
    ------
    InputError
        If units or zero points are missing or contradict.
    """
    if has_mag:
        sign = signs(encode(table[found["isdiffpos"]])) if "isdiffpos" in found else None
        return _from_magnitudes(table, found, sign, label=label)
    flux, error = (
        numbers(table[found[name]], name=found[name], label=label) for name in ("flux", "flux_err")
    )
    unit, unit_err = (
        flux_unit(table[found[name]], name=found[name], label=label)
        for name in ("flux", "flux_err")
    )
    zp = numbers(table[found["zp"]], name=found["zp"], label=label) if "zp" in found else None
    if unit is None and unit_err is None:
        if zp is None:
            raise InputError(
                f"{label}: missing column zp (or zpt, zeropoint, zero_point, zeropt), and the flux "
                "has no physical unit; add AB zero points, or give the flux as Jy, mJy or nJy"
            )
        return {"flux": flux, "flux_err": error, "zp": zp}
    if unit is None or unit_err is None:
        raise InputError(
            f"{label}: flux has unit {unit}, flux_err {unit_err}; give both a unit, or none"
        )
    factor, factor_err = (cast(float, u.to(units.nJy)) for u in (unit, unit_err))
    if zp is not None:
        own = ZP_NJY - 2.5 * np.log10(factor)
        if np.any(np.abs(zp - own) > _CONFLICT_MAG):
            raise InputError(
                f"{label}: the flux is in {unit} (zero point {own:.3f}), the zp column says "
                f"{np.nanmin(zp):.3f} .. {np.nanmax(zp):.3f}; drop the one that is wrong"
            )
    # What overflows is infinite, and rejected as that.
    with np.errstate(over="ignore"):
        flux, error = flux * factor, error * factor_err
    return {"flux": flux, "flux_err": error, "zp": np.full(len(flux), ZP_NJY)}


def flux_unit(column: Any, *, name: str, label: str) -> units.UnitBase | None:
    """Flux-density unit of a column; None for plain numbers and counts.

    Parameters
    ----------
    column : Series, array, Column or Quantity
        Perhaps with a unit.
    name, label : str
        What column and table are called in messages.

    Returns
    -------
    UnitBase or None
        Equivalent to nJy.

    Raises
    ------
    InputError
        For any other unit.
    """
    unit = getattr(column, "unit", None)
    if unit is None:
        return None
    unit = units.Unit(unit)
    if unit.is_equivalent(units.nJy):
        return unit
    if unit.is_equivalent(units.dimensionless_unscaled) or unit in (units.ct, units.electron):
        return None
    if unit.is_equivalent(units.ct) or unit.is_equivalent(units.adu):
        return None
    raise InputError(
        f"{label}: column {name} must be in Jy, mJy, nJy ..., or counts with zp, got {unit}"
    )


def _from_magnitudes(
    table: Any, found: Mapping[str, str], sign: NDArray | None, *, label: str
) -> dict[str, NDArray[np.float64]]:
    r"""Fluxes :math:`10^{-0.4 (m - zp)}` with errors :math:`F \sigma_m \ln(10) / 2.5`."""
    mag, error = (
        numbers(table[found[name]], name=found[name], label=label) for name in ("mag", "mag_err")
    )
    unit = getattr(table[found["mag"]], "unit", None)
    if unit is not None and str(unit) not in {"mag", "mag(AB)"}:
        raise InputError(
            f"{label}: column {found['mag']} must be in mag or mag(AB), got {unit}; name the "
            "system in a column zpsys"
        )
    mag = np.where(np.abs(mag) > _MAG_SENTINEL, np.nan, mag)
    flux = 10.0 ** (-0.4 * (mag - ZP_NJY))
    with np.errstate(over="ignore"):
        flux_err = flux * error * LN10_OVER_2P5
    flux = flux if sign is None else np.where(sign < 0, -flux, flux)
    return {"flux": flux, "flux_err": flux_err, "zp": np.full(len(flux), ZP_NJY)}


def signs(isdiffpos: Coded) -> NDArray[np.int8]:
    """Sign of each difference flux as an alert states it: +1, -1, or 0 where it says nothing.

    Parameters
    ----------
    isdiffpos : Coded
        t, 1, true ... or f, 0, false ...

    Returns
    -------
    NDArray of int8, shape (obs,)
        Science minus reference is positive or negative.
    """
    words = [value.lower() for value in isdiffpos.values]
    sign = [1 if word in _POSITIVE else -1 if word in _NEGATIVE else 0 for word in words]
    return np.array(sign, dtype=np.int8)[isdiffpos.codes] if words else np.zeros(0, np.int8)
