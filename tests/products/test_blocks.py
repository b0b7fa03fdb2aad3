"""Light curves on disk in blocks: the same rows as a selection of the whole, in any order."""

import gc
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chandelle.core.errors import InputError
from chandelle.products import blocks as module
from chandelle.products.blocks import lightcurve_blocks
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.product import Meta
from chandelle.products.schema import numpy_of
from chandelle.products.targets import Targets

N = 23
ORDERS = ("targets", "reversed", "time", "shuffled")


@pytest.fixture(scope="module")
def whole() -> LightCurves:
    """Targets with 0 to 9 epochs, a covariance factor, modes, a passband and rejected rows."""
    rng = np.random.default_rng(8)
    names = [f"sn{i:02d}" for i in rng.permutation(N)]
    sn = np.repeat(names, np.arange(N) % 10)
    n = len(sn)
    band = Passband(
        name="odd", wave=np.array([4e3, 5e3, 6e3]), transmission=np.array([0.0, 1.0, 0.0])
    )
    lcs = LightCurves.from_columns(
        {
            "sn": sn,
            "mjd": 59000.0 + rng.integers(0, 30, n),
            "band": rng.choice(["ztfg", "ztfr", "odd"], n),
            "flux": rng.normal(size=n),
            "flux_err": np.ones(n),
        },
        targets=Targets.from_columns({"sn": names, "z_hel": rng.uniform(0, 0.1, N)}),
        passbands={"odd": band},
        rejected=pa.table({"sn": names[3:5], "reason": ["flux_nan"] * 2, "count": [1, 2]}),
        meta=Meta(origin="simulated", provenance={"seed": 8}),
    )
    lcs = lcs.with_covariance(factor=rng.uniform(0, 0.5, (n, 2)))
    return lcs.with_modes(["one"], rng.normal(size=(n, 1)))


def same(found: pa.Table, expected: pa.Table) -> None:
    """Equal to the last bit; NaN is NaN."""
    assert found.column_names == expected.column_names
    assert [f.metadata for f in found.schema] == [f.metadata for f in expected.schema]
    found, expected = (table.combine_chunks() for table in (found, expected))
    for name in found.column_names:
        a, b = (numpy_of(table[name]) for table in (found, expected))
        np.testing.assert_array_equal(a, b, err_msg=name)


def put(lcs: LightCurves, order: str) -> LightCurves:
    """The same epochs in another order."""
    rows = np.arange(len(lcs))
    if order == "reversed":
        rows = rows[::-1]
    if order == "time":
        rows = np.argsort(lcs["mjd"], kind="stable")
    if order == "shuffled":
        rows = np.random.default_rng(1).permutation(rows)
    return lcs.select(rows)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 4, 100])
