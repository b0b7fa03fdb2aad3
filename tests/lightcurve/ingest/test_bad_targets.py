"""Bad inputs that concern the targets, by their number: redshifts, and one supernova twice."""

import numpy as np
import pandas as pd
import pytest
from small_tables import TARGETS, frame

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest import cross_match, read_lightcurves
from chandelle.products.targets import Targets


@pytest.mark.parametrize("z", [np.nan, -9.0, -99.0, -999.0])
def test_row_33_a_redshift_is_never_a_sentinel(z):
    targets = read_lightcurves(frame(), targets=TARGETS.assign(z=[z, 0.03])).targets
    np.testing.assert_array_equal(targets["z_hel"], [np.nan, 0.03])


def test_row_34_redshifts_have_distinct_names():
    """Those of Pantheon+ 2011fe-like headers: zHEL, zCMB and zHD each go to their own."""
    targets = TARGETS.drop(columns="z").assign(
        zHD=[0.0487, 0.03], zCMB=[0.0490, 0.03], zHEL=[0.05, 0.03]
    )
    found = read_lightcurves(frame(), targets=targets).targets
    assert (found["z_hel"][0], found["z_cmb"][0], found["z_hd"][0]) == (0.05, 0.0490, 0.0487)
    with pytest.raises(InputError, match=r"missing column z_hel \(or zhel"):
        read_lightcurves(frame(), targets=targets.drop(columns="zHEL"))


@pytest.mark.real
def test_row_34_swapped_redshifts_are_found_by_the_motion_of_the_sun(real_data):
    path = real_data / "sn_distances" / "pantheonplus" / "Pantheon+SH0ES.dat"
    table = pd.read_csv(path, sep=r"\s+")
    table = table[~table["CID"].duplicated()]
    good = pd.DataFrame(
        {
            "name": table["CID"],
            "ra": table["RA"],
            "dec": table["DEC"],
            "z_hel": table["zHEL"],
            "z_cmb": table["zCMB"],
            "z_hd": table["zHD"],
        }
    )
    none = frame().assign(target=good["name"].iloc[0])
    assert len(read_lightcurves(none, targets=good).targets) == len(good)
    for other in ("z_cmb", "z_hd"):
        swapped = good.rename(columns={"z_hel": other, other: "z_hel"})
        with pytest.raises(InputError, match=r"targets: z_hel and \S+ are swapped"):
            read_lightcurves(none, targets=swapped)


def two_surveys() -> pd.DataFrame:
    data = frame().assign(survey=["CSP"] * 6 + ["CfA3"] * 2, z=0.03)
    data.loc[data["survey"] == "CfA3", "z"] = 0.0301
    return data


def test_row_36_surveys_are_named_where_they_are_known():
    twice = pd.concat([TARGETS, TARGETS])
    with pytest.raises(InputError, match=r"2 supernovae stand twice, a, b; choose"):
        read_lightcurves(frame(), targets=twice)
    twice["survey"] = ["CSP", "", "", ""]
    with pytest.raises(InputError, match=r"stand twice, a \(CSP and unknown\), b; choose"):
        read_lightcurves(frame(), targets=twice)


def test_row_36_a_supernova_of_two_surveys_needs_a_policy(caplog):
    with pytest.raises(InputError, match=r"1 supernovae stand twice, b \(CSP and CfA3\).*'merge'"):
        read_lightcurves(two_surveys())
    kept = read_lightcurves(two_surveys(), duplicates="keep")
    assert kept.targets["sn"].tolist() == ["a", "b_CSP", "b_CfA3"]
    assert kept.targets["survey"].tolist() == ["CSP", "CSP", "CfA3"]
    assert kept.targets["z_hel"].tolist() == [0.03, 0.03, 0.0301]
    assert kept["sn"].tolist() == ["a"] * 4 + ["b_CSP"] * 2 + ["b_CfA3"] * 2
    merged = read_lightcurves(two_surveys(), duplicates="merge")
    assert merged.targets["sn"].tolist() == ["a", "b"]
    assert len(merged) == 8
    assert merged.meta.provenance["duplicates"] == {"policy": "merge", "names": ["b"]}


def test_row_36_the_policy_holds_for_given_targets_too():
    targets = pd.DataFrame({"name": ["b", "a"], "z": [0.03, 0.05], "survey": ["CSP", "CSP"]})
    kept = read_lightcurves(two_surveys(), targets=targets, duplicates="keep")
    assert kept.targets["sn"].tolist() == ["b_CSP", "b_CfA3", "a"]
    twice = pd.concat([targets, targets[:1].assign(survey="CfA3", z=0.0301)])
    kept = read_lightcurves(two_surveys(), targets=twice, duplicates="keep")
    assert sorted(zip(kept.targets["sn"], kept.targets["z_hel"], strict=True)) == [
        ("a", 0.05),
        ("b_CSP", 0.03),
        ("b_CfA3", 0.0301),
    ]
    merged = read_lightcurves(two_surveys(), targets=twice, duplicates="merge")
    assert merged.targets["survey"].tolist() == ["CSP+CfA3", "CSP"]
    with pytest.raises(InputError, match="no survey tells its light curves apart"):
        read_lightcurves(frame(), targets=twice, duplicates="keep")


def test_row_36_cross_match_finds_pairs_by_name_and_position(caplog):
    targets = pd.DataFrame(
        {
            "name": ["SN 2011fe", "2011fe", "PTF11kly", "x", "y"],
            "ra": [210.774, 210.774, 210.774 + 0.4 / 3600, 0.0001, 359.9999],
            "dec": [54.274, 54.274, 54.274, -89.99995, -89.99995],
            "z": [0.0008, 0.0008, np.nan, 0.1, 0.3],
        }
    )
    lcs = read_lightcurves(frame().assign(target="x"), targets=targets)
    pairs = cross_match(lcs.targets)
    found = [tuple(row) for row in pairs[["sn_1", "sn_2", "by"]].values]
    assert found == [
        ("SN 2011fe", "2011fe", "both"),
        ("SN 2011fe", "PTF11kly", "position"),
        ("2011fe", "PTF11kly", "position"),
        ("x", "y", "position"),
    ]
    np.testing.assert_allclose(
        pairs["separation_arcsec"][1:3], 0.4 * np.cos(np.radians(54.274)), rtol=1e-4
    )
    np.testing.assert_allclose(pairs["delta_z"], [0.0, np.nan, np.nan, 0.2], atol=1e-12)
    assert "4 pairs of targets may be one supernova" in caplog.text
    split = Targets(table=lcs.targets.table.slice(0, 2)), lcs.targets.select([2, 3, 4])
    assert cross_match(split).equals(pairs)
    assert len(cross_match(lcs.targets, radius_arcsec=1e-3)) == 2
    assert len(cross_match(lcs.targets.select([2, 4]))) == 0
