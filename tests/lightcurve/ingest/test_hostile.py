"""Hostile or careless content (rows 56, 57 and 59 of the bad inputs): nothing in a file runs.

Each test works deep within a folder of its own that also holds the home, the working folder and
that of temporary files; nothing there may appear, vanish or change but what the test asked for.
"""

import ast
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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

UNSAFE = {"pickle", "yaml", "dill", "joblib", "shelve", "marshal"}
SOURCE = sorted(Path(chandelle.__file__).parent.rglob("*.py"))
Quiet = Callable[..., AbstractContextManager[None]]


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


@pytest.fixture
def deep(tmp_path, monkeypatch) -> Path:
    """A folder four levels down; home, working and temporary folder are above it."""
    folder = tmp_path / "one" / "two" / "three" / "four"
    folder.mkdir(parents=True)
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def quiet(deep, tmp_path) -> Quiet:
    """Context in which no file may be written, changed or removed but within `asked`."""

    def listing(asked: Path | None) -> dict[Path, tuple[int, int]]:
        files = {}
        for path in tmp_path.rglob("*"):
            if asked is None or asked not in (path, *path.parents):
                stat = path.lstat()
                files[path] = (0, 0) if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
        return files

    @contextmanager
    def unchanged(asked: Path | None = None) -> Iterator[None]:
        before = listing(asked)
        try:
            yield
        finally:
            assert listing(asked) == before

    return unchanged


@pytest.mark.parametrize("where", ["~/x", "x", "../../x", "temporary", "four/x"])
def test_a_stray_file_is_seen(deep, quiet, where):
    with pytest.raises(AssertionError), quiet(deep / "asked"):
        if where == "temporary":
            os.close(tempfile.mkstemp()[0])
        else:
            Path(where).expanduser().touch()


def test_a_file_that_changes_or_goes_is_seen(deep, quiet):
    (deep / "x").write_text("x")
    with pytest.raises(AssertionError), quiet():
        (deep / "x").write_text("xy")
    with pytest.raises(AssertionError), quiet():
        (deep / "x").unlink()
    with quiet(deep / "asked"):
        (deep / "asked").mkdir()
        (deep / "asked" / "x").touch()


def test_a_trap_that_springs_is_seen_though_an_error_follows(deep, quiet):
    with pytest.raises(AssertionError), quiet():
        pickle.loads(pickle.dumps(Trap(deep / "sprung")))
        raise InputError


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
def test_row_56_yaml_is_refused_and_toml_named(suffix, deep, quiet):
    path = deep / f"sample.{suffix}"
    path.write_text("!!python/object/apply:pathlib.Path.touch [sprung]\n")
    for given in (path, [path]):
        with pytest.raises(InputError, match=r"is refused \(YAML can run code\); .* TOML"), quiet():
            read_lightcurves(given)
    with pytest.raises(InputError, match="is refused"), quiet():
        targets_from(path)
    with pytest.raises(InputError, match="is refused"), quiet():
        read_override(path)


def test_row_56_tags_in_the_yaml_header_of_ecsv_do_not_run(deep, quiet):
    path = deep / "sample.ecsv"
    path.write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: mjd, datatype: float64}\n"
        "# meta: !!python/object/apply:os.mknod [sprung]\nmjd\n59000.0\n"
    )
    with pytest.raises(InputError, match="expected ecsv"), quiet():
        read_lightcurves(path)


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "npy"])
def test_row_57_pickles_are_refused(suffix, deep, quiet):
    path = deep / f"sample.{suffix}"
    trap = Trap(deep / "sprung")
    if suffix == "npy":
        np.save(path, np.array([trap], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(trap))
    for given in (path, [path]):
        with pytest.raises(InputError, match=r"is refused .*; write the table as Parquet"), quiet():
            read_lightcurves(given)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "ecsv", "txt", "dat", "h5"])
def test_row_57_a_pickle_under_another_name_is_an_error_and_does_not_run(suffix, deep, quiet):
    path = deep / f"sample.{suffix}"
    path.write_bytes(pickle.dumps(Trap(deep / "sprung")))
    with pytest.raises(InputError, match=r"sample\."), quiet():
        read_lightcurves(path)


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
        assert not imports_of(tree) & UNSAFE, path


def hostile_names(top: Path) -> list[str]:
    """Names that would be paths to `top` and elsewhere, or text that a shell or a sheet runs."""
    up = [f"{'../' * n}escaped" for n in range(1, 5)]
    return [*up, f"{top}/escaped", "a\\b", "=cmd|' /C calc'!A0", "$(touch x)", "<script>", "~/x"]


def test_row_59_names_of_supernovae_never_become_paths(deep, quiet, tmp_path):
    names = hostile_names(tmp_path)
    data = pd.DataFrame(
        {
            "name": names,
            "mjd": 59000.0,
            "band": "ztfg",
            "flux": 100.0,
            "fluxerr": 5.0,
            "zp": 25.0,
            "survey": "../up",
        }
    )
    product = deep / "product"
    with quiet():
        lcs = read_lightcurves(data)
    assert lcs.targets["sn"].tolist() == names
    with quiet(product):
        lcs.write(product)
    files = {"epochs.parquet", "targets.parquet", "passbands.parquet", "rejected.parquet"}
    assert {path.name for path in product.iterdir()} == files
    with quiet():
        assert LightCurves.read(product).targets["sn"].tolist() == names


@pytest.mark.parametrize("address", ["http://localhost:9/a.csv", "https://x.invalid/a.parquet"])
def test_row_59_addresses_are_not_opened(address, quiet):
    with pytest.raises(InputError, match="no such file"), quiet():
        read_lightcurves(address)


def test_row_59_a_formula_in_a_column_of_numbers_is_text_and_refused():
    data = pd.DataFrame(
        {"mjd": ["59000", "__import__('os').getpid()"], "band": "ztfg", "flux": 1.0, "fluxerr": 1.0}
    ).assign(zp=25.0)
    with pytest.raises(InputError, match=r"column mjd must be numbers, got .* in row 1"):
        read_lightcurves(data)
