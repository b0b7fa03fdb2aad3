"""What an engine is given: supernovae that can be fitted, as arrays, and how to fit them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.bands import BandSet
from chandelle.lightcurve.fitting.batch import FlatEpochs
from chandelle.lightcurve.fitting.constraints import Constraints
from chandelle.lightcurve.fitting.limits import PHASE_MARGIN
from chandelle.lightcurve.fitting.prepare import Prepared
from chandelle.physics.dust import DustLaw
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import series_terms

FloatArray = NDArray[np.float64]

C_SERIES = 0.4
"""Absolute color up to which the short series is good; redder ones are fitted with a longer one."""
SERIES_TOLERANCE = 1e-10
_TERMS = (12, 20, 32, 48, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """What the engines need to know, as plain values."""

    model_cov: bool
    dust: DustLaw
    r_v: float
    phase_range: tuple[float, float] | None
    c_max: float


@dataclass(frozen=True, kw_only=True, eq=False)
class FitProblem:
    """Supernovae to fit, numbered from 0 in the order of the targets.

    Attributes
    ----------
    model : SaltModel
        The model.
    bands : BandSet
        All passbands.
    epochs : FlatEpochs
        Their epochs, `target` in this numbering.
    first : NDArray, shape (sn + 1,)
        Supernova k has the epochs ``first[k]`` to ``first[k + 1]``.
    z, mwebv : NDArray, shape (sn,)
        Redshift and Milky Way E(B-V).
    constraints : Constraints
        Bounds and priors, t0 such that model and data overlap.
    settings : FitSettings
        Choices.
    """

    model: SaltModel
    bands: BandSet
    epochs: FlatEpochs
    first: NDArray[np.int64]
    z: FloatArray
    mwebv: FloatArray
    constraints: Constraints
    settings: FitSettings

    def __len__(self) -> int:
        return len(self.z)

    @property
    def first_range(self) -> tuple[float, float] | None:
        """Range of phases until the first answer is known: wider, but not beyond the model."""
        if self.settings.phase_range is None:
            return None
        low, high = self.settings.phase_range
        start, stop = np.asarray(self.model.surfaces.phase)[[0, -1]]
        first_low, first_high = max(low - PHASE_MARGIN, start), min(high + PHASE_MARGIN, stop)
        return min(low, float(first_low)), max(high, float(first_high))

    @cached_property
    def terms(self) -> int:
        """Taylor terms of the color law that suffice up to `C_SERIES`; for kernels of one shape."""
        return self._terms(min(self.settings.c_max, C_SERIES))

    @cached_property
    def terms_wide(self) -> int:
        """Taylor terms that suffice up to the bound of c."""
        return self._terms(self.settings.c_max)

    def _terms(self, c_max: float) -> int:
        """Terms for the redshifts of each band, rounded up so that few kernels are compiled."""
        needed = 1
        for band in np.unique(self.epochs.band):
            seen = self.z[self.epochs.target[self.epochs.band == band]]
            count = series_terms(
                self.model.surfaces,
                [self.bands.passbands[band]],
                z_min=float(seen.min()),
                z_max=float(seen.max()),
                c_max=c_max,
                tolerance=SERIES_TOLERANCE,
            )
            needed = max(needed, count)
        return next(terms for terms in _TERMS if terms >= needed)


def problem_of(
    ready: Prepared, model: SaltModel, *, constraints: Constraints, settings: FitSettings
) -> tuple[FitProblem, NDArray[np.int64]] | None:
    """Number the supernovae that can be fitted.

    Parameters
    ----------
    ready : Prepared
        Epochs of all targets.
    model : SaltModel
        The model.
    constraints : Constraints
        Of all targets.
    settings : FitSettings
        Choices.

    Returns
    -------
    tuple of FitProblem and NDArray, or None
        The problem, and the row of the target of each of its supernovae; None if there are none.
    """
    rows, counts = np.unique(ready.epochs.target, return_counts=True)
    if ready.bands is None or not len(rows):
        return None
    local = np.repeat(np.arange(len(rows)), counts)
    epochs = replace(ready.epochs, target=local)
    first = np.concatenate([[0], np.cumsum(counts)])
    z = ready.z[rows]
    problem = FitProblem(
        model=model,
        bands=ready.bands,
        epochs=epochs,
        first=first,
        z=z,
        mwebv=ready.mwebv[rows],
        constraints=_close_t0(constraints.take(rows), model, epochs.mjd, first, z),
        settings=settings,
    )
    return problem, rows


def _close_t0(
    constraints: Constraints,
    model: SaltModel,
    mjd: FloatArray,
    first: NDArray[np.int64],
    z: FloatArray,
) -> Constraints:
    """Bound t0 so that the phases of the model and the epochs overlap."""
    start, stop = np.asarray(model.surfaces.phase)[[0, -1]]
    low, high = constraints.low.copy(), constraints.high.copy()
    low[:, 0] = np.maximum(low[:, 0], mjd[first[:-1]] - stop * (1 + z))
    high[:, 0] = np.minimum(high[:, 0], mjd[first[1:] - 1] - start * (1 + z))
    return replace(constraints, low=low, high=high)
