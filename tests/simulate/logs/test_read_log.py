"""Real logs: own columns and skysurvey's, hostile rows counted, unusable logs refused in words."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.table import Table

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.products.exposures import Exposures
from chandelle.simulate.logs.fields import Fields
from chandelle.simulate.logs.read_log import REASONS, read_exposures
from chandelle.simulate.noise import flux_error

OWN = {
    "exposure": ["b", "a", "c"],
    "mjd": [59001.2, 59000.2, 59002.2],
    "band": ["ztfg", "ztfr", "ztfi"],
    "ra": [10.0, -20.0, 360.0],
    "dec": [5.0, -5.0, 0.0],
    "zp": [28.3, 28.2, 27.6],
    "depth": [20.8, 20.6, 20.3],
    "airmass": [1.2, np.nan, 1.1],
}
SKYSURVEY = {
    "mjd": [59000.1, 59000.2, 59000.3],
    "band": ["ztfg", "ztfr", "ztfi"],
    "ra": [10.0, 11.0, 12.0],
    "dec": [0.0, 1.0, 2.0],
    "skynoise": [150.0, 160.0, 170.0],
    "gain": [1.0, 2.0, 6.2],
    "zp": [30.0, 30.0, 25.0],
}


def frames():
    frame = pd.DataFrame(OWN)
    return [frame, pa.Table.from_pandas(frame), Table.from_pandas(frame)]


@pytest.mark.parametrize("source", frames(), ids=["pandas", "arrow", "astropy"])
def test_own_columns_of_any_table(source):
    log = read_exposures(source, survey="mine")
    assert log["exposure"].tolist() == ["a", "b", "c"]
    assert log["ra"].tolist() == [340.0, 10.0, 0.0]
    assert set(log["survey"]) == {"mine"}
    assert np.isnan(log["airmass"][0])
    assert log.meta.origin == "real"
    assert log.meta.provenance["log"]["rejected"] == {}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files(tmp_path, kind):
    path = tmp_path / f"log.{kind}"
    frame = pd.DataFrame(OWN)
    frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    log = read_exposures(path)
    assert np.array_equal(log["depth"], [20.6, 20.8, 20.3])
    assert log.meta.provenance["log"]["source"] == str(path)


def test_what_was_written_reads_back_with_its_origin(tmp_path):
    log = read_exposures(pd.DataFrame(OWN), survey="mine")
    log.write(tmp_path / "log.parquet")
    again = read_exposures(tmp_path / "log.parquet")
    pd.testing.assert_frame_equal(again.to_pandas(), log.to_pandas())
    assert again.meta.origin == "real"
    assert len(Exposures.read(tmp_path / "log.parquet")) == 3


def test_noise_of_a_skysurvey_log_is_skysurvey_s():
    log = read_exposures(pd.DataFrame(SKYSURVEY))
    # There: sqrt(skynoise^2 + flux / gain), all in units of zp.
    zp, noise, gain = (np.array(SKYSURVEY[name]) for name in ("zp", "skynoise", "gain"))
    for flux in (0.0, 100.0, 1e5):
        unit = 10.0 ** (0.4 * (ZP_NJY - zp))
        ours = flux_error(
            jnp.asarray(flux * unit), jnp.asarray(log["depth"]), jnp.asarray(log["zp"])
        )
        assert np.allclose(ours / unit, np.sqrt(noise**2 + flux / gain), rtol=1e-10)


def test_fields_place_a_log_without_positions():
    frame = pd.DataFrame(SKYSURVEY).drop(columns=["ra", "dec"])
    frame["fieldid"] = [700, 7, 300]
    fields = Fields(
        number=np.array([700, 300, 1]),
        ra=np.array([1.0, 2.0, 3.0]),
        dec=np.array([-1.0, -2.0, -3.0]),
        group=np.full(3, "primary"),
    )
    log = read_exposures(frame, fields=fields)
    assert log["ra"].tolist() == [1.0, 2.0]
    assert log["field"].tolist() == [700, 300]
    assert log.meta.provenance["log"]["rejected"] == {"field_unknown": 1}
    with pytest.raises(InputError, match=r"no columns ra and dec.*give fields=Fields"):
        read_exposures(frame)


HOSTILE = {
    "mjd_missing": {"mjd": np.nan},
    "mjd_outside": {"mjd": 100.0},
    "position_missing": {"ra": np.inf},
    "position_outside": {"dec": -91.0},
    "band_missing": {"band": None},
    "band_left_out": {"band": "clear"},
    "zp_missing": {"zp": "?"},
    "zp_absurd": {"zp": -99.0},
    "depth_missing": {"depth": None},
    "depth_absurd": {"depth": 99.0},
    "depth_beyond_photons": {"depth": 20.0, "zp": 22.0},
    "condition_absurd": {"airmass": -9999.0},
    "name_duplicate": {"exposure": "b"},
}


@pytest.mark.parametrize("spelling", ["ztf_{}", "ZTF_{}", "z{}", "p48{}"])
def test_names_of_bands_as_in_tables_of_light_curves(spelling):
    frame = pd.DataFrame(SKYSURVEY)
    frame["band"] = [spelling.format(name[-1]) for name in frame["band"]]
    log = read_exposures(frame)
    assert log["band"].tolist() == SKYSURVEY["band"]
    facts = log.meta.provenance["log"]["band_names"]
    assert (facts["aliases_version"], facts["renamed"][spelling.format("g")]) == (1, "ztfg")
    mine = read_exposures(frame, bands={spelling.format("g"): "LSST_y"})
    assert mine["band"].tolist() == ["lssty", "ztfr", "ztfi"]
    assert "band_names" not in read_exposures(pd.DataFrame(SKYSURVEY)).meta.provenance["log"]


def test_each_hostile_row_has_its_reason():
    good = pd.DataFrame(OWN)
    rows = [
        {**good.iloc[0].to_dict(), "exposure": f"x{i}", **change}
        for i, change in enumerate(HOSTILE.values())
    ]
    log = read_exposures(
        pd.concat([good, pd.DataFrame(rows)], ignore_index=True), bands={"clear": None}
    )
    assert sorted(log["exposure"]) == ["a", "b", "c"]
    facts = log.meta.provenance["log"]
    assert facts["rejected"] == dict.fromkeys(HOSTILE, 1)
    assert (facts["rows"], facts["used"]) == (3 + len(HOSTILE), 3)
    for change in ({"skynoise": 0.0}, {"gain": -1.0}, {"skynoise": np.nan}):
        frame = pd.DataFrame(SKYSURVEY)
        frame.loc[1, list(change)] = list(change.values())
        rejected = read_exposures(frame).meta.provenance["log"]["rejected"]
        assert rejected == {"noise_not_positive": 1}
    assert set(HOSTILE) | {"noise_not_positive", "field_unknown"} == set(REASONS)


def test_unusable_logs_say_why(tmp_path):
    own = pd.DataFrame(OWN)
    with pytest.raises(
        InputError, match=r"unknown band 'g' \(near: lsstg, ztfg\).*bands=\{'g': 'ztfg'\}"
    ):
        read_exposures(own.assign(band=["g", "ztfr", "ztfi"]))
    assert (
        read_exposures(own.assign(band="g"), bands={"g": "ztfg"})["band"].tolist() == ["ztfg"] * 3
    )
    with pytest.raises(InputError, match="the log has no row"):
        read_exposures(own.iloc[:0])
    with pytest.raises(InputError, match="missing column depth; found exposure, mjd"):
        read_exposures(own.drop(columns="depth"))
    with pytest.raises(InputError, match="missing column gain"):
        read_exposures(pd.DataFrame(SKYSURVEY).drop(columns="gain"))
    with pytest.raises(InputError, match=r"a Julian date; subtract 2400000\.5"):
        read_exposures(own.assign(mjd=own["mjd"] + 2400000.5))
    with pytest.raises(InputError, match="none of 3 exposures is usable: 3 depth_absurd"):
        read_exposures(own.assign(depth=-1.0))
    with pytest.raises(InputError, match="column zp stands twice"):
        read_exposures(pd.concat([own, own[["zp"]]], axis=1))
    with pytest.raises(InputError, match="takes a path, DataFrame"):
        read_exposures(3)
    with pytest.raises(InputError, match="found none"):
        read_exposures(tmp_path / "absent.parquet")
    with pytest.raises(InputError, match=r"absent\.csv: expected a CSV file, found none"):
        read_exposures(tmp_path / "absent.csv")
    with pytest.raises(InputError, match=r"a log is a \.parquet or \.csv file"):
        read_exposures(tmp_path / "log.fits")
    (tmp_path / "log.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="expected Parquet"):
        read_exposures(tmp_path / "log.parquet")
    (tmp_path / "log.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"log\.csv: expected a table"):
        read_exposures(tmp_path / "log.csv")
