"""Light curves and their SALT curves, packed into a few flat arrays for the page."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits

ModelCurve = Callable[[SaltFits, str, NDArray[np.float64]], NDArray[np.float64]]
"""`model_curve(fits, band, mjd)` gives fluxes [nJy] of shape (sn, time) at `mjd` of that shape, one
row a fit; NaN where the model does not reach the band."""

PHASES = (-19.99, 49.99)
"""Rest-frame days between which SALT is drawn: its range, less what rounding may fall out of."""
CURVE_PHASES = np.concatenate(
    [
        np.linspace(PHASES[0], -12.0, 5),
        np.linspace(-10.5, 24.0, 41),
        np.linspace(26.0, PHASES[1], 14),
    ]
)
"""Phases of a drawn SALT curve, close to each other about maximum, where it bends."""
N_CURVE = len(CURVE_PHASES)
CURVE_GRID = (CURVE_PHASES - PHASES[0]) / (PHASES[1] - PHASES[0])
"""The same as fractions of the window in time."""
_KEPT_PHASES = (-40.0, 100.0)
_MICRO = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Light curves of many supernovae in flat arrays; fluxes in microjansky, times from `origin`.

    Attributes
    ----------
    names : array of str, shape (sn,)
        Supernovae that have epochs.
    row : array of int, shape (sn,)
        Row of each in the fits; -1 where it has none.
    origin : array, shape (sn,), d
        MJD of maximum where there is a fit, of the median epoch elsewhere.
    window : array, shape (sn, 2), d
        First and last time of the SALT curve from `origin`; NaN without a fit.
    first_epoch, first_curve : array of int, shape (sn + 1,)
        Epochs and curves of supernova i are those from entry i to entry i + 1.
    time, flux, flux_err, model : array, shape (epoch,)
        Days from `origin`; microjansky. The model is NaN where there is none.
    band : array of int, shape (epoch,)
        Index into `bands`.
    epoch : array of int, shape (epoch,)
        Row in the light curves.
    curve : array, shape (curve, 60)
        SALT flux at the fractions `CURVE_GRID` of `window`.
    curve_band : array of int, shape (curve,)
        Index into `bands`.
    bands : tuple of str
        Names of the bands.
    """

    names: NDArray
    row: NDArray[np.int64]
    origin: NDArray[np.float64]
    window: NDArray[np.float64]
    first_epoch: NDArray[np.int32]
    first_curve: NDArray[np.int32]
    time: NDArray[np.float32]
    flux: NDArray[np.float32]
    flux_err: NDArray[np.float32]
    model: NDArray[np.float32]
    band: NDArray[np.uint16]
    epoch: NDArray[np.int64]
    curve: NDArray[np.float32]
    curve_band: NDArray[np.uint16]
    bands: tuple[str, ...]


