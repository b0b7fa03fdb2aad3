"""A posterior that did not converge gives no numbers."""

import dataclasses

import numpy as np
import pytest

from chandelle.core.errors import InputError, NotConvergedError
from chandelle.products.posterior import Posterior
from chandelle.products.product import Meta


@pytest.fixture
def posterior():
    draws = {"Om": np.random.default_rng(1).normal(0.3, 0.02, (4, 500))}
    return Posterior(
        model="flat-lcdm",
        draws=draws,
        best_fit={"Om": 0.3},
        chi2=100.0,
        n_data=110,
        ess={"Om": 1900.0},
        r_hat={"Om": 1.001},
        priors={"Om": "uniform 0 to 1"},
        sample_stats={"diverging": np.zeros((4, 500), bool)},
        meta=Meta(origin="simulated"),
    )


def test_summary(posterior):
    row = posterior.summary().loc["Om"]
    assert row["mean"] == pytest.approx(0.3, abs=5 * 0.02 / np.sqrt(2000))
    assert row["hi68"] - row["lo68"] == pytest.approx(0.04, rel=0.1)
    assert (row["ess"], row["r_hat"]) == (1900.0, 1.001)


def test_not_converged_refuses_numbers(posterior):
    bad = dataclasses.replace(posterior, status="not converged", reason="r_hat of Om is 1.20")
    with pytest.raises(NotConvergedError, match=r"r_hat of Om is 1\.20"):
        bad.summary()
    assert "+-" not in repr(bad)
    assert bad.flags == 1


def test_disk_and_back(posterior, tmp_path):
    posterior.write(tmp_path / "post")
    again = Posterior.read(tmp_path / "post")
    np.testing.assert_array_equal(again["Om"], posterior["Om"])
    assert again.sample_stats["diverging"].dtype == bool
    assert again.summary().equals(posterior.summary())
    assert again.meta.origin == "simulated"
    assert again.priors == posterior.priors


def test_parameters_keep_their_order(posterior, tmp_path):
    names = ("w", "Om", "M", "alpha", "beta", "gamma", "x1_mean")
    one = dict.fromkeys(names, posterior["Om"])
    dataclasses.replace(posterior, draws=one).write(tmp_path / "post")
    assert Posterior.read(tmp_path / "post").parameters == names


def test_it_is_an_arviz_tree(posterior):
    tree = posterior.to_datatree()
    assert tree["posterior"]["Om"].dims == ("chain", "draw")


def test_conversions(posterior):
    assert posterior.to_pandas().loc[(3, 499), "Om"] == posterior["Om"][3, 499]
    assert posterior.to_arrow().num_rows == 2000
    assert len(posterior.to_astropy()) == 2000


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="expected a posterior"):
        Posterior.read(tmp_path)


def test_an_unknown_parameter_names_the_known(posterior):
    with pytest.raises(KeyError, match="Om"):
        posterior["w"]


def test_a_likelihood_is_not_called_chi2(posterior):
    assert "chi2 100.00" in repr(posterior)
    hierarchical = dataclasses.replace(
        posterior,
        draws=dict.fromkeys(("Om", "alpha"), posterior["Om"]),
        ess=dict.fromkeys(("Om", "alpha"), 1900.0),
        r_hat=dict.fromkeys(("Om", "alpha"), 1.0),
    )
    assert "-2 ln L 100.00" in repr(hierarchical)
