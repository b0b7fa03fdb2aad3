"""Cuts: what passes, what is counted, and that every supernova has its reason."""

import logging

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.lightcurve.cuts import (
    PRESETS,
    Cut,
    apply_cuts,
    at_least,
    at_most,
    between,
    without_flags,
)
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.products.product import Meta
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)
N = 12
GOOD = {"t0": 59000.0, "x0": 1e-3, "x1": 0.0, "c": 0.0, "mwebv": 0.05}
ERRORS = {"t0_err": 0.3, "x1_err": 0.2, "c_err": 0.04, "x0_err": 1e-5, "mb_err": 0.03}
# Two bands, four detections each: two before maximum and two after, in both.
EPOCHS = [(p, b, 10.0) for b in ("ztfg", "ztfr") for p in (-6.0, -2.0, 3.0, 20.0)]


def made(changes=None, epochs=None):
    """Fits that dr2 keeps but for `changes` by row, with the epochs of `epochs` by row."""
    columns = {name: np.full(N, value) for name, value in (GOOD | ERRORS).items()}
    names = np.array([f"sn{i:02d}" for i in range(N)], dtype=object)
    columns |= {
        "sn": names,
        "z": np.full(N, 0.05),
        "z_hd": np.full(N, 0.05),
        "mb": np.full(N, 18.0),
    }
    columns |= {"status": np.full(N, "ok", dtype=object), "flags": np.zeros(N, int)}
    columns |= {"chi2": np.full(N, 8.0), "ndof": np.full(N, 4)}
    for row, change in (changes or {}).items():
        for name, value in change.items():
            columns[name][row] = value
    fits = SaltFits.from_columns(columns, meta=Meta(origin="simulated"))
    parts = {"sn": [], "mjd": [], "band": [], "flux": [], "flux_err": []}
    for i in range(N):
        for phase, band, significance in (epochs or {}).get(i, EPOCHS):
            parts["sn"].append(names[i])
            parts["mjd"].append(59000.0 + 1.05 * phase)
            parts["band"].append(band)
            parts["flux"].append(100.0 * significance)
            parts["flux_err"].append(100.0)
    targets = Targets.from_columns({"sn": names, "z_hel": np.full(N, 0.05)})
    return fits, LightCurves.from_columns(parts, targets=targets)


def test_dr2_at_its_edges():
    before_in_one = [(p, "ztfg" if p < 0 else b, s) for p, b, s in EPOCHS]
    after_in_one = [(p, "ztfg" if p > 0 else b, s) for p, b, s in EPOCHS]
    six = EPOCHS[:3] + EPOCHS[4:7]
    fits, lcs = made(
        {
            0: {"status": "no_detection", "x1": np.nan, "c": np.nan},
            1: {"x1": -3.01},
            2: {"c": 0.81},
            3: {"x1_err": 1.01},
            4: {"c_err": 0.11},
            5: {"t0_err": 1.01},
            6: {"x1": 3.0, "c": 0.8, "x1_err": 1.0, "c_err": 0.1, "t0_err": 1.0},
        },
        {
            7: six,
            8: before_in_one,
            9: after_in_one,
            10: [*six, (20.0, "ztfr", 4.99)],
            11: [*six, (40.1, "ztfr", 9.0)],
        },
    )
    kept, flow = apply_cuts(fits, "dr2", lcs=lcs)
    reason = flow.reasons()["removed_by"].to_dict()
    assert {sn for sn, why in reason.items() if not why} == {"sn06"} == set(kept["sn"])
    assert [reason[f"sn{i:02d}"] for i in range(6)] == [
        "fitted",
        "x1",
        "c",
        "x1_err",
        "c_err",
        "t0_err",
    ]
    assert [reason[f"sn{i:02d}"] for i in range(7, 12)] == [
        "detections",
        "before maximum",
        "after maximum",
        "detections",
        "detections",
    ]
    assert flow.removed_by("detections") == ["sn07", "sn10", "sn11"]


def test_counts_alone_and_in_sequence():
    fits, _ = made(
        {0: {"x1": 4.0}, 1: {"x1": 4.0, "c": 1.0}, 2: {"c": 1.0}, 3: {"status": "no_data"}}
    )
    kept, flow = apply_cuts(fits, [between("x1", -3, 3), between("c", -0.3, 0.3)])
    table = flow.to_pandas()
    assert table.index.tolist() == ["fitted", "x1", "c"]
    assert table["alone"].tolist() == [N - 1, N - 2, N - 2]
    assert table["left"].tolist() == [N - 1, N - 3, N - 4]
    assert table["removed"].tolist() == [1, 2, 1]
    assert table["removed"].sum() + len(kept) == len(fits)
    assert flow.reasons().loc["sn01", "fails"] == "x1, c"
    assert flow.reasons().loc["sn03", "status"] == "no_data"
    assert kept["sn"].tolist() == [sn for sn in fits["sn"] if sn > "sn03"]
    text, html = repr(flow), flow._repr_html_()
    assert text.splitlines()[0] == f"CutFlow: {N} supernovae, {N - 4} kept"
    assert "-0.3 <= c <= 0.3" in text
    assert "&lt;= c &lt;=" in html


