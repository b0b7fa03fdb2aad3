"""Block + low rank algebra against dense linear algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandelle.core.errors import InputError
from chandelle.numerics.covariance import Block, BlockLowRank


def _draw(seed, n=12, rank=3):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, 3))
    pair = np.array([[2.0, 0.7], [0.7, 1.0]])
    blocks = (
        Block(rows=np.array([7, 2, 5]), matrix=root @ root.T + np.eye(3)),
        Block(rows=np.array([0, 11]), matrix=pair),
    )
    diagonal = rng.uniform(0.1, 1.0, n)
    return BlockLowRank(
        diagonal=diagonal, blocks=blocks, factor=rng.normal(size=(n, rank)) if rank else None
    )


@pytest.mark.parametrize("rank", [0, 1, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_solve_and_determinant_equal_dense(seed, rank):
    covariance = _draw(seed, rank=rank)
    dense = covariance.to_dense()
    factorized = covariance.factorize()
    b = np.random.default_rng(9).normal(size=(12, 2))
    np.testing.assert_allclose(factorized.solve(b), np.linalg.solve(dense, b), rtol=1e-10)
    np.testing.assert_allclose(
        factorized.solve(b[:, 0]), np.linalg.solve(dense, b[:, 0]), rtol=1e-10
    )
    sign, expected = np.linalg.slogdet(dense)
    assert sign == 1
    assert float(factorized.log_determinant()) == pytest.approx(expected, abs=1e-10)
    np.testing.assert_allclose(covariance.variance(), np.diagonal(dense))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=12, unique=True))
def test_select_equals_dense_rows_and_columns(rows):
    covariance = _draw(4)
    rows = np.array(rows)
    dense = covariance.to_dense()[np.ix_(rows, rows)]
    np.testing.assert_allclose(covariance.select(rows).to_dense(), dense, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        covariance.select(rows).factorize().log_determinant(),
        np.linalg.slogdet(dense)[1],
        atol=1e-9,
    )


def test_from_dense_keeps_the_matrix():
    dense = _draw(1).to_dense()
    np.testing.assert_allclose(BlockLowRank.from_dense(dense).to_dense(), dense, rtol=1e-15)


@pytest.mark.parametrize(
    ("matrix", "match"),
    [
        (np.array([[1.0, 0.5], [0.0, 1.0]]), "not symmetric"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "finite"),
        (np.ones((2, 3)), "square"),
    ],
)
def test_bad_matrices_are_refused(matrix, match):
    with pytest.raises(InputError, match=match):
        BlockLowRank.from_dense(matrix)


def test_indefinite_covariance_is_named_when_factored():
    with pytest.raises(InputError, match="eigenvalues from -1"):
        BlockLowRank.from_dense(np.array([[1.0, 2.0], [2.0, 1.0]])).factorize()
    with pytest.raises(InputError, match="row 1 has variance 0"):
        BlockLowRank(diagonal=np.array([1.0, 0.0])).factorize()


def test_overlapping_blocks_are_refused():
    block = Block(rows=np.array([0, 1]), matrix=np.eye(2))
    with pytest.raises(InputError, match="disjoint"):
        BlockLowRank(diagonal=np.ones(3), blocks=(block, block))


def test_a_row_cannot_be_selected_twice():
    with pytest.raises(InputError, match="twice"):
        BlockLowRank.from_dense(np.eye(3) + 0.1).select(np.array([0, 0, 1]))
