"""Fits against sncosmo 2.13.0: same data, same model, same minimum.

Tolerances are those of the issue: sncosmo stops up to 0.011 sigma short of the minimum (Minuit's
expected distance), so 0.03 sigma separates its early stop from a wrong answer; errors come from
Minuit's numerical Hessian, good to about a per cent.
"""

import logging

import numpy as np
import pandas as pd
import pytest
import sncosmo
from astropy.table import Table

from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt

# sncosmo takes a tenth of a start value as first step, negative for a negative x1 or c.
pytestmark = pytest.mark.filterwarnings("ignore:Assigned errors must be positive")

_log = logging.getLogger(__name__)

NAMES = ["t0", "x0", "x1", "c"]


def run_sncosmo(model, epochs, fit, *, from_ours, model_cov=False, cov=None):
    """One fit of sncosmo, started from our answer or from its own guess."""
    model.set(z=fit.z, mwebv=fit.mwebv, t0=0.0, x0=1.0, x1=0.0, c=0.0)
    table = Table.from_pandas(epochs[["mjd", "band", "flux", "flux_err", "zp", "zpsys"]])
    if cov is not None:
        table["fluxcov"] = cov
    if from_ours:
        model.set(t0=fit.t0, x0=fit.x0, x1=fit.x1, c=fit.c)
        # Ours is with the model covariance where the last refit began, 1e-3 sigma away at most.
        at_ours = sncosmo.chisq(table, model, modelcov=model_cov)
        assert at_ours == pytest.approx(fit.chi2, rel=1e-4 if model_cov else 1e-9)
    result, _ = sncosmo.fit_lc(
        table,
        model,
        NAMES,
        modelcov=model_cov,
        warn=False,
        guess_t0=not from_ours,
        guess_amplitude=not from_ours,
    )
    values = dict(zip(result.param_names, result.parameters, strict=True))
    return [values[n] for n in NAMES], [result.errors[n] for n in NAMES], result.chisq, result.ndof


def compare(model, sample, *, model_cov=False, from_ours=True, shared=0):
    """Ours minus sncosmo's in our sigma; `shared` columns of the errors are common to epochs."""
    epochs, targets = sample
    lcs = read_lightcurves(epochs, targets=targets)
    assert lcs["sn"].tolist() == epochs.sn.tolist()
    if shared:
        phases = lcs["mjd"][:, None] / [5.0, 200.0, 1000.0][:shared]
        lcs = lcs.with_covariance(factor=0.55 * lcs["flux_err"][:, None] * np.cos(phases))
    fits = fit_salt(lcs, model_cov=model_cov, phase_range=None).to_pandas()
    assert (fits.status == "ok").all(), fits.status.value_counts()
    rows = []
    for sn, group in epochs.groupby("sn"):
        fit = fits.loc[sn]
        cov = lcs.covariance_of(sn) if shared else None
        value, error, chi2, ndof = run_sncosmo(
            model, group, fit, from_ours=from_ours, model_cov=model_cov, cov=cov
        )
        own = fit[[f"{n}_err" for n in NAMES]].to_numpy(float)
        assert ndof == fit.ndof
        rows.append(
            {
                "sn": sn,
                "chi2": fit.chi2 - chi2,
                **dict(zip(NAMES, (fit[NAMES].to_numpy(float) - value) / own, strict=True)),
                **dict(zip([f"{n}_ratio" for n in NAMES], own / np.array(error), strict=True)),
            }
        )
    return pd.DataFrame(rows).set_index("sn")


def check(table):
    moves = table[NAMES].abs()
    _log.info("%s", moves.describe(percentiles=[0.5, 0.99]).loc[["50%", "99%", "max"]])
    _log.info("%s", table[[f"{n}_ratio" for n in NAMES]].describe().loc[["min", "50%", "max"]])
    _log.info("chi2 ours - sncosmo: %g .. %g", table.chi2.min(), table.chi2.max())
    assert (moves.median() < 0.01).all()
    assert (moves.max() < 0.03).all()
    assert table.chi2.max() < 1e-3
    for name in NAMES:
        assert abs(table[f"{name}_ratio"] - 1).max() < 0.03, name


def test_200_fits_equal_sncosmo_from_our_answer(draw, salt3_in_sncosmo):
    check(compare(salt3_in_sncosmo, draw(200, seed=2)))


@pytest.mark.slow
def test_first_run_of_sncosmo_is_stated(draw, salt3_in_sncosmo):
    table = compare(salt3_in_sncosmo, draw(40, seed=1), from_ours=False)
    _log.info("%s", table[[*NAMES, "chi2"]].describe())
    assert (table[NAMES].abs().median() < 0.02).all()
    assert table.chi2.max() < 1e-3


def test_model_covariance_equals_sncosmo(draw, salt3_in_sncosmo):
    # sncosmo begins without a model covariance and refits until it moves less than 0.1 sigma; ours
    # goes on to 1e-3. The last move shifts the minimum by about a tenth of itself.
    table = compare(salt3_in_sncosmo, draw(20, seed=3), model_cov=True)
    _log.info("%s", table.abs().max())
    assert table[NAMES].abs().max().max() < 0.02
    assert table.chi2.abs().max() < 0.1
    for name in NAMES:
        assert abs(table[f"{name}_ratio"] - 1).max() < 0.01, name


@pytest.mark.parametrize("model_cov", [False, True], ids=["data", "model"])
def test_flux_covariance_equals_sncosmo(draw, salt3_in_sncosmo, model_cov):
    """Dense in sncosmo, columns in ours."""
    sample = draw(8, seed=4)
    table = compare(salt3_in_sncosmo, sample, model_cov=model_cov, shared=3)
    _log.info("%s", table.abs().max())
    assert table[NAMES].abs().max().max() < 0.02
    if not model_cov:
        assert table.chi2.max() < 1e-3
    for name in NAMES:
        assert abs(table[f"{name}_ratio"] - 1).max() < 0.02, name
