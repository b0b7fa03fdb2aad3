"""Whether chains have converged: rank-normalized split R-hat, effective sizes, divergences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

R_HAT_MAX = 1.01
ESS_MIN = 400.0
DIVERGENT_MAX = 0.01
_TAIL = (0.05, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Health of a set of chains.

    Attributes
    ----------
    r_hat, ess_bulk, ess_tail : dict of str to float
        Of each parameter.
    divergent_fraction : float
        Fraction of draws whose trajectory diverged.
    status : str
        ``"ok"`` or ``"not converged"``; `reason` then says why.
    """

    r_hat: dict[str, float]
    ess_bulk: dict[str, float]
    ess_tail: dict[str, float]
    divergent_fraction: float
    status: str
    reason: str


def diagnose(
    draws: Mapping[str, NDArray[np.float64]], diverging: NDArray[np.bool_] | None = None
) -> Diagnosis:
    """Judge chains: R-hat < 1.01, bulk and tail ESS > 400, at most 1 % divergences.

    Parameters
    ----------
    draws : mapping of str to array, shape (chain, draw)
        The parameters.
    diverging : array of bool, shape (chain, draw), optional
        Which draws diverged.

    Returns
    -------
    Diagnosis
        The gate's answer with its figures.

    References
    ----------
    A. Vehtari et al., 2021, Bayesian Analysis 16, 667.
    """
    from arviz_stats.base.array import array_stats

    axes: dict[str, Any] = {"chain_axis": 0, "draw_axis": 1}

    r_hat, bulk, tail, broken = {}, {}, {}, []
    for name, values in draws.items():
        if values.shape[1] < 4 or not np.isfinite(values).all() or np.ptp(values) == 0:
            r_hat[name], bulk[name], tail[name] = np.inf, 0.0, 0.0
            broken.append(name)
            continue
        r_hat[name] = np.asarray(array_stats.rhat(values, method="rank", **axes)).item()
        bulk[name] = np.asarray(array_stats.ess(values, method="bulk", **axes)).item()
        tail[name] = np.asarray(array_stats.ess(values, method="tail", prob=_TAIL, **axes)).item()
    divergent = 0.0 if diverging is None else float(np.mean(diverging))
    reasons = [f"{name} does not move or is not finite" for name in broken]
    worst = max(r_hat, key=lambda name: r_hat[name])
    if not r_hat[worst] < R_HAT_MAX:
        reasons.append(f"R-hat of {worst} is {r_hat[worst]:.3f}, must be < {R_HAT_MAX}")
    for kind, sizes in (("bulk", bulk), ("tail", tail)):
        least = min(sizes, key=lambda name: sizes[name])
        if not sizes[least] > ESS_MIN:
            reasons.append(f"{kind} ESS of {least} is {sizes[least]:.0f}, must be > {ESS_MIN:.0f}")
    if not divergent <= DIVERGENT_MAX:
        reasons.append(f"{divergent:.1%} of the draws diverged, at most {DIVERGENT_MAX:.0%} may")
    return Diagnosis(
        r_hat=r_hat,
        ess_bulk=bulk,
        ess_tail=tail,
        divergent_fraction=divergent,
        status="not converged" if reasons else "ok",
        reason="; ".join(reasons),
    )
