"""A diagram's table and covariance are one object."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandelle.core.errors import InputError
from chandelle.numerics.covariance import Block, BlockLowRank
from chandelle.products.diagram import Diagram

N = 8


def _diagram(**kwargs):
    rng = np.random.default_rng(1)
    root = rng.normal(size=(N, N))
    values = {
        "z_hel": np.linspace(0.1, 0.8, N),
        "z_hd": np.linspace(0.1, 0.8, N),
        "mu": np.linspace(38, 43, N),
        "cov": root @ root.T + np.eye(N),
        "origin": "simulated",
    }
    return Diagram.from_arrays(**{**values, **kwargs})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=N, max_size=N))
def test_a_cut_cuts_the_covariance(mask):
    diagram, mask = _diagram(), np.array(mask)
    cut = diagram.select(mask)
    np.testing.assert_array_equal(cut["mu"], diagram["mu"][mask])
    dense = diagram.covariance.to_dense()[np.ix_(mask, mask)]
    np.testing.assert_array_equal(cut.covariance.to_dense(), dense)
    np.testing.assert_allclose(cut["mu_err"], np.sqrt(np.diagonal(dense)))


def test_one_cannot_be_cut_without_the_other():
    with pytest.raises(InputError, match=r"cov must be \(8, 8\) like mu, got \(7, 7\)"):
        _diagram(cov=np.eye(7))
    with pytest.raises(InputError, match="mask must have 8"):
        _diagram().select(np.ones(7, bool))


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [("mu", np.nan, "mu of sn0 is nan"), ("z_hd", -9.0, "z_hd of sn0 is -9")],
)
def test_rows_without_a_distance_are_refused(column, value, match):
    values = np.array(_diagram()[column])
    values[0] = value
    with pytest.raises(InputError, match=match):
        _diagram(**{column: values})


def test_structure_survives_the_disk(tmp_path):
    covariance = BlockLowRank(
        diagonal=np.ones(N),
        blocks=(Block(rows=np.array([1, 4]), matrix=np.array([[1.0, 0.2], [0.2, 1.0]])),),
        factor=np.random.default_rng(2).normal(size=(N, 2)),
    )
    diagram = _diagram(cov=covariance, survey=["A"] * N, sn=[f"SN{i}" for i in range(N)])
    diagram.write(tmp_path / "dia")
    again = Diagram.read(tmp_path / "dia")
    assert again.table.equals(diagram.table)
    assert again.meta.origin == "simulated"
    assert again.covariance.rank == 2
    assert len(again.covariance.blocks) == 1
    np.testing.assert_array_equal(again.covariance.to_dense(), covariance.to_dense())


def test_errors_are_the_same_to_the_bit_after_the_disk(tmp_path):
    factor = np.asfortranarray(np.random.default_rng(3).normal(size=(N, 5)))
    diagram = _diagram(cov=BlockLowRank(diagonal=np.ones(N), factor=factor))
    diagram.write(tmp_path / "dia")
    assert Diagram.read(tmp_path / "dia")["mu_err"].tolist() == diagram["mu_err"].tolist()


def test_variances_make_a_diagonal_covariance():
    diagram = _diagram(cov=np.full(N, 0.04), origin=None)
    assert diagram.meta.origin is None
    assert diagram.covariance.blocks == ()
    np.testing.assert_allclose(diagram["mu_err"], 0.2)


def test_columns_of_pandas_and_jax_come_in():
    z = np.linspace(0.1, 0.8, N)
    diagram = _diagram(z_hel=pd.Series(z, index=range(5, 5 + N)), z_hd=jnp.asarray(z))
    np.testing.assert_array_equal(diagram["z_hel"], diagram["z_hd"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="expected a diagram"):
        Diagram.read(tmp_path)


def test_a_cut_that_leaves_nothing_is_an_empty_diagram():
    dia = Diagram.from_arrays(z_hel=[0.1], z_hd=[0.1], mu=[38.0], cov=[0.01], origin="simulated")
    assert len(dia.select([])) == len(dia.select([False])) == 0
