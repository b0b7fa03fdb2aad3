"""Counts about maximum against loops over supernovae, and the flags that follow."""

import dataclasses

import numpy as np
import pytest

from chandelle.core.flags import Flag, describe, in_words
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.quality import GAP_WINDOW, phase_coverage, quality_flags
from chandelle.lightcurve.quality_table import quality_table
from chandelle.lightcurve.residuals import residual_table
from chandelle.lightcurve.stage import fit_salt


def flags(**change):
    good = {"x1": 0.0, "t0_err": 0.3, "x1_err": 0.2, "c_err": 0.04}
    counts = {"n_early": 3, "n_late": 2, "n_bands_near": 2}
    values = {name: np.array([change.get(name, value)]) for name, value in good.items()}
    values |= {name: np.array([change.get(name, value)]) for name, value in counts.items()}
    return Flag(int(quality_flags(**values)[0]))


def test_counts_are_those_of_a_loop():
    rng = np.random.default_rng(4)
    n, n_targets = 900, 40
    target, band = rng.integers(0, n_targets - 1, n), rng.integers(0, 3, n)
    phase, significance = rng.uniform(-25, 60, n), rng.normal(6, 4, n)
    phase[target == 7] = np.nan
    got = phase_coverage(target, band, phase, significance, n_targets=n_targets)
    for i in range(n_targets):
        mine = (target == i) & np.isfinite(phase)
        p, b, seen = phase[mine], band[mine], significance[mine] >= 5
        inside = np.sort(p[(p > GAP_WINDOW[0]) & (p < GAP_WINDOW[1])])
        expected = {
            "n_epochs": len(p),
            "n_detections": seen.sum(),
            "n_bands": len(set(b[seen])),
            "n_before": (seen & (p < 0)).sum(),
            "n_after": (seen & (p >= 0)).sum(),
            "n_bands_before": len(set(b[seen & (p < 0)])),
            "n_bands_after": len(set(b[seen & (p >= 0)])),
            "n_early": ((p > -10) & (p < 5)).sum(),
            "n_late": ((p > 5) & (p < 20)).sum(),
            "n_bands_near": len(set(b[(p > -8) & (p < 10)])),
            "first_phase": p.min() if len(p) else np.nan,
            "last_phase": p.max() if len(p) else np.nan,
            "max_gap": np.diff([GAP_WINDOW[0], *inside, GAP_WINDOW[1]]).max(),
        }
        assert expected.keys() == got.keys()
        for name, value in expected.items():
            np.testing.assert_equal(got[name][i], value, err_msg=f"{name} of {i}")


def test_no_epochs_at_all():
    nothing = np.zeros(0)
    counts = phase_coverage(nothing.astype(int), nothing.astype(int), nothing, nothing, n_targets=2)
    assert counts["n_epochs"].tolist() == [0, 0]
    assert np.isnan(counts["first_phase"]).all()
    assert counts["max_gap"].tolist() == [30.0, 30.0]


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({}, Flag(0)),
        ({"x1": -5.1}, Flag.X1_EXTREME),
        ({"x1": 4.9}, Flag(0)),
        ({"t0_err": 5.0}, Flag.ERRORS_LARGE),
        ({"x1_err": np.nan}, Flag.ERRORS_LARGE),
        ({"c_err": 0.0}, Flag.ERRORS_LARGE),
        ({"n_early": 0}, Flag.POOR_PHASE_COVERAGE),
        ({"n_late": 0}, Flag.POOR_PHASE_COVERAGE),
        ({"n_bands_near": 1}, Flag.POOR_PHASE_COVERAGE),
        ({"x1": np.nan, "c_err": np.nan, "n_early": 0}, Flag(0)),
    ],
)
def test_flags(change, flag):
    assert flags(**change) == flag


def test_every_flag_has_its_words():
    for flag in Flag:
        assert in_words(int(flag)), flag
    assert in_words(0) == ""
    assert in_words(int(Flag.CHI2_BAD | Flag.UPPER_LIMIT)) == "improbable chi2, no detection"


@pytest.fixture(scope="module")
def fitted(draw):
    """Eight supernovae: the first lost its epochs about maximum, the second all but noise."""
    epochs, targets = draw(8, seed=21)
    t0 = targets.set_index("sn")["t0"]
    late = (epochs["sn"] == "sn000") & (epochs["mjd"] < t0["sn000"] + 8)
    epochs = epochs[~late].copy()
    dark = epochs["sn"] == "sn001"
    noise = np.random.default_rng(1).normal(size=dark.sum())
    epochs.loc[dark, "flux"] = epochs.loc[dark, "flux_err"] * noise
    lcs = read_lightcurves(epochs, targets=targets, origin="simulated")
    return fit_salt(lcs), lcs


def test_table_tells_the_poor_from_the_good(fitted):
    fits, lcs = fitted
    quality = quality_table(fits, lcs)
    assert quality.index.tolist() == fits["sn"].tolist()
    assert quality["status"].tolist() == fits["status"].tolist()
    assert quality["status"].iloc[1] == "no_detection"
    assert quality["n_used"].iloc[1] == quality["n_epochs"].iloc[1] == 0
    assert "poor_phase_coverage" in describe(int(quality["flags"].iloc[0]))
    assert (quality["flags"].iloc[2:] & int(Flag.POOR_PHASE_COVERAGE) == 0).all()
    good = quality.iloc[2:]
    assert (good["n_epochs"] == good["n_used"]).all()
    assert (good["n_left_out"] == 0).all()
    table = residual_table(fits, lcs)
    for sn, row in good.iterrows():
        pulls = table.loc[(table["sn"] == sn) & table["in_fit"], "pull"]
        assert row["worst_pull"] == pulls.loc[pulls.abs().idxmax()]
    assert np.isnan(quality["worst_pull"].iloc[1])
    assert np.allclose(good["chi2_per_ndof"], fits["chi2"][2:] / fits["ndof"][2:])


def test_fits_have_the_flags(fitted):
    fits, lcs = fitted
    assert fits.flags[0] & Flag.POOR_PHASE_COVERAGE
    assert fits.flags.tolist() == quality_table(fits, lcs)["flags"].tolist()


def test_fits_of_another_hand_do_not_say_what_they_used(fitted):
    fits, lcs = fitted
    table = fits.table.drop_columns(["n_used"])
    quality = quality_table(dataclasses.replace(fits, table=table), lcs)
    assert (quality["n_used"] == 0).all()
    assert (quality["n_left_out"] == 0).all()
