"""Likelihood of a broken stretch law with an environment step, fitted together.

The true stretch is integrated out on a grid, the true color analytically, each with its population
(two Gaussians in x1, one in c), so that errors of x1 and c do not bias the slopes.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from numpy.typing import NDArray
from scipy.optimize import minimize

START: Mapping[str, float] = {
    "m_abs": -19.3,
    "alpha_low": 0.15,
    "alpha_high": 0.15,
    "x1_break": -0.5,
    "beta": 3.0,
    "step": 0.1,
    "log_sigma_int": float(np.log(0.12)),
    "c_mean": 0.0,
    "log_c_std": float(np.log(0.1)),
    "x1_high": 0.4,
    "log_x1_high_std": float(np.log(0.6)),
    "x1_low": -1.2,
    "log_x1_low_std": float(np.log(0.6)),
    "logit_high": 0.5,
}
"""Where the search begins; also the names of the parameters."""
_GRID = np.linspace(-6.0, 6.0, 241)
Columns = Mapping[str, NDArray[np.float64]]


def _log_normal(x: Any, mean: Any, log_std: Any) -> Any:
    return -0.5 * ((x - mean) / jnp.exp(log_std)) ** 2 - log_std


def _chi2_and_log_det(residual: Any, cov: Any) -> tuple[Any, Any]:
    """Chi2, shape (sn, grid), and log determinant, shape (sn,), of covariances (sn, 3, 3).

    A Cholesky factor by hand: several batched calls of LAPACK in one program wait for each other
    for ever on a CPU of few cores (jaxlib 0.10).
    """
    l00 = jnp.sqrt(cov[:, 0, 0])
    l10, l20 = cov[:, 1, 0] / l00, cov[:, 2, 0] / l00
    l11 = jnp.sqrt(cov[:, 1, 1] - l10**2)
    l21 = (cov[:, 2, 1] - l10 * l20) / l11
    l22 = jnp.sqrt(cov[:, 2, 2] - l20**2 - l21**2)
    y0 = residual[..., 0] / l00[:, None]
    y1 = (residual[..., 1] - l10[:, None] * y0) / l11[:, None]
    y2 = (residual[..., 2] - l20[:, None] * y0 - l21[:, None] * y1) / l22[:, None]
    return y0**2 + y1**2 + y2**2, 2.0 * jnp.log(l00 * l11 * l22)


def _loss(theta: Any, data: Any, *, linear: bool) -> Any:
    p = dict(zip(START, theta, strict=True))
    rest = jnp.where(linear, p["alpha_low"], p["alpha_high"])
    from_break = _GRID - jnp.where(linear, 0.0, p["x1_break"])
    stretch = jnp.where(from_break < 0, p["alpha_low"], rest) * from_break
    mean_mb = data["mu"] + p["m_abs"] + p["beta"] * p["c_mean"] - p["step"] * data["p_high"]
    residual = jnp.stack(
        jnp.broadcast_arrays(
            (data["mb"] - mean_mb)[:, None] + stretch[None],
            data["x1"][:, None] - _GRID[None],
            (data["c"] - p["c_mean"])[:, None],
        ),
        axis=-1,
    )
    slope = jnp.stack([p["beta"], jnp.zeros(()), jnp.ones(())])
    extra = jnp.exp(2 * p["log_c_std"]) * jnp.outer(slope, slope)
    extra = extra.at[0, 0].add(jnp.exp(2 * p["log_sigma_int"]))
    cov = data["cov"] + extra[None]
    chi2, log_det = _chi2_and_log_det(residual, cov)
    high = jax.nn.log_sigmoid(p["logit_high"]) + _log_normal(
        _GRID, p["x1_high"], p["log_x1_high_std"]
    )
    low = jax.nn.log_sigmoid(-p["logit_high"]) + _log_normal(
        _GRID, p["x1_low"], p["log_x1_low_std"]
    )
    per_sn = logsumexp(jnp.logaddexp(high, low)[None] - 0.5 * chi2, axis=1)
    return -jnp.sum(per_sn - 0.5 * log_det)


def _loss_of_free(x: Any, index: Any, data: Any, *, linear: bool) -> Any:
    """Loss of some of the parameters, the others as in `START`."""
    start = jnp.array(list(START.values()))
    return _loss(start.at[index].set(x), data, linear=linear)


_LOSS, _GRADIENT, _HESSIAN = (
    jax.jit(function, static_argnames="linear")
    for function in (_loss_of_free, jax.grad(_loss_of_free), jax.hessian(_loss_of_free))
)


def fit_stretch_law(data: Columns, *, linear: bool = False) -> dict[str, tuple[float, float]]:
    """Find the maximum, with errors of the inverse Hessian.

    Parameters
    ----------
    data : mapping of arrays, shape (sn,)
        mb, x1, c; cov of these, shape (sn, 3, 3), with the variance of the distance in cov[0, 0];
        mu, the distance modulus; p_high, the probability of the environment that is brighter.
    linear : bool
        One slope at all stretches.

    Returns
    -------
    dict of (value, error)
        By the names of `START`; with `linear` without alpha_high and x1_break.
    """
    arrays = {name: jnp.asarray(values) for name, values in data.items()}
    free = [n for n in START if not (linear and n in ("alpha_high", "x1_break"))]
    index = jnp.array([list(START).index(name) for name in free])
    best = minimize(
        lambda x: float(_LOSS(x, index, arrays, linear=linear)),
        np.array([START[name] for name in free]),
        jac=lambda x: np.asarray(_GRADIENT(x, index, arrays, linear=linear)),
        method="BFGS",
        options={"gtol": 1e-4},
    )
    hessian = np.asarray(_HESSIAN(best.x, index, arrays, linear=linear))
    errors = np.sqrt(np.diagonal(np.linalg.inv(hessian)))
    return {name: (float(v), float(e)) for name, v, e in zip(free, best.x, errors, strict=True)}


def draw(n: int, seed: int) -> Columns:
    """Draw a sample with the broken law that the ZTF DR2 found, to check the fit."""
    rng = np.random.default_rng(seed)
    is_high = rng.random(n) < 0.65
    x1 = np.where(is_high, rng.normal(0.4, 0.6, n), rng.normal(-1.2, 0.6, n))
    c = rng.normal(0.0, 0.1, n)
    p_high = (rng.random(n) < np.where(is_high, 0.3, 0.9)).astype(float)
    from_break = x1 + 0.478
    stretch = np.where(from_break < 0, 0.269, 0.079) * from_break
    mu = rng.uniform(35.0, 37.0, n)
    mb = mu - 19.3 - stretch + 3.268 * c - 0.165 * p_high + rng.normal(0.0, 0.12, n)
    root = np.array([[0.05, 0.0, 0.0], [0.06, 0.25, 0.0], [0.025, 0.005, 0.02]])
    noise = rng.normal(size=(n, 3)) @ root.T
    cov = np.broadcast_to(root @ root.T, (n, 3, 3))
    observed = np.stack([mb, x1, c], axis=1) + noise
    names = ("mb", "x1", "c")
    columns = {name: observed[:, i] for i, name in enumerate(names)}
    return {**columns, "cov": cov, "mu": mu, "p_high": p_high}
