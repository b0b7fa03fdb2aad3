"""Ingest: what comes in is converted, what is unusable is rejected with its reason."""

import logging

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
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband

TARGETS = pd.DataFrame({"name": ["b", "a", "empty"], "z": [0.03, 0.05, 0.07], "mwebv": 0.02})


def frame() -> pd.DataFrame:
    """Eight good epochs of two supernovae at zero point 25."""
    n = 8
    return pd.DataFrame(
        {
            "target": ["a"] * 4 + ["b"] * 4,
            "time": 59000.0 + np.arange(n),
            "filter": ["ztfg", "ztfr"] * 4,
            "flux": 100.0 + np.arange(n),
            "fluxerr": np.full(n, 5.0),
            "zp": np.full(n, 25.0),
            "zpsys": ["ab"] * n,
        }
    )


def reasons(lcs: LightCurves) -> dict[str, int]:
    rows = lcs.rejected.to_pylist()
    return {
        name: sum(r["count"] for r in rows if r["reason"] == name)
        for name in dict.fromkeys(r["reason"] for r in rows)
    }


def test_fluxes_become_nanojansky_as_sncosmo_scales_them():
    lcs = read_lightcurves(frame(), targets=TARGETS)
    data = sncosmo.photdata.PhotometricData(Table.from_pandas(frame()))
    expected = data.normalized_flux(zp=ZP_NJY, zpsys="ab")
    np.testing.assert_allclose(lcs["flux"], expected, rtol=1e-12)
    assert set(lcs["zp"]) == {ZP_NJY}
    assert lcs.targets["sn"].tolist() == ["b", "a", "empty"]
    assert lcs.targets["z_hel"].tolist() == [0.03, 0.05, 0.07]


def as_multi_index() -> pd.DataFrame:
    data = frame()
    index = pd.MultiIndex.from_arrays([data.pop("target"), np.tile(np.arange(4), 2)])
    return data.set_index(index)


def as_bytes_table() -> Table:
    table = Table.from_pandas(frame())
    table["filter"] = np.array(frame()["filter"].tolist(), dtype="S4")
    return table


def as_quantities() -> QTable:
    table = QTable.from_pandas(frame())
    factor = 10 ** (-0.4 * (25.0 - ZP_NJY))
    table["flux"] = (frame()["flux"].to_numpy() * factor * units.nJy).to(units.Jy)
    table["fluxerr"] = (frame()["fluxerr"].to_numpy() * factor * units.nJy).to(units.mJy)
    table["time"] = Time(frame()["time"].to_numpy(), format="mjd")
    table.remove_columns(["zp", "zpsys"])
    return table


@pytest.mark.parametrize("make", [as_multi_index, as_bytes_table, as_quantities])
def test_every_kind_of_table_gives_the_same(make):
    lcs = read_lightcurves(make(), targets=TARGETS)
    same = read_lightcurves(frame(), targets=TARGETS)
    for name in ("sn", "band"):
        assert lcs[name].tolist() == same[name].tolist()
    for name in ("mjd", "flux", "flux_err"):
        np.testing.assert_allclose(lcs[name], same[name], rtol=1e-12)


@pytest.mark.parametrize("kind", ["parquet", "csv", "ecsv", "folder"])
def test_every_kind_of_file_gives_the_same(kind, tmp_path):
    path = tmp_path / f"sample.{kind}"
    if kind == "parquet":
        frame().to_parquet(path)
    elif kind == "csv":
        frame().to_csv(path, index=False)
    elif kind == "ecsv":
        Table.from_pandas(frame()).write(path)
    else:
        read_lightcurves(frame(), targets=TARGETS, origin="simulated").write(path)
    targets = None if kind == "folder" else TARGETS
    lcs = read_lightcurves(path, targets=targets, origin="simulated")
    same = read_lightcurves(frame(), targets=TARGETS, origin="simulated")
    assert lcs.meta.origin == "simulated"
    assert lcs.targets.to_pandas().equals(same.targets.to_pandas())
    np.testing.assert_allclose(lcs["flux"], same["flux"], rtol=1e-12)


def test_what_leaves_as_a_table_comes_back_the_same():
    lcs = read_lightcurves(frame(), targets=TARGETS)
    for table in (lcs.to_pandas(), lcs.to_astropy(), lcs.to_arrow()):
        back = read_lightcurves(table, targets=lcs.targets)
        np.testing.assert_allclose(back["flux"], lcs["flux"], rtol=1e-12)


