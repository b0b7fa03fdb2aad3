"""The ZTF DR2: a synthetic tree read by us and by the package ztfcosmo, and trees gone wrong."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.units import nanojansky_from_zp
from chandelle.lightcurve.ingest import read_lightcurves, read_ztf_dr2
from chandelle.lightcurve.ingest.dr2_layout import FLAGS

NAMES = [f"ZTF18aaaaa{letter}a" for letter in "abcdefgh"]


def supernovae(rng):
    n = len(NAMES)
    return pd.DataFrame(
        {
            "ztfname": NAMES,
            "redshift": rng.uniform(0.02, 0.1, n),
            "redshift_err": 1e-4,
            "source": ["host", "snia"] * (n // 2),
            "t0": 58500.0,
            "x0": 1e-3,
            "x1": rng.normal(size=n),
            "c": 0.1 * rng.normal(size=n),
            "mwebv": rng.uniform(0.01, 0.1, n),
            "sn_type": "snia-cosmo",
            "sub_type": ["norm", "91t", None, "99aa"] * (n // 4),
            "lccoverage_flag": [1.0, 1.0, 0.0, np.nan] * (n // 4),
            "fitquality_flag": [1.0, 0.0] * (n // 2),
        }
    )


def epochs(rng, n=60):
    flux = rng.normal(500.0, 300.0, n)
    bits = np.where(rng.random(n) < 0.5, 0, 2 ** rng.integers(0, 11, n))
    return pd.DataFrame(
        {
            "mjd": np.sort(58480 + rng.uniform(0, 80, n)),
            "filter": rng.choice(["ztfg", "ztfr", "ztfi"], n),
            "flux": flux,
            "flux_err": rng.uniform(5.0, 60.0, n),
            "ZP": 30.0,
            "flag": bits | np.where(rng.random(n) < 0.2, 2 ** rng.integers(0, 11, n), 0),
            "mag": 20.0,
            "mag_err": 0.1,
            "mag_lim": 21.0,
            "field_id": 600,
            "rcid": 10,
        }
    )


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Eight supernovae in the layout of the release, ZTFCOSMODIR set to it."""
    rng = np.random.default_rng(7)
    folder = tmp_path / "ztfsniadr2"
    (folder / "tables" / "extra").mkdir(parents=True)
    (folder / "lightcurves").mkdir()
    table = supernovae(rng)
    table.to_csv(folder / "tables" / "snia_data.csv")
    other = table.assign(x1=table["x1"] + 1.0)
    other.to_csv(folder / "tables" / "extra" / "snia_data_phase-15to50_gr_salt3.csv")
    for where, extra in (
        ("global", {"ra": rng.uniform(0, 360, 8), "dec": rng.uniform(-20, 80, 8)}),
        ("local", {}),
    ):
        host = pd.DataFrame(
            {
                "mass": rng.uniform(8, 11, 8),
                "mass_err": 0.1,
                "restframe_gz": rng.normal(1, 0.2, 8),
                "restframe_gz_err": 0.05,
                **extra,
            },
            index=pd.Index(NAMES, name="ztfname"),
        )
        host.iloc[::-1].to_csv(folder / "tables" / f"{where}host_data.csv")
    for name in NAMES:
        text = epochs(rng).to_csv(sep=" ", index=False)
        (folder / "lightcurves" / f"{name}_lc.csv").write_text(f"# comment\n{text}")
    monkeypatch.setenv("ZTFCOSMODIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def ztfcosmo():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ztfcosmo
    return ztfcosmo


def reasons(lcs):
    total = Counter()
    for row in lcs.rejected.to_pylist():
        total[row["reason"]] += row["count"]
    return dict(total)


def test_epochs_and_their_cuts_equal_ztfcosmo(tree, ztfcosmo):
    lcs = read_ztf_dr2()
    everything = read_ztf_dr2(flags=())
    assert lcs.targets["sn"].tolist() == NAMES
    assert lcs.meta.origin == "real"
    for name in NAMES:
        theirs = ztfcosmo.get_target_lightcurve(name, as_data=False)
        for ours, flagout in ((lcs, [1, 2, 4, 8, 16]), (everything, None)):
            mine, other = ours.of(name), theirs.get_lcdata(flagout=flagout)
            assert mine.num_rows == len(other) > 0
            np.testing.assert_array_equal(mine["mjd"].to_numpy(), other["mjd"])
            assert mine["band"].to_pylist() == other["filter"].tolist()
            for column, their_column in (("flux", "flux"), ("flux_err", "error")):
                expected = nanojansky_from_zp(other[their_column].to_numpy(), 30.0)
                np.testing.assert_allclose(mine[column].to_numpy(), expected, rtol=1e-12)
    assert len(lcs) + sum(reasons(lcs).values()) == len(everything) == 8 * 60
    assert set(reasons(lcs)) == {f"dr2_flag_{bit}_{FLAGS[bit]}" for bit in (1, 2, 4, 8, 16)}
    assert (lcs.flags & Flag.POINTS_REJECTED != 0).all()
    assert reasons(everything) == {}


def test_a_strict_selection_equals_ztfcosmo(tree, ztfcosmo):
    lcs = read_ztf_dr2(tree, flags=list(FLAGS))
    theirs = ztfcosmo.get_target_lightcurve(NAMES[0], as_data=False).get_lcdata(flagout="all")
    assert lcs.of(NAMES[0])["mjd"].to_pylist() == theirs["mjd"].tolist()


def test_targets_equal_ztfcosmo(tree, ztfcosmo):
    ours = read_lightcurves(tree).targets.to_pandas().set_index("sn")
    theirs = ztfcosmo.get_data()
    assert ours.index.tolist() == theirs.index.tolist()
    for column, their_column in (
        *(("z_hel", "redshift"), ("z_err", "redshift_err"), ("mwebv", "mwebv"), ("ra", "ra")),
        *(("host_logmass", "globalmass"), ("host_logmass_err", "globalmass_err")),
        *(("local_color", "localrestframe_gz"), ("host_color", "globalrestframe_gz")),
        *(("local_logmass", "localmass"), ("local_color_err", "localrestframe_gz_err")),
        *(("lccoverage_flag", "lccoverage_flag"), ("fitquality_flag", "fitquality_flag")),
        *(("dr2_x1", "x1"), ("dr2_c", "c"), ("dr2_t0", "t0"), ("dr2_x0", "x0")),
    ):
        np.testing.assert_array_equal(ours[column], theirs[their_column].to_numpy(float))
    assert ours["sub_type"].tolist() == theirs["sub_type"].fillna("").tolist()
    assert ours["class"].tolist() == theirs["sn_type"].tolist()
    assert set(ours["z_source"]) == {"host", "snia"}
    assert np.isfinite(ours["z_cmb"]).all()
    # The columns by which ztfcosmo cuts are those by which we can: 1 is good, unknown is not.
    good = ours[(ours["lccoverage_flag"] == 1) & (ours["fitquality_flag"] == 1)]
    known = theirs[theirs["lccoverage_flag"].notna()]
    mask = known["lccoverage_flag"].astype(bool) & known["fitquality_flag"].astype(bool)
    assert good.index.tolist() == known.index[mask].tolist()


def test_another_published_fit_goes_with_the_targets(tree, ztfcosmo):
    ours = read_ztf_dr2(salt_model="salt3", salt_bands="gr", salt_phases=(-15, 50))
    theirs = ztfcosmo.io.get_sn_data(saltmodel="salt3", band="gr", phase_range=[-15, 50])
    np.testing.assert_array_equal(ours.targets["dr2_x1"], theirs["x1"])
    with pytest.raises(InputError, match="no names of a model"):
        read_ztf_dr2(salt_model="../../etc/x")
    with pytest.raises(InputError, match=r"snia_data_phase0to30_gri_salt3.csv: no such file"):
        read_ztf_dr2(salt_model="salt3", salt_phases=(0, 30))


def test_what_is_absent_or_broken_is_counted(tree, caplog):
    curves = tree / "lightcurves"
    (curves / f"{NAMES[0]}_lc.csv").unlink()
    (curves / f"{NAMES[1]}_lc.csv").write_text("mjd filter flux\n58500 ztfg 1.0\n")
    (curves / f"{NAMES[2]}_lc.csv").write_text("")
    lcs = read_ztf_dr2()
    assert lcs.targets["sn"].tolist() == NAMES
    assert set(lcs["sn"]) == set(NAMES[3:])
    assert reasons(lcs)["no_file"] == 1
    assert reasons(lcs)["unreadable_file"] == 2
    assert f"{NAMES[1]}_lc.csv: missing column flux_err, ZP, flag" in caplog.text


def test_a_name_is_never_a_path(tree):
    secret = tree.parent / "secret_lc.csv"
    secret.write_text((tree / "lightcurves" / f"{NAMES[0]}_lc.csv").read_text())
    path = tree / "tables" / "snia_data.csv"
    path.write_text(path.read_text().replace(NAMES[0], "../../secret"))
    lcs = read_ztf_dr2()
    assert "../../secret" in lcs.targets["sn"]
    assert "../../secret" not in lcs["sn"]
    assert reasons(lcs)["unreadable_file"] == 1


def test_where_the_tree_is_not_it_says_so(tree, monkeypatch):
    path = tree / "tables" / "snia_data.csv"
    text = path.read_text()
    path.write_text(text.replace("redshift,", "z,"))
    with pytest.raises(InputError, match=r"snia_data.csv: missing column redshift; found"):
        read_ztf_dr2()
    path.write_text(text.replace(NAMES[1], NAMES[0]))
    with pytest.raises(InputError, match=f"{NAMES[0]} stands twice"):
        read_ztf_dr2()
    with pytest.raises(InputError, match=r"found no tables/snia_data.csv"):
        read_ztf_dr2(tree / "tables")
    monkeypatch.delenv("ZTFCOSMODIR")
    with pytest.raises(InputError, match=r"set \$ZTFCOSMODIR"):
        read_ztf_dr2()
