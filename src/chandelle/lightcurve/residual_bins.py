"""Residuals by phase and rest-frame wavelength: where the model fails the data."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.units import LN10_OVER_2P5

PHASE_BINS = tuple(range(-20, 55, 5))
"""Edges of the phase bins [rest-frame day]."""
WAVE_BINS = tuple(range(2000, 11500, 500))
"""Edges of the wavelength bins [angstrom]."""

Edges = Sequence | NDArray


def bin_residuals(
    table: pd.DataFrame,
    *,
    phase_bins: Edges = PHASE_BINS,
    wave_bins: Edges = WAVE_BINS,
    in_fit: bool = True,
) -> pd.DataFrame:
    r"""Average residuals in bins of phase and rest-frame wavelength.

    The mean residual is the factor that the model lacks in the bin: with :math:`f = (1 + a)\,m`,

    .. math:: a = \frac{\sum m (f - m) / \sigma^2}{\sum m^2 / \sigma^2}, \qquad
        \Delta m = -2.5 \log_{10}(1 + a)

    so that faint epochs, whose magnitudes are not defined, count as they should. Positive: the
    data are fainter than the model. Its error comes twice: `residual_mag_err` from the errors of
    the fluxes alone, `residual_mag_err_sn` from how the supernovae of the bin differ, each with
    all its epochs as one (they share the error of its fit). The fit itself absorbs part of a
    defect.

    Parameters
    ----------
    table : DataFrame
        What `residual_table` returns.
    phase_bins, wave_bins : sequence of float, rest-frame day and angstrom
        Edges, growing; a bin holds its lower edge.
    in_fit : bool
        Only epochs that the fits rest on; otherwise all that have a model.

    Returns
    -------
    DataFrame
        One row a bin, empty ones too (their means are NaN), wavelength running fastest:
        phase_low, phase_high, wave_low, wave_high, phase, wave (means), n_sn, n, pull_mean,
        pull_scatter, chi2_per_n, residual_mag, each of the last four with its error in `*_err`
        (the first three from the scatter of the epochs), and residual_mag_err_sn. How many epochs
        lie outside all bins is in ``.attrs["outside"]``.

    Raises
    ------
    InputError
        If the edges do not grow.
    """
    edges = [_checked("phase_bins", phase_bins), _checked("wave_bins", wave_bins)]
    use = np.isfinite(table["pull"].to_numpy()) & np.isfinite(table["wave"].to_numpy())
    if in_fit:
        use &= table["in_fit"].to_numpy()
    part = table.loc[use, ["sn", "phase", "wave", "flux_err", "model", "residual", "pull"]]
    at = [
        np.searchsorted(e, part[name], side="right") - 1
        for e, name in zip(edges, ("phase", "wave"), strict=True)
    ]
    shape = (len(edges[0]) - 1, len(edges[1]) - 1)
    inside = (at[0] >= 0) & (at[0] < shape[0]) & (at[1] >= 0) & (at[1] < shape[1])
    part = part.loc[inside]
    cell = at[0][inside] * shape[1] + at[1][inside]
    bins = _averages(part, cell, n_cells=shape[0] * shape[1])
    low = [np.repeat(edges[0][:-1], shape[1]), np.tile(edges[1][:-1], shape[0])]
    high = [np.repeat(edges[0][1:], shape[1]), np.tile(edges[1][1:], shape[0])]
    ends = {"phase_low": low[0], "phase_high": high[0], "wave_low": low[1], "wave_high": high[1]}
    out = pd.DataFrame(ends | bins)
    out.attrs["outside"] = int((~inside).sum())
    return out


def _checked(name: str, edges: Edges) -> NDArray[np.float64]:
    values = np.asarray(edges, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not (np.diff(values) > 0).all():
        raise InputError(f"{name} must be two or more growing edges, got {edges}")
    return values


def _averages(part: pd.DataFrame, cell: NDArray[np.int64], *, n_cells: int) -> dict[str, NDArray]:
    """Sums over the epochs of each cell, turned into means and errors; NaN in empty cells."""

    def total(values: NDArray) -> NDArray[np.float64]:
        return np.asarray(np.bincount(cell, values, minlength=n_cells), dtype=float)

    n = np.bincount(cell, minlength=n_cells)
    column = {name: part[name].to_numpy() for name in part.columns if name != "sn"}
    pull, square = column["pull"], column["pull"] ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, chi2 = total(pull) / n, total(square) / n
        scatter = np.sqrt(total((pull - mean[cell]) ** 2) / (n - 1.0))
        chi2_scatter = np.sqrt(total((square - chi2[cell]) ** 2) / (n - 1.0))
        weight = (column["model"] / column["flux_err"]) ** 2
        score = column["model"] * column["residual"] / column["flux_err"] ** 2
        weights = total(weight)
        factor = total(score) / weights
        # Sums over the epochs of one supernova in one cell: pairs of (cell, supernova).
        code, _ = pd.factorize(part["sn"])
        pair, of = np.unique(cell * (code.max(initial=0) + 1) + code, return_inverse=True)
        pair_cell = pair // (code.max(initial=0) + 1)
        pulled = np.bincount(of, score - weight * factor[cell], minlength=len(pair))
        n_sn = np.bincount(pair_cell, minlength=n_cells)
        between = np.bincount(pair_cell, pulled**2, minlength=n_cells) * n_sn / (n_sn - 1.0)
        slope = 1.0 / (LN10_OVER_2P5 * (1.0 + factor))
        return {
            "phase": total(column["phase"]) / n,
            "wave": total(column["wave"]) / n,
            "n_sn": n_sn,
            "n": n,
            "pull_mean": mean,
            "pull_mean_err": scatter / np.sqrt(n),
            "pull_scatter": scatter,
            "pull_scatter_err": scatter / np.sqrt(2.0 * (n - 1.0)),
            "chi2_per_n": chi2,
            "chi2_per_n_err": chi2_scatter / np.sqrt(n),
            "residual_mag": -np.log1p(factor) / LN10_OVER_2P5,
            "residual_mag_err": slope / np.sqrt(weights),
            "residual_mag_err_sn": slope * np.sqrt(between) / weights,
        }