TOPS = {
    "comment": ("# hi\n", ""),
    "comments": ('# fluxes of a, and of b\n\n#\n# a 7" telescope\n', ""),
    "header_in_comment": ("", "#"),
    "header_in_a_comment_of_several": ("# hi\n", "# "),
    "as_many_fields": ("# 1,2,3,4,5,6,7\n", ""),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("top", TOPS)
def test_comments_at_the_top_of_csv_are_skipped(top, end, tmp_path):
    data = frame().assign(target=["001"] * 4 + ["b"] * 4)
    data.to_csv(tmp_path / "plain.csv", index=False)
    comment, mark = TOPS[top]
    text = comment + mark + (tmp_path / "plain.csv").read_text()
    (tmp_path / "a.csv").write_bytes(text.replace("\n", end).encode())
    lcs = read_lightcurves(tmp_path / "a.csv")
    assert lcs["sn"].tolist() == data["target"].tolist()
    np.testing.assert_array_equal(lcs["flux"], read_lightcurves(data)["flux"])
    table = "# of ours\nname,z\n001,0.1\nb,0.2\n"
    (tmp_path / "targets.csv").write_text(table)
    lcs = read_lightcurves(tmp_path / "a.csv", targets=tmp_path / "targets.csv")
    assert lcs.targets["z_hel"].tolist() == [0.1, 0.2]


def test_a_header_of_blanks_in_a_comment_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("# mjd band flux\n59000 ztfg 100\n")
    with pytest.raises(InputError, match=r"a\.csv: missing column mjd .*; found mjd band flux"):
        read_lightcurves(tmp_path / "a.csv")


def test_an_index_that_cannot_be_flattened_is_refused():
    """More than two levels without a name, or one of the name of a column."""
    data = frame()
    three = [data["target"].to_numpy(), np.tile(np.arange(4), 2), np.arange(8)]
    wrong = {
        "observation": data.drop(columns="target").set_index(pd.MultiIndex.from_arrays(three)),
        "target": data.set_index("target", drop=False),
    }
    for name, table in wrong.items():
        with pytest.raises(InputError, match=rf"\(target, observation\).*{name} stands twice"):
            read_lightcurves(table, targets=TARGETS)
    named = pd.MultiIndex.from_arrays(three, names=["target", "night", "visit"])
    assert len(read_lightcurves(data.drop(columns="target").set_index(named))) == 8


@pytest.mark.parametrize("column", ["flux", "target", "z"])
def test_a_column_that_stands_twice_is_refused(column, tmp_path):
    data = frame().assign(z=0.05)
    twice = pd.concat([data, data[[column]]], axis=1)
    message = f"column {column} stands twice"
    with pytest.raises(InputError, match=f"DataFrame: {message}"):
        read_lightcurves(twice)
    twice.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=rf"a\.csv: {message}"):
        read_lightcurves(tmp_path / "a.csv")
    if column != "flux":
        known = twice[["target", "z"]][:1]
        with pytest.raises(InputError, match=f"targets: {message}"):
            read_lightcurves(data, targets=known)


def test_a_column_that_is_not_read_may_stand_twice():
    notes = pd.DataFrame({"note": ["x"] * 8})
    assert len(read_lightcurves(pd.concat([frame(), notes, notes], axis=1))) == 8


def _set(column, value):
    def change(data):
        data.loc[1, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("flux", np.nan), "flux_nan"),
        (_set("flux", np.inf), "flux_inf"),
        (_set("fluxerr", np.nan), "err_nonfinite"),
        (_set("fluxerr", np.inf), "err_nonfinite"),
        (_set("fluxerr", 0.0), "err_not_positive"),
        (_set("fluxerr", -5.0), "err_not_positive"),
        (_set("zp", np.nan), "zp_nan"),
        (_set("zpsys", "bd17"), "zpsys_unsupported"),
        (_set("time", np.nan), "time_nan"),
        (_set("filter", "ztfG"), "band_unknown"),
    ],
)
def test_a_bad_epoch_is_rejected_with_its_reason(change, reason, caplog):
    data = frame()
    change(data)
    with caplog.at_level(logging.INFO):
        lcs = read_lightcurves(data, targets=TARGETS)
    assert lcs.rejected.to_pylist() == [{"sn": "a", "reason": reason, "count": 1}]
    assert len(lcs) == 7
    assert f"8 in, 7 used, 1 rejected: 1 {reason}" in caplog.text
    is_a = lcs["sn"] == "a"
    assert (lcs.flags[is_a] & Flag.POINTS_REJECTED).all()
    assert not lcs.flags[~is_a].any()
    with pytest.raises(InputError, match=f"1 {reason}"):
        read_lightcurves(data, targets=TARGETS, strict=True)


