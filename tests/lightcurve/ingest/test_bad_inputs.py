"""The bad inputs that are known to occur, by their number, and what a user wants of each.

Here: epochs, rows 1 to 23, 37 and 38. Targets, rows 33, 34 and 36, are in test_bad_targets.py; the
fit, rows 8, 21, 25 to 27, 33 and 35, in test_bad_fits.py; hostile content, rows 56 to 59, in
test_hostile.py; rows 29, 30 and 32, of a flux covariance, in test_bad_covariance.py.
"""

import logging
import re

import numpy as np
import pandas as pd
import pytest
import sncosmo
from astropy import units
from astropy.table import QTable, Table
from astropy.time import Time

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.instrument.reference import vega_spectrum
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.products.lightcurves import LightCurves

TARGETS = pd.DataFrame({"name": ["a", "b"], "z": [0.05, 0.03], "mwebv": 0.02})


def frame() -> pd.DataFrame:
    """Eight good epochs of two supernovae at zero point 25."""
    return pd.DataFrame(
        {
            "target": ["a"] * 4 + ["b"] * 4,
            "mjd": 59000.0 + np.arange(8),
            "band": ["ztfg", "ztfr"] * 4,
            "flux": 100.0 + np.arange(8),
            "fluxerr": np.full(8, 5.0),
            "zp": np.full(8, 25.0),
            "zpsys": "ab",
        }
    )


def changed(column: str, value: object, *, rows: slice = slice(1, 1)) -> pd.DataFrame:
    data = frame().astype({"band": object, "mjd": float})
    data.loc[rows, column] = value
    return data


def rejected(lcs: LightCurves) -> list[tuple[str, str, int]]:
    return [(row["sn"], row["reason"], row["count"]) for row in lcs.rejected.to_pylist()]


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
    data = frame()[:4].drop(columns="mjd").assign(time=[word, *ZONED[:3]])
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


def many_exposures() -> pd.DataFrame:
    """Thirty exposures of one band, each with the same five supernovae, zero points near 26."""
    rng = np.random.default_rng(2)
    zp = 26.0 + 0.03 * rng.normal(size=30)
    return pd.DataFrame(
        {
            "target": np.tile(list("abcde"), 30),
            "mjd": np.repeat(59000.0 + np.arange(30), 5),
            "band": "ztfg",
            "flux": 100.0,
            "fluxerr": 5.0,
            "zp": np.repeat(zp, 5),
            "exposure": np.repeat([f"e{i:02d}" for i in range(30)], 5),
        }
    )


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


def test_row_09_units_are_converted_or_refused():
    factor = 10 ** (-0.4 * (25.0 - ZP_NJY))
    table = QTable.from_pandas(frame().drop(columns=["zp", "zpsys"]))
    table["flux"] = (frame()["flux"].to_numpy() * factor * units.nJy).to(units.Jy)
    table["fluxerr"] = (frame()["fluxerr"].to_numpy() * factor * units.nJy).to(units.mJy)
    lcs = read_lightcurves(table, targets=TARGETS)
    same = read_lightcurves(frame(), targets=TARGETS)
    np.testing.assert_allclose(lcs["flux"], same["flux"], rtol=1e-12)
    np.testing.assert_allclose(lcs["flux_err"], same["flux_err"], rtol=1e-12)
    table["flux"] = frame()["flux"].to_numpy() * units.m
    with pytest.raises(InputError, match="QTable: column flux must be in Jy"):
        read_lightcurves(table, targets=TARGETS)


@pytest.mark.parametrize("scale", ["utc", "tdb"])
def test_row_10_time_objects_are_converted_to_the_declared_scale(scale):
    times = Time(frame()["mjd"].to_numpy(), format="mjd", scale="tai")
    table = Table.from_pandas(frame())
    table["mjd"] = times
    lcs = read_lightcurves(table, targets=TARGETS, time_scale=scale)
    np.testing.assert_array_equal(lcs["mjd"], getattr(times, scale).mjd)
    assert lcs.meta.provenance["time_scale"] == scale


def test_row_11_jd_next_to_mjd_is_refused():
    data = frame()
    data.loc[:3, "mjd"] += 2_400_000.5
    with pytest.raises(InputError, match=r"4 of 8 times are JD.*row 4; bring them to one scale"):
        read_lightcurves(data, targets=TARGETS)
    with pytest.raises(InputError, match="called JD, but its times start at 59000"):
        read_lightcurves(frame().rename(columns={"mjd": "jd"}), targets=TARGETS)


@pytest.mark.parametrize(
    ("column", "scale", "place"),
    [
        ("mjd", "utc", "observatory"),
        ("HMJD", "utc", "heliocentric"),
        ("bjd_tdb", "tdb", "barycentric"),
        ("midpointMjdTai", "tai", "observatory"),
    ],
)
def test_row_12_the_scale_of_the_times_is_recorded(column, scale, place):
    data = frame().rename(columns={"mjd": column})
    if "bjd" in column:
        data[column] += 2_400_000.5
    facts = read_lightcurves(data, targets=TARGETS).meta.provenance
    assert (facts["time_scale"], facts["time_place"]) == (scale, place)