def test_the_record_survives_the_disk_and_a_second_cut(tmp_path):
    fits, _ = made({0: {"x1": 4.0}, 1: {"status": "no_data"}, 2: {"c": 1.0}})
    kept, _ = apply_cuts(fits, between("x1", -3, 3))
    kept.write(tmp_path / "kept.parquet")
    again, _ = apply_cuts(SaltFits.read(tmp_path / "kept.parquet"), at_most("c", 0.3))
    records = again.meta.provenance["cuts"]
    assert [r["removed"] for r in records] == [1, 1, 0, 1]
    assert records[0]["status"] == {"no_data": 1}
    assert records[-1]["left"] == len(again)


def test_own_cuts_in_one_line_and_combined():
    fits, _ = made({0: {"z_hd": 0.01, "x1": 2.0}, 1: {"z_hd": 0.01}, 2: {"flags": 1}})
    far = Cut("far", lambda q: q["z_hd"] > 0.02, "redshift above 0.02")
    slow = at_least("x1", 1.0)

    def kept(cut):
        return set(fits["sn"]) - set(apply_cuts(fits, cut)[0]["sn"])

    assert kept(far) == {"sn00", "sn01"}
    assert kept(far | slow) == {"sn01"}
    assert kept(~far & slow) == set(fits["sn"]) - {"sn00"}
    assert kept(without_flags(1)) == {"sn02"}
    assert kept(Cut("chi2", lambda q: q["chi2_per_ndof"] < 2.0)) == set(fits["sn"])
    assert (~far & slow).words == "not: redshift above 0.02, and x1 >= 1"


def test_the_unknown_does_not_pass():
    fits, _ = made({0: {"x1_err": np.nan}})
    assert apply_cuts(fits, at_most("x1_err", 1.0))[1].removed_by("x1_err") == ["sn00"]


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        ("dr3", "no cuts are named 'dr3'; presets: dr2"),
        ("dr2", "give lcs="),
        (at_least("n_detections", 7), "give lcs="),
        (Cut("x1", lambda q: q["x1"]), "cut 'x1': expected 12 values of bool"),
        (Cut("x1", lambda q: q["x1"][:2] > 0), r"got bool of shape \(2,\)"),
        ([at_least("c", 0), at_most("c", 1)], "two cuts are named 'c'"),
    ],
)
def test_wrong_cuts_are_named(cuts, message):
    with pytest.raises(InputError, match=message):
        apply_cuts(made()[0], cuts)
    with pytest.raises(InputError, match="no column 'nonsense'"):
        apply_cuts(made()[0], at_least("nonsense", 7), lcs=made()[1])


def test_presets_say_whose_they_are():
    for name, preset in PRESETS.items():
        assert preset.about
        assert len({cut.name for cut in preset.cuts}) == len(preset.cuts), name
        assert all(cut.words for cut in preset.cuts)


def test_foundation_passes_the_cuts_of_its_release(real_data):
    data = real_data / "lightcurves" / "foundation_dr1"
    lcs = read_lightcurves(
        data / "Foundation_DR1.tar.gz", kcor=data / "kcor_PS1_none.fits.gz", origin="published"
    )
    fits = fit_salt(lcs)
    for name in PRESETS:
        kept, flow = apply_cuts(fits, name, lcs=lcs)
        _log.info("%s", flow)
        assert len(kept) + flow.removed.sum() == len(fits) == 180
        assert (flow.reasons()["removed_by"] == "").sum() == len(kept)
    # Epochs counted one supernova at a time, by the words of the preset.
    kept, flow = apply_cuts(fits, "dr2", lcs=lcs)
    frame, at = lcs.to_pandas(), fits.to_pandas()
    frame["phase"] = (frame["mjd"] - at["t0"].loc[frame["sn"]].to_numpy()) / (
        1 + at["z"].loc[frame["sn"]].to_numpy()
    )
    seen = frame[(frame["flux"] >= 5 * frame["flux_err"]) & frame["phase"].between(-10, 40)]
    passes = dict(zip(flow.names, flow.passes, strict=True))
    dropped = (fits.flags & 16) != 0  # with a band that the fit cannot use
    for i in np.flatnonzero(~dropped):
        mine = seen[seen["sn"] == fits["sn"][i]]
        assert passes["detections"][i] == (len(mine) >= 7)
        assert passes["bands"][i] == (mine["band"].nunique() >= 2)
        assert passes["before maximum"][i] == (mine[mine["phase"] < 0]["band"].nunique() >= 2)
        assert passes["after maximum"][i] == (mine[mine["phase"] >= 0]["band"].nunique() >= 2)
