"""From raw epochs to light curves: every row is checked and converted, or counted as left out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY, nanojansky_from_zp
from chandelle.instrument.band_names import ALIASES_VERSION, explain_bands
from chandelle.instrument.passbands import list_passbands
from chandelle.lightcurve.ingest.coded import Coded, first_rows
from chandelle.lightcurve.ingest.fluxes import signs
from chandelle.lightcurve.ingest.lost import Lost
from chandelle.lightcurve.ingest.positions import place_epochs, positions_in
from chandelle.lightcurve.ingest.suspects import Epochs, find_suspects, repeated_flux
from chandelle.lightcurve.ingest.systems import System, ab_offsets, read_systems
from chandelle.lightcurve.ingest.table_bands import is_known, resolve_bands
from chandelle.lightcurve.ingest.tables import TEXT_COLUMNS, Rows, take
from chandelle.lightcurve.ingest.validate import (
    REASONS,
    count_rejected,
    explain_errors,
    reject,
    summary,
)
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband, filter_of
from chandelle.products.passband_family import AXES, PassbandFamily
from chandelle.products.product import Meta, Origin
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Epochs before the checks, with what came with them.

    Attributes
    ----------
    rows : Rows
        Columns sn, mjd, band, flux, flux_err, zp; where known also zpsys, exposure, survey,
        isdiffpos and `ignored` (rows that the release rejects).
    targets : Targets or None
        None: they are made of the rows, with `extra`.
    passbands : mapping
        Those that came with the data.
    extra : mapping
        Columns, one value an epoch, that say something of the targets.
    lost : tuple of Lost
        What the format itself marks as unusable, and files that could not be read.
    """

    rows: Rows
    targets: Targets | None = None
    passbands: Mapping[str, Passband] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the caller says of the data: names of bands, magnitude systems, origin, strictness."""

    bands: Mapping[str, str] | None = None
    zpsys: str | Mapping[str, System] | None = None
    origin: Origin | None = None
    strict: bool = False


def check_epochs(
    rows: Rows,
    targets: Targets,
    passbands: Mapping[str, Passband | PassbandFamily],
    policy: Policy,
) -> LightCurves:
    """Check every row, convert the good ones, count the others.

    Parameters
    ----------
    rows : Rows
        Raw epochs.
    targets : Targets
        All of them; none may be missing.
    passbands : mapping
        Those that came with the data, and families of those that depend on the position.
    policy : Policy
        What the caller says of the data.

    Returns
    -------
    LightCurves
        Epochs of a target together, in order of time; targets in the order of first appearance in
        the table. `row` is the row of the table, from 0.

    Raises
    ------
    InputError
        If epochs have no target, or `strict` and a row is bad.
    """
    columns = {n: rows.coded(n) if n in TEXT_COLUMNS else c for n, c in rows.columns.items()}
    _refuse_orphans(columns["sn"], targets, label=rows.label)
    columns["band"], known, renamed = resolve_bands(
        columns["band"], own=passbands, bands=policy.bands
    )
    placed = place_epochs(columns, known, unit=rows.unit, label=rows.label)
    columns |= {"passband": placed.passband, "position_problem": placed.problem}
    if not placed.facts:
        columns = {name: column for name, column in columns.items() if name not in AXES}
    problems = _add_ab_offset(columns, placed.passbands, policy, label=rows.label)
    columns |= _in_nanojansky(columns)
    reasons = reject(columns, band_known=is_known(columns["band"], known))
    line = _line(columns, reasons, known={*passbands, *list_passbands()}, label=rows.label)
    line = "; ".join([line, *problems])
    if policy.strict and np.any(reasons >= 0):
        raise InputError(line)
    _log.log(logging.WARNING if np.any(reasons >= 0) else logging.INFO, line)
    table, said = _good_epochs(columns, reasons, targets)
    for words in said.values():
        _log.warning("%s: %s", rows.label, words)
    facts = {"source": rows.label, "ingest": line, **rows.facts}
    facts |= {"suspects": said} if said else {}
    facts |= {"position_dependent": placed.facts} if placed.facts else {}
    if renamed:
        facts["band_names"] = {"aliases_version": ALIASES_VERSION, "renamed": renamed}
    used = set(table["band"].combine_chunks().unique().to_pylist()) if len(table) else set()
    return LightCurves(
        table=table,
        meta=Meta(origin=policy.origin, provenance=facts),
        targets=targets,
        passbands={
            name: band
            for name, band in placed.passbands.items()
            if name in used and (name in passbands or filter_of(name) in placed.facts)
        },
        rejected=count_rejected(columns["sn"], reasons),
    )


def _line(
    columns: Mapping[str, Any], reasons: NDArray[np.int8], *, known: set[str], label: str
) -> str:
    """Say how many epochs are used and why others are not."""
    line = f"{label}: {summary(reasons)}{explain_errors(columns)}"
    unknown = columns["band"].take(reasons == REASONS.index("band_unknown"))
    if len(unknown):
        names = unknown.values[unknown.is_used()].tolist()
        line += (
            f"; {explain_bands(names, known)}; say what they are with bands={{name: passband}}, or "
            "give their curves with passbands="
        )
    return line


def _refuse_orphans(sn: Coded, targets: Targets, *, label: str) -> None:
    names = sn.values[sn.is_used()]
    orphans = np.setdiff1d(names[names != ""], targets["sn"].astype(str))
    if len(orphans):
        raise InputError(
            f"{label}: {len(orphans)} supernovae have epochs but no target, first "
            f"{orphans[0]}; add them to targets= (name, z) or drop their epochs"
        )


def _add_ab_offset(
    columns: dict[str, Any], known: Mapping[str, Passband], policy: Policy, *, label: str
) -> list[str]:
    """Add the offset of each row's system to AB; tell which systems do not serve."""
    named = policy.zpsys if isinstance(policy.zpsys, str) else None
    systems = read_systems(policy.zpsys) if isinstance(policy.zpsys, Mapping) else {}
    if named is not None and "zpsys" in columns:
        values = columns["zpsys"].values[columns["zpsys"].is_used()]
        if any(value.lower() != named.lower() for value in values.tolist()):
            raise InputError(
                f"{label}: column zpsys says {', '.join(values.tolist())}, zpsys= says {named!r}; "
                "drop the one that is wrong"
            )
    if named is not None:
        n = len(columns["mjd"])
        columns["zpsys"] = Coded(values=np.array([named]), codes=np.zeros(n, dtype=np.intp))
    if "zpsys" not in columns:
        return []
    offset, problems = ab_offsets(
        columns["zpsys"], columns["passband"], passbands=known, systems=systems
    )
    columns["ab_offset"] = offset
    return problems