def test_row_12_scales_that_contradict_are_refused(tmp_path):
    data = frame().rename(columns={"mjd": "mjd_tdb"})
    assert read_lightcurves(data, targets=TARGETS, time_scale="tdb").meta.provenance
    with pytest.raises(InputError, match="column mjd_tdb is in TDB, time_scale says 'utc'"):
        read_lightcurves(data, targets=TARGETS, time_scale="utc")
    frame()[:4].to_csv(tmp_path / "a.csv", index=False)
    frame()[4:].rename(columns={"mjd": "hmjd"}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(InputError, match=r"of different kinds, observatory .*heliocentric"):
        read_lightcurves([tmp_path / "a.csv", tmp_path / "b.csv"])


ZONED = ["2020-05-31T02:00:00+02:00", "2020-06-01T00:00:00Z", "2020-06-02 01:30:00+01:30", ""]


@pytest.mark.parametrize("kind", ["text", "timestamps", "objects"])
def test_row_13_dates_with_a_zone_are_converted(kind):
    data = frame()[:4].drop(columns="mjd")
    data["time"] = pd.Series(ZONED)
    if kind == "timestamps":
        data["time"] = pd.to_datetime(data["time"], utc=True, format="ISO8601")
    if kind == "objects":
        dates = [pd.Timestamp(t).to_pydatetime() if t else None for t in ZONED]
        data["time"] = pd.Series(dates, dtype=object)
    lcs = read_lightcurves(data, targets=TARGETS)
    np.testing.assert_array_equal(lcs["mjd"], [59000.0, 59001.0, 59002.0])
    assert rejected(lcs) == [("a", "time_nan", 1)]
    shifted = read_lightcurves(data, targets=TARGETS, time_scale="tdb")
    expected = Time([59000.0, 59001.0, 59002.0], format="mjd", scale="utc").tdb.mjd
    np.testing.assert_allclose(shifted["mjd"], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("naive", ["2020-05-31T02:00:00", "2020-05-31", "2020-05-31 02:00"])
def test_row_13_dates_without_a_zone_are_refused(naive):
    data = frame().drop(columns="mjd").assign(time=naive)
    with pytest.raises(InputError, match=r"8 of 8 times have no zone, first '2020.*add Z"):
        read_lightcurves(data, targets=TARGETS)
    data["time"] = pd.to_datetime(data["time"])
    with pytest.raises(InputError, match="dates without a zone; add Z"):
        read_lightcurves(data, targets=TARGETS)


def test_row_15_times_are_sorted_and_rows_remembered():
    data = frame().sample(frac=1.0, random_state=3).reset_index(drop=True)
    lcs = read_lightcurves(data, targets=TARGETS)
    for sn in ("a", "b"):
        assert (np.diff(lcs["mjd"][lcs["sn"] == sn]) > 0).all()
    assert lcs["mjd"].tolist() == data["mjd"][lcs["row"]].tolist()
    assert (
        lcs["sn"].tolist()
        == [data["target"][0]] * 4 + sorted(set(data["target"]) - {data["target"][0]}) * 4
    )


def test_row_16_exact_duplicates_are_dropped_and_counted():
    data = pd.concat([frame(), frame()])
    lcs = read_lightcurves(data, targets=TARGETS)
    assert len(lcs) == 8
    assert rejected(lcs) == [("a", "duplicate", 4), ("b", "duplicate", 4)]
    data["zp"] = np.repeat([25.0, 25.1], 8)
    assert len(read_lightcurves(data, targets=TARGETS)) == 16


def test_row_18_an_unknown_filter_names_the_nearest(caplog):
    lcs = read_lightcurves(changed("band", "ztfgg"), targets=TARGETS)
    assert rejected(lcs) == [("a", "band_unknown", 1)]
    assert "'ztfgg' (near: ztfg" in caplog.text
    assert "bands={name: passband}" in caplog.text


@pytest.mark.parametrize("kind", ["array", "objects"])
def test_row_20_bytes_are_band_names(kind):
    table = Table.from_pandas(frame())
    words = [name.encode() for name in frame()["band"]]
    table["band"] = np.array(words) if kind == "array" else np.array(words, dtype=object)
    lcs = read_lightcurves(table, targets=TARGETS)
    assert lcs["band"].tolist() == frame()["band"].tolist()


def test_row_22_names_of_filters_between_versions():
    same = read_lightcurves(frame(), targets=TARGETS)
    letters = frame().assign(band=frame()["band"].str[-1])
    assert rejected(read_lightcurves(letters, targets=TARGETS)) == [
        ("a", "band_unknown", 4),
        ("b", "band_unknown", 4),
    ]
    bands = {"g": "ztfg", "r": "ztfr", "DES-g": "ztfg"}
    assert (read_lightcurves(letters, targets=TARGETS, bands=bands)["band"] == same["band"]).all()
    for spelling in ("ZTF_{}", "z{}", "p48{}", "ztf::{}"):
        data = frame().assign(band=[spelling.format(name[-1]) for name in frame()["band"]])
        lcs = read_lightcurves(data, targets=TARGETS)
        assert (lcs["band"] == same["band"]).all()
        facts = lcs.meta.provenance["band_names"]
        assert facts["aliases_version"] == 1
        assert facts["renamed"][spelling.format("g")] == "ztfg"


def test_row_22_a_passband_of_the_data_goes_before_an_alias():
    own = load_passband("lsstg")
    data = frame().assign(band="zg")
    lcs = read_lightcurves(data, targets=TARGETS, passbands={"zg": own})
    assert set(lcs["band"]) == {"zg"}
    assert lcs.passbands["zg"] is own


def test_row_23_a_missing_zero_point_names_its_aliases():
    with pytest.raises(InputError, match=r"missing column zp \(or zpt, zeropoint.*add AB zero"):
        read_lightcurves(frame().drop(columns="zp"), targets=TARGETS)


def test_row_37_ab_and_vega_stand_in_one_table():
    same = read_lightcurves(frame(), targets=TARGETS)
    mixed = frame().assign(zpsys=["ab", "vega"] * 4)
    lcs = read_lightcurves(mixed, targets=TARGETS)
    is_ab = np.arange(8) % 2 == 0
    np.testing.assert_allclose(lcs["flux"][is_ab], same["flux"][is_ab], rtol=1e-14)
    shift = -2.5 * np.log10(lcs["flux"][~is_ab] / same["flux"][~is_ab])
    # sncosmo's own integration of the spectrum that ships with us (its "vega" is an older one).
    star, band = vega_spectrum(), load_passband("ztfr")
    vega = sncosmo.SpectralMagSystem(sncosmo.SpectrumModel(star.wave, star.flux))
    curve = sncosmo.Bandpass(band.wave, band.transmission)
    ab = sncosmo.get_magsystem("ab")
    expected = -2.5 * np.log10(vega.zpbandflux(curve) / ab.zpbandflux(curve))
    np.testing.assert_allclose(shift, expected, rtol=0, atol=1e-6)


def light_curve(*, sign: float = 1.0, offset: float = 0.0) -> pd.DataFrame:
    """A year before and 60 days after the maximum of one supernova."""
    rng = np.random.default_rng(6)
    mjd = np.concatenate([np.linspace(58700, 58900, 30), np.linspace(58985, 59060, 30)])
    flux = 1000.0 * np.exp(-0.5 * ((mjd - 59000) / 15) ** 2) + rng.normal(0.0, 10.0, 60)
    return pd.DataFrame(
        {
            "target": "a",
            "mjd": mjd,
            "band": "ztfg",
            "flux": sign * flux + offset,
            "fluxerr": 10.0,
            "zp": 31.4,
        }
    )


def test_row_38_a_light_curve_upside_down_is_flagged(caplog):
    assert not read_lightcurves(light_curve(), targets=TARGETS).flags.any()
    assert not caplog.text
    lcs = read_lightcurves(light_curve(sign=-1.0), targets=TARGETS)
    assert (lcs.flags & Flag.SIGN_SUSPECT).all()
    assert "1 light curves are seen mostly as negative flux, first a in ztfg" in caplog.text
    assert "sign_suspect" in lcs.meta.provenance["suspects"]


def test_row_38_a_supernova_in_the_reference_is_flagged(caplog):
    lcs = read_lightcurves(light_curve(offset=-100.0), targets=TARGETS)
    assert (lcs.flags & Flag.BASELINE_OFFSET).all()
    assert not (lcs.flags & Flag.SIGN_SUSPECT).any()
    factor = 10 ** (-0.4 * (31.4 - ZP_NJY))
    said = lcs.meta.provenance["suspects"]["baseline_offset"]
    assert abs(float(said.split("a in ztfg: ")[1].split()[0]) + 100 * factor) < 10
    assert "was it in the reference image?" in caplog.text


@pytest.mark.parametrize("negative", ["f", "0", 0, False, "False"])
def test_row_38_the_sign_of_an_alert_counts(negative, caplog):
    positive = {"f": "t", "0": "1", 0: 1, "False": "True"}[negative]
    data = frame().assign(isdiffpos=[negative] + [positive] * 7)
    lcs = read_lightcurves(data, targets=TARGETS)
    assert ((lcs.flags & Flag.SIGN_SUSPECT) > 0).tolist() == [True] + [False] * 7
    assert "1 fluxes have the sign that isdiffpos denies, first a in ztfg" in caplog.text
    mags = data.drop(columns=["flux", "fluxerr", "zp"]).assign(mag=20.0, magerr=0.1)
    lcs = read_lightcurves(mags, targets=TARGETS)
    assert (np.sign(lcs["flux"]) == [-1] + [1] * 7).all()
    assert not (lcs.flags & Flag.SIGN_SUSPECT).any()


def test_the_log_is_one_line_for_a_clean_set(caplog):
    with caplog.at_level(logging.INFO):
        read_lightcurves(frame(), targets=TARGETS)
    assert [record.message for record in caplog.records] == ["DataFrame: 8 in, 8 used, 0 rejected"]
