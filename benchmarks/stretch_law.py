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
_GRID = jnp.linspace(-6.0, 6.0, 241)
Columns = Mapping[str, NDArray[np.float64]]


def _log_normal(x: Any, mean: Any, log_std: Any) -> Any:
    return -0.5 * ((x - mean) / jnp.exp(log_std)) ** 2 - log_std


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
    chi2 = jnp.einsum("ngi,nij,ngj->ng", residual, jnp.linalg.inv(cov), residual)
    high = jax.nn.log_sigmoid(p["logit_high"]) + _log_normal(
        _GRID, p["x1_high"], p["log_x1_high_std"]
    )
    low = jax.nn.log_sigmoid(-p["logit_high"]) + _log_normal(
        _GRID, p["x1_low"], p["log_x1_low_std"]
    )
    per_sn = logsumexp(jnp.logaddexp(high, low)[None] - 0.5 * chi2, axis=1)
    return -jnp.sum(per_sn - 0.5 * jnp.linalg.slogdet(cov)[1])


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
    base = jnp.array(list(START.values()))

    @jax.jit
    def loss(x: Any) -> Any:
        return _loss(base.at[index].set(x), arrays, linear=linear)

    gradient, hessian = jax.jit(jax.grad(loss)), jax.jit(jax.hessian(loss))
    best = minimize(
        lambda x: float(loss(x)),
        np.asarray(base[index]),
        jac=lambda x: np.asarray(gradient(x)),
        method="BFGS",
        options={"gtol": 1e-4},
    )
    errors = np.sqrt(np.diagonal(np.linalg.inv(np.asarray(hessian(best.x)))))
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
