"""Light curves of many lengths in few fixed shapes, so that a kernel is compiled few times."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError

MIN_BANDS = 4
SMALL_LANES, LANES = 8, 64
_WORTH_A_TRACE = 1000

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlatEpochs:
    """Usable epochs, one row each, in order of target and time.

    Attributes
    ----------
    target : NDArray, shape (obs,)
        Row of the target.
    mjd, flux, flux_err : NDArray, shape (obs,)
        Data.
    factor : NDArray, shape (obs, column), nJy
        Covariance between the epochs of a target beyond the diagonal: factor factor^T, whose
        diagonal is part of flux_err^2.
    band : NDArray, shape (obs,)
        Index of the passband.
    row : NDArray, shape (obs,)
        Row of the light-curve table.
    """

    target: IntArray
    mjd: FloatArray
    flux: FloatArray
    flux_err: FloatArray
    factor: FloatArray
    band: IntArray
    row: IntArray

    @property
    def variance(self) -> FloatArray:
        """What is left of flux_err^2 without the part that epochs share [nJy^2]."""
        return self.flux_err**2 - np.sum(self.factor**2, axis=1)

    def take(self, keep: NDArray) -> "FlatEpochs":
        """Epochs of a mask or of indices."""
        return FlatEpochs(**{name: getattr(self, name)[keep] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Padded light curves of several targets.

    Attributes
    ----------
    target : NDArray, shape (lane,)
        Row of the target of each lane; lanes beyond `n_real` repeat the first one.
    n_real : int
        Lanes that count.
    mjd, flux, ivar : NDArray, shape (lane, obs)
        `ivar` is zero for padding.
    band : NDArray, shape (lane, obs)
        Local index of the band in its lane.
    passband : NDArray, shape (lane, band)
        Passband of each local band.
    factor : NDArray, shape (lane, obs, column)
        Covariance between epochs.
    row : NDArray, shape (lane, obs)
        Index of the epoch in the `FlatEpochs`; -1 for padding.
    """

    target: IntArray
    n_real: int
    mjd: FloatArray
    flux: FloatArray
    ivar: FloatArray
    factor: FloatArray
    band: IntArray
    passband: IntArray
    row: IntArray


_LADDER = np.array(sorted({k * 2**n for k in (16, 24) for n in range(1, 12)}))
"""Padded lengths: 32, 48, 64, 96, 128 ..."""


def _up_the_ladder(n: IntArray) -> IntArray:
    if np.max(n, initial=0) > _LADDER[-1]:
        raise InputError(f"a light curve has {np.max(n)} epochs; more than {_LADDER[-1]} at once")
    return _LADDER[np.searchsorted(_LADDER, n)]


def bucket_sizes(counts: IntArray) -> IntArray:
    """Padded length of each light curve: few sizes, rare ones joined to the next larger.

    Parameters
    ----------
    counts : NDArray, shape (target,)
        Number of epochs.

    Returns
    -------
    NDArray, shape (target,)
        Padded lengths.
    """
    sizes = _up_the_ladder(counts)
    for size in np.unique(sizes)[:-1]:
        members = sizes == size
        if members.sum() < _WORTH_A_TRACE:
            sizes[members] = sizes[sizes > size].min()
    return sizes


def make_batches(epochs: FlatEpochs) -> Iterator[Batch]:
    """Cut epochs into batches of few shapes; each target is in one.

    Parameters
    ----------
    epochs : FlatEpochs
        In order of target; targets without epochs do not appear.

    Yields
    ------
    Batch
        Up to `LANES` targets.
    """
    targets, start, counts = np.unique(epochs.target, return_index=True, return_counts=True)
    sizes = bucket_sizes(counts) if len(targets) else counts
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        lanes = SMALL_LANES if len(members) <= SMALL_LANES else LANES
        n_band = _most_bands(epochs, start[members], counts[members])
        for first in range(0, len(members), lanes):
            chosen = members[first : first + lanes]
            yield _pack(
                epochs, targets, start, counts, chosen, shape=(lanes, int(size)), n_band=n_band
            )


def _most_bands(epochs: FlatEpochs, start: IntArray, counts: IntArray) -> int:
    most = max(len(np.unique(epochs.band[i : i + n])) for i, n in zip(start, counts, strict=True))
    return max(MIN_BANDS, 1 << (most - 1).bit_length())


def _pack(
    epochs: FlatEpochs,
    targets: IntArray,
    start: IntArray,
    counts: IntArray,
    chosen: IntArray,
    *,
    shape: tuple[int, int],
    n_band: int,
) -> Batch:
    n_real = len(chosen)
    chosen = np.concatenate([chosen, np.repeat(chosen[:1], shape[0] - n_real)])
    mjd, flux, ivar = (np.zeros(shape) for _ in range(3))
    band, row = np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    passband = np.zeros((shape[0], n_band), np.int64)
    factor = np.zeros((*shape, epochs.factor.shape[1]))
    variance = epochs.variance
    for lane, k in enumerate(chosen):
        cut = slice(start[k], start[k] + counts[k])
        n = counts[k]
        mjd[lane, :n], flux[lane, :n] = epochs.mjd[cut], epochs.flux[cut]
        mjd[lane, n:] = mjd[lane, 0]
        ivar[lane, :n] = 1.0 / variance[cut]
        factor[lane, :n] = epochs.factor[cut]
        row[lane, :n] = np.arange(int(start[k]), int(start[k] + n))
        own, band[lane, :n] = np.unique(epochs.band[cut], return_inverse=True)
        passband[lane] = np.pad(own, (0, n_band - len(own)), "edge")
    return Batch(
        target=targets[chosen],
        n_real=n_real,
        mjd=mjd,
        flux=flux,
        ivar=ivar,
        factor=factor,
        band=band,
        passband=passband,
        row=row,
    )
