"""Several folders that chandelle wrote, read as one set."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.products.lightcurves import LightCurves
from chandelle.products.targets import Targets


@pytest.fixture
def folder(tmp_path) -> Callable[..., Path]:
    """Write a folder of supernovae with three epochs each, covariance columns and a mode."""

    def write(name: str, sn: list[str], *, columns: int, mode: str) -> Path:
        n = 3 * len(sn)
        epochs = {
            "sn": np.repeat(sn, 3),
            "mjd": np.resize([59000.0, 59001.0, 59002.0], n),
            "band": np.resize(["ztfg", "ztfr", "ztfi"], n),
            "flux": np.full(n, 90.0),
            "flux_err": np.full(n, 2.0),
        }
        targets = Targets.from_columns({"sn": sn, "z_hel": np.full(len(sn), 0.05)})
        lcs = LightCurves.from_columns(epochs, targets=targets)
        lcs = lcs.with_covariance(factor=np.full((n, columns), 0.3))
        lcs.with_modes([mode], np.ones((n, 1))).write(tmp_path / name)
        return tmp_path / name

    return write


def test_a_list_of_folders_is_one_set(folder):
    paths = [folder("a", ["x", "y"], columns=1, mode="g"), folder("b", ["z"], columns=2, mode="r")]
    lcs = read_lightcurves([paths[0], str(paths[1])], origin="published")
    assert lcs.targets["sn"].tolist() == ["x", "y", "z"]
    assert lcs.meta.origin == "published"
    assert lcs.modes == ("g", "r")
    for path, names in zip(paths, (["x", "y"], ["z"]), strict=True):
        own = LightCurves.read(path)
        for name in names:
            np.testing.assert_array_equal(lcs.covariance_of(name), own.covariance_of(name))
    assert read_lightcurves(paths[:1]).targets["sn"].tolist() == ["x", "y"]


def test_targets_are_those_of_all_folders(folder):
    paths = [folder("a", ["x"], columns=1, mode="g"), folder("b", ["x"], columns=1, mode="g")]
    lcs = read_lightcurves(paths, targets=pd.DataFrame({"name": ["x", "w"], "z": [0.1, 0.2]}))
    assert lcs.targets["sn"].tolist() == ["x", "w"]
    assert len(lcs) == 6


def test_what_cannot_be_joined_is_named(folder, tmp_path):
    a, b = folder("a", ["x", "y"], columns=1, mode="g"), folder("b", ["y"], columns=1, mode="g")
    with pytest.raises(InputError, match=rf"y is in {a} and in {b}; name it apart or drop one"):
        read_lightcurves([a, b])
    with pytest.raises(InputError, match=rf"{a} is given twice; drop one"):
        read_lightcurves([a, a])
    (tmp_path / "c.csv").touch()
    with pytest.raises(InputError, match=r"c\.csv is no folder of light curves .* kinds apart"):
        read_lightcurves([a, tmp_path / "c.csv"])
