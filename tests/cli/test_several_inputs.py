"""`fit-lightcurves` of several folders and tables: modes, covariances, columns of the user."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import chandelle as ch

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def sets() -> dict[str, ch.LightCurves]:
    """Two supernovae each: plain, with two columns and two modes, with three and two others."""
    lcs = ch.simulate_lightcurves(seed=4, n={"ZTF": 6, "DEEP": 0}).lightcurves
    plain, b, c = (lcs.select_targets([i, i + 1]) for i in (0, 2, 4))
    rng = np.random.default_rng(1)

    def shared(lcs: ch.LightCurves, width: int) -> ch.LightCurves:
        factor = 0.3 * lcs["flux_err"][:, None] * rng.uniform(0.5, 1, (len(lcs), width))
        return lcs.with_covariance(factor=factor)

    slope_b, slope_c = (0.01 * part["flux"][:, None] for part in (b, c))
    return {
        "a": plain,
        "b": shared(b, 2).with_modes(["one", "two"], np.hstack([slope_b, 3 * slope_b])),
        "c": shared(c, 3).with_modes(["three", "one"], np.hstack([7 * slope_c, 2 * slope_c])),
    }


@pytest.fixture
def folders(sets, tmp_path):
    """The three on disk."""
    for name, lcs in sets.items():
        lcs.write(tmp_path / name)
    return [tmp_path / name for name in sets]


def check(fits: ch.SaltFits, sets: dict[str, ch.LightCurves]) -> None:
    """Each supernova has the answer and the derivatives of its own set alone."""
    expected = [ch.fit_salt(lcs, derivatives=True) for lcs in sets.values()]
    assert fits.is_ok.all()
    assert fits["sn"].tolist() == [name for part in expected for name in part["sn"]]
    for name in ("x1", "c", "x1_err", "c_err", "chi2"):
        both = np.concatenate([part[name] for part in expected])
        np.testing.assert_allclose(fits[name], both, rtol=1e-5, atol=1e-5)
    for mode in NAMES:
        found = fits.derivative("mode", mode=mode)
        own = np.zeros((6, 4))
        for i, (part, lcs) in enumerate(zip(expected, sets.values(), strict=True)):
            if mode in lcs.modes:
                own[2 * i : 2 * i + 2] = part.derivative("mode", mode=mode)
        np.testing.assert_allclose(found, own, rtol=1e-5, atol=1e-6)
        assert (found[own != 0] != 0).all()


@pytest.mark.parametrize("route", ["blocks", "lightcurves", "targets"])
def test_folders_of_other_modes_and_covariances(run, sets, folders, tmp_path, route):
    out, kept, words = tmp_path / "fits.parquet", tmp_path / "kept", []
    if route == "lightcurves":
        words = ["--lightcurves", kept]
    if route == "targets":
        columns = ["sn", "z_hel", "z_cmb", "z_hd", "mwebv"]
        frames = [lcs.targets.to_pandas()[columns] for lcs in sets.values()]
        pd.concat(frames).to_csv(tmp_path / "z.csv", index=False)
        words = ["--targets", tmp_path / "z.csv"]
    done = run("fit-lightcurves", *folders, "-o", out, "--derivatives", *words)
    assert done.code == 0, done.err
    check(ch.SaltFits.read(out), sets)
    if route == "lightcurves":
        joined = ch.LightCurves.read(kept)
        assert joined.modes == NAMES
        for lcs in sets.values():
            for sn in lcs.targets["sn"]:
                np.testing.assert_array_equal(joined.covariance_of(sn), lcs.covariance_of(sn))


def test_a_table_and_folders(run, sets, folders, tmp_path):
    frame = sets["a"].to_pandas()[["sn", "mjd", "band", "flux", "flux_err", "zp"]]
    targets = sets["a"].targets.to_pandas()[["sn", "z_hel", "z_cmb", "z_hd", "mwebv"]]
    frame.merge(targets, on="sn").to_csv(tmp_path / "a.csv", index=False)
    out, files = tmp_path / "fits.parquet", [tmp_path / "a.csv", *folders[1:]]
    done = run("fit-lightcurves", *files, "-o", out, "--derivatives", "--origin", "simulated")
    assert done.code == 0, done.err
    check(ch.SaltFits.read(out), sets)


def test_columns_of_the_user(run, sets, folders, tmp_path):
    for name, values in (("a", [1, 2]), ("b", ["x", "y"])):
        targets = sets[name].targets
        table = targets.table.append_column("mine", [values])
        replace(sets[name], targets=replace(targets, table=table)).write(tmp_path / name)
    out = tmp_path / "fits.parquet"
    done = run("fit-lightcurves", *folders, "-o", out)
    assert done.code == 0, done.err
    assert len(ch.SaltFits.read(out)) == 6
    done = run("fit-lightcurves", *folders, "-o", out, "--lightcurves", tmp_path / "kept")
    assert done.code == 1
    assert f"{folders[1]}: column mine is string, in an earlier file int64; bring" in done.err
    assert ch.SaltFits.read(out)["sn"].tolist() == [
        sn for name in "ac" for sn in sets[name].targets["sn"]
    ]


@pytest.mark.parametrize("words", [(), ("--targets", "z.csv"), ("--lightcurves", "kept")])
def test_a_folder_given_twice(run, sets, folders, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    sets["a"].targets.to_pandas()[["sn", "z_hel"]].to_csv("z.csv", index=False)
    done = run("fit-lightcurves", folders[0], folders[0], "-o", "fits.parquet", *words)
    assert done.code == 2
    assert f"{folders[0]} is given twice; drop one" in done.err
    assert not (tmp_path / "fits.parquet").exists()
