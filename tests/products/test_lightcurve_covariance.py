"""Covariance and calibration modes of light curves: shapes, what is kept, cuts and files."""

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.products.flux_covariance import MAX_CONDITION, check_factor, factor_of
from chandelle.products.lightcurves import LightCurves
from chandelle.products.product import Meta
from chandelle.products.targets import Targets

# Epochs of a and b interleaved: the order of a covariance is that of the table.
SNE = np.array(["b", "a", "a", "b", "a", "b", "b", "a"])
N = len(SNE)


@pytest.fixture
def curves() -> LightCurves:
    rng = np.random.default_rng(0)
    return LightCurves.from_columns(
        {
            "sn": SNE,
            "mjd": 59000.0 + rng.permutation(N),
            "band": np.resize(["ztfg", "ztfr"], N),
            "flux": rng.normal(1e4, 1e3, N),
            "flux_err": rng.uniform(90.0, 110.0, N),
        },
        targets=Targets.from_columns({"sn": ["a", "b", "none"], "z_hel": [0.1, 0.2, 0.3]}),
        meta=Meta(origin="simulated"),
    )


def dense(n: int, *, seed: int, scale: float = 1e4) -> np.ndarray:
    """A covariance of full rank, errors of about 100 nJy."""
    root = np.random.default_rng(seed).normal(size=(n, n))
    return scale * (0.3 * root @ root.T + 0.1 * np.eye(n))


def columns(*, seed: int = 1, width: int = 3) -> np.ndarray:
    return 40.0 * np.random.default_rng(seed).uniform(-1.0, 1.0, (N, width))


def test_errors_are_independent_until_told(curves: LightCurves) -> None:
    assert curves.covariance_factor.shape == (N, 0)
    assert curves.modes == ()
    own = curves["flux_err"][SNE == "a"]
    np.testing.assert_array_equal(curves.covariance_of("a"), np.diag(own**2))


def test_a_dense_covariance_comes_back(curves: LightCurves) -> None:
    given = {"a": dense(4, seed=1), "b": dense(4, seed=2)}
    out = curves.with_covariance(dense=given)
    for sn, cov in given.items():
        np.testing.assert_allclose(out.covariance_of(sn), cov, rtol=1e-12)
        # The diagonal replaces the errors that were there.
        np.testing.assert_allclose(
            out["flux_err"][sn == SNE], np.sqrt(np.diagonal(cov)), rtol=1e-15
        )
    # The diagonal part is what the fit divides by: never zero, never negative.
    rest = out["flux_err"] ** 2 - np.sum(out.covariance_factor**2, axis=1)
    assert (rest > 0).all()


def test_a_covariance_of_one_supernova_leaves_the_others(curves: LightCurves) -> None:
    first = curves.with_covariance(factor=columns())
    out = first.with_covariance(dense={"b": dense(4, seed=3)})
    np.testing.assert_allclose(out.covariance_of("b"), dense(4, seed=3), rtol=1e-12)
    np.testing.assert_array_equal(out.covariance_of("a"), first.covariance_of("a"))
    both = out.with_covariance(dense={"a": dense(4, seed=4)})
    np.testing.assert_array_equal(both.covariance_of("b"), out.covariance_of("b"))
    np.testing.assert_allclose(both.covariance_of("a"), dense(4, seed=4), rtol=1e-12)


def test_a_factor_is_the_covariance_under_the_errors(curves: LightCurves) -> None:
    out = curves.with_covariance(factor=columns())
    np.testing.assert_array_equal(out["flux_err"], curves["flux_err"])
    for sn in ("a", "b"):
        own, error = columns()[sn == SNE], curves["flux_err"][sn == SNE]
        cov = own @ own.T
        cov[np.diag_indices(4)] = error**2
        np.testing.assert_allclose(out.covariance_of(sn), cov, rtol=1e-13)
    # A factor is given for all epochs: it replaces what was there, and without columns it ends it.
    again = out.with_covariance(factor=columns(seed=2, width=1))
    assert again.covariance_factor.shape == (N, 1)
    none = again.with_covariance(factor=np.zeros((N, 0)))
    assert none.table.column_names == curves.table.column_names
    assert curves.with_covariance(dense={}).covariance_factor.shape == (N, 0)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (np.ones((N - 1, 2)), rf"cov_factor must have {N} rows and any columns, got \(7, 2\)"),
        (np.ones(N), r"any columns, got \(8,\)"),
        (np.full((N, 2), np.nan), "cov_factor has NaN or infinity"),
        (np.full((N, 2), 60.0) * (np.arange(N) > 5)[:, None], None),
        (np.full((N, 2), 90.0) * (np.arange(N) > 5)[:, None], "2 of 8 epochs share all .* row 6"),
    ],
)
def test_a_factor_that_cannot_be_is_refused(curves: LightCurves, factor, words) -> None:
    if words is None:
        assert curves.with_covariance(factor=factor).covariance_factor.shape == (N, 2)
        return
    with pytest.raises(InputError, match=words):
        curves.with_covariance(factor=factor)


