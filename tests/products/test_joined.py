"""Several folders of light curves as one: block after block, conflicts named with both folders."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import chandelle.products.blocks as module
from chandelle.core.errors import InputError
from chandelle.products.blocks import lightcurve_blocks
from chandelle.products.joined import join_blocks
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
