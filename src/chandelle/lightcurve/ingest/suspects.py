"""Epochs that are kept but look wrong: zero points that jump, signs and baselines."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chandelle.core.flags import Flag
from chandelle.lightcurve.ingest.coded import Coded

ZP_JUMP = 0.5
"""Least jump of a zero point that is flagged [mag]; clouds beyond it are cut by surveys too."""
_ZP_SIGMAS = 5.0
_MAD_TO_SIGMA = 1.4826
_DETECTION = 5.0
_BEFORE_DAYS = 60.0
"""Rest-frame days before the flux-weighted mean time from which there is no supernova."""
_AFTER_DAYS = 300.0
_MIN_BASELINE = 5
_MIN_NEGATIVE = 3
_BASELINE_FRACTION = 0.01
"""Least baseline that is flagged, as a fraction of the light curve's largest flux."""
_MIN_SENTINELS, _SENTINEL_FRACTION = 5, 0.01
_SENTINEL_CONTRAST = 5
"""Least ratio of a sentinel's rows to those of any other negative flux: rounded ones repeat too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Epochs:
    """Good epochs in nJy.

    Attributes
    ----------
    sn, band : Coded
        Names.
    mjd, flux, flux_err : NDArray, shape (obs,)
        Time [d], flux and one sigma [nJy].
    zp : NDArray, shape (obs,), mag
        AB zero point that each row came with.
    exposure : Coded or None
        Names of exposures.
    sign : NDArray of int8, shape (obs,), or None
        What the alert said of the sign of the difference.
    """

    sn: Coded
    band: Coded
    mjd: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_err: NDArray[np.float64]
    zp: NDArray[np.float64]
    exposure: Coded | None = None
    sign: NDArray[np.int8] | None = None


def find_suspects(
    epochs: Epochs, z: NDArray[np.float64]
) -> tuple[NDArray[np.int64], dict[str, str]]:
    """Flag the epochs that look wrong.

    Parameters
    ----------
    epochs : Epochs
        Good epochs.
    z : NDArray, shape (value of sn,)
        Redshift of each supernova; unknown ones count as zero.

    Returns
    -------
    flags : NDArray, shape (obs,)
        Bits ZP_OUTLIER, SIGN_SUSPECT, BASELINE_OFFSET.
    said : dict of flag name to str
        What was found, for the log; nothing for a clean set.
    """
    flags = np.zeros(len(epochs.mjd), dtype=np.int64)
    said: dict[str, str] = {}
    if not len(flags):
        return flags, said
    group, pairs = pd.factorize(epochs.sn.codes * len(epochs.band.values) + epochs.band.codes)
    n = len(pairs)
    for flag, (mask, words) in (
        (Flag.ZP_OUTLIER, _zp_outliers(epochs)),
        (Flag.SIGN_SUSPECT, _wrong_signs(epochs, group, n)),
        (Flag.BASELINE_OFFSET, _baselines(epochs, group, n, z)),
    ):
        flags[mask] |= int(flag)
        if words:
            said[str(flag.name).lower()] = words
    return flags, said


def repeated_flux(flux: NDArray[np.float64]) -> str:
    """Say which negative flux stands in many rows, to the last digit: it is no measurement.

    Parameters
    ----------
    flux : NDArray, shape (obs,)
        Of the good epochs, as they were given.

    Returns
    -------
    str
        For the log; empty for none.
    """
    codes, values = pd.factorize(flux[flux < 0])
    counts = np.bincount(codes, minlength=len(values))
    least = max(_MIN_SENTINELS, _SENTINEL_FRACTION * len(flux))
    others = counts[counts < least].max(initial=1)
    often = np.flatnonzero(counts >= max(least, _SENTINEL_CONTRAST * others))
    if not len(often):
        return ""
    found = " and ".join(f"{values[code]:.12g} in {counts[code]} rows" for code in often)
    return (
        f"of {len(flux)} fluxes the same negative one stands in many, {found}: if it says that "
        "there is no measurement, drop those rows or make it NaN"
    )


def _zp_outliers(epochs: Epochs) -> tuple[NDArray[np.bool_], str]:
    """Zero points far from the others of their band, or of their exposure."""
    zp, band = epochs.zp, epochs.band
    jump = np.zeros(len(zp))
    limit = np.full(len(zp), np.inf)
    spread = ""
    for code in np.flatnonzero(band.is_used()):
        rows = np.flatnonzero(band.codes == code)
        values = zp[rows]
        if np.ptp(values) <= ZP_JUMP:
            continue
        votes = values
        if epochs.exposure is not None:
            votes = pd.Series(values).groupby(epochs.exposure.codes[rows]).median().to_numpy()
        middle = float(np.median(votes))
        # The scatter within exposures counts too.
        sigma = max(_robust_sigma(votes, middle), _robust_sigma(values, middle))
        jump[rows] = values - middle
        limit[rows] = max(ZP_JUMP, _ZP_SIGMAS * sigma)
        if sigma > ZP_JUMP:
            spread = (
                f"zero points of {band.values[code]} range from {values.min():.2f} to "
                f"{values.max():.2f} mag without a main group: which are right is not known"
            )
    mask = np.abs(jump) > limit
    if not mask.any():
        return mask, spread
    worst = int(np.flatnonzero(mask)[np.abs(jump[mask]).argmax()])
    what = f"{epochs.sn.values[epochs.sn.codes[worst]]} at mjd {epochs.mjd[worst]:.4f}"
    count = f"{mask.sum()} epochs"
    if epochs.exposure is not None:
        what = f"exposure {epochs.exposure.values[epochs.exposure.codes[worst]]}"
        count += f" of {len(np.unique(epochs.exposure.codes[mask]))} exposures"
    name = band.values[band.codes[worst]]
    words = (
        f"{count} have zero points far from the others of their band, most {what} in {name}: "
        f"{jump[worst]:+.2f} mag from {zp[worst] - jump[worst]:.2f}"
    )
    return mask, "; ".join(filter(None, [words, spread]))


def _robust_sigma(values: NDArray[np.float64], middle: float) -> float:
    return float(_MAD_TO_SIGMA * np.median(np.abs(values - middle)))


def _wrong_signs(epochs: Epochs, group: NDArray[np.intp], n: int) -> tuple[NDArray[np.bool_], str]:
    """Fluxes against the sign their alert states, and light curves mostly seen as negative."""
    significance = epochs.flux / epochs.flux_err
    negative = np.bincount(group[significance < -_DETECTION], minlength=n)
    positive = np.bincount(group[significance > _DETECTION], minlength=n)
    highest, lowest = np.zeros(n), np.zeros(n)
    np.maximum.at(highest, group, epochs.flux)
    np.minimum.at(lowest, group, epochs.flux)
    upside_down = (negative >= _MIN_NEGATIVE) & (negative > positive) & (-lowest > highest)
    mask = upside_down[group]
    words = []
    if mask.any():
        first = int(np.flatnonzero(mask)[0])
        words.append(
            f"{upside_down.sum()} light curves are seen mostly as negative flux, first "
            f"{_curve(epochs, first)}: a wrong sign, or a reference image with the supernova"
        )
    if epochs.sign is not None:
        against = epochs.sign * epochs.flux < 0
        if against.any():
            first = int(np.flatnonzero(against)[0])
            words.append(
                f"{against.sum()} fluxes have the sign that isdiffpos denies, first "
                f"{_curve(epochs, first)} at mjd {epochs.mjd[first]:.4f}"
            )
        mask = mask | against
    return mask, "; ".join(words)


def _baselines(
    epochs: Epochs, group: NDArray[np.intp], n: int, z: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], str]:
    """Light curves whose mean flux well before the supernova, or late, is not zero."""
    flux, seen = epochs.flux, epochs.flux > _DETECTION * epochs.flux_err
    n_sn = len(epochs.sn.values)
    owner = epochs.sn.codes
    weight = np.bincount(owner[seen], weights=flux[seen], minlength=n_sn)
    start = np.full(n_sn, np.nan)
    has = weight > 0
    # Times are taken from a first epoch on: the sums keep their digits.
    first = epochs.mjd.min()
    moment = np.bincount(
        owner[seen], weights=flux[seen] * (epochs.mjd[seen] - first), minlength=n_sn
    )
    start[has] = first + moment[has] / weight[has]
    phase = (epochs.mjd - start[owner]) / (1 + np.nan_to_num(np.maximum(z, 0.0))[owner])
    peak = np.zeros(n)
    np.maximum.at(peak, group[seen], flux[seen])
    before = _offset(flux, epochs.flux_err, group, phase < -_BEFORE_DAYS, n)
    after = _offset(flux, epochs.flux_err, group, phase > _AFTER_DAYS, n)
    floor = _BASELINE_FRACTION * peak
    off = (np.abs(before[0]) > np.maximum(_DETECTION * before[1], floor)) | (
        after[0] < -np.maximum(_DETECTION * after[1], floor)
    )
    if not off.any():
        return off[group], ""
    code = int(np.flatnonzero(off)[0])
    value, error = (before if np.isfinite(before[0][code]) else after)[:, code]
    row = int(np.flatnonzero(group == code)[0])
    words = (
        f"{off.sum()} light curves have a baseline that is not zero, first {_curve(epochs, row)}: "
        f"{value:+.4g} +- {error:.2g} nJy without the supernova; was it in the reference image?"
    )
    return off[group], words


def _offset(
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
    group: NDArray[np.intp],
    rows: NDArray[np.bool_],
    n: int,
) -> NDArray[np.float64]:
    """Weighted mean of each group and its error, scatter included, shape (2, group)."""
    group, flux, error = group[rows], flux[rows], error[rows]
    count = np.bincount(group, minlength=n)
    enough = count >= _MIN_BASELINE
    total = np.where(enough, np.bincount(group, weights=error**-2.0, minlength=n), np.nan)
    mean = np.bincount(group, weights=flux * error**-2.0, minlength=n) / total
    chi2 = np.bincount(group, weights=((flux - mean[group]) / error) ** 2, minlength=n)
    inflation = np.sqrt(np.maximum(chi2 / np.maximum(count - 1, 1), 1.0))
    return np.stack([mean, inflation / np.sqrt(total)])


def _curve(epochs: Epochs, row: int) -> str:
    """Name the light curve of a row."""
    sn, band = epochs.sn, epochs.band
    return f"{sn.values[sn.codes[row]]} in {band.values[band.codes[row]]}"
