"""Columns of `fit_salt` for the derivatives of its answers by calibration."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.bands import without_passband
from chandelle.lightcurve.fitting.derivatives import answer_derivatives
from chandelle.lightcurve.fitting.problem import FitProblem
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.lightcurve.output import Columns
from chandelle.products.derivatives import NAMES_OF
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import filter_of


def derivative_names(
    lcs: LightCurves, bands: Sequence[str], params: Sequence[str]
) -> dict[str, list[str]]:
    """Bands, modes and parameters of the derivatives of a set of light curves.

    Parameters
    ----------
    lcs : LightCurves
        Of which passbands and modes count.
    bands : sequence of str
        Bands of its epochs.
    params : sequence of str
        What is fitted.

    Returns
    -------
    dict of str to list of str
        By the names they have in the provenance.
    """
    known = set(bands) - without_passband(list(bands), lcs.passbands).keys()
    filters = sorted({filter_of(name) for name in known})
    return {
        "derivative_bands": filters,
        "modes": list(lcs.modes),
        "derivative_params": list(params),
    }


def add_derivatives(
    columns: Columns,
    problem: FitProblem,
    rows: NDArray[np.int64],
    result: FitArrays,
    lcs: LightCurves,
    *,
    threads: int | None,
) -> None:
    """Put the derivatives of the fits into their columns, NaN where there is no answer.

    Parameters
    ----------
    columns : Columns
        Changed in place.
    problem, rows, result
        What was fitted, to which rows of the targets it belongs, and the answers.
    lcs : LightCurves
        All light curves.
    threads : int or None
        Threads to use; one a core if None.
    """
    modes = lcs["dflux_dmode"] if lcs.modes else np.zeros((len(lcs), 0))
    is_ok = columns.status[rows] == "ok"
    params = np.where(is_ok[:, None], result.params, np.nan)
    found = answer_derivatives(
        problem,
        params,
        result.gradient,
        result.used,
        modes[problem.epochs.row],
        threads=threads,
    )
    n = len(columns.status)
    for name, part in (("zp", found.by_zp), ("lambda", found.by_wave), ("mode", found.by_mode)):
        if not part.shape[1]:
            continue
        whole = np.full((n, *part.shape[1:]), np.nan)
        whole[rows] = np.where(is_ok[:, None, None], part, np.nan)
        columns.derivatives[f"dtheta_d{name}"] = whole.reshape(n, -1)
    columns.derivative_bands = found.bands


def add_unknown_derivatives(columns: Columns, lcs: LightCurves, params: Sequence[str]) -> None:
    """Put NaN for all derivatives, where no light curve could be fitted.

    Parameters
    ----------
    columns : Columns
        Changed in place.
    lcs : LightCurves
        The light curves.
    params : sequence of str
        What would have been fitted.
    """
    bands = np.unique(lcs["band"].astype(str)).tolist()
    names = derivative_names(lcs, bands, params)
    for column, key in NAMES_OF.items():
        if names[key]:
            size = len(names[key]) * len(params)
            columns.derivatives[column] = np.full((len(columns.status), size), np.nan)
    columns.derivative_bands = tuple(names["derivative_bands"])
