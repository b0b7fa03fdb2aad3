"""Fits of light curves on disk, block by block: those of one call for the whole set."""

import json
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chandelle.products.blocks as module
from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.instrument.passbands import load_passband
from chandelle.lightcurve.blocks import fit_salt_blocks
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.quality_table import quality_table
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits

N = 12


@pytest.fixture(scope="module")
def curves(draw) -> LightCurves:
    """A dozen: without epochs, of noise, at an impossible redshift, with a passband of its own."""
    epochs, targets = draw(N, seed=31)
    targets = targets.assign(z_err=0.003)
    targets.loc[4, "z"] = -1.0
    epochs = epochs[epochs["sn"] != "sn006"].copy()
    dark = epochs["sn"] == "sn003"
    noise = np.random.default_rng(1).normal(size=dark.sum())
    epochs.loc[dark, "flux"] = epochs.loc[dark, "flux_err"] * noise
    epochs.loc[(epochs["sn"] == "sn010") & (epochs["band"] == "ztfg"), "band"] = "mine"
    epochs.loc[epochs.index[:3], "flux"] = np.nan
    own = replace(load_passband("ztfg"), name="mine")
    lcs = read_lightcurves(epochs, targets=targets, passbands={"mine": own}, origin="simulated")
    bands = lcs["band"]
    shared = [np.where(bands == name, 0.3 * lcs["flux_err"], 0.0) for name in ("ztfr", "lsstr")]
    lcs = lcs.with_covariance(factor=np.stack(shared, axis=1))
    return lcs.with_modes(["zp of r"], np.where(bands == "lsstr", 0.01 * lcs["flux"], 0.0)[:, None])


def same(found: SaltFits, expected: SaltFits, **how: Any) -> None:
    """Same rows, same columns, same provenance; numbers to the last bit unless told how."""
    assert found.table.column_names == expected.table.column_names
    assert found.meta.origin == expected.meta.origin
    known = {key: value for key, value in found.meta.provenance.items() if key != "versions"}
    assert known == json.loads(json.dumps(dict(expected.meta.provenance)))
    for name in expected.table.column_names:
        if how and found[name].dtype.kind == "f":
            np.testing.assert_allclose(found[name], expected[name], err_msg=name, **how)
        else:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.mark.parametrize("size", [1, 5, 100])
def test_blocks_are_one_call(curves, tmp_path, size):
    curves.write(tmp_path / "lcs")
    told = []
    counts = fit_salt_blocks(
        tmp_path / "lcs",
        tmp_path / "out" / "fits.parquet",
        size=size,
        progress=lambda done, total: told.append((done, total)),
    )
    fits = SaltFits.read(tmp_path / "out" / "fits.parquet")
    expected = fit_salt(curves)
    same(fits, expected)
    assert counts == {"ok": 9, "no_detection": 1, "z_invalid": 1, "no_data": 1}
    assert told[-1] == (N, N)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert fits["sn"].tolist() == curves.targets["sn"].tolist()
    assert fits.flags[0] & Flag.POINTS_REJECTED
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fits.parquet"]


def test_blocks_of_epochs_in_order_of_time(curves, tmp_path):
    mixed = curves.select(np.argsort(curves["mjd"], kind="stable"))
    mixed.write(tmp_path / "lcs")
    fit_salt_blocks(tmp_path / "lcs", tmp_path / "fits.parquet", size=3, model_cov=True)
    same(SaltFits.read(tmp_path / "fits.parquet"), fit_salt(mixed, model_cov=True))


@pytest.mark.slow
def test_derivatives_by_bands_that_not_every_block_has(curves, tmp_path):
    # Eight, and each block with a far one: kernels of one shape.
    few = curves.select_targets([0, 1, 5, 9, 2, 3, 8, 10])
    few.write(tmp_path / "lcs")
    fit_salt_blocks(tmp_path / "lcs", tmp_path / "fits.parquet", size=4, derivatives=True)
    fits, whole = SaltFits.read(tmp_path / "fits.parquet"), fit_salt(few, derivatives=True)
    # Padding differs between batches, and with it the order of sums.
    same(fits, whole, rtol=1e-7, atol=1e-9)
    assert (fits.derivative("zp", band="mine")[:4] == 0).all()
    assert (fits.derivative("zp", band="mine")[7] != 0).all()
    assert fits.derivative("mode", mode="zp of r").shape == (8, 4)


