"""How many supernovae went in, and where the others were left."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from chandelle.products.diagram import Diagram
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits

_PARAMETERS = {"z", "x1", "c", "x1_err", "c_err"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reason of one step.

    Attributes
    ----------
    step, reason : str
        Where, and why.
    lost : int
        Supernovae left out for it.
    left : int
        Supernovae that remain after it.
    """

    step: str
    reason: str
    lost: int
    left: int


def cut_flow(
    lightcurves: LightCurves | None, fits: SaltFits | None, diagram: Diagram | None
) -> list[Step]:
    """Count supernovae from the targets to the diagram.

    The reasons of the standardization's cuts are those it left in the diagram's provenance.

    Parameters
    ----------
    lightcurves, fits, diagram : optional
        Absent ones are left out of the flow.

    Returns
    -------
    list of Step
        In the order of the way; `left` never grows, as long as each product comes from the one
        before.
    """
    steps: list[Step] = []
    if lightcurves is not None:
        steps.append(Step(step="targets", reason="given", lost=0, left=len(lightcurves.targets)))
    records = [] if fits is None else _records(fits)
    if records and steps and _given(records) != steps[0].left:  # of other light curves than these
        records = []
    if lightcurves is not None and not records:
        names = lightcurves.targets["sn"]
        has_epochs = np.isin(names.astype(str), np.unique(lightcurves["sn"].astype(str)))
        _lose(steps, "ingest", Counter({"no usable epoch": int((~has_epochs).sum())}))
    if fits is not None:
        if not steps:
            given = _given(records) if records else len(fits)
            steps.append(Step(step="SALT fit", reason="given", lost=0, left=given))
        if records:
            _lose_by_cuts(steps, records)
        else:
            _lose(steps, "SALT fit", _reasons_of_fits(lightcurves, fits))
        answers = int(fits.is_ok.sum())
        _lose(steps, "SALT fit", Counter({"not among the fits": max(steps[-1].left - answers, 0)}))
        steps.append(Step(step="SALT fit", reason="ok", lost=0, left=answers))
    if diagram is not None:
        later = _records(diagram)
        if fits is not None and later and not records and _given(later) == len(fits):
            _lose_by_cuts(steps, [record for record in later if "status" not in record])
        if steps:
            _lose(steps, "standardization", _reasons_of_cuts(diagram, fits, steps[-1].left))
        steps.append(Step(step="diagram", reason="in the diagram", lost=0, left=len(diagram)))
    return steps


def _records(product: SaltFits | Diagram) -> list[dict[str, Any]]:
    """What `apply_cuts` left in a provenance, if it ends where the product begins."""
    records = list(product.meta.provenance.get("cuts", []))
    facts = product.meta.provenance.get("standardization", {})
    n = facts.get("n_in", len(product)) if isinstance(product, Diagram) else len(product)
    return records if records and records[-1]["left"] == n else []


def _given(records: list[dict[str, Any]]) -> int:
    return records[0]["left"] + records[0]["removed"]


def _lose_by_cuts(steps: list[Step], records: list[dict[str, Any]]) -> None:
    """Steps of the cuts in their order; failed fits, which the first removed, by their status."""
    for record in records:
        if "status" in record:
            _lose(steps, "SALT fit", Counter(record["status"]))
        else:
            _lose(steps, "cuts", Counter({record["words"]: record["removed"]}))


def _reasons_of_fits(lightcurves: LightCurves | None, fits: SaltFits) -> Counter[str]:
    """Status of each fit that failed, those counted at ingest apart."""
    bad = ~fits.is_ok
    if lightcurves is not None:
        bad &= np.isin(fits["sn"].astype(str), np.unique(lightcurves["sn"].astype(str)))
    return Counter(fits["status"][bad].astype(str).tolist())


def _reasons_of_cuts(diagram: Diagram, fits: SaltFits | None, given: int) -> Counter[str]:
    """Reasons the standardization gives, without the failed fits that are counted already."""
    record = diagram.meta.provenance.get("standardization", {}).get("rejected", {})
    failed = set() if fits is None else set(fits["status"][~fits.is_ok].tolist())
    reasons = Counter[str]()
    for name, lost in record.items():
        if name not in failed:
            reasons[f"cut on {name}" if name in _PARAMETERS else str(name)] += int(lost)
    if given - len(diagram) < reasons.total():  # of other fits than these
        reasons.clear()
    rest = given - len(diagram) - reasons.total()
    if rest > 0:
        reasons["not in the diagram"] += rest
    return reasons


def _lose(steps: list[Step], step: str, reasons: Counter[str]) -> None:
    left = steps[-1].left
    for reason, lost in reasons.most_common():
        if lost:
            left -= lost
            steps.append(Step(step=step, reason=reason, lost=lost, left=left))


def rejected_epochs(lightcurves: LightCurves) -> list[tuple[str, int, int]]:
    """Count epochs rejected at ingest.

    Parameters
    ----------
    lightcurves : LightCurves
        With its `rejected` table.

    Returns
    -------
    list of (reason, epochs, supernovae)
        The most frequent first.
    """
    epochs: Counter[str] = Counter()
    owners: dict[str, set[str]] = {}
    for row in lightcurves.rejected.to_pylist():
        epochs[row["reason"]] += row["count"]
        owners.setdefault(row["reason"], set()).add(row["sn"])
    return [(reason, count, len(owners[reason])) for reason, count in epochs.most_common()]
