"""A place that takes no answer is named before the work begins."""

import pytest

import chandelle as ch
from chandelle.cli.outputs import check_file, check_folder
from chandelle.core.errors import InputError


def test_good_places(tmp_path):
    check_file(tmp_path / "new" / "fits.parquet")
    check_folder(tmp_path / "new" / "diagram")
    check_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "is a folder"),
        ("fits.csv", r"got \.csv; give .*fits\.parquet"),
        ("fits", "got no suffix"),
        ("file/fits.parquet", "file is a file"),
    ],
)
def test_no_place_for_a_file(tmp_path, name, says):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=says):
        check_file(tmp_path / name)


@pytest.mark.parametrize("name", ["file", "file/diagram"])
def test_no_place_for_a_folder(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        check_folder(tmp_path / name)


def test_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr("chandelle.cli.outputs.os.access", lambda *_: False)
    with pytest.raises(InputError, match="takes no files; write elsewhere"):
        check_folder(tmp_path / "diagram")


@pytest.mark.parametrize(
    "command", [("standardize", "x"), ("cosmology", "x"), ("fit-lightcurves", "x")]
)
def test_commands_ask_first(run, tmp_path, command):
    (tmp_path / "file").touch()
    done = run(*command, "-o", tmp_path / "file" / "a.parquet")
    assert done.code == 2
    assert "file is a file, expected a folder" in done.err


@pytest.mark.parametrize("command", [("demo",), ("simulate", "lightcurves", "-o")])
def test_chains_ask_first(run, tmp_path, command):
    (tmp_path / "file").touch()
    done = run(*command, tmp_path / "file")
    assert done.code == 2
    assert "is a file, expected a folder" in done.err


def bytes_in(folder) -> dict:
    """Everything below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder of light curves, a table of targets and a passband; the current folder."""
    monkeypatch.chdir(tmp_path)
    ch.simulate_lightcurves(seed=4, n={"ZTF": 2, "DEEP": 0}).lightcurves.write("k1")
    (tmp_path / "z.parquet").write_bytes(b"redshifts")
    (tmp_path / "r.parquet").write_bytes(b"a passband")
    (tmp_path / "fit.toml").write_text("threads = 1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("k1 -o k1/epochs.parquet", "k1/epochs.parquet: lies in k1, which is read here"),
        ("k1 -o k1/new/fits.parquet", "k1/new/fits.parquet: lies in k1, which is read here"),
        ("none k1 -o ./k1/fits.parquet", "lies in k1, which is read here; write elsewhere"),
        ("r.parquet -o r.parquet", "r.parquet: is read here; write elsewhere"),
        ("k1 -o z.parquet --targets z.parquet", "z.parquet: is read here"),
        ("k1 -o r.parquet --passband-family r=r.parquet:r", "r.parquet: is read here"),
        ("k1 -o r.parquet --passband r=r.parquet", "r.parquet: is read here"),
        ("k1 -o r.parquet --zpsys vega=r.parquet", "r.parquet: is read here"),
        ("k1 -o out.parquet --lightcurves k1", "k1: is read here"),
        ("k1 -o out.parquet --lightcurves k1/lcs", "k1/lcs: lies in k1"),
        ("k1/epochs.parquet -o out.parquet --lightcurves k1", "k1: holds k1/epochs.parquet"),
        ("k1 -o out.parquet --lightcurves .", "holds k1, which is read here"),
        ("k1 -o out.parquet --lightcurves cfg --config cfg/fit.toml", "cfg: holds cfg/fit.toml"),
        ("k1 -o new/epochs.parquet --lightcurves new", "lies in new, which --lightcurves writes"),
    ],
)
def test_fits_do_not_replace_what_they_are_made_of(run, data, words, says):
    before = bytes_in(data)
    done = run("fit-lightcurves", *words.split())
    assert done.code == 2
    assert says in done.err
    assert bytes_in(data) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("standardize run/fits.parquet -o run", "run: holds run/fits.parquet"),
        ("standardize r.parquet -o out --config out/a.toml", "out: holds out/a.toml"),
        ("standardize r.parquet -o k1 --lightcurves k1", "k1: is read here"),
        ("standardize r.parquet -o k1/diagram --lightcurves k1", "k1/diagram: lies in k1"),
        ("cosmology k1 -o k1", "k1: is read here"),
        ("cosmology k1 -o k1/posterior", "k1/posterior: lies in k1"),
        ("cosmology k1 -o .", "holds k1, which is read here"),
        ("cosmology a.dat -o cov --covariance cov/sys.cov", "cov: holds cov/sys.cov"),
        ("cosmology a.dat -o cov --config cov/a.toml", "cov: holds cov/a.toml"),
    ],
)
def test_other_stages_do_not_either(run, data, words, says):
    before = bytes_in(data)
    done = run(*words.split())
    assert done.code == 2
    assert says in done.err
    assert bytes_in(data) == before
