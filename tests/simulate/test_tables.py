"""Fits and diagrams without light curves: the errors they state, the truth, the selection."""

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from chandelle.core.errors import InputError
from chandelle.simulate.selection import Spectroscopy
from chandelle.simulate.settings import SampleSettings, load_preset
from chandelle.simulate.tables import diagram_of_fits, simulate_diagram, simulate_fits

N = {"ZTF": 2000, "DEEP": 2000}


@pytest.fixture(scope="module")
def drawn():
    return simulate_fits(seed=5, n=N)


def test_pulls_are_unit_and_correlated_as_stated(drawn):
    fits, truth = drawn
    assert fits["sn"].tolist() == truth["sn"].tolist()
    n = len(fits)
    off = np.column_stack([fits[name] - truth[f"{name}_true"] for name in ("mb", "x1", "c")])
    for row, name in enumerate(("mb", "x1", "c")):
        pull = off[:, row] / fits[f"{name}_err"]
        assert abs(pull.mean()) < 5 / np.sqrt(n)
        assert abs(pull.std() - 1) < 5 / np.sqrt(2 * n)
    cov = np.zeros((n, 3, 3))
    for i, a in enumerate(("mb", "x1", "c")):
        cov[:, i, i] = fits[f"{a}_err"] ** 2
        for j, b in enumerate(("mb", "x1", "c")[:i]):
            cov[:, i, j] = cov[:, j, i] = fits[f"cov_{b}_{a}"]
    chi2 = np.einsum("ni,nij,nj->", off, np.linalg.inv(cov), off)
    assert abs(chi2 / (3 * n) - 1) < 5 * np.sqrt(2 / (3 * n))


def test_distances_scatter_by_their_errors(drawn):
    fits, truth = drawn
    diagram = diagram_of_fits(fits, truth)
    # At the redshift that is seen: the error of the velocity is in the diagram.
    seen = FlatLambdaCDM(70, 0.3, Tcmb0=0).distmod(diagram["z_hd"]).value
    pull = (diagram["mu"] - seen) / np.sqrt(diagram.covariance.variance())
    n = len(pull)
    assert abs(pull.mean()) < 5 / np.sqrt(n)
    assert abs(pull.std() - 1) < 5 / np.sqrt(2 * n)
    assert diagram.meta.origin == "simulated"


def test_a_supernova_does_not_depend_on_the_number(drawn):
    few, truth = simulate_fits(seed=5, n={"ZTF": 4, "DEEP": 0})
    assert few.to_pandas().equals(drawn[0].select(np.arange(4)).to_pandas())
    assert truth.to_pandas().equals(drawn[1].select(np.arange(4)).to_pandas())


def test_selection_is_by_the_rule_of_the_survey():
    record = load_preset("lemaitre-mini").record()
    record["surveys"] = [record["surveys"][0] | {"spectroscopy": {"m_half": 17.5, "slope": 3.0}}]
    settings = SampleSettings.of("test", **record)
    fits, truth = simulate_fits(settings, n={"ZTF": 1000}, selection=True)
    assert len(fits) == 1000
    everyone = simulate_fits(settings, n={"ZTF": 6000})[1]
    chance = Spectroscopy(m_half=17.5, slope=3.0).probability(everyone["mb_true"])
    expected = np.average(everyone["mb_true"], weights=chance)
    error = truth["mb_true"].std() / np.sqrt(1000)
    assert abs(truth["mb_true"].mean() - expected) < 5 * error
    assert truth["mb_true"].mean() < everyone["mb_true"].mean() - 0.2


def test_a_diagram_needs_linear_laws():
    with pytest.raises(InputError, match="the population has no alpha, gamma"):
        simulate_diagram("ztf-dr2", n={"ZTF": 5})


def test_the_number_is_that_of_the_rate():
    settings = load_preset("lemaitre").changed(n={"ZTF": 0, "HSC": 0})
    fits, truth = simulate_fits(settings, seed=3)
    mean = truth.meta.provenance["targets"]["SNLS"]["expected"]
    assert abs(len(fits) - mean) < 5 * np.sqrt(mean)
