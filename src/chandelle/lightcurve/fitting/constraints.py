"""Bounds and Gaussian priors of the fitted parameters, for every target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError

SALT_NAMES = ("t0", "x0", "x1", "c")
EXTRA_NAMES = ("z", "host_ebv")
"""Parameters that are fitted only when asked."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constraints:
    """Bounds and priors, shape (target, param); parameters in the order of `names`.

    `ivar` is the inverse variance of the prior, zero for none.
    """

    names: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    mean: FloatArray
    ivar: FloatArray

    @property
    def is_free(self) -> bool:
        """Whether x0 and x1 have neither bound nor prior."""
        own = slice(1, 3)
        bounded = np.isfinite(self.high[:, own]).any() or np.isfinite(self.low[:, 2]).any()
        return not (bounded or (self.low[:, 1] > 0).any() or (self.ivar[:, own] > 0).any())

    def take(self, rows: NDArray) -> "Constraints":
        """Constraints of some targets."""
        parts = {name: getattr(self, name)[rows] for name in ("low", "high", "mean", "ivar")}
        return Constraints(names=self.names, **parts)


def constraints_of(
    n: int,
    *,
    extra: tuple[str, ...],
    c_max: float,
    bounds: Mapping[str, Any],
    priors: Mapping[str, Any],
) -> Constraints:
    """Bring bounds and priors to one row a target.

    Parameters
    ----------
    n : int
        Number of targets.
    extra : tuple of str
        What is fitted besides t0, x0, x1, c.
    c_max : float
        Bound of the absolute color where `bounds` gives none.
    bounds : mapping of str to (low, high)
        Each a number or an array with one value a target.
    priors : mapping of str to (mean, sigma)
        Likewise; a sigma that is not finite means no prior for this target.

    Returns
    -------
    Constraints
        t0 without a bound of its own is left open here: the epochs decide.

    Raises
    ------
    InputError
        If a name is unknown or not fitted, a bound is empty, or a sigma not positive.
    """
    names = SALT_NAMES + extra
    for what, given in (("bounds", bounds), ("priors", priors)):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise InputError(
                f"{what}: {', '.join(unknown)} is not fitted; fitted are {', '.join(names)}"
                f" (free= adds {', '.join(EXTRA_NAMES)})"
            )
    shape = (n, len(names))
    low, high = np.full(shape, -np.inf), np.full(shape, np.inf)
    mean, ivar = np.zeros(shape), np.zeros(shape)
    low[:, 1] = 0.0
    standard = {"c": (-c_max, c_max), "z": (1e-4, np.inf), "host_ebv": (0.0, np.inf)}
    for what, given in (("bounds", bounds), ("priors", priors)):
        for name, pair in given.items():
            _check_pair(what, name, pair)
    for name, pair in {**standard, **bounds}.items():
        if name in names:
            i = names.index(name)
            low[:, i], high[:, i] = (_column(name, value, n) for value in pair)
    if not np.all(low < high):
        i = int(np.flatnonzero(~(low < high).all(axis=0))[0])
        raise InputError(f"bounds: {names[i]} must be (low, high) with low < high")
    for name, pair in priors.items():
        i = names.index(name)
        mean[:, i], sigma = (_column(name, value, n) for value in pair)
        if np.any(sigma <= 0):
            raise InputError(f"priors: sigma of {name} must be positive, got {np.nanmin(sigma)}")
        is_known = np.isfinite(sigma) & np.isfinite(mean[:, i])
        ivar[:, i] = np.where(is_known, 1.0 / np.where(is_known, sigma, 1.0) ** 2, 0.0)
        mean[:, i] = np.where(is_known, mean[:, i], 0.0)
    return Constraints(names=names, low=low, high=high, mean=mean, ivar=ivar)


def _check_pair(what: str, name: str, pair: Any) -> None:
    """Refuse what is no pair, and plain numbers that are NaN."""
    parts = "(low, high)" if what == "bounds" else "(mean, sigma)"
    if not isinstance(pair, tuple | list | np.ndarray) or len(pair) != 2:
        raise InputError(f"{what}: {name} must be {parts}, got {pair!r}")
    if any(np.ndim(value) == 0 and np.isnan(value) for value in pair):
        raise InputError(f"{what}: {name} must be {parts}, got NaN in {pair!r}")


def _column(name: str, value: Any, n: int) -> FloatArray:
    values = np.asarray(value, dtype=float)
    if values.ndim > 1 or (values.ndim and len(values) != n):
        raise InputError(
            f"{name}: one value, or one for each of {n} targets; got shape {values.shape}"
        )
    return np.broadcast_to(values, n).astype(float)
