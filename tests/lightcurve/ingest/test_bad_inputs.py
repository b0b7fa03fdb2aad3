"""The bad inputs that are known to occur, by their number, and what a user wants of each.

Here: epochs, rows 9 to 23, 37 and 38; rows 1 to 8 are in test_bad_numbers.py. Targets, rows 33, 34
and 36, are in test_bad_targets.py; the fit, rows 8, 21, 25 to 27, 33 and 35, in test_bad_fits.py;
hostile content, rows 56 to 59, in test_hostile.py; rows 29, 30 and 32, of a flux covariance, in
test_bad_covariance.py.
"""

import logging

import numpy as np
import pandas as pd
import pytest
import sncosmo
from astropy import units
from astropy.table import QTable, Table
from astropy.time import Time
from small_tables import TARGETS, changed, frame, rejected

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.instrument.reference import vega_spectrum
from chandelle.lightcurve.ingest import read_lightcurves


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
