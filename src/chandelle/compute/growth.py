"""The law by which a cost grows with size, y = a + b N^p, with what is not known of it.

Everything is inferred on a grid of (p, share of the constant, drift of p): the amplitude and the
size of the scatter are integrated out in closed form, so that few sizes give wide intervals, and a
power that changes along the measurements may go on changing beyond them.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from chandelle.core.errors import InputError

N_LEAST = 3
"""Sizes below which the power is free."""
POWER_MAX = 5.0
_Array = NDArray[np.float64]
_N_GRID = 101
_LEAST_GROWTH = 1e-9
"""Smallest share of what grows in the cost of the smallest size."""
_N_PASSES = 6
_NEGLIGIBLE = 1e-4
"""Weight, against the largest, of what is left out of the grid."""
_PRIOR_DOF = 1.0
"""Measurements that the errors given count for, beside the scatter about the law."""
_PRIORS = {0.0: 0.75, 0.03: 0.05, 0.06: 0.05, 0.12: 0.05, 0.25: 0.05, 0.5: 0.05}
"""Drifts of the power, per root of an e-fold in size, and their probabilities beforehand."""
_NODES = (np.arange(15) + 0.5) / 15
_NOTHING = 1e-300
_SEEN = 0.002
"""Logarithm of a ratio of costs below which nothing grows."""
_LEVELS = (0.5, 0.15865525, 0.84134475, 0.025, 0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its error.

    Parameters
    ----------
    median : float
        The value.
    low, high : float
        It lies between them with 68 % probability.
    low95, high95 : float
        And between these with 95 %.
    """

    median: float
    low: float
    high: float
    low95: float
    high95: float

    @property
    def err(self) -> float:
        """Half the width of the 68 % interval."""
        return 0.5 * (self.high - self.low)

    def __str__(self) -> str:
        wide = f"95 %: {self.low95:.4g} to {self.high95:.4g}"
        return f"{self.median:.4g} ({self.low:.4g} to {self.high:.4g}; {wide})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    r"""How a cost grows with size.

    .. math:: y = a + b N^p, \quad a \ge 0, b \ge 0

    Parameters
    ----------
    powers, log_growths : Array, shape (cell,)
        The p, and the logarithm of the share of what grows in the cost of the smallest size, that
        agree with the data.
    centers, widths : Array, shape (cell,)
        Logarithm of that cost for each of them, and its error.
    drifts : Array, shape (cell,)
        Change of p over an e-fold in size: the one of a random walk.
    weights : Array, shape (cell,)
        Their probabilities.
    n_min, n_max : float
        Smallest and largest size measured.
    dof : float
        Degrees of freedom of the scatter.
    offset : float
        What was taken off the cost before the fit, known beforehand.
    """

    powers: _Array
    log_growths: _Array
    centers: _Array
    widths: _Array
    drifts: _Array
    weights: _Array
    n_min: float
    n_max: float
    dof: float
    offset: float = 0.0

    @property
    def power(self) -> Interval:
        """The p; at the largest sizes, where it drifts."""
        return _interval(self.powers, self.weights)

    @property
    def constant(self) -> Interval:
        """The a, in the unit of the cost."""
        return self._amplified(_log_constants(self.log_growths))

    @property
    def is_growing(self) -> bool:
        """Whether the largest size is seen to cost more than the smallest."""
        x = np.asarray(np.log(self.n_max / self.n_min))
        ratio = _interval(_shape(self.powers, self.log_growths, x), self.weights)
        return ratio.low95 > _SEEN

    def predict(self, n: int | float) -> Interval:
        """Cost of a size.

        Parameters
        ----------
        n : int or float
            Number of objects.

        Returns
        -------
        Interval
            With the uncertainty of p, a and b; not the scatter of a single run.
        """
        x = np.asarray(np.log(n / self.n_min))
        beyond = max(float(np.log(n / self.n_max)), 0.0)
        return self._amplified(_shape(self.powers, self.log_growths, x), beyond)

    def _amplified(self, shapes: _Array, beyond: float = 0.0) -> Interval:
        """Interval of the cost of the smallest size times the exponential of `shapes`."""
        nodes = stdtrit(self.dof, _NODES)
        widths = np.hypot(self.widths, self.drifts * np.sqrt(beyond**3 / 3.0))
        values = (self.centers + shapes)[:, None] + widths[:, None] * nodes
        weights = np.broadcast_to(self.weights[:, None] / len(nodes), values.shape)
        return _interval(np.exp(values.ravel()) + self.offset, weights.ravel())


def fit_law(n: _Array, y: _Array, *, err: _Array, may_be_pure: bool = True) -> Law:
    r"""Find the laws y = a + b N^p that agree with measurements.

    The logarithms of the measurements scatter about that of the law by :math:`s e_i`, where the
    scale s is about 1, within what one measurement would tell, and otherwise told by the
    scatter itself. A priori p, 0 to 5, has the density exp(-p). With probability one half there is
    no constant (never, if it may not be pure), else the share of what grows in the cost of the
    smallest size has a density that falls as its root. With probability one quarter p is no
    constant: it walks at random with log N, by 0.03 to 0.5 over an e-fold.

    Parameters
    ----------
    n : Array, shape (size,)
        Sizes, three or more.
    y : Array, shape (size,)
        Costs, positive.
    err : Array, shape (size,)
        Relative errors.
    may_be_pure : bool
        Whether there may be no constant at all.

    Returns
    -------
    Law
        With its uncertainty.

    Raises
    ------
    InputError
        If there are less than three different sizes, or values are not positive.

    Examples
    --------
    >>> n = np.array([100.0, 300.0, 1000.0, 3000.0])
    >>> law = fit_law(n, 2.0 + 1e-3 * n**1.5, err=np.full(4, 0.01))
    >>> f"{law.power.median:.2f} +- {law.power.err:.2f}"
    '1.50 +- 0.01'
    """
    if len(np.unique(n)) < N_LEAST:
        raise InputError(
            f"a law takes {N_LEAST} sizes or more that were measured, got {len(np.unique(n))}: its "
            "power would be free; give more or smaller sizes"
        )
    if not (np.all(n > 0) and np.all(y > 0) and np.all(err > 0)):
        raise InputError(f"sizes, costs and errors must be positive, got {n}, {y}, {err}")
    data = _Data(np.log(n / np.min(n)), np.log(y), err, may_be_pure)
    kinds = [_narrowed(data, drift) for drift in _PRIORS]
    cells = _Cells(*(np.concatenate([getattr(k, part.name) for k in kinds]) for part in _PARTS))
    weights = np.exp(cells.log_weights - cells.log_weights.max())
    return Law(
        powers=cells.powers,
        log_growths=cells.log_growths,
        centers=cells.centers,
        widths=cells.widths,
        drifts=cells.drifts,
        weights=weights / weights.sum(),
        n_min=float(np.min(n)),
        n_max=float(np.max(n)),
        dof=_PRIOR_DOF + len(n) - 1,
    )


@dataclass(frozen=True, slots=True)
class _Data:
    """Logarithms of sizes, from that of the smallest on, and of costs, with their errors."""

    x: _Array
    z: _Array
    err: _Array
    may_be_pure: bool

    def covariance(self, drift: float) -> _Array:
        """Of the costs: their errors, and a slope that walks away from that at the largest size."""
        before = self.x.max() - self.x
        least, most = np.minimum.outer(before, before), np.maximum.outer(before, before)
        return np.diag(self.err**2) + drift**2 * least**2 * (3.0 * most - least) / 6.0


@dataclass(frozen=True, slots=True)
class _Cells:
    """Laws, and how they agree with the data."""

    powers: _Array
    log_growths: _Array
    centers: _Array
    widths: _Array
    drifts: _Array
    log_weights: _Array

    def likely(self) -> "_Cells":
        kept = self.log_weights > self.log_weights.max() + np.log(_NEGLIGIBLE)
        return _Cells(*(getattr(self, part.name)[kept] for part in _PARTS))


_PARTS = fields(_Cells)


def _narrowed(data: _Data, drift: float) -> _Cells:
    """Cells that matter: a coarse grid first, then finer ones around what is likely."""
    low, high = np.array([0.0, np.log(_LEAST_GROWTH)]), np.array([POWER_MAX, 0.0])
    cells = _weighed(low, high, data, drift).likely()
    for _ in range(_N_PASSES - 1):
        step = (high - low) / (_N_GRID - 1)
        found = np.array([cells.powers, cells.log_growths])
        low = np.maximum(low, found.min(axis=1) - step)
        high = np.minimum(high, found.max(axis=1) + step)
        cells = _weighed(low, high, data, drift).likely()
    return cells


def _weighed(low: _Array, high: _Array, data: _Data, drift: float) -> _Cells:
    """A grid of laws with and a row of laws without a constant; amplitude and scatter go out."""
    p, g = (np.linspace(low[i], high[i], _N_GRID) for i in range(2))
    alone = p if data.may_be_pure else p[:0]
    powers = np.concatenate([np.repeat(p, _N_GRID), alone])
    growths = np.concatenate([np.tile(g, _N_GRID), np.zeros_like(alone)])
    with_constant = np.tile(0.5 * g + np.log(0.5 * (g[1] - g[0])), _N_GRID)
    log_prior = np.concatenate([with_constant, np.zeros_like(alone)]) - powers
    log_prior += np.log((p[1] - p[0]) * _PRIORS[drift])
    x, covariance = data.x, data.covariance(drift)
    precision = np.linalg.inv(covariance)
    weights = precision.sum(axis=0)
    residuals = data.z - _shape(powers[:, None], growths[:, None], x)
    centers = residuals @ weights / weights.sum()
    residuals -= centers[:, None]
    chi2 = np.einsum("ci,ij,cj->c", residuals, precision, residuals, optimize=True)
    dof = _PRIOR_DOF + len(x) - 1
    scale2 = (_PRIOR_DOF + chi2) / dof
    spread = -0.5 * (np.linalg.slogdet(covariance)[1] + np.log(weights.sum()))
    log_weights = log_prior + spread - 0.5 * dof * np.log(scale2)
    widths, drifts = np.sqrt(scale2 / weights.sum()), drift * np.sqrt(scale2)
    return _Cells(powers, growths, centers, widths, drifts, log_weights)


def _shape(powers: _Array, log_growths: _Array, x: _Array) -> _Array:
    """Logarithm of a law where the smallest size costs 1."""
    return np.logaddexp(_log_constants(log_growths), log_growths + powers * x)


def _log_constants(log_growths: _Array) -> _Array:
    return np.log(np.maximum(-np.expm1(log_growths), _NOTHING))


def _interval(values: _Array, weights: _Array) -> Interval:
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - 0.5 * weights[order]
    found = np.interp(_LEVELS, below, values[order]).tolist()
    return Interval(median=found[0], low=found[1], high=found[2], low95=found[3], high95=found[4])
