"""Cuts on SALT fits, with counts: a name, a condition on columns, words.

A cut of one's own is one line::

    far = Cut("far", lambda q: q["z_hd"] > 0.02, "redshift above 0.02")
    kept, flow = apply_cuts(fits, ["dr2", far], lcs=lcs)
"""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.lightcurve.conditions import (
    Columns,
    Cut,
    at_least,
    at_most,
    between,
    without_flags,
)
from chandelle.lightcurve.cutflow import CutFlow
from chandelle.lightcurve.presets import PRESETS, Preset, expand, preset
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits

__all__ = [
    "PRESETS",
    "Columns",
    "Cut",
    "CutFlow",
    "Preset",
    "apply_cuts",
    "at_least",
    "at_most",
    "between",
    "preset",
    "without_flags",
]

_log = logging.getLogger(__name__)

FITTED = "fitted"
"""Name of the cut that comes first always: the fit has an answer."""


def apply_cuts(
    fits: SaltFits,
    cuts: str | Cut | Sequence[str | Cut] = "dr2",
    *,
    lcs: LightCurves | None = None,
) -> tuple[SaltFits, CutFlow]:
    """Keep the fits that pass all cuts, and tell what each cut removed.

    Parameters
    ----------
    fits : SaltFits
        All fits, those without an answer too: they fail the first cut, `FITTED`.
    cuts : str, Cut, or sequence of both
        In their order; a str is the name of a preset (`PRESETS`), which stands for its cuts.
    lcs : LightCurves, optional
        Light curves of the fits, for cuts that count epochs.

    Returns
    -------
    SaltFits
        Those kept, the counts in ``meta.provenance["cuts"]``.
    CutFlow
        Each cut alone and in sequence, and the reason of every supernova.

    Raises
    ------
    InputError
        If a preset is unknown, a name comes twice, a cut returns anything but one bool a
        supernova, or light curves are needed and absent.
    """
    chosen = expand([cuts] if isinstance(cuts, str | Cut) else cuts)
    everyone = [Cut(FITTED, lambda q: q["status"] == "ok", "the SALT fit has an answer"), *chosen]
    names = [cut.name for cut in everyone]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"two cuts are named {twice[0]!r}; names must differ, as they are the reasons: "
            "Cut(name, ...)"
        )
    columns = Columns(fits, lcs)
    flow = CutFlow(
        sn=fits["sn"],
        status=fits["status"],
        names=tuple(names),
        words=tuple(cut.words or cut.name for cut in everyone),
        passes=np.stack([_checked(cut, columns, n=len(fits)) for cut in everyone]),
    )
    before = list(fits.meta.provenance.get("cuts", []))
    meta = fits.meta.with_provenance(cuts=[*before, *flow.records()])
    kept = SaltFits(table=fits.select(flow.kept).table, meta=meta)
    _log.info("%d in, %d kept", len(fits), len(kept), extra={"cuts": flow.records()})
    return kept, flow


def _checked(cut: Cut, columns: Columns, *, n: int) -> NDArray[np.bool_]:
    passes = np.asarray(cut.passes(columns))
    if passes.dtype != np.bool_ or passes.shape != (n,):
        raise InputError(
            f"cut {cut.name!r}: expected {n} values of bool, one a supernova, got "
            f"{passes.dtype} of shape {passes.shape}; compare columns: "
            'Cut("x1", lambda q: q["x1"] < 3)'
        )
    return passes
