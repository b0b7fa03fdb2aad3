"""Standardization: coefficients, covariance, rejects, and that no cosmology is assumed."""

import logging

import numpy as np
import pyarrow as pa
import pytest

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.rng import key_for
from chandelle.physics.distance import Cosmology
from chandelle.products.product import Meta
from chandelle.products.saltfits import SaltFits
from chandelle.simulate.saltfits import TRUE_POPULATION, TRUE_TRIPP, simulate_salt_fits
from chandelle.standardization import standardize
from chandelle.standardization.likelihood import distance_knots, hat_functions

N = 1500


def simulate(cosmology=None) -> SaltFits:
    z = np.concatenate([np.geomspace(0.015, 0.1, N // 2), np.linspace(0.1, 0.9, N // 2)])
    return simulate_salt_fits(z, key=key_for(3, "standardize"), cosmology=cosmology)


@pytest.fixture(scope="module")
def fits() -> SaltFits:
    return simulate()


@pytest.fixture(scope="module")
def dia(fits):
    return standardize(fits)


def coefficients(diagram) -> dict:
    return diagram.meta.provenance["standardization"]["coefficients"]


def test_coefficients_recover_the_truth(dia):
    truth = {**TRUE_TRIPP, **TRUE_POPULATION}
    for name, found in coefficients(dia).items():
        assert abs(found["value"] - truth[name]) < 5 * found["err"], name
        assert 0 < found["err"] < 0.1
    # A bias of beta by errors in variables would be 4 % at z = 0.5: five times this error.
    assert coefficients(dia)["beta"]["err"] < 0.06


def test_distances_scatter_about_the_truth_as_their_errors_say(fits, dia):
    row = {name: i for i, name in enumerate(fits["sn"])}
    mu_true = fits["mu_true"][[row[name] for name in dia["sn"]]]
    residual = dia["mu"] - mu_true
    # M and the coefficients take up four degrees of freedom.
    residual = residual - residual @ dia.covariance.factorize().solve(np.ones(len(dia))) / np.sum(
        np.asarray(dia.covariance.factorize().solve(np.ones(len(dia))))
    )
    chi2 = float(residual @ dia.covariance.factorize().solve(residual))
    n = len(dia)
    assert chi2 / n == pytest.approx(1, abs=5 * np.sqrt(2 / n))
    for low, high in ((0, 0.1), (0.1, 1)):
        part = (dia["z_hd"] > low) & (dia["z_hd"] <= high)
        pull = residual[part] / dia["mu_err"][part]
        assert pull.std() == pytest.approx(1, abs=5 / np.sqrt(2 * part.sum()))
        # Large errors pull mu low or high where the population is left out.
        wide = part & (dia["mu_err"] > np.median(dia["mu_err"][part]))
        mean = np.average(residual[wide], weights=dia["mu_err"][wide] ** -2)
        assert abs(mean) < 5 / np.sqrt(np.sum(dia["mu_err"][wide] ** -2.0))


def test_no_cosmology_is_assumed(dia):
    """In a universe without dark energy the coefficients stay (same noise)."""
    other = coefficients(standardize(simulate(Cosmology(Om=0.9))))
    for name, found in coefficients(dia).items():
        assert abs(other[name]["value"] - found["value"]) < 0.1 * found["err"], name


def conditional(fits, diagram, found) -> tuple[np.ndarray, np.ndarray]:
    """Condition the joint Gaussian of (mb, x1, c) on x1 and c, one supernova at a time."""
    row = {name: i for i, name in enumerate(fits["sn"])}
    index = [row[name] for name in diagram["sn"]]
    z, p = diagram["z_hd"], diagram["p_high"]
    slope = 5 / np.log(10) * (1 + z) / (z * (1 + z / 2))
    extra = (slope * (1 + z) * 250.0 / 299_792.458) ** 2 + (0.055 * z) ** 2
    alpha, beta, gamma = (found[n] for n in ("alpha", "beta", "gamma"))
    spread = np.diag([found["x1_sigma"] ** 2, found["c_sigma"] ** 2])
    lever = np.array([[-alpha, beta], [1.0, 0.0], [0.0, 1.0]])
    mu, variance = np.zeros(len(index)), np.zeros(len(index))
    for k, i in enumerate(index):
        joint = fits.distance_covariance()[i] + lever @ spread @ lever.T
        joint[0, 0] += found["sigma_int"] ** 2 + extra[k] + gamma**2 * p[k] * (1 - p[k])
        mean = lever @ [found["x1_mean"], found["c_mean"]]
        gain = joint[0, 1:] @ np.linalg.inv(joint[1:, 1:])
        seen = np.array([fits["x1"][i], fits["c"][i]]) - mean[1:]
        mu[k] = fits["mb"][i] - mean[0] - gain @ seen + gamma * (p[k] - 0.5)
        variance[k] = joint[0, 0] - gain @ joint[1:, 0]
    return mu, variance


def test_distances_and_modes_are_those_of_the_conditional_gaussian(fits):
    part = fits.select(np.arange(0, N, 10))
    diagram = standardize(part)
    best = {name: one["value"] for name, one in coefficients(diagram).items()}
    mu, variance = conditional(part, diagram, best)
    np.testing.assert_allclose(diagram.covariance.diagonal, variance, rtol=1e-9)
    np.testing.assert_allclose(diagram["mu"] - diagram["mu"].mean(), mu - mu.mean(), atol=1e-9)
    # The shared error of alpha alone, by finite differences, is part of U U^T.
    err, step = coefficients(diagram)["alpha"]["err"], 1e-4
    moved, _ = conditional(part, diagram, {**best, "alpha": best["alpha"] + step})
    slope = (moved - mu) / step
    slope = slope - np.average(slope, weights=1 / variance)
    total = diagram.covariance.factor @ diagram.covariance.factor.T
    along = slope / np.sqrt(slope @ slope)
    assert along @ total @ along > 0.9 * err**2 * (slope @ slope)
    # All that moves together is small beside what is independent.
    assert np.diagonal(total).max() < variance.min()


def test_the_plain_tripp_relation_stands_beside(dia):
    table = dia.to_pandas()
    pull = (table["mu"] - table["mu_tripp"]) / table["mu_tripp_err"]
    assert abs(pull.mean()) < 0.1
    assert 0.01 < pull.std() < 0.7
    assert (table["mu_tripp_err"] > np.sqrt(dia.covariance.diagonal)).all()


def test_rejects_are_counted_logged_and_kept(fits, caplog):
    columns = {name: fits[name][:300].copy() for name in fits.table.column_names}
    columns["status"] = columns["status"].astype(object)
    columns["status"][:3] = "too_few_points"
    columns["mb"][3] = np.nan
    columns["x1"][4] = 5.0
    meta = Meta(origin="real", blinding="blinded")
    part = SaltFits.from_columns(columns, meta=meta)
    with caplog.at_level(logging.INFO, "chandelle.standardization"):
        out = standardize(part, cuts={"c_min": -1.0, "c_max": 1.0, "z_min": 0.005})
    facts = out.meta.provenance["standardization"]
    assert facts["rejected"]["too_few_points"] == 3
    assert facts["rejected"]["not finite"] == 1
    assert facts["n_used"] + sum(facts["rejected"].values()) == facts["n_in"] == 300
    assert f"300 in, {len(out)} used" in caplog.text
    assert "3 too_few_points" in caplog.text
    assert out.meta.origin == "real"
    assert out.meta.blinding == "blinded"


def test_unknown_hosts_are_flagged_and_without_any_there_is_no_step(fits):
    few = simulate_salt_fits(np.linspace(0.02, 0.6, 200), key=key_for(1, "h"), known_host=0.0)
    out = standardize(few)
    assert "gamma" not in coefficients(out)
    assert np.all(out.flags & Flag.HOST_UNKNOWN)
    assert np.all(out["p_high"] == 0.5)


def test_outliers_are_flagged_and_named_not_cut(fits, caplog):
    mb = np.array(fits["mb"])
    mb[[10, 900]] += (3.0, -2.0)
    at = fits.table.column_names.index("mb")
    table = fits.table.set_column(at, fits.table.schema.field(at), pa.array(mb))
    with caplog.at_level(logging.WARNING):
        diagram = standardize(SaltFits(table=table, meta=fits.meta))
    flagged = diagram["sn"][(diagram.flags & int(Flag.OUTLIER)) != 0]
    assert flagged.tolist() == [fits["sn"][10], fits["sn"][900]]
    assert f"2 supernovae lie more than 5 sigma off the diagram: {fits['sn'][10]} (+" in caplog.text


def test_order_of_the_supernovae_is_irrelevant(fits, dia):
    rows = np.random.default_rng(0).permutation(len(fits))
    shuffled = standardize(SaltFits(table=fits.table.take(pa.array(rows)), meta=fits.meta))
    mine = dict(zip(dia["sn"], dia["mu"], strict=True))
    other = dict(zip(shuffled["sn"], shuffled["mu"], strict=True))
    assert mine.keys() == other.keys()
    assert max(abs(mine[name] - other[name]) for name in mine) < 1e-7


def test_unknown_setting_is_refused(fits):
    with pytest.raises(InputError, match="known settings"):
        standardize(fits, x1_max=2)


def test_knots_cover_the_sample_and_hats_interpolate():
    z = np.concatenate([np.linspace(0.02, 0.1, 50), [0.9, 1.0, 1.1]])
    knots = distance_knots(z)
    hats = hat_functions(np.log(z), knots)
    assert hats[:, 1:-1].sum(axis=0).min() >= 3
    np.testing.assert_allclose(hats.sum(axis=1), 1)
    np.testing.assert_allclose(hats @ (2 + 3 * knots), 2 + 3 * np.log(z), rtol=1e-12)
