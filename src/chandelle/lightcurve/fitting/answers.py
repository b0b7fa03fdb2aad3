"""Answers of a batch on the host: numpy arrays, and their covariance."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.chi2 import Answer

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
LEAST_EIGENVALUE = 1e-10
"""Of a Hessian of unit diagonal, whose rounding is 2e-12: below, it counts as singular.

Real supernovae have 5e-5 and more, real ones thinned to five epochs 3e-6 and more.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """`chi2.Answer` of every lane; leading axis lane."""

    params: FloatArray
    hessian: FloatArray
    gradient: FloatArray
    chi2: FloatArray
    chi2_empty: FloatArray
    edm: FloatArray
    n_steps: NDArray[np.int64]
    is_converged: BoolArray
    at_bound: BoolArray

    @classmethod
    def of(cls, answer: Answer) -> "Answers":
        """Bring a batch of answers from the device."""
        return cls(**{part.name: np.asarray(getattr(answer, part.name)) for part in fields(cls)})

    def where(self, chosen: BoolArray, other: "Answers") -> "Answers":
        """Take these in the `chosen` lanes, `other` elsewhere."""
        parts = {}
        for part in fields(self):
            mine = getattr(self, part.name)
            mask = chosen.reshape(-1, *[1] * (mine.ndim - 1))
            parts[part.name] = np.where(mask, mine, getattr(other, part.name))
        return Answers(**parts)


def covariance_of(hessian: FloatArray, push: FloatArray | None = None) -> FloatArray:
    r"""Invert Hessians H of half the chi2 at minima, with what holds a parameter at its bound.

    .. math:: C = (H + \mathrm{diag}\,g^2)^{-1}

    Away from a bound the density falls as :math:`e^{-g x - H x^2 / 2}`. Its width is 1 / g where
    the slope g is steep, as C has it; where it is flat C is too wide, by a factor 1.74 at most.

    Parameters
    ----------
    hessian : NDArray, shape (sn, param, param)
        In units of the parameters.
    push : NDArray, shape (sn, param), optional
        The gradient g by parameters that their bound holds; zero by others.

    Returns
    -------
    NDArray, shape (sn, param, param)
        NaN where the sum is not positive or too near to singular.
    """
    n = hessian.shape[-1]
    if push is not None:
        hessian = hessian + push[:, :, None] ** 2 * np.eye(n)
    diagonal = np.diagonal(hessian, axis1=1, axis2=2)
    usable = np.asarray((diagonal > 0).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2)))
    scale = np.where(usable[:, None], np.sqrt(np.abs(diagonal)), 1.0)
    scale = np.where(scale > 0, scale, 1.0)
    unit = np.where(usable[:, None, None], hessian, np.eye(n))
    unit = unit / (scale[:, :, None] * scale[:, None, :])
    usable &= np.linalg.eigvalsh(unit)[:, 0] > LEAST_EIGENVALUE
    unit = np.where(usable[:, None, None], unit, np.eye(n))
    cov = np.linalg.inv(unit) / (scale[:, :, None] * scale[:, None, :])
    return np.where(usable[:, None, None], cov, np.nan)