def test_derivatives_are_unknown_where_nothing_can_be_fitted(curves):
    dark = curves.select_targets([1, 2])
    fits = fit_salt(dark.select(np.arange(len(dark)) % 30 == 0), derivatives=True)
    assert set(fits["status"]) == {"underconstrained"}
    bands = fits.meta.provenance["derivative_bands"]
    assert fits.derivative("zp").shape == (2, len(bands), 4)
    assert fits.derivative("mode").shape == (2, 1, 4)
    assert np.isnan(fits.derivative("lambda")).all()


def in_two(curves: LightCurves, folder) -> list:
    """Write the first seven supernovae into one folder, the others into another."""
    curves.select_targets(np.arange(7)).write(folder / "a")
    last = curves.select_targets(np.arange(7, N))
    last.select(np.argsort(last["mjd"], kind="stable")).write(folder / "b")
    return [folder / "a", folder / "b"]


def test_two_folders_are_one_call(curves, tmp_path):
    folders, told = in_two(curves, tmp_path), []
    how: Any = {"priors": {"x1": (np.linspace(-1, 1, N), np.full(N, 0.5))}, "model_cov": True}
    counts = fit_salt_blocks(
        folders,
        tmp_path / "fits.parquet",
        size=4,
        progress=lambda done, total: told.append((done, total)),
        **how,
    )
    expected = fit_salt(curves, **how)
    same(SaltFits.read(tmp_path / "fits.parquet"), expected)
    assert counts == expected.meta.provenance["status"]
    assert told[-1] == (N, N)


def test_derivatives_of_two_folders_are_joined(curves, tmp_path):
    few = curves.select_targets([0, 1, 5, 9])
    far = curves.select_targets([2, 3, 8, 10])
    none = replace(curves, passbands={}).select_targets(np.zeros(N, dtype=bool))
    for name, lcs in (("a", few), ("b", far), ("c", none)):
        lcs.write(tmp_path / name)
    folders = [tmp_path / name for name in "cab"]
    fit_salt_blocks(folders, tmp_path / "fits.parquet", size=4, derivatives=True)
    whole = fit_salt(curves.select_targets([0, 1, 5, 9, 2, 3, 8, 10]), derivatives=True)
    fits = SaltFits.read(tmp_path / "fits.parquet")
    for kind, name in (("zp", {"band": "mine"}), ("mode", {"mode": "zp of r"})):
        found = fits.derivative(kind, **name)
        order = [whole["sn"].tolist().index(sn) for sn in fits["sn"]]
        expected = whole.derivative(kind, **name)[order]
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def test_what_several_folders_cannot_be_is_refused(curves, tmp_path):
    folders, out = in_two(curves, tmp_path), tmp_path / "fits.parquet"
    with pytest.raises(InputError, match=r"sn000 is in .*a and in .*again;"):
        shutil.copytree(folders[0], tmp_path / "again")
        fit_salt_blocks([*folders, tmp_path / "again"], out)
    with pytest.raises(InputError, match="several without targets= of their own, got 2"):
        fit_salt_blocks(folders, out, targets=curves.targets)
    with pytest.raises(InputError, match=r"expected a folder of light curves.* got 0"):
        fit_salt_blocks([], out)
    assert not out.exists()


def test_arrays_of_priors_and_bounds_are_cut_with_the_targets(curves, tmp_path):
    curves.write(tmp_path / "lcs")
    how: Any = {
        "priors": {"x1": (np.linspace(-1, 1, N), np.full(N, 0.5))},
        "bounds": {"c": (-0.2, np.linspace(0.1, 0.3, N))},
    }
    fit_salt_blocks(tmp_path / "lcs", tmp_path / "fits.parquet", size=5, **how)
    same(SaltFits.read(tmp_path / "fits.parquet"), fit_salt(curves, **how))