def _in_nanojansky(columns: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Zero points on AB, fluxes and errors in nJy; those that overflow are infinite or NaN."""
    zp = columns["zp"] + columns["ab_offset"] if "ab_offset" in columns else columns["zp"]
    with np.errstate(over="ignore", invalid="ignore"):
        factor = nanojansky_from_zp(1.0, zp)
        flux, error = columns["flux"] * factor, columns["flux_err"] * factor
    return {"zp_ab": zp, "flux_njy": flux, "flux_err_njy": error}


def _good_epochs(
    columns: Mapping[str, Any], reasons: NDArray[np.int8], targets: Targets
) -> tuple[pa.Table, dict[str, str]]:
    """Good epochs in nJy, sorted by supernova and time, with their flags."""
    sn = columns["sn"]
    touched = np.bincount(sn.codes[reasons >= 0], minlength=len(sn.values)) > 0
    first = first_rows(sn.codes, len(sn.values))
    rows = np.flatnonzero(reasons < 0)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    rank = rank[sn.codes[rows]]
    mjd = columns["mjd"][rows]
    ahead = (rank[1:] > rank[:-1]) | ((rank[1:] == rank[:-1]) & (mjd[1:] >= mjd[:-1]))
    if not ahead.all():
        rows = rows[np.lexsort((mjd, rank))]
    good = take(columns, rows)
    epochs = Epochs(
        sn=good["sn"],
        band=good["band"],
        mjd=good["mjd"],
        flux=good["flux_njy"],
        flux_err=good["flux_err_njy"],
        zp=good["zp_ab"],
        exposure=good.get("exposure"),
        sign=signs(good["isdiffpos"]) if "isdiffpos" in good else None,
    )
    flags, said = find_suspects(epochs, _redshifts(sn, targets))
    repeats = repeated_flux(good["flux"])
    said |= {"flux_repeats": repeats} if repeats else {}
    flags |= np.where(touched[good["sn"].codes], int(Flag.POINTS_REJECTED), 0)
    out = {
        "sn": epochs.sn.to_arrow(),
        "mjd": pa.array(epochs.mjd),
        "band": good["passband"].to_arrow(),
        "flux": pa.array(epochs.flux),
        "flux_err": pa.array(epochs.flux_err),
        "zp": pa.array(np.full(len(rows), ZP_NJY)),
        "flags": pa.array(flags),
        "row": pa.array(rows),
        **{axis: pa.array(values) for axis, values in positions_in(good).items()},
    }
    if epochs.exposure is not None:
        out["exposure"] = epochs.exposure.to_arrow()
    return pa.table(out), said


def _redshifts(sn: Coded, targets: Targets) -> NDArray[np.float64]:
    """Redshift of each value of `sn`, NaN where there is none."""
    z = dict(zip(targets["sn"].tolist(), targets["z_hel"].tolist(), strict=True))
    return np.array([z.get(name, np.nan) for name in sn.values.tolist()], dtype=float)
