"""The bad inputs that concern the fit, by their number: each target has its row and its reason.

Rows 29, 30 and 32, of a flux covariance, are in test_bad_covariance.py.
"""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve import stage
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt

NUMBERS = ("nan", "minus_nine", "a_v", "sign", "no_dust")
FITTED = ["t0", "x0", "x1", "c", "chi2"]


def noise(name: str, n: int, *, level: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "sn": name,
            "mjd": 59000.0 + 2 * np.arange(n),
            "band": np.resize(["ztfg", "ztfr"], n),
            "flux": level + 100 * rng.normal(size=n),
            "flux_err": 100.0,
            "zp": ZP_NJY,
            "zpsys": "ab",
        }
    )


@pytest.fixture(scope="module")
def good(draw) -> tuple[pd.DataFrame, pd.DataFrame]:
    epochs, targets = draw(3, seed=11)
    return epochs[epochs["sn"] != "sn001"], targets[targets["sn"] != "sn001"]


def like_first(epochs: pd.DataFrame, name: str) -> pd.DataFrame:
    return epochs[epochs["sn"] == "sn000"].assign(sn=name).reset_index(drop=True)


@pytest.fixture(scope="module")
def fits(good) -> pd.DataFrame:
    """One call with all bad targets among good ones."""
    epochs, targets = good
    wrong_zp = like_first(epochs, "wrong_zp")
    wrong_zp["zp"] += np.where(np.arange(len(wrong_zp)) % 2, 0.0, 5.0)
    far = like_first(epochs, "far_band").assign(band="lsstu")
    # A color beyond any supernova: the bands in the order of red to blue, at any flux.
    red = like_first(epochs, "absurd")
    red["flux"] *= np.select([red["band"] == "ztfg", red["band"] == "ztfr"], [0.02, 0.4], 2.0)
    point = like_first(epochs, "one_point")
    point = point[point["flux"] == point["flux"].max()]
    bad = [wrong_zp, far, red, point, noise("noise", 30), noise("negative", 30, level=-600.0)]
    names = [frame["sn"].iloc[0] for frame in bad] + ["empty", *NUMBERS]
    bad += [like_first(epochs, name) for name in NUMBERS]
    z0 = float(targets["z"].iloc[0])
    redshift = {"nan": np.nan, "minus_nine": -9.0, "far_band": 0.8}
    dust = {"a_v": 50.0, "sign": -0.1, "no_dust": np.nan}
    more = pd.DataFrame(
        {
            "sn": names,
            "z": [redshift.get(name, z0) for name in names],
            "mwebv": [dust.get(name, 0.02) for name in names],
        }
    )
    lcs = read_lightcurves(pd.concat([epochs, *bad]), targets=pd.concat([targets, more]))
    return fit_salt(lcs).to_pandas()


def test_a_batch_never_shrinks_and_good_ones_do_not_notice(good, fits):
    epochs, targets = good
    alone = fit_salt(read_lightcurves(epochs, targets=targets)).to_pandas()
    assert len(fits) == len(targets) + 12
    assert (alone["status"] == "ok").all()
    np.testing.assert_allclose(fits.loc[alone.index, FITTED], alone[FITTED], rtol=1e-9, atol=1e-9)


def test_row_08_wrong_zero_points_show_in_chi2(fits):
    fit = fits.loc["wrong_zp"]
    assert fit["flags"] & Flag.CHI2_BAD
    assert not fits.loc["sn000", "flags"] & Flag.CHI2_BAD


def test_row_21_a_band_outside_the_model_has_its_reason(fits):
    assert fits.loc["far_band", "status"] == "no_band_in_range"
    assert fits.loc["far_band", "flags"] & Flag.BAND_DROPPED


@pytest.mark.parametrize(
    ("number", "name", "status"),
    [
        (25, "empty", "no_data"),
        (26, "one_point", "underconstrained"),
        (27, "noise", "no_detection"),
        (27, "negative", "no_detection"),
        (33, "nan", "z_invalid"),
        (33, "minus_nine", "z_invalid"),
    ],
)
def test_rows_25_to_33_have_a_status_and_no_answer(fits, number, name, status):
    assert fits.loc[name, "status"] == status, number
    assert fits.loc[name, ["x0", "x1", "c", "x1_err"]].isna().all()
    is_limit = bool(fits.loc[name, "flags"] & Flag.UPPER_LIMIT)
    assert is_limit is (status == "no_detection")


def test_impossible_dust_has_a_status_and_unknown_dust_a_flag(fits):
    assert (fits.loc[["a_v", "sign"], "status"] == "mwebv_invalid").all()
    assert fits.loc[["a_v", "sign"], FITTED].isna().all(axis=None)
    assert fits.loc["no_dust", "status"] == "ok"
    has_flag = (fits["flags"] & int(Flag.MWEBV_UNKNOWN)) > 0
    assert fits.index[has_flag].tolist() == ["no_dust"]


