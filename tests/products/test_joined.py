"""Several folders of light curves as one: block after block, conflicts named with both folders."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import chandelle.products.blocks as module
import chandelle.products.joined as joined_module
from chandelle.core.errors import InputError
from chandelle.products.blocks import lightcurve_blocks
from chandelle.products.joined import Joining, join_blocks, join_lightcurves
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.product import Meta
from chandelle.products.targets import Targets

WAVE = np.linspace(4000.0, 5000.0, 11)


def survey(name: str, n: int, *, origin: str = "published", width: float = 1.0) -> LightCurves:
    """Supernovae of one survey, three epochs each, with a passband of its own."""
    names = [f"{name}{i}" for i in range(n)]
    targets = Targets.from_columns({"sn": names, "z_hel": np.linspace(0.01, 0.1, n)})
    epochs = {
        "sn": np.repeat(names, 3),
        "mjd": np.tile([59000.0, 59001.0, 59002.0], n),
        "band": np.tile(["own", "ztfr", f"only-{name}"], n),
        "flux": np.full(3 * n, 90.0),
        "flux_err": np.full(3 * n, 2.0),
    }
    own = Passband(name="own", wave=WAVE, transmission=np.full(11, width))
    meta = Meta(origin=origin)
    return LightCurves.from_columns(epochs, targets=targets, passbands={"own": own}, meta=meta)


@pytest.fixture
def opened(tmp_path):
    """Open sets of light curves that are written first."""

    def of(*sets: LightCurves, size: int = 2):
        for i, lcs in enumerate(sets):
            lcs.write(tmp_path / f"set{i}")
        return [lightcurve_blocks(tmp_path / f"set{i}", size=size) for i in range(len(sets))]

    return of


def test_blocks_come_from_all_one_folder_after_the_other(opened):
    joined = join_blocks(opened(survey("a", 3), survey("b", 5)))
    found = [block.targets["sn"].tolist() for block in joined]
    assert found == [["a0", "a1"], ["a2"], ["b0", "b1"], ["b2", "b3"], ["b4"]]
    assert all(set(block["sn"]) == set(block.targets["sn"]) for block in joined)
    assert joined.whole.targets["sn"].tolist() == [name for names in found for name in names]
    assert joined.bands == ("only-a", "only-b", "own", "ztfr")


def test_nothing_of_the_second_is_read_before_its_turn(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 3)
    blocks = iter(join_blocks(opened(survey("a", 4), survey("b", 4))))
    shutil.rmtree(tmp_path / "set1")
    assert [len(next(blocks)), len(next(blocks))] == [6, 6]
    with pytest.raises(FileNotFoundError, match="set1"):
        next(blocks)


def test_columns_of_lists_may_differ(opened):
    first, second = survey("a", 2), survey("b", 2)
    first = first.with_covariance(factor=np.full((6, 2), 0.1))
    first = first.with_modes(["one", "two"], np.ones((6, 2)))
    second = second.with_modes(["two", "three", "four"], np.ones((6, 3)))
    joined = join_blocks(opened(first, second))
    assert joined.whole.modes == ("one", "two", "three", "four")
    a, b = joined
    assert (a.modes, b.modes) == (("one", "two"), ("two", "three", "four"))
    assert a.covariance_factor.shape == (6, 2)
    assert b.covariance_factor.shape == (6, 0)


def test_a_supernova_in_two_folders_names_both(opened, tmp_path):
    again = survey("a", 2)
    with pytest.raises(InputError) as caught:
        join_blocks(opened(survey("a", 3), survey("b", 1), again))
    assert str(caught.value).startswith(f"a0 is in {tmp_path / 'set0'} and in {tmp_path / 'set2'};")


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (survey("b", 2, origin="simulated"), "set1: origin simulated among files of origin publ"),
        (survey("b", 2, width=0.5), "set1: passband own differs from that of an earlier file"),
    ],
)
def test_conflicts_name_the_folder(opened, second, says):
    with pytest.raises(InputError, match=says):
        join_blocks(opened(survey("a", 2), second))


def test_a_folder_without_targets_is_passed_over(opened):
    none = replace(survey("b", 2).select_targets([]))
    blocks = list(join_blocks(opened(none, survey("a", 1))))
    assert [len(block.targets) for block in blocks] == [0, 1]


def join(*sets: LightCurves, is_shared: bool = False) -> LightCurves:
    """Join sets that are called by their number."""
    labels = [f"set{i}" for i in range(len(sets))]
    return join_lightcurves(sets, labels=labels, is_shared=is_shared)


def test_modes_of_two_sets_are_not_taken_for_each_other():
    slopes = np.arange(12.0).reshape(6, 2) + 1
    first = survey("a", 2).with_modes(["one", "two"], slopes)
    second = survey("b", 2).with_modes(["three", "two"], 100 * slopes)
    found = join(survey("c", 1), first, second)
    assert found.modes == ("one", "two", "three")
    expected = np.zeros((15, 3))
    expected[3:9, :2] = slopes
    expected[9:, [2, 1]] = 100 * slopes
    np.testing.assert_array_equal(found["dflux_dmode"], expected)


@pytest.mark.parametrize("order", ["abc", "cba", "bac"])
def test_covariances_of_other_widths_stay_what_they_are(order, tmp_path):
    rng = np.random.default_rng(3)
    sets = {
        "a": survey("a", 2),
        "b": survey("b", 2).with_covariance(factor=0.1 * rng.normal(size=(6, 2))),
        "c": survey("c", 1).with_covariance(factor=0.1 * rng.normal(size=(3, 3))),
    }
    joined = join(*(sets[name] for name in order))
    joined.write(tmp_path / "joined")
    found = LightCurves.read(tmp_path / "joined")
    assert found.covariance_factor.shape == (15, 3)
    for lcs in sets.values():
        for sn in lcs.targets["sn"]:
            np.testing.assert_array_equal(found.covariance_of(sn), lcs.covariance_of(sn))
    assert "cov_factor" not in join(sets["a"], survey("d", 1)).table.column_names


def test_errors_of_two_sets_are_not_shared():
    whole = survey("a", 2)
    factor = np.linspace(0.1, 0.8, 6)[:, None]
    first = whole.select([0, 1]).with_covariance(factor=factor[:2])
    second = whole.select([2, 3, 4, 5]).with_covariance(factor=factor[2:])
    joined = join(first, second, is_shared=True)
    assert joined.targets["sn"].tolist() == ["a0", "a1"]
    expected = first.covariance_of("a0"), second.covariance_of("a0")
    np.testing.assert_array_equal(joined.covariance_of("a0")[:2, :2], expected[0])
    np.testing.assert_array_equal(joined.covariance_of("a0")[2:, 2:], expected[1])
    assert (joined.covariance_of("a0")[:2, 2:] == 0).all()
    np.testing.assert_array_equal(joined.covariance_of("a1"), second.covariance_of("a1"))


def with_extra(lcs: LightCurves, values: list) -> LightCurves:
    """Add a column of the user to targets and epochs."""
    targets = lcs.targets.table.append_column("extra", [values[: len(lcs.targets)]])
    table = lcs.table.append_column("extra", [values[: len(lcs)]])
    return replace(lcs, table=table, targets=replace(lcs.targets, table=targets))


def test_columns_of_the_user(opened):
    numbers, floats, words = [1, 2, 3, 4], [0.5] * 4, ["x"] * 4
    a, b, c = (survey(name, 1) for name in "abc")
    found = join(with_extra(a, numbers), b, with_extra(c, floats))
    np.testing.assert_array_equal(found.targets["extra"], [1.0, np.nan, 0.5])
    joining = Joining(is_shared=False)
    joining.add(with_extra(a, numbers), label="first")
    with pytest.raises(InputError, match="second: column extra is string, in an earlier file int6"):
        joining.add(with_extra(b, words), label="second")
    joining.add(b, label="third")
    assert joining.joined().targets["sn"].tolist() == ["a0", "b0"]
    blocks = join_blocks(opened(with_extra(a, numbers), with_extra(b, words)))
    assert [block.targets["sn"].tolist() for block in blocks] == [["a0"], ["b0"]]
    assert blocks.whole.targets.table.column_names == list(Targets.schema.names)


def test_many_sets_are_put_together_once(monkeypatch):
    calls = []
    real = joined_module._concat
    monkeypatch.setattr(joined_module, "_concat", lambda t: calls.append(len(t)) or real(t))
    found = join(*(survey(f"s{i}-", 1) for i in range(40)))
    assert len(found.targets) == 40
    assert calls == [40, 40, 40]


def test_a_folder_given_twice(opened, tmp_path):
    (part,) = opened(survey("a", 1))
    with pytest.raises(InputError, match=r"set0 is given twice; drop one"):
        join_blocks([part, part])
    (tmp_path / "link").symlink_to(tmp_path / "set0")
    with pytest.raises(InputError, match=r"link is given twice, also as .*set0; drop one"):
        join_blocks([part, lightcurve_blocks(tmp_path / "link", size=1)])
