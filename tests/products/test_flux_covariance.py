"""Dense flux covariances as diagonal plus few columns: exact where it can be, its error stated."""

import logging

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.products.flux_covariance import factor_of, low_rank_factor
from chandelle.products.lightcurves import LightCurves
from chandelle.products.targets import Targets

N = 40


def _of_rank(rank, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(N, rank)) * rng.uniform(0.5, 4.0, rank)
    return np.diag(rng.uniform(0.5, 3.0, N) ** 2) + shared @ shared.T


def _full():
    """Noise that fades over ten days beside independent noise: of full rank."""
    day = np.sort(np.random.default_rng(1).uniform(0.0, 100.0, N))
    return 25.0 * (0.5 * np.exp(-np.abs(day[:, None] - day) / 10.0) + 0.5 * np.eye(N))


def _approximate(cov, factor):
    out = factor @ factor.T
    np.fill_diagonal(out, np.diagonal(cov))
    return out


@pytest.mark.parametrize("rank", [3, 5])
def test_a_covariance_of_that_rank_is_found(rank):
    cov = _of_rank(3)
    factor, error = low_rank_factor(cov, rank)
    assert factor.shape == (N, rank)
    assert error < 1e-6
    np.testing.assert_allclose(_approximate(cov, factor), cov, atol=1e-5 * cov.max())


@pytest.mark.parametrize("cov", [_of_rank(3), _full()])
def test_the_error_bounds_every_combination_and_is_reached(cov):
    factor, error = low_rank_factor(cov, 2)
    rough = _approximate(cov, factor)
    np.testing.assert_array_less(np.sum(factor**2, axis=1), np.diagonal(cov))
    some = np.random.default_rng(2).normal(size=(1000, N))
    ratio = np.einsum("ki,ij,kj->k", some, rough, some) / np.einsum("ki,ij,kj->k", some, cov, some)
    assert np.abs(ratio - 1.0).max() < error
    values = np.linalg.eigvals(np.linalg.solve(cov, rough))
    assert error == pytest.approx(np.abs(values - 1.0).max(), rel=1e-6)


def test_more_columns_are_better_until_exact():
    cov = _full()
    errors = [low_rank_factor(cov, rank)[1] for rank in (2, 8, 20, N)]
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < 0.6
    assert errors[-1] == 0.0
    np.testing.assert_array_equal(low_rank_factor(cov, N)[0], factor_of(cov))


@pytest.fixture
def lightcurves():
    names = np.repeat(["a", "b"], N)
    columns = {"sn": names, "mjd": np.arange(2.0 * N), "band": ["ztfg"] * 2 * N}
    return LightCurves.from_columns(
        {**columns, "flux": np.ones(2 * N), "flux_err": np.ones(2 * N)},
        targets=Targets.from_columns({"sn": ["a", "b"], "z_hel": [0.1, 0.2]}),
    )


def test_light_curves_state_rank_and_error(lightcurves, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    out = lightcurves.with_covariance(dense={"a": _of_rank(3), "b": _full()}, rank=3)
    assert out.covariance_factor.shape == (2 * N, 3)
    assert "diagonal and 3 columns" in caplog.text
    out.write(tmp_path / "lcs")
    said = LightCurves.read(tmp_path / "lcs").meta.provenance["covariance_rank"]
    assert said["rank"] == 3
    assert said["error_of"]["a"] < 1e-6 < said["error_of"]["b"] == said["error"]
    np.testing.assert_allclose(out.covariance_of("a"), _of_rank(3), atol=1e-4)
    np.testing.assert_allclose(np.diagonal(out.covariance_of("b")), 25.0)


def test_rank_is_checked(lightcurves):
    with pytest.raises(InputError, match="1 or more, got 0"):
        lightcurves.with_covariance(dense={"a": _full()}, rank=0)
    with pytest.raises(InputError, match="goes with dense="):
        lightcurves.with_covariance(factor=np.zeros((2 * N, 1)), rank=1)
