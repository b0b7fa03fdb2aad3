"""The compiled engine and JAX: one algebra, with derivatives by hand and by autodiff."""

from typing import Any

import numpy as np
import pytest

from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.lightcurves import LightCurves

NAMES = ("t0", "x0", "x1", "c")


@pytest.fixture(scope="module")
def curves(draw) -> LightCurves:
    """A dozen drawn with sncosmo."""
    epochs, targets = draw(12, seed=5)
    return read_lightcurves(epochs, targets=targets.assign(z_err=0.003))


@pytest.fixture(scope="module")
def correlated(curves: LightCurves) -> LightCurves:
    """The same with an error that all epochs of a band share."""
    bands = curves["band"]
    shared = [np.where(bands == name, 0.6 * curves["flux_err"], 0.0) for name in np.unique(bands)]
    return curves.with_covariance(factor=np.stack(shared, axis=1))


def _same(a: Any, b: Any, limit: float, *, relative: float = 1e-7) -> None:
    """Parameters within `limit` sigma, errors and chi2 within fractions of themselves."""
    assert (a["status"] == "ok").all()
    for name in NAMES:
        np.testing.assert_array_less(np.abs(a[name] - b[name]) / b[f"{name}_err"], limit)
        np.testing.assert_allclose(a[f"{name}_err"], b[f"{name}_err"], rtol=max(limit, 1e-5))
    np.testing.assert_allclose(a["chi2"], b["chi2"], rtol=relative)


@pytest.mark.parametrize("model_cov", [False, True])
def test_both_engines_give_one_answer(curves: LightCurves, model_cov: bool) -> None:
    _same(
        fit_salt(curves, model_cov=model_cov, engine="cpu"),
        fit_salt(curves, model_cov=model_cov, engine="jax"),
        # With a model covariance either may stop within 1e-3 sigma of rest.
        2e-3 if model_cov else 2e-5,
        relative=1e-3 if model_cov else 1e-7,
    )


def test_both_engines_under_a_flux_covariance_and_priors(correlated: LightCurves) -> None:
    how: Any = {"priors": {"x1": (0.0, 1.0), "c": (0.0, 0.1)}, "bounds": {"x1": (-1.0, 1.0)}}
    _same(
        fit_salt(correlated, engine="cpu", **how), fit_salt(correlated, engine="jax", **how), 2e-5
    )


def test_low_rank_and_dense_covariance_are_one(correlated: LightCurves) -> None:
    dense = {sn: correlated.covariance_of(sn) for sn in correlated.targets["sn"]}
    again = correlated.with_covariance(dense=dense)
    _same(fit_salt(correlated), fit_salt(again), 1e-5)
    # One column a band is all that they share: as many find it again.
    few = correlated.with_covariance(dense=dense, rank=4)
    assert few.meta.provenance["covariance_rank"]["error"] < 1e-6
    _same(fit_salt(correlated), fit_salt(few), 1e-5)
    plain = fit_salt(correlated.with_covariance(factor=np.zeros((len(correlated), 1))))
    assert (fit_salt(correlated)["c_err"] > plain["c_err"]).all()


def test_threads_do_not_change_an_answer(curves: LightCurves) -> None:
    one, two = fit_salt(curves, threads=1), fit_salt(curves, threads=2)
    for name in (*NAMES, "chi2", "c_err", "cov_x1_c"):
        np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.slow
def test_a_tight_prior_of_the_redshift_is_a_fixed_one(curves: LightCurves) -> None:
    few = curves.select_targets(np.arange(3))
    prior = (few.targets["z_hel"], np.full(3, 1e-7))
    free = fit_salt(few, free=("z",), priors={"z": prior})
    fixed = fit_salt(few)
    for name in NAMES:
        np.testing.assert_array_less(np.abs(free[name] - fixed[name]) / fixed[f"{name}_err"], 2e-3)
    loose = fit_salt(few, free=("z",))
    assert (loose["x1_err"] > fixed["x1_err"]).all()
    assert (loose["z_fit_err"] <= 0.003).all()


def test_a_singular_covariance_is_refused_by_name(
    curves: LightCurves, caplog: pytest.LogCaptureFixture
) -> None:
    n = int((curves["sn"] == "sn000").sum())
    out = curves.with_covariance(dense={"sn000": np.ones((n, n))})
    assert "sn000: flux covariance is singular: rank 1 of" in caplog.text
    fits = fit_salt(out)
    assert len(fits) == len(curves.targets)
    assert fits["status"][fits["sn"] == "sn000"].tolist() == ["covariance_invalid"]
    assert {"sn": "sn000", "reason": "cov_singular", "count": n} in out.rejected.to_pylist()
