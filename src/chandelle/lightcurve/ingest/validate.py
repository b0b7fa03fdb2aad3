"""Row by row checks at ingest: each rejected epoch has one reason, the others go on."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches

import numpy as np
import pandas as pd

REASONS = (
    "time_nan",
    "flux_nan",
    "flux_inf",
    "err_nonfinite",
    "err_not_positive",
    "zpsys_unsupported",
    "zp_nan",
    "band_unknown",
    "ignore_list",
    "duplicate",
)
"""Why an epoch is left out; the first that applies counts."""


def reject(columns: Mapping[str, np.ndarray], *, is_known: Callable[[str], bool]) -> np.ndarray:
    """Find the reason to reject each epoch, empty for a good one.

    Parameters
    ----------
    columns : mapping of arrays, shape (obs,)
        sn, mjd, band, flux, flux_err, zp, and where given zpsys and `ignored` (Boolean).
    is_known : callable
        Whether a band name has a passband.

    Returns
    -------
    array of str, shape (obs,)
        One of `REASONS`, or empty.
    """
    flux, error = columns["flux"], columns["flux_err"]
    n = len(flux)
    bands, index = np.unique(columns["band"], return_inverse=True)
    known = np.array([is_known(str(band)) for band in bands], dtype=bool)
    system = np.char.lower(columns["zpsys"].astype(str)) if "zpsys" in columns else None
    bad = {
        "time_nan": ~np.isfinite(columns["mjd"]),
        "flux_nan": np.isnan(flux),
        "flux_inf": np.isinf(flux),
        "err_nonfinite": ~np.isfinite(error),
        "err_not_positive": error <= 0,
        "zpsys_unsupported": np.zeros(n, bool) if system is None else system != "ab",
        "zp_nan": ~np.isfinite(columns["zp"]),
        "band_unknown": ~known[index] if n else np.zeros(0, bool),
        "ignore_list": columns.get("ignored", np.zeros(n, bool)),
        "duplicate": _repeats(columns),
    }
    return np.select([bad[name] for name in REASONS], REASONS, default="")


def _repeats(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows equal to an earlier one in supernova, time, band, flux and error."""
    keys = ("sn", "mjd", "band", "flux", "flux_err")
    frame = pd.DataFrame({key: columns[key] for key in keys})
    return frame.duplicated(keep="first").to_numpy()


def explain_bands(unknown: Collection[str], known: Collection[str]) -> str:
    """Name, for each unknown band, those that look like it."""
    parts = []
    for band in sorted(set(unknown)):
        near = get_close_matches(band, known, n=3, cutoff=0.4)
        parts.append(f"{band!r} (near: {', '.join(near) or 'none'})")
    return ", ".join(parts)


def summary(reasons: np.ndarray) -> str:
    """Say ``N in, M used, K rejected: by reason``."""
    counts = Counter(reasons[reasons != ""].tolist())
    rejected = sum(counts.values())
    by_reason = ", ".join(f"{counts[name]} {name}" for name in REASONS if name in counts)
    head = f"{len(reasons)} in, {len(reasons) - rejected} used, {rejected} rejected"
    return f"{head}: {by_reason}" if rejected else head
