"""Schemas, conversions, files and reprs of the tabular products."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chandelle.core.errors import InputError
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.product import Meta
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets

FITS = {
    "sn": ["a", "b"],
    "z": [0.1, 0.2],
    "t0": [59000.0, 59001.0],
    "x0": [1e-3, 2e-3],
    "x1": [0.5, np.nan],
    "c": [0.1, 0.0],
    "status": ["ok", "no_data"],
}


@pytest.fixture
def lightcurves():
    targets = Targets.from_columns({"sn": ["a", "b", "none"], "z_hel": [0.1, 0.2, 0.3]})
    band = Passband(
        name="odd", wave=np.array([4e3, 5e3, 6e3]), transmission=np.array([0.0, 1.0, 0.0])
    )
    return LightCurves.from_columns(
        {
            "sn": ["b", "a", "a"],
            "mjd": [3.0, 2.0, 1.0],
            "band": ["odd", "ztfg", "ztfr"],
            "flux": [1.0, 2.0, 3.0],
            "flux_err": [0.1, 0.1, 0.1],
        },
        targets=targets,
        passbands={"odd": band},
        rejected=pa.table({"sn": ["a"], "reason": ["flux_nan"], "count": [2]}),
        meta=Meta(origin="simulated", provenance={"seed": np.int64(3)}),
    )


def test_missing_column_is_named():
    with pytest.raises(InputError, match="saltfits: missing column x1"):
        SaltFits.from_columns({k: v for k, v in FITS.items() if k != "x1"})


def test_wrong_type_is_named():
    with pytest.raises(InputError, match="column t0 must be double"):
        SaltFits.from_columns({**FITS, "t0": ["late", "early"]})


def test_optional_columns_are_filled_and_extra_ones_kept():
    fits = SaltFits.from_columns({**FITS, "mine": [7, 8]})
    assert np.isnan(fits["mb"]).all()
    assert fits["ndof"].tolist() == [0, 0]
    assert fits["mine"].tolist() == [7, 8]
    assert fits.flags.tolist() == [0, 0]


def test_lengths_must_agree():
    with pytest.raises(InputError, match="one length"):
        Targets.from_columns({"sn": ["a"], "z_hel": [0.1, 0.2]})


def test_nulls_and_dictionaries_come_in():
    table = pa.table({"sn": pa.array(["a", "b"]).dictionary_encode(), "z_hel": [0.1, None]})
    targets = Targets(table=table)
    assert targets["sn"].tolist() == ["a", "b"]
    assert np.isnan(targets["z_hel"][1])


def test_conversions_carry_values_and_units():
    fits = SaltFits.from_columns(FITS)
    frame = fits.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.index.name == "sn"
    assert frame.loc["a", "x1"] == 0.5
    table = fits.to_astropy()
    assert str(table["t0"].unit) == "d"
    assert table["sn"].dtype.kind == "U"
    assert fits.to_arrow().schema.field("mb").metadata[b"unit"] == b"mag"


def test_file_is_read_back_and_readable_by_others(tmp_path):
    fits = SaltFits.from_columns(FITS, meta=Meta(origin="published", provenance={"model": "m"}))
    fits.write(tmp_path / "f.parquet")
    again = SaltFits.read(tmp_path / "f.parquet")
    pd.testing.assert_frame_equal(again.to_pandas(), fits.to_pandas())
    assert again.meta.origin == "published"
    assert again.meta.provenance["model"] == "m"
    assert pd.read_parquet(tmp_path / "f.parquet")["x1"][0] == 0.5


def test_a_file_of_another_hand_has_no_origin(tmp_path):
    pq.write_table(pa.table({"sn": ["a"], "z_hel": [0.1]}), tmp_path / "t.parquet")
    assert Targets.read(tmp_path / "t.parquet").meta.origin is None


def test_the_wrong_product_is_refused(tmp_path):
    Targets.from_columns({"sn": ["a"], "z_hel": [0.1]}).write(tmp_path / "t.parquet")
    with pytest.raises(InputError, match="expected saltfits, found targets"):
        SaltFits.read(tmp_path / "t.parquet")
    with pytest.raises(InputError, match="found none"):
        SaltFits.read(tmp_path / "absent.parquet")
    (tmp_path / "junk.parquet").write_text("not parquet")
    with pytest.raises(InputError, match="expected Parquet"):
        SaltFits.read(tmp_path / "junk.parquet")


def test_a_newer_version_is_refused(tmp_path):
    table = pa.table({"sn": ["a"], "z_hel": [0.1]}).replace_schema_metadata(
        {"chandelle": '{"product": "targets", "version": 99, "origin": null, "blinding": "none"}'}
    )
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match="version 99"):
        Targets.read(tmp_path / "t.parquet")


def test_distance_covariance_is_symmetric_and_complete():
    fits = SaltFits.from_columns(
        {
            **FITS,
            "mb_err": [0.1, 0.1],
            "x1_err": [0.2, 0.2],
            "c_err": [0.03, 0.03],
            "cov_mb_x1": [0.001, 0.0],
            "cov_mb_c": [0.002, 0.0],
            "cov_x1_c": [-0.001, 0.0],
        }
    )
    expected = [[0.01, 0.001, 0.002], [0.001, 0.04, -0.001], [0.002, -0.001, 0.0009]]
    np.testing.assert_allclose(fits.distance_covariance()[0], expected)
    assert fits.select(fits.is_ok)["sn"].tolist() == ["a"]


def test_fits_of_one_origin_are_joined():
    meta = Meta(origin="published", provenance={"model": "m"})
    one = SaltFits.from_columns(FITS, meta=meta)
    other = SaltFits.from_columns({**FITS, "mine": [1, 2]}, meta=meta)
    assert SaltFits.concat([one, other])["sn"].tolist() == ["a", "b", "a", "b"]
    with pytest.raises(InputError, match="one origin"):
        SaltFits.concat([one, SaltFits.from_columns(FITS)])
    with pytest.raises(InputError, match="got none"):
        SaltFits.concat([])


def test_lightcurves_go_to_disk_with_all_that_travels(tmp_path, lightcurves):
    lightcurves.write(tmp_path / "lcs")
    again = LightCurves.read(tmp_path / "lcs")
    pd.testing.assert_frame_equal(again.to_pandas(), lightcurves.to_pandas())
    pd.testing.assert_frame_equal(again.targets.to_pandas(), lightcurves.targets.to_pandas())
    assert again.rejected.equals(lightcurves.rejected)
    np.testing.assert_array_equal(again.passbands["odd"].wave, lightcurves.passbands["odd"].wave)
    assert again.meta.provenance["seed"] == 3
    with pytest.raises(InputError, match="folder"):
        lightcurves.write(tmp_path / "lcs.parquet")
    with pytest.raises(InputError, match="read_lightcurves"):
        LightCurves.read(tmp_path)


def test_lightcurves_without_passbands_go_to_disk(tmp_path, lightcurves):
    LightCurves(table=lightcurves.table, targets=lightcurves.targets).write(tmp_path / "lcs")
    assert LightCurves.read(tmp_path / "lcs").passbands == {}


def test_epochs_are_taken_by_target(lightcurves):
    assert lightcurves.of("a")["mjd"].to_pylist() == [1.0, 2.0]
    assert lightcurves.select(lightcurves["flux"] > 1)["flux"].tolist() == [2.0, 3.0]
    one = lightcurves.select_targets(np.array([False, True, True]))
    assert one["sn"].tolist() == ["b"]
    assert len(one.targets) == 2
    assert one.rejected.num_rows == 0


def test_orphans_and_doubles_are_refused(lightcurves):
    targets = Targets.from_columns({"sn": ["a"], "z_hel": [0.1]})
    with pytest.raises(InputError, match="first b"):
        LightCurves(table=lightcurves.table, targets=targets)
    double = Targets.from_columns({"sn": ["a", "a"], "z_hel": [0.1, 0.1]})
    with pytest.raises(InputError, match="unique"):
        LightCurves(table=lightcurves.table, targets=double)


def test_repr_says_what_is_inside(lightcurves):
    text = repr(lightcurves)
    assert "LightCurves: 3 rows, simulated" in text
    assert "flux [nJy] 1 .. 3" in text
    assert "<script" not in lightcurves._repr_html_()


def test_html_repr_escapes_names():
    targets = Targets.from_columns({"sn": ["<script>x</script>"], "z_hel": [0.1]})
    assert "<script" not in targets._repr_html_()


def test_provenance_takes_plain_values_only(tmp_path):
    targets = Targets.from_columns({"sn": ["a"], "z_hel": [0.1]}, meta=Meta(provenance={"x": {1}}))
    with pytest.raises(TypeError, match="plain values"):
        targets.write(tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("product", ["targets", "epochs", "fits"])
def test_rows_are_chosen_by_mask_or_index_alone(product, lightcurves):
    one = {
        "targets": lightcurves.targets,
        "epochs": lightcurves,
        "fits": SaltFits.from_columns(FITS),
    }[product]
    assert one.select([1, 0])["sn"].tolist() == one["sn"][[1, 0]].tolist()
    assert len(one.select([])) == 0
    with pytest.raises(InputError, match=f"mask must have {len(one)} entries, got 1"):
        one.select([True])
    with pytest.raises(InputError, match="mask or by indices"):
        one.select([0.5])
