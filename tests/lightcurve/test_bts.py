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
def test_cuts_are_counted(fitted):
    lcs, fits = fitted
    table = fits.to_pandas()
    passed = bts.cuts(lcs, table)
    left = passed.all(axis=1)
    _log.info("%s, all %d", passed.sum().to_dict(), left.sum())
    assert not passed[(table["status"] != "ok").to_numpy()].any(axis=None)
    assert 750 < left.sum() < 830
    assert (table.loc[left, "x1_err"] < 1).all()
    # Counted again by hand for one supernova.
    name = left.index[left][0]
    fit, epochs = table.loc[name], lcs.of(name).to_pandas()
    phase = (epochs["mjd"] - fit.t0) / (1 + fit.z)
    seen = epochs[(epochs["flux"] > 5 * epochs["flux_err"]) & (phase > -10) & (phase < 40)]
    counted = bts.sampling(lcs, table).loc[name]
    assert counted["n"] == len(seen)
    assert counted["before"] == (phase[seen.index] < 0).sum()
    assert counted["bands"] == seen["band"].nunique()


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