def pack(
    lightcurves: LightCurves,
    fits: SaltFits | None = None,
    *,
    model_curve: ModelCurve | None = None,
    names: list[str] | None = None,
) -> Packed:
    """Pack light curves, and the SALT curves of their fits, for drawing.

    Epochs of a fitted supernova are kept from 40 days before to 100 days after maximum, in its
    rest frame.

    Parameters
    ----------
    lightcurves : LightCurves
        Fluxes in nJy.
    fits : SaltFits, optional
        Those of status ok give a curve.
    model_curve : callable, optional
        The model; without it no curve is drawn.
    names : list of str, optional
        Which supernovae; all that have epochs when not given.

    Returns
    -------
    Packed
        In the order of the targets.
    """
    order = lightcurves.targets["sn"].astype(str)
    present = np.isin(order, np.unique(lightcurves["sn"].astype(str)))
    if names is not None:
        present &= np.isin(order, names)
    order = order[present]
    of = _lookup(order, lightcurves["sn"].astype(str))
    row = np.full(len(order), -1)
    if fits is not None:
        row = _lookup(fits["sn"].astype(str), order)
        row = np.where((row >= 0) & fits.is_ok[row], row, -1)
    times = _Times.of(lightcurves["mjd"], of, row, fits)
    epoch = np.flatnonzero(times.is_kept)
    epoch = epoch[np.lexsort((lightcurves["mjd"][epoch], of[epoch]))]
    bands, band = np.unique(lightcurves["band"][epoch].astype(str), return_inverse=True)
    time, of = times.since[epoch], of[epoch]
    model, curve, curve_of, curve_band = _evaluate(
        row, of, time, band, tuple(bands.tolist()), times, fits, model_curve
    )
    return Packed(
        names=order,
        row=row,
        origin=times.origin,
        window=times.window,
        first_epoch=_starts(of, len(order)),
        first_curve=_starts(curve_of, len(order)),
        time=time.astype(np.float32),
        flux=(_MICRO * lightcurves["flux"][epoch]).astype(np.float32),
        flux_err=(_MICRO * lightcurves["flux_err"][epoch]).astype(np.float32),
        model=(_MICRO * model).astype(np.float32),
        band=band.astype(np.uint16),
        epoch=epoch,
        curve=(_MICRO * curve).astype(np.float32),
        curve_band=curve_band.astype(np.uint16),
        bands=tuple(bands.tolist()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """Times from the origin of each supernova, and which epochs are near it."""

    origin: NDArray[np.float64]
    window: NDArray[np.float64]
    since: NDArray[np.float64]
    is_kept: NDArray[np.bool_]

    @classmethod
    def of(cls, mjd: NDArray, of: NDArray, row: NDArray, fits: SaltFits | None) -> "_Times":
        n = len(row)
        origin, stretch = np.full(n, np.nan), np.full(n, np.inf)
        if fits is not None:
            origin = np.where(row >= 0, fits["t0"][row], np.nan)
            stretch = np.where(row >= 0, 1.0 + fits["z"][row], np.inf)
        has_fit = np.isfinite(origin)
        for i in np.flatnonzero(~has_fit):
            origin[i] = np.median(mjd[of == i])
        stretch = np.where(has_fit, stretch, np.inf)
        window = np.where(has_fit, stretch, np.nan)[:, None] * np.asarray(PHASES)[None, :]
        since = mjd - origin[of]
        low, high = (limit * stretch[of] for limit in _KEPT_PHASES)
        is_kept = (of >= 0) & (since >= low) & (since <= high)
        return cls(origin=origin, window=window, since=since, is_kept=is_kept)


def _lookup(names: NDArray, wanted: NDArray) -> NDArray[np.int64]:
    """Row of each wanted name, the first where it stands twice, -1 where it is absent."""
    if len(names) == 0:
        return np.full(len(wanted), -1)
    unique, first = np.unique(names, return_index=True)
    at = np.minimum(np.searchsorted(unique, wanted), len(unique) - 1)
    return np.where(unique[at] == wanted, first[at], -1)


def _starts(of: NDArray, n: int) -> NDArray[np.int32]:
    return np.searchsorted(of, np.arange(n + 1)).astype(np.int32)


def _evaluate(
    row: NDArray,
    of: NDArray,
    time: NDArray,
    band: NDArray,
    bands: tuple[str, ...],
    times: _Times,
    fits: SaltFits | None,
    model_curve: ModelCurve | None,
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Evaluate the model at the epochs and on the drawing grid, one call a band."""
    model = np.full(len(time), np.nan)
    curves, owners, labels = [np.zeros((0, N_CURVE))], [np.zeros(0, int)], [np.zeros(0, int)]
    if fits is not None and model_curve is not None:
        for k, name in enumerate(bands):
            here = np.flatnonzero((band == k) & (row[of] >= 0))
            sn, inverse, counts = np.unique(of[here], return_inverse=True, return_counts=True)
            if len(sn) == 0:
                continue
            column = N_CURVE + np.arange(len(here)) - np.repeat(np.cumsum(counts) - counts, counts)
            low, high = times.window[sn].T[:, :, None]
            since = np.repeat(low, N_CURVE + counts.max(), axis=1)
            since[:, :N_CURVE] = low + (high - low) * CURVE_GRID[None, :]
            since[inverse, column] = np.clip(time[here], low[inverse, 0], high[inverse, 0])
            flux = model_curve(fits.select(row[sn]), name, times.origin[sn][:, None] + since)
            inside = (time[here] >= low[inverse, 0]) & (time[here] <= high[inverse, 0])
            model[here] = np.where(inside, flux[inverse, column], np.nan)
            is_drawn = np.isfinite(flux[:, :N_CURVE]).all(axis=1)
            curves.append(flux[is_drawn, :N_CURVE])
            owners.append(sn[is_drawn])
            labels.append(np.full(is_drawn.sum(), k))
    owner, label = np.concatenate(owners), np.concatenate(labels)
    order = np.lexsort((label, owner))
    return model, np.concatenate(curves)[order], owner[order], label[order]
