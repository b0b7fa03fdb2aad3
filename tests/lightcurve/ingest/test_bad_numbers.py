"""Bad numbers, errors and zero points among epochs: rows 1 to 8 of the bad inputs."""

import re

import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.table import QTable, Table
from small_tables import TARGETS, changed, frame, many_exposures, rejected

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.lightcurve.ingest import read_lightcurves

POINTS = {
    1: ("flux", np.nan, "flux_nan"),
    2: ("flux", np.inf, "flux_inf"),
    3: ("fluxerr", np.nan, "err_nonfinite"),
    4: ("fluxerr", 0.0, "err_not_positive"),
    5: ("fluxerr", -5.0, "err_not_positive"),
    7: ("zp", np.nan, "zp_nan"),
}


@pytest.mark.parametrize("number", POINTS, ids=lambda number: f"row_{number:02d}")
def test_one_bad_number_costs_its_point_only(number):
    column, value, reason = POINTS[number]
    lcs = read_lightcurves(changed(column, value), targets=TARGETS)
    assert rejected(lcs) == [("a", reason, 1)]
    assert lcs["row"].tolist() == [0, 2, 3, 4, 5, 6, 7]
    assert (lcs.flags[lcs["sn"] == "a"] == Flag.POINTS_REJECTED).all()
    assert not lcs.flags[lcs["sn"] == "b"].any()
    with pytest.raises(InputError, match=f"8 in, 7 used, 1 rejected: 1 {reason}"):
        read_lightcurves(changed(column, value), targets=TARGETS, strict=True)


ZONED = ["2020-05-31T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-02T00:00:00Z"]
WORDS = ["n/a", "NA", " NaN", "null", "None", "-", "--", "...", "?", "", "<NA>"]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_a_missing_number_costs_its_point_only(word):
    for column, reason in (
        ("flux", "flux_nan"),
        ("fluxerr", "err_nonfinite"),
        ("zp", "zp_nan"),
        ("mjd", "time_nan"),
    ):
        data = frame().astype({column: str})
        data.loc[1, column] = word
        for kind in (str, object):
            lcs = read_lightcurves(data.astype({column: kind}), targets=TARGETS)
            assert rejected(lcs) == [("a", reason, 1)]
    data = frame()[:4].drop(columns="mjd").assign(time=[word, *ZONED])
    lcs = read_lightcurves(data, targets=TARGETS)
    np.testing.assert_array_equal(lcs["mjd"], [59000.0, 59001.0, 59002.0])
    assert rejected(lcs) == [("a", "time_nan", 1)]


@pytest.mark.parametrize("text", ["bright", "1e3x", "100+5", "=A1", "n/a n/a"])
def test_other_text_among_numbers_is_refused(text):
    data = frame().astype({"flux": str})
    data.loc[3, "flux"] = text
    with pytest.raises(InputError, match=f"column flux must be numbers, got '{re.escape(text)}'"):
        read_lightcurves(data, targets=TARGETS)


@pytest.mark.parametrize("column", ["flux", "fluxerr", "zp", "mjd"])
def test_complex_numbers_are_refused(column):
    data = frame()
    data[column] = data[column] + 1j
    masked = Table.from_pandas(data)
    masked[column] = np.ma.masked_array(data[column], mask=np.arange(8) == 2)
    objects = data.astype({column: object})
    for table in (data, Table.from_pandas(data), masked, objects):
        with pytest.raises(InputError, match=f"column {column} must be real numbers, got "):
            read_lightcurves(table, targets=TARGETS)


ABSURD = [
    ("zp", -999.0, "zp_invalid"),
    ("zp", 99.0, "zp_invalid"),
    ("flux", 1e200, "flux_absurd"),
    ("flux", -1e18, "flux_absurd"),
    ("fluxerr", 1e200, "err_absurd"),
    ("fluxerr", 1e-30, "err_absurd"),
    ("fluxerr", 1e-200, "err_absurd"),
]


@pytest.mark.parametrize(("column", "value", "reason"), ABSURD)
def test_a_number_that_no_photometry_gives_costs_its_point_only(column, value, reason):
    lcs = read_lightcurves(changed(column, value), targets=TARGETS)
    assert rejected(lcs) == [("a", reason, 1)]
    assert lcs["row"].tolist() == [0, 2, 3, 4, 5, 6, 7]
    dark = changed(column, value).assign(flux=0.0)
    if column != "flux":
        assert rejected(read_lightcurves(dark, targets=TARGETS)) == [("a", reason, 1)]


