"""Hostile or careless content (rows 56, 57 and 59 of the bad inputs): nothing in a file runs."""

import ast
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chandelle
from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.ingest.overrides import read_override
from chandelle.lightcurve.ingest.target_tables import targets_from
from chandelle.products.lightcurves import LightCurves

SOURCE = sorted(Path(chandelle.__file__).parent.rglob("*.py"))


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
def test_row_56_yaml_is_refused_and_toml_named(suffix, tmp_path):
    trap = tmp_path / "sprung"
    path = tmp_path / f"sample.{suffix}"
    path.write_text(f"!!python/object/apply:pathlib.Path.touch [{trap}]\n")
    for given in (path, [path]):
        with pytest.raises(InputError, match=r"is refused \(YAML can run code\); .* TOML"):
            read_lightcurves(given)
    with pytest.raises(InputError, match="is refused"):
        targets_from(path)
    with pytest.raises(InputError, match="is refused"):
        read_override(path)
    assert not trap.exists()


def test_row_56_tags_in_the_yaml_header_of_ecsv_do_not_run(tmp_path):
    trap = tmp_path / "sprung"
    path = tmp_path / "sample.ecsv"
    path.write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: mjd, datatype: float64}\n"
        f"# meta: !!python/object/apply:os.mknod [{trap}]\nmjd\n59000.0\n"
    )
    with pytest.raises(InputError, match="expected ecsv"):
        read_lightcurves(path)
    assert not trap.exists()


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "npy"])
def test_row_57_pickles_are_refused(suffix, tmp_path):
    trap = tmp_path / "sprung"
    path = tmp_path / f"sample.{suffix}"
    if suffix == "npy":
        np.save(path, np.array([Trap(trap)], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Trap(trap)))
    for given in (path, [path]):
        with pytest.raises(InputError, match=r"is refused .*; write the table as Parquet, CSV"):
            read_lightcurves(given)
    assert not trap.exists()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "ecsv", "txt", "dat", "h5"])
def test_row_57_a_pickle_under_another_name_is_an_error_and_does_not_run(suffix, tmp_path):
    trap = tmp_path / "sprung"
    path = tmp_path / f"sample.{suffix}"
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(InputError, match=r"sample\."):
        read_lightcurves(path)
    assert not trap.exists()


def calls_of(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names.add(ast.unparse(node.func))
            for keyword in node.keywords:
                if keyword.arg in ("shell", "allow_pickle"):
                    names.add(f"{keyword.arg}={ast.unparse(keyword.value)}")
    return names


def imports_of(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_row_59_no_code_of_ours_evaluates_text_or_starts_a_shell():
    assert len(SOURCE) > 50
    forbidden = {"eval", "exec", "compile", "os.system", "os.popen", "pd.read_pickle", "pd.eval"}
    forbidden |= {"shell=True", "allow_pickle=True", "np.fromregex"}
    for path in SOURCE:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not calls_of(tree) & forbidden, path
        assert not imports_of(tree) & {"pickle", "yaml", "dill", "joblib", "shelve", "marshal"}, (
            path
        )


HOSTILE = ["../../escaped", "/tmp/escaped", "a\\b", "=cmd|' /C calc'!A0", "$(touch x)", "<script>"]


def test_row_59_names_of_supernovae_never_become_paths(tmp_path):
    data = pd.DataFrame(
        {
            "name": HOSTILE,
            "mjd": 59000.0,
            "band": "ztfg",
            "flux": 100.0,
            "fluxerr": 5.0,
            "zp": 25.0,
            "survey": "../up",
        }
    )
    lcs = read_lightcurves(data)
    assert lcs.targets["sn"].tolist() == HOSTILE
    before = set(tmp_path.parent.rglob("*"))
    lcs.write(tmp_path / "deep" / "product")
    new = {path.name for path in set(tmp_path.parent.rglob("*")) - before}
    files = {"epochs.parquet", "targets.parquet", "passbands.parquet", "rejected.parquet"}
    assert new == {"deep", "product", *files}
    assert LightCurves.read(tmp_path / "deep" / "product").targets["sn"].tolist() == HOSTILE


@pytest.mark.parametrize("address", ["http://localhost:9/a.csv", "https://x.invalid/a.parquet"])
def test_row_59_addresses_are_not_opened(address):
    with pytest.raises(InputError, match="no such file"):
        read_lightcurves(address)


def test_row_59_a_formula_in_a_column_of_numbers_is_text_and_refused():
    data = pd.DataFrame(
        {"mjd": ["59000", "__import__('os').getpid()"], "band": "ztfg", "flux": 1.0, "fluxerr": 1.0}
    ).assign(zp=25.0)
    with pytest.raises(InputError, match=r"column mjd must be numbers, got .* in row 1"):
        read_lightcurves(data)