def test_an_unknown_band_names_its_neighbors(caplog):
    data = frame()
    data.loc[0, "filter"] = "ztfgg"
    with caplog.at_level(logging.INFO):
        read_lightcurves(data, targets=TARGETS)
    assert "'ztfgg' (near: ztfg" in caplog.text


def test_exact_duplicates_are_dropped_once():
    data = pd.concat([frame(), frame()])
    lcs = read_lightcurves(data, targets=TARGETS)
    assert len(lcs) == 8
    assert reasons(lcs) == {"duplicate": 8}


def test_jd_next_to_mjd_is_refused_and_jd_alone_converted():
    data = frame()
    data.loc[:3, "time"] += 2_400_000.5
    with pytest.raises(InputError, match="4 of 8 times are JD"):
        read_lightcurves(data, targets=TARGETS)
    data = frame()
    data["time"] += 2_400_000.5
    lcs = read_lightcurves(data, targets=TARGETS)
    np.testing.assert_allclose(lcs["mjd"], frame()["time"], atol=1e-6)


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.yaml", "a.yml", "a.npy", "a.joblib"])
def test_files_that_can_run_code_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match="is refused"):
        read_lightcurves(tmp_path / name)


def test_missing_columns_name_their_aliases():
    with pytest.raises(InputError, match=r"missing column zp \(or zpt, zeropoint"):
        read_lightcurves(frame().drop(columns="zp"), targets=TARGETS)
    with pytest.raises(InputError, match=r"missing column mjd \(or time"):
        read_lightcurves(frame().drop(columns="time"), targets=TARGETS)


def test_units_that_contradict_are_refused():
    table = as_quantities()
    table["zp"] = 25.0
    with pytest.raises(InputError, match="zero point 8"):
        read_lightcurves(table, targets=TARGETS)
    table = as_quantities()
    table["fluxerr"] = np.asarray(table["fluxerr"].value)
    with pytest.raises(InputError, match="give both a unit"):
        read_lightcurves(table, targets=TARGETS)


def test_epochs_without_target_are_refused():
    with pytest.raises(InputError, match="no target, first b"):
        read_lightcurves(frame(), targets=TARGETS[1:])


def test_targets_come_from_the_table_or_its_meta():
    data = frame()
    data["z"] = np.where(data["target"] == "a", 0.05, -9.0)
    lcs = read_lightcurves(data)
    assert lcs.targets["sn"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(lcs.targets["z_hel"], [0.05, np.nan])
    table = Table.from_pandas(frame()[:4].drop(columns="target"), index=False)
    table.meta.update(name="only", z=0.04, mwebv=0.1)
    lcs = read_lightcurves(table)
    assert lcs.targets["sn"].tolist() == ["only"]
    assert lcs.targets["z_hel"].tolist() == [0.04]
    assert lcs.targets["mwebv"].tolist() == [0.1]


def test_own_passbands_are_known():
    data = frame().assign(filter="mine")
    band = Passband(name="mine", wave=np.array([4e3, 5e3, 6e3]), transmission=np.array([0, 1, 0.0]))
    lcs = read_lightcurves(data, targets=TARGETS, passbands={"mine": band})
    assert len(lcs) == 8
    assert list(lcs.passbands) == ["mine"]


@pytest.mark.parametrize("kind", [Table, QTable])
def test_masked_values_are_unknown_whatever_lies_under_the_mask(kind):
    data = frame().assign(z=0.05, mwebv=0.3, flux=np.arange(100, 108))
    data = Table.from_pandas(data)
    data["flux"].unit = "nJy"
    data["fluxerr"].unit = "nJy"
    table = Table(kind(data[[name for name in data.colnames if name != "zp"]]), masked=True)
    table = kind(table)
    first = table["target"] == "a"
    for name in ("z", "mwebv"):
        table[name].mask = first
    table["flux"].mask[1] = True
    lcs = read_lightcurves(table)
    assert reasons(lcs) == {"flux_nan": 1}
    np.testing.assert_array_equal(lcs.targets["z_hel"], [np.nan, 0.05])
    np.testing.assert_array_equal(lcs.targets["mwebv"], [np.nan, 0.3])


def test_two_redshifts_under_one_name_are_refused():
    data = frame()
    data["z"] = 0.05
    assert len(read_lightcurves(data).targets) == 2
    data.loc[data.index[-1], "z"] = 0.15
    with pytest.raises(InputError, match=r"has z_hel 0\.05 and 0\.15"):
        read_lightcurves(data)