def test_blocks_are_selections(whole, tmp_path, monkeypatch, order, size):
    monkeypatch.setattr(module, "_ROWS", 7)
    lcs = put(whole, order)
    lcs.write(tmp_path / "lcs")
    blocks = lightcurve_blocks(tmp_path / "lcs", size=size, scratch=tmp_path)
    assert blocks.is_in_order == (order == "targets" or size == 100)
    assert blocks.bands == ("odd", "ztfg", "ztfr")
    found = list(blocks)
    assert len(found) == len(blocks) == -(-N // size)
    for i, block in enumerate(found):
        expected = lcs.select_targets(np.arange(i * size, min((i + 1) * size, N)))
        same(block.table, expected.table)
        same(block.targets.table, expected.targets.table)
        assert block.rejected.equals(expected.rejected)
        assert block.passbands.keys() == {"odd"}
        assert block.meta.origin == "simulated"
        assert block.modes == ("one",)
        np.testing.assert_array_equal(block.covariance_factor, expected.covariance_factor)
    assert [path.name for path in tmp_path.iterdir()] == ["lcs"]


def test_nothing_is_left_of_a_pass_that_was_broken_off(whole, tmp_path):
    put(whole, "time").write(tmp_path / "lcs")
    next(iter(lightcurve_blocks(tmp_path / "lcs", size=2, scratch=tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["lcs"]


def test_fields_are_replaced(whole, tmp_path):
    whole.write(tmp_path / "lcs")
    targets = whole.targets.select(np.arange(N)[::-1])
    band = replace(whole.passbands["odd"], name="mine")
    blocks = lightcurve_blocks(
        tmp_path / "lcs", size=5, targets=targets, passbands={"mine": band}, origin="published"
    )
    first = next(iter(blocks))
    assert first.targets["sn"].tolist() == targets["sn"].tolist()[:5]
    assert first.meta.origin == "published"
    assert first.passbands.keys() == {"odd", "mine"}


def test_epochs_without_targets_are_refused(whole, tmp_path):
    whole.write(tmp_path / "lcs")
    with pytest.raises(InputError, match="have epochs but no target, first sn"):
        lightcurve_blocks(tmp_path / "lcs", size=5, targets=whole.targets.select(np.arange(3)))


@pytest.mark.parametrize(("folder", "size", "says"), [("lcs", 0, "size 0"), ("none", 1, "folder")])
def test_wrong_calls_are_refused(whole, tmp_path, folder, size, says):
    whole.write(tmp_path / "lcs")
    with pytest.raises(InputError, match=says):
        lightcurve_blocks(tmp_path / folder, size=size)


def test_a_set_without_targets_is_one_empty_block(whole, tmp_path):
    whole.select_targets(np.zeros(N, dtype=bool)).write(tmp_path / "lcs")
    (only,) = lightcurve_blocks(tmp_path / "lcs", size=5)
    assert len(only) == len(only.targets) == 0


@pytest.mark.parametrize("part", ["epochs", "targets", "passbands", "rejected"])
@pytest.mark.parametrize("is_absent", [True, False])
def test_a_broken_part_is_named(whole, tmp_path, part, is_absent):
    whole.write(tmp_path / "lcs")
    file = tmp_path / "lcs" / f"{part}.parquet"
    if is_absent:
        file.unlink()
    else:
        file.write_bytes(b"no Parquet")
    for read in (LightCurves.read, partial(lightcurve_blocks, size=5)):
        with pytest.raises(InputError, match=f"{part}.parquet"):
            read(tmp_path / "lcs")


def test_row_groups_are_bounded(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("chandelle.products.product.ROW_GROUP", 10)
    whole.write(tmp_path / "lcs")
    file = pq.ParquetFile(tmp_path / "lcs" / "epochs.parquet")
    assert file.num_row_groups == -(-len(whole) // 10)
    same(LightCurves.read(tmp_path / "lcs").table, whole.table)


def test_memory_is_that_of_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr("chandelle.products.product.ROW_GROUP", 2**13)
    monkeypatch.setattr(module, "_ROWS", 2**12)
    n, each = 200, 1000
    names = [f"sn{i:03d}" for i in range(n)]
    noise = np.random.default_rng(2).normal(size=(3, n * each))
    columns = {"sn": np.repeat(names, each), "band": np.full(n * each, "ztfg")}
    columns |= {"mjd": noise[0], "flux": noise[1], "flux_err": noise[2]}
    targets = Targets.from_columns({"sn": names, "z_hel": np.full(n, 0.1)})
    LightCurves.from_columns(columns, targets=targets).write(tmp_path / "lcs")
    del columns, noise
    size = pq.ParquetFile(tmp_path / "lcs" / "epochs.parquet").read().nbytes
    gc.collect()  # what tests before this one have left
    before = pa.total_allocated_bytes()
    blocks = lightcurve_blocks(tmp_path / "lcs", size=5)
    held = [pa.total_allocated_bytes() - before for _ in blocks]
    assert len(held) == 40
    assert max(held) < size / 5
    assert held[-2] < 1.5 * held[1]
