"""Answers of a batch on the host: numpy arrays, their covariance, their natural parameters."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.fit import Answer

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """`fit.Answer` of every lane; leading axis lane."""

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


def errors_of(hessian: NDArray[np.float64], params: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Covariance of (t0, x0, x1, c) from the Hessian of half the chi2 by (t0, x0, x0 x1, c).

    At a minimum the inverse Hessian transforms with the Jacobian alone.

    Parameters
    ----------
    hessian : NDArray, shape (sn, 4, 4)
        At the minimum.
    params : NDArray, shape (sn, 4)
        (t0, x0, x0 x1, c).

    Returns
    -------
    NDArray, shape (sn, 4, 4)
        NaN where the Hessian is not positive or too near to singular.
    """
    diagonal = np.diagonal(hessian, axis1=1, axis2=2)
    usable = np.asarray((diagonal > 0).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2)))
    scale = np.where(usable[:, None], np.sqrt(np.abs(diagonal)), 1.0)
    scale = np.where(scale > 0, scale, 1.0)
    unit = np.where(usable[:, None, None], hessian, np.eye(4))
    unit = unit / (scale[:, :, None] * scale[:, None, :])
    usable &= np.linalg.eigvalsh(unit)[:, 0] > 1e-12
    unit = np.where(usable[:, None, None], unit, np.eye(4))
    cov = np.linalg.inv(unit) / (scale[:, :, None] * scale[:, None, :])
    x0 = np.where(params[:, 1] != 0, params[:, 1], np.nan)
    jacobian = np.broadcast_to(np.eye(4), cov.shape).copy()
    jacobian[:, 2, 1] = -params[:, 2] / x0**2
    jacobian[:, 2, 2] = 1.0 / x0
    cov = np.einsum("sij,sjk,slk->sil", jacobian, cov, jacobian)
    return np.where(usable[:, None, None], cov, np.nan)


def natural(params: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (t0, x0, x0 x1, c) into (t0, x0, x1, c)."""
    out = params.copy()
    out[:, 2] = params[:, 2] / np.where(params[:, 1] != 0, params[:, 1], np.nan)
    return out