@pytest.mark.parametrize("zp", [-56.1, -48.6, 8.9, 31.4])
def test_zero_points_of_any_unit_of_flux_are_taken(zp):
    factor = 10 ** (0.4 * (zp - 25.0))
    data = frame().assign(zp=zp, flux=frame()["flux"] * factor, fluxerr=5.0 * factor)
    lcs = read_lightcurves(data, targets=TARGETS)
    same = read_lightcurves(frame(), targets=TARGETS)
    np.testing.assert_allclose(lcs["flux"], same["flux"], rtol=1e-12)


def test_numbers_that_overflow_on_the_way_are_rejected():
    table = QTable.from_pandas(frame().drop(columns=["zp", "zpsys"]))
    table["flux"] = np.where(np.arange(8) == 1, 1e305, 1e-6) * units.Jy
    table["fluxerr"] = np.where(np.arange(8) == 2, 1e305, 1e-8) * units.Jy
    lcs = read_lightcurves(table, targets=TARGETS)
    assert rejected(lcs) == [("a", "flux_inf", 1), ("a", "err_nonfinite", 1)]
    mags = frame().drop(columns=["flux", "fluxerr", "zp"]).assign(mag=20.0, magerr=0.1)
    mags.loc[1, ["mag", "magerr"]] = [-89.0, 1e300]
    mags.loc[2, "mag"] = -89.0
    lcs = read_lightcurves(mags, targets=TARGETS)
    assert rejected(lcs) == [("a", "err_nonfinite", 1), ("a", "flux_absurd", 1)]


def test_a_negative_flux_that_repeats_is_said(caplog):
    """A sentinel; zeros, and fluxes that are rounded, repeat too."""
    data = many_exposures()
    rng = np.random.default_rng(4)
    data["flux"] = rng.normal(0.0, 20.0, len(data))
    read_lightcurves(data.assign(flux=data["flux"].round()))
    read_lightcurves(data.assign(flux=data["flux"].where(data.index % 5 > 0, 0.0)))
    read_lightcurves(data.assign(flux=data["flux"].where(data.index > 3, -999.0)))
    assert "many" not in caplog.text
    lcs = read_lightcurves(data.assign(flux=data["flux"].where(data.index % 5 > 0, -999.0)))
    assert len(lcs) == 150
    assert "of 150 fluxes the same negative one stands in many, -999 in 30 rows" in caplog.text
    assert "flux_repeats" in lcs.meta.provenance["suspects"]
    caplog.clear()
    large = pd.concat([data.assign(mjd=data["mjd"] + 100 * k) for k in range(5)])
    large["flux"] = rng.normal(0.0, 20.0, len(large))
    for count in (7, 8):
        large.iloc[:count, large.columns.get_loc("flux")] = -99.0
        read_lightcurves(large)
        assert ("-99 in 8 rows" in caplog.text) is (count == 8)


def test_row_06_all_errors_negative_is_said(caplog):
    lcs = read_lightcurves(changed("fluxerr", -5.0, rows=slice(0, 3)), targets=TARGETS)
    assert rejected(lcs) == [("a", "err_not_positive", 4)]
    assert "all errors are negative for 1 supernovae, first a" in caplog.text
    assert lcs.targets["sn"].tolist() == ["a", "b"]


@pytest.mark.parametrize("has_exposures", [True, False])
def test_row_08_zero_points_that_jump_are_flagged_and_named(has_exposures, caplog):
    data = many_exposures()
    data.loc[data["exposure"].isin(["e07", "e20"]), "zp"] -= 5.0
    exposure = data["exposure"] if has_exposures else data.pop("exposure")
    lcs = read_lightcurves(data)
    flagged = (lcs.flags & Flag.ZP_OUTLIER) > 0
    assert set(exposure[lcs["row"][flagged]]) == {"e07", "e20"}
    assert flagged.sum() == 10
    assert not len(lcs.rejected)
    assert "10 epochs" in caplog.text
    assert ("of 2 exposures" in caplog.text) is has_exposures
    jump, usual = re.search(r"in ztfg: (\S+) mag from (\S+)$", caplog.messages[-1]).groups()
    assert abs(float(jump) + 5.0) < 0.1
    assert abs(float(usual) - 26.0) < 0.05
    assert ("most exposure e" in caplog.text) is has_exposures


def test_row_08_honest_scatter_of_zero_points_is_not_flagged(caplog):
    data = many_exposures()
    assert not read_lightcurves(data).flags.any()
    data["zp"] = 25.0 + np.random.default_rng(3).normal(0.0, 0.4, len(data))
    assert not read_lightcurves(data).flags.any()
    assert "zp" not in caplog.text


def test_row_08_half_and_half_is_said(caplog):
    data = many_exposures()
    data.loc[data.index % 2 == 0, "zp"] += 5.0
    read_lightcurves(data)
    assert "without a main group" in caplog.text
