"""What an engine returns: one row a supernova, one mark an epoch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class FitArrays(NamedTuple):
    """Answers, one row a supernova; `used` has one value an epoch.

    `params` are t0, x0, x1, c (and what else was fitted), `hessian` and `gradient` those of half
    the chi2 with priors by them, `chi2` and `chi2_empty` those of the data with the model and
    without a supernova.
    """

    params: Floats
    hessian: Floats
    gradient: Floats
    chi2: Floats
    chi2_empty: Floats
    edm: Floats
    n_steps: Ints
    n_rounds: Ints
    is_converged: Bools
    is_at_rest: Bools
    at_bound: Bools
    has_rival: Bools
    used: Bools

    @classmethod
    def blank(cls, n_target: int, n_epoch: int, *, n_param: int = 4) -> "FitArrays":
        """Make room for answers."""
        n, false = n_target, np.zeros(n_target, np.bool_)
        return cls(
            params=np.full((n, n_param), np.nan),
            hessian=np.full((n, n_param, n_param), np.nan),
            gradient=np.full((n, n_param), np.nan),
            chi2=np.full(n, np.nan),
            chi2_empty=np.full(n, np.nan),
            edm=np.full(n, np.inf),
            n_steps=np.zeros(n, np.int64),
            n_rounds=np.zeros(n, np.int64),
            is_converged=false,
            is_at_rest=false.copy(),
            at_bound=false.copy(),
            has_rival=false.copy(),
            used=np.zeros(n_epoch, np.bool_),
        )