def test_one_of_both_is_given(curves: LightCurves) -> None:
    for how in ({}, {"dense": {"a": dense(4, seed=1)}, "factor": columns()}):
        with pytest.raises(InputError, match="give dense= or factor="):
            curves.with_covariance(**how)


def test_a_covariance_of_nobody_is_refused(curves: LightCurves) -> None:
    for name in ("none", "c"):
        with pytest.raises(InputError, match=f"covariance of {name}, which has no epochs here"):
            curves.with_covariance(dense={name: np.eye(4)})


def test_cuts_and_orders_take_the_covariance_along(curves: LightCurves) -> None:
    out = curves.with_covariance(dense={"a": dense(4, seed=1), "b": dense(4, seed=2)})
    order = np.random.default_rng(5).permutation(N)
    mixed = out.select(order)
    of_a = [int(np.flatnonzero(np.flatnonzero(SNE == "a") == i)[0]) for i in order if SNE[i] == "a"]
    np.testing.assert_allclose(mixed.covariance_of("a"), dense(4, seed=1)[np.ix_(of_a, of_a)])
    keep = curves["band"] == "ztfg"
    of_b = np.flatnonzero(keep[SNE == "b"])
    cut = out.select(keep)
    np.testing.assert_allclose(cut.covariance_of("b"), dense(4, seed=2)[np.ix_(of_b, of_b)])
    few = out.select_targets(out.targets["sn"] == "b")
    np.testing.assert_allclose(few.covariance_of("b"), dense(4, seed=2), rtol=1e-12)


def test_modes_are_named_and_replaced(curves: LightCurves) -> None:
    out = curves.with_modes(["zp of g", "scene"], columns(width=2))
    assert out.modes == ("zp of g", "scene")
    np.testing.assert_array_equal(out["dflux_dmode"], columns(width=2))
    np.testing.assert_array_equal(out["flux_err"], curves["flux_err"])
    assert out.covariance_factor.shape == (N, 0)
    again = out.with_modes(["one"], columns(width=1))
    assert again.modes == ("one",)
    assert again["dflux_dmode"].shape == (N, 1)
    assert again.with_modes([], np.zeros((N, 0))).modes == ()
    with pytest.raises(InputError, match=r"dflux_dmode must be \(8, 2\), got \(8, 3\)"):
        curves.with_modes(["a", "b"], columns(width=3))
    with pytest.raises(InputError, match="dflux_dmode has NaN or infinity"):
        curves.with_modes(["a"], np.full((N, 1), np.inf))


def test_covariance_and_modes_survive_their_files(curves: LightCurves, tmp_path) -> None:
    out = curves.with_covariance(dense={"a": dense(4, seed=1)}).with_modes(["m"], columns(width=1))
    out.write(tmp_path / "curves")
    again = LightCurves.read(tmp_path / "curves")
    assert again.modes == ("m",)
    for name in ("cov_factor", "dflux_dmode", "flux_err"):
        np.testing.assert_array_equal(again[name], out[name])
    for sn in ("a", "b"):
        np.testing.assert_array_equal(again.covariance_of(sn), out.covariance_of(sn))


@pytest.mark.parametrize("condition", [1e3, 1e9])
def test_a_strongly_correlated_covariance_is_kept_exactly(condition: float) -> None:
    """The inverse by the columns is that of the matrix, as far as its condition number allows."""
    n, rng = 30, np.random.default_rng(6)
    vectors, _ = np.linalg.qr(rng.normal(size=(n, n)))
    cov = vectors @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ vectors.T
    cov = 0.5 * (cov + cov.T) * 1e4
    columns = factor_of(cov)
    rest = np.diagonal(cov) - np.sum(columns**2, axis=1)
    assert rest.min() > 0
    check_factor(np.sqrt(np.diagonal(cov)), columns)
    scaled = columns / rest[:, None]
    inner = np.linalg.inv(np.eye(n) + columns.T @ scaled)
    inverse = np.diag(1.0 / rest) - scaled @ inner @ scaled.T
    np.testing.assert_allclose(inverse @ cov, np.eye(n), atol=1e-14 * condition)
    assert condition < MAX_CONDITION
