"""1145 alert light curves of the ZTF Bright Transient Survey: no row is lost, maxima are found."""

import logging

import numpy as np
import pytest
from real import bts, pantheonplus

from chandelle.lightcurve.stage import fit_salt

_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def fitted(real_data):
    lcs = bts.read_bts(real_data)
    return lcs, fit_salt(lcs)


@pytest.mark.real
def test_every_target_gets_a_row_with_a_status(fitted):
    lcs, fits = fitted
    table = fits.to_pandas()
    assert table.index.tolist() == lcs.targets["sn"].tolist()
    assert len(table) == 1145
    status = table["status"].value_counts()
    _log.info("%s", (status / len(table)).round(4).to_dict())
    assert status["ok"] >= 1100
    # The one without a redshift in the survey's table, and those of fewer than four epochs.
    assert table.index[table["status"] == "z_invalid"].tolist() == ["ZTF20acpkprl"]
    epochs = table["status"].eq("underconstrained")
    assert epochs.sum() <= 40
    answer = table[["t0", "x0", "x1", "c", "mb", "t0_err", "x1_err", "c_err"]]
    assert np.isfinite(answer[table["status"] == "ok"]).all(axis=None)
    assert answer[table["status"] != "ok"].isna().all(axis=None)


@pytest.mark.real
def test_cuts_are_those_counted_by_hand(real_data):
    lcs = bts.read_bts(real_data)
    fits, counts = bts.fit_as_dr2(lcs)
    _log.info("%s", counts)
    table, epochs = fits.to_pandas(), lcs.table.to_pandas()
    fit = table.loc[epochs["sn"]].reset_index(drop=True)
    epochs["phase"] = (epochs["mjd"] - fit["t0"]) / (1 + fit["z"])
    seen = epochs[(epochs["flux"] >= 5 * epochs["flux_err"]) & epochs["phase"].between(-10, 40)]
    n_bands = seen.groupby("sn")["band"].nunique()
    before = seen[seen["phase"] < 0].groupby("sn")["band"].nunique()
    after = seen[seen["phase"] > 0].groupby("sn")["band"].nunique()

    def each(counted):
        return counted.reindex(table.index, fill_value=0)

    by_hand = (
        (table["status"] == "ok")
        & (each(seen.groupby("sn").size()) >= 7)
        & (each(n_bands) >= 2)
        & (each(before) >= 2)
        & (each(after) >= 2)
        & table["x1"].between(-3, 3)
        & table["c"].between(-0.2, 0.8)
        & (table["x1_err"] <= 1)
        & (table["c_err"] <= 0.1)
        & (table["t0_err"] <= 1)
    )
    assert counts.kept.sum() == by_hand.sum()
    assert by_hand.sum() > 500
    np.testing.assert_array_equal(counts.kept, by_hand)


@pytest.mark.real
def test_maxima_of_the_survey_are_recovered(fitted):
    # peakmag and peakt are the brightest detection: noise makes it brighter, gaps make it fainter.
    lcs, fits = fitted
    peaks = bts.maxima(lcs, fits)
    brightest = lcs.table.to_pandas().groupby("sn")["flux"].max().loc[peaks.index]
    measured = 31.4 - 2.5 * np.log10(brightest)
    assert (measured - peaks["peak_mag"]).abs().median() < 0.001
    mag, day = peaks["mag"] - peaks["peak_mag"], peaks["mjd"] - peaks["peak_mjd"]
    there = (peaks["mag_there"] - peaks["peak_mag"]).dropna()
    for about, off in (("mag", mag), ("there", there), ("day", day)):
        _log.info("%s %+.4f (%.4f)", about, off.median(), pantheonplus.scatter(off))
    assert abs(mag.median()) < 0.02
    assert pantheonplus.scatter(mag) < 0.06
    assert abs(there.median()) < 0.04
    assert abs(day.median()) < 0.3
    assert pantheonplus.scatter(day) < 2.7
    assert (mag.abs() < 0.5).mean() > 0.98
