"""True fluxes of a whole sample: supernovae of known parameters at their own epochs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from chandelle.core.errors import InputError
from chandelle.core.threads import share_out, usable_threads
from chandelle.core.units import AB_JY
from chandelle.physics.compiled.arrays import model_arrays, numba_array
from chandelle.physics.compiled.curves import (
    CurveBands,
    CurveEpochs,
    CurveSpace,
    CurveTargets,
    curve_space,
    fill_fluxes,
)
from chandelle.physics.dust import extinction
from chandelle.physics.photometry import ab_bandflux, band_samples, support
from chandelle.physics.salt import SaltModel
from chandelle.products.passband import Passband

Floats = NDArray[np.float64]
_CHUNK = 256
"""Supernovae a thread takes at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaltSample:
    """Supernovae of known parameters.

    Attributes
    ----------
    z, t0, x0, x1, c : array, shape (sn,)
        Redshift as observed, MJD of maximum, amplitude, stretch, color.
    mwebv : array, shape (sn,), mag
        E(B-V) of the Milky Way.
    scatter : array, shape (sn, node), mag, optional
        What each is fainter by at the rest-frame wavelengths `scatter_wave`, joined as
        `chromatic.scatter_curve` does.
    scatter_wave : array, shape (node,), angstrom
        Increasing.
    """

    z: Floats
    t0: Floats
    x0: Floats
    x1: Floats
    c: Floats
    mwebv: Floats
    scatter: Floats | None = None
    scatter_wave: Floats | None = None

    def __len__(self) -> int:
        return len(self.z)

    def arrays(self) -> CurveTargets:
        """Give the columns to the compiled kernels.

        Raises
        ------
        InputError
            If the columns differ in length, or the scatter has not a value a node.
        """
        nodes = np.zeros(0) if self.scatter_wave is None else np.asarray(self.scatter_wave)
        scatter = np.zeros((len(self), 0)) if self.scatter is None else np.asarray(self.scatter)
        names = ("z", "t0", "x0", "x1", "c", "mwebv")
        lengths = {name: len(getattr(self, name)) for name in names}
        if len(set(lengths.values())) > 1 or scatter.shape != (len(self), len(nodes)):
            raise InputError(
                f"supernovae: expected columns of one length and a scatter of shape ({len(self)}, "
                f"{len(nodes)}), got {lengths} and {scatter.shape}"
            )
        columns = {name: numba_array(getattr(self, name)) for name in names}
        return CurveTargets(
            **columns, scatter=numba_array(scatter), scatter_wave=numba_array(nodes)
        )


def true_fluxes(
    model: SaltModel,
    passbands: Sequence[Passband],
    sample: SaltSample,
    *,
    mjd: Floats,
    band: NDArray[np.int64],
    first: NDArray[np.int64],
    threads: int | None = None,
) -> Floats:
    """Noiseless band fluxes of a sample, as sncosmo integrates them.

    Parameters
    ----------
    model : SaltModel
        The spectra.
    passbands : sequence of Passband
        What `band` counts.
    sample : SaltSample
        The supernovae.
    mjd : array, shape (obs,), d
        Epochs, supernova by supernova.
    band : array, shape (obs,)
        Passband of each epoch.
    first : array, shape (sn + 1,)
        Row of the first epoch of each supernova; the last entry is the number of epochs.
    threads : int, optional
        One a core if absent; the answer does not depend on it.

    Returns
    -------
    array, shape (obs,), nJy
        Zero outside the phases of the model.

    Raises
    ------
    InputError
        If `first` does not divide the epochs among the supernovae, or a band is not there.
    """
    epochs = CurveEpochs(
        mjd=numba_array(mjd), band=np.array(band, np.int64), first=np.array(first, np.int64)
    )
    _check(epochs, len(sample), len(passbands))
    arrays, targets, bands = model_arrays(model), sample.arrays(), _bands_of(passbands)
    flux = np.zeros(len(epochs.mjd))
    starts = range(0, len(sample), _CHUNK)
    n_threads = max(min(usable_threads(threads), len(starts)), 1)
    rooms = [curve_space(arrays, bands) for _ in range(n_threads)]

    def work(start: int, room: CurveSpace) -> None:
        stop = min(start + _CHUNK, len(sample))
        fill_fluxes(arrays, bands, targets, epochs, start, stop, flux, room)

    for _ in share_out(work, starts, rooms):
        pass
    return flux


def covers(ends: Floats, passbands: Sequence[Passband], z: Floats) -> NDArray[np.bool_]:
    """Whether spectra have passbands whole at redshifts.

    Parameters
    ----------
    ends : array, shape (2,) or (sn, 2), angstrom
        First and last rest-frame wavelength of the spectra.
    passbands : sequence of Passband
        Observer frame.
    z : array, shape (sn,)
        Redshifts as observed.

    Returns
    -------
    array of bool, shape (sn, band)
        False where a passband reaches beyond them.
    """
    seen = (1.0 + z[:, None]) * ends
    bands = np.array([support(one)[0][[0, -1]] for one in passbands])
    return (bands[:, 0] >= seen[:, :1]) & (bands[:, 1] <= seen[:, 1:])


def _check(epochs: CurveEpochs, n_sn: int, n_band: int) -> None:
    """Refuse epochs that the kernels would read past."""
    first, n_obs = epochs.first, len(epochs.mjd)
    divides = len(first) == n_sn + 1 and first[0] == 0 and first[-1] == n_obs
    if not divides or np.any(np.diff(first) < 0):
        raise InputError(
            f"epochs: expected {n_sn + 1} rising rows from 0 to {n_obs} in first, one a supernova "
            f"and the end, got {len(first)} from {first[:1]} to {first[-1:]}"
        )
    if len(epochs.band) != n_obs or np.any((epochs.band < 0) | (epochs.band >= n_band)):
        raise InputError(f"epochs: expected {n_obs} bands, each of 0 to {n_band - 1}")


def _bands_of(passbands: Sequence[Passband]) -> CurveBands:
    """Samples of passbands with weights that make nJy on the AB scale."""
    samples = [band_samples(passband) for passband in passbands]
    # Without the padding at the end, which has no weight.
    n_sample = np.array([np.flatnonzero(one.weight)[-1] + 1 for one in samples], dtype=np.int64)
    longest = max((len(one.wave) for one in samples), default=1)

    def padded(rows: Iterable[ArrayLike]) -> Floats:
        arrays = [np.asarray(row) for row in rows]
        return numba_array([np.pad(row, (0, longest - len(row)), "edge") for row in arrays])

    return CurveBands(
        wave=padded(one.wave for one in samples),
        weight=padded(
            one.weight * AB_JY * 1e9 / ab_bandflux(band)
            for one, band in zip(samples, passbands, strict=True)
        ),
        dust=padded(extinction(jnp.asarray(one.wave), ebv=1.0) for one in samples),
        n_sample=n_sample,
    )
