"""Several tables at once, one supernova a file; names as they were written."""

import tarfile

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.ingest.coded import concatenate, encode


def one(n: int = 4, *, start: float = 59000.0) -> pd.DataFrame:
    """Epochs of one supernova, without its name."""
    return pd.DataFrame(
        {
            "mjd": start + np.arange(n),
            "band": np.resize(["ztfg", "ztfr"], n),
            "flux": 100.0 + np.arange(n),
            "fluxerr": 5.0,
            "zp": 25.0,
        }
    )


@pytest.fixture
def folder(tmp_path):
    """Three files: a CSV, an ECSV that knows its redshift, and a CSV without epochs."""
    path = tmp_path / "sample"
    path.mkdir()
    one().to_csv(path / "2011fe.csv", index=False)
    table = Table.from_pandas(one(3, start=59100.0))
    table.meta["z"] = 0.04
    table.write(path / "b.ecsv")
    one(0).to_csv(path / "empty.csv", index=False)
    return path


@pytest.mark.parametrize("kind", ["folder", "list"])
def test_a_folder_and_a_list_of_tables_are_one_supernova_a_file(folder, kind):
    lcs = read_lightcurves(folder if kind == "folder" else sorted(folder.iterdir()))
    assert lcs.targets["sn"].tolist() == ["2011fe", "b", "empty"]
    np.testing.assert_array_equal(lcs.targets["z_hel"], [np.nan, 0.04, np.nan])
    assert lcs["sn"].tolist() == ["2011fe"] * 4 + ["b"] * 3
    assert lcs["mjd"].tolist() == [*one()["mjd"], *one(3, start=59100.0)["mjd"]]
    assert lcs.meta.provenance["time_scale"] == "utc"


def test_a_column_of_names_goes_before_the_name_of_the_file(tmp_path):
    one().assign(name="x", z=0.1).to_csv(tmp_path / "a.csv", index=False)
    one().to_parquet(tmp_path / "b.parquet")
    lcs = read_lightcurves([tmp_path / "a.csv", tmp_path / "b.parquet"])
    assert lcs.targets["sn"].tolist() == ["x", "b"]
    assert lcs.targets["z_hel"][0] == 0.1


def test_one_file_without_names_is_named_by_its_stem_too(folder):
    assert read_lightcurves(folder / "2011fe.csv").targets["sn"].tolist() == ["2011fe"]


def test_given_targets_join_the_files_of_one_supernova(tmp_path):
    for band in ("ztfg", "ztfr"):
        one().query("band == @band").assign(name="x").to_csv(tmp_path / f"{band}.csv", index=False)
    targets = pd.DataFrame({"name": ["x"], "z": [0.1]})
    assert len(read_lightcurves(tmp_path, targets=targets)) == 4
    with pytest.raises(InputError, match=r"1 supernovae stand twice, x; .*'merge'"):
        read_lightcurves(tmp_path)
    assert len(read_lightcurves(tmp_path, duplicates="merge")) == 4


def test_what_cannot_be_read_is_said_with_its_file(folder, tmp_path):
    (folder / "c.csv").write_text("mjd,band\n1,2\n")
    with pytest.raises(InputError, match=r"c\.csv: missing column flux"):
        read_lightcurves(folder)
    (folder / "c.csv").write_text("")
    with pytest.raises(InputError, match=r"c\.csv: expected csv"):
        read_lightcurves(folder)
    (folder / "a.dat").write_text("x")
    with pytest.raises(InputError, match=r"a\.dat is no table as .*2011fe\.csv is"):
        read_lightcurves([folder / "a.dat", folder / "2011fe.csv"])
    with pytest.raises(InputError, match=r"absent\.csv: no such file"):
        read_lightcurves([folder / "absent.csv"])
    with pytest.raises(InputError, match="list of light-curve files is empty"):
        read_lightcurves([])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"no light curves found; expected SNANA.*an empty folder"):
        read_lightcurves(empty)
    (empty / "image.fits").write_bytes(b"x")
    with pytest.raises(InputError, match=r"found 1 files \(\.fits\)"):
        read_lightcurves(empty)


@pytest.mark.parametrize("kind", ["float", "object", "Int64", "masked"])
def test_whole_numbers_are_names_without_a_fraction(kind):
    numbers = [7, 7, None, 12]
    data = one().assign(name=pd.Series(numbers, dtype=kind if kind != "masked" else "float"))
    table = data
    if kind == "masked":
        table = Table.from_pandas(data.drop(columns="name"))
        table["name"] = np.ma.array([7, 7, -1, 12], mask=[0, 0, 1, 0])
    lcs = read_lightcurves(table)
    assert lcs.targets["sn"].tolist() == ["7", "12"]
    assert lcs.rejected.to_pylist() == [{"sn": "", "reason": "name_missing", "count": 1}]
    targets = pd.DataFrame({"name": [12.0, 7.0], "z": [0.1, 0.2]})
    assert read_lightcurves(table, targets=targets).targets["sn"].tolist() == ["12", "7"]


def test_names_in_csv_keep_their_zeros(tmp_path):
    one().assign(CID="000006").to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame({"CID": ["000006"], "z": [0.2]}).to_csv(tmp_path / "targets.csv", index=False)
    lcs = read_lightcurves(tmp_path / "a.csv", targets=tmp_path / "targets.csv")
    assert lcs.targets["sn"].tolist() == ["000006"]
    assert lcs.targets["z_hel"].tolist() == [0.2]


def test_codes_are_the_text_they_stand_for():
    words = np.array(["b", "a", "b", b"a", 3, 3.0, None, np.nan, " a "], dtype=object)
    coded = encode(words)
    assert coded.text().tolist() == ["b", "a", "b", "a", "3", "3", "", "", "a"]
    assert len(set(coded.values.tolist())) == len(coded.values)
    assert coded.renamed(["x"] * len(coded.values)).text().tolist() == ["x"] * 9
    both = concatenate([coded, encode(np.array(["c", "b"]))])
    assert both.text().tolist() == [*coded.text().tolist(), "c", "b"]
    assert coded.take(np.array([4, 1])).to_arrow().to_pylist() == ["3", "a"]
    empty = encode(pd.Series([], dtype=object))
    assert (len(empty), len(concatenate([])), empty.to_arrow().to_pylist()) == (0, 0, [])


@pytest.mark.real
def test_alert_magnitudes_of_ztf_are_read_from_a_folder(real_data, tmp_path):
    """1145 CSV files of time, mag, magerr and bands g and R, as ANTARES writes them."""
    source = real_data / "lightcurves" / "ztf_bts_snia" / "light-curves.tar.gz"
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    lcs = read_lightcurves(tmp_path, bands={"g": "ztfg", "R": "ztfr"}, origin="real")
    assert len(lcs.targets) == 1145
    assert len(lcs) + sum(lcs.rejected["count"].to_pylist()) == 22_222
    row = lcs.of("ZTF17aadlxmv").to_pylist()[0]
    assert row["mjd"] == pytest.approx(58863.35146989999, abs=1e-9)
    assert row["flux"] == pytest.approx(3631e9 * 10 ** (-0.4 * 19.798999786376957), rel=1e-9)
    assert row["band"] == "ztfr"
    assert set(lcs["band"]) == {"ztfg", "ztfr", "ztfi"}