def test_row_27_a_mirrored_light_curve_is_flagged_in_the_fit(good):
    epochs, targets = good
    epochs = epochs[epochs["sn"] == "sn000"]
    epochs = epochs.assign(flux=-epochs["flux"])
    fit = fit_salt(read_lightcurves(epochs, targets=targets[:1])).to_pandas().iloc[0]
    assert fit["status"] == "no_detection"
    assert fit["flags"] & Flag.SIGN_SUSPECT


def test_row_35_an_absurd_object_is_flagged_and_aborts_nothing(fits):
    fit = fits.loc["absurd"]
    assert (fit["status"], fit["c"]) == ("ok", 1.0)
    assert fit["flags"] & Flag.AT_BOUND
    assert (fits.loc[["sn000", "sn002"], "status"] == "ok").all()


def test_unknown_bands_of_light_curves_made_by_hand_cost_their_epochs_only(good, caplog):
    epochs, targets = good
    lcs = read_lightcurves(epochs, targets=targets)
    expected = fit_salt(lcs.select(lcs["band"] != "ztfi")).to_pandas()
    at = lcs.table.column_names.index("band")
    names = np.where(lcs["band"] == "ztfi", "ztfii", lcs["band"]).tolist()
    table = lcs.table.set_column(at, lcs.table.schema.field(at), pa.array(names))
    fits = fit_salt(replace(lcs, table=table)).to_pandas()
    assert (fits["status"] == "ok").all()
    np.testing.assert_allclose(fits[FITTED], expected[FITTED], rtol=1e-9, atol=1e-9)
    assert (fits["flags"] == (expected["flags"] | int(Flag.POINTS_REJECTED))).all()
    assert "passband 'ztfii' is unknown, did you mean 'ztfi'?" in caplog.text
    only = table.set_column(at, table.schema.field(at), pa.array(["strange"] * len(names)))
    assert (fit_salt(replace(lcs, table=only))["status"] == "no_data").all()


WILD = [("flux", 1e200), ("flux_err", 1e-200), ("flux_err", 1e-30)]


@pytest.mark.parametrize(("column", "value"), WILD)
def test_one_wild_epoch_costs_itself_only(good, column, value):
    """Read from a table, or in light curves made by hand."""
    epochs, targets = good
    clean = read_lightcurves(epochs, targets=targets)
    keep = np.arange(len(clean)) != 2
    expected = fit_salt(clean.select(keep)).to_pandas()
    wild = epochs.reset_index(drop=True)
    wild.loc[clean["row"][2], column] = value
    read = read_lightcurves(wild, targets=targets)
    values = np.where(keep, clean[column], value)
    at = clean.table.column_names.index(column)
    by_hand = clean.table.set_column(at, clean.table.schema.field(at), pa.array(values))
    for lcs in (read, replace(clean, table=by_hand)):
        fits = fit_salt(lcs).to_pandas()
        assert (fits["status"] == "ok").all()
        np.testing.assert_allclose(fits[FITTED], expected[FITTED], rtol=1e-9, atol=1e-9)
        assert fits["flags"].iloc[0] & Flag.POINTS_REJECTED


def test_what_overflows_in_the_fit_is_no_question_of_detection(good, monkeypatch):
    epochs, targets = good
    lcs = read_lightcurves(epochs, targets=targets)

    def overflow(*args: Any, **options: Any) -> FitArrays:
        result = run(*args, **options)
        infinite = np.array([np.inf, 0.0])
        return result._replace(chi2=result.chi2 + infinite, chi2_empty=result.chi2_empty + infinite)

    run = stage._run
    monkeypatch.setattr(stage, "_run", overflow)
    fits = fit_salt(lcs).to_pandas()
    assert fits["status"].tolist() == ["not_converged", "ok"]
    assert not fits["flags"].iloc[0] & Flag.UPPER_LIMIT


CALLS = """
import pandas as pd, chandelle
calls = [
    (chandelle.standardize, pd.DataFrame()), (chandelle.standardize, "fits.parquet"),
    (chandelle.fit_cosmology, pd.DataFrame()), (chandelle.fit_salt, 3),
    (chandelle.read_lightcurves, None),
]
for call, given in calls:
    try:
        call(given)
    except chandelle.core.errors.InputError as error:
        print(error)
"""


def test_a_table_in_place_of_a_product_is_refused_in_words():
    """Without the type checks of the tests: as a user runs it."""
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 5, done.stderr
    assert lines[0].startswith("standardize takes SaltFits, got DataFrame; SaltFits.from_columns")
    assert "read the file first, SaltFits.read('fits.parquet')" in lines[1]
    assert lines[2].startswith("fit_cosmology takes Diagram or SaltFits, got DataFrame")
    assert "light curves are read from a path" in lines[3]
    assert lines[4].endswith("got NoneType")
