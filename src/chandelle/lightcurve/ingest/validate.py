"""Row by row checks at ingest: each rejected epoch has one reason, the others go on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.lightcurve.absurd import ZP_MAX, is_error_absurd, is_flux_absurd
from chandelle.lightcurve.ingest.coded import Coded
from chandelle.lightcurve.ingest.positions import MISSING, OUTSIDE

REASONS = (
    "name_missing",
    "time_nan",
    "flux_nan",
    "flux_inf",
    "err_nonfinite",
    "err_not_positive",
    "band_unknown",
    "position_missing",
    "position_outside",
    "zpsys_unsupported",
    "zp_nan",
    "zp_invalid",
    "flux_absurd",
    "err_absurd",
    "ignore_list",
    "duplicate",
)
"""Why an epoch is left out; the first that applies counts."""

_DUPLICATE = ("sn", "band", "mjd", "flux", "flux_err", "zp")


def reject(columns: Mapping[str, Any], *, band_known: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Find the reason to reject each epoch.

    Parameters
    ----------
    columns : mapping of Coded and arrays, shape (obs,)
        sn, mjd, band, flux, flux_err, zp as they were given; `zp_ab` [mag], `flux_njy` and
        `flux_err_njy` [nJy] as they were converted; `position_problem` (`positions.MISSING`,
        `OUTSIDE` or zero), and where given `ab_offset` [mag] and `ignored` (Boolean).
    band_known : NDArray of bool, shape (value,)
        Whether each value of band has a passband.

    Returns
    -------
    NDArray of int8, shape (obs,)
        Index in `REASONS`, -1 for a good epoch.
    """
    flux, error = columns["flux"], columns["flux_err"]
    sn, band = columns["sn"], columns["band"]
    bad = {
        "name_missing": (sn.values == "")[sn.codes],
        "time_nan": ~np.isfinite(columns["mjd"]),
        "flux_nan": np.isnan(flux),
        "flux_inf": np.isinf(flux),
        "err_nonfinite": ~np.isfinite(error),
        "err_not_positive": error <= 0,
        "band_unknown": ~band_known[band.codes],
        "zp_nan": ~np.isfinite(columns["zp"]),
        "zp_invalid": np.abs(columns["zp_ab"]) > ZP_MAX,
        "flux_absurd": is_flux_absurd(columns["flux_njy"]),
        "err_absurd": is_error_absurd(columns["flux_njy"], columns["flux_err_njy"]),
        "position_missing": columns["position_problem"] == MISSING,
        "position_outside": columns["position_problem"] == OUTSIDE,
    }
    if "ab_offset" in columns:
        bad["zpsys_unsupported"] = ~np.isfinite(columns["ab_offset"])
    if "ignored" in columns:
        bad["ignore_list"] = columns["ignored"]
    reasons = np.full(len(flux), -1, dtype=np.int8)
    for code, name in reversed(list(enumerate(REASONS))):
        if name == "duplicate":
            reasons[repeats(columns)] = code
        elif name in bad:
            reasons[bad[name]] = code
    return reasons


def repeats(columns: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Rows equal to an earlier one in supernova, band, time, flux, error and zero point.

    Parameters
    ----------
    columns : mapping of Coded and arrays, shape (obs,)
        Those six columns.

    Returns
    -------
    NDArray of bool, shape (obs,)
        The first of equal rows is False.
    """
    keys = {
        name: columns[name].codes if isinstance(columns[name], Coded) else columns[name]
        for name in _DUPLICATE
    }
    # Only rows with a partner of equal supernova and time need the full comparison.
    order = np.lexsort((keys["mjd"], keys["sn"]))
    mjd, sn = keys["mjd"][order], keys["sn"][order]
    same = (mjd[1:] == mjd[:-1]) & (sn[1:] == sn[:-1])
    candidates = np.zeros(len(mjd), dtype=bool)
    candidates[1:] |= same
    candidates[:-1] |= same
    rows = np.sort(order[candidates])
    frame = pd.DataFrame({name: values[rows] for name, values in keys.items()})
    found = np.zeros(len(mjd), dtype=bool)
    found[rows] = frame.duplicated(keep="first").to_numpy()
    return found


def count_rejected(sn: Coded, reasons: NDArray[np.int8]) -> pa.Table:
    """Count the rejected rows by supernova and reason.

    Parameters
    ----------
    sn : Coded
        Name of each row.
    reasons : NDArray of int8, shape (obs,)
        What `reject` returned.

    Returns
    -------
    pyarrow.Table
        sn, reason, count, in order of first appearance.
    """
    rows = np.flatnonzero(reasons >= 0)
    pairs = sn.codes[rows] * len(REASONS) + reasons[rows]
    codes, different = pd.factorize(pairs)
    names = sn.values[different // len(REASONS)].tolist()
    why = [REASONS[code] for code in different % len(REASONS)]
    counts = np.bincount(codes, minlength=len(different))
    return pa.table(
        {
            "sn": pa.array(names, pa.string()),
            "reason": pa.array(why, pa.string()),
            "count": pa.array(counts, pa.int64()),
        }
    )


def summary(reasons: NDArray[np.int8]) -> str:
    """Say ``N in, M used, K rejected: by reason``."""
    counts = np.bincount(reasons[reasons >= 0], minlength=len(REASONS))
    rejected = int(counts.sum())
    by_reason = ", ".join(f"{n} {name}" for n, name in zip(counts, REASONS, strict=True) if n)
    head = f"{len(reasons)} in, {len(reasons) - rejected} used, {rejected} rejected"
    return f"{head}: {by_reason}" if rejected else head


def explain_errors(columns: Mapping[str, Any]) -> str:
    """Say whose errors are all negative: a sign, or a column, is wrong; empty for none."""
    sn, error = columns["sn"], columns["flux_err"]
    negative = np.bincount(sn.codes[error < 0], minlength=len(sn.values))
    total = np.bincount(sn.codes, minlength=len(sn.values))
    wrong = np.flatnonzero((total > 0) & (negative == total))
    if not len(wrong):
        return ""
    return (
        f"; all errors are negative for {len(wrong)} supernovae, first {sn.values[wrong[0]]}: is "
        "flux_err the right column?"
    )