@pytest.mark.slow
def test_a_free_redshift_is_counted(curves, tmp_path):
    few = curves.select_targets([1, 5, 9])
    few.write(tmp_path / "lcs")
    fit_salt_blocks(tmp_path / "lcs", tmp_path / "fits.parquet", free=("z",))
    fits = SaltFits.read(tmp_path / "fits.parquet")
    quality = quality_table(fits, few)
    assert fits.is_ok.all()
    assert fits["n_used"].tolist() == (fits["ndof"] + 5).tolist()
    assert fits["n_used"].tolist() == (quality["n_epochs"] - quality["n_left_out"]).tolist()
    assert fits.flags.tolist() == quality["flags"].tolist()


def test_targets_and_origin_replace_those_on_disk(curves, tmp_path):
    curves.write(tmp_path / "lcs")
    order = np.arange(N)[::-1]
    fit_salt_blocks(
        tmp_path / "lcs",
        tmp_path / "fits.parquet",
        size=4,
        targets=curves.targets.select(order),
        origin="published",
    )
    fits = SaltFits.read(tmp_path / "fits.parquet")
    assert fits.meta.origin == "published"
    expected = fit_salt(curves).to_pandas().iloc[order]
    assert fits.to_pandas().equals(expected)


def test_a_failure_half_way_leaves_nothing(curves, tmp_path):
    curves.select(np.argsort(curves["mjd"])).write(tmp_path / "lcs")

    def stop(done: int, total: int) -> None:
        if done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_salt_blocks(tmp_path / "lcs", tmp_path / "fits.parquet", size=2, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["lcs"]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"size": 0}, "size 0"),
        ({"r_v": -1.0}, "fit_salt_blocks: r_v"),
        ({"c_maximum": 1}, "c_maximum.*known settings: model"),
        ({"bounds": {"q": (0, 1)}}, "q is not fitted"),
    ],
)
def test_wrong_settings_are_refused_before_any_work(curves, tmp_path, how, says):
    curves.write(tmp_path / "lcs")
    with pytest.raises(InputError, match=says):
        fit_salt_blocks(tmp_path / "lcs", tmp_path / "fits.parquet", **how)


def test_a_set_without_targets(curves, tmp_path):
    none = curves.select_targets(np.zeros(N, dtype=bool))
    none.write(tmp_path / "lcs")
    assert fit_salt_blocks(tmp_path / "lcs", tmp_path / "fits.parquet") == {}
    same(SaltFits.read(tmp_path / "fits.parquet"), fit_salt(none))


@pytest.mark.parametrize("name", ["lcs/epochs.parquet", "lcs/fits.parquet", "z.parquet", "lcs"])
def test_what_is_read_is_not_replaced(curves, tmp_path, name):
    curves.write(tmp_path / "lcs")
    curves.targets.write(tmp_path / "z.parquet")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    with pytest.raises(InputError, match="is read here; write elsewhere"):
        fit_salt_blocks(tmp_path / "lcs", tmp_path / name, targets=tmp_path / "z.parquet")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before


def test_folders_that_cannot_be_opened(curves, tmp_path, monkeypatch):
    """One that is told of is left out, and none is opened twice to find that."""
    folders, out = in_two(curves, tmp_path), tmp_path / "fits.parquet"
    curves.select_targets([0]).write(tmp_path / "orphans")
    (tmp_path / "orphans" / "targets.parquet").unlink()
    curves.select_targets([1]).targets.write(tmp_path / "orphans" / "targets.parquet")
    told, opened = [], []
    real = module._open
    monkeypatch.setattr(module, "_open", lambda p, **how: opened.append(p) or real(p, **how))
    fit_salt_blocks([*folders, tmp_path / "orphans"], out, unreadable=told.append)
    (said,) = told
    assert said.startswith(f"{tmp_path / 'orphans'}: 1 supernovae have epochs but no target")
    reads = [path.parent.name for path in opened]
    assert [reads.count(name) for name in ("a", "b", "orphans")] == [2, 2, 1]
    same(SaltFits.read(out), fit_salt(curves))
    with pytest.raises(InputError, match="no target"):
        fit_salt_blocks([*folders, tmp_path / "orphans"], out)
    none = [tmp_path / "none", tmp_path / "neither"]
    with pytest.raises(InputError, match=r"no light curves to fit\n.*none.*\n.*neither"):
        fit_salt_blocks(none, out, unreadable=told.append)
    assert len(told) == 1
