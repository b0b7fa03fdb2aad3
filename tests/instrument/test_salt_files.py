"""Readers of SALT folders: the shipped model is its text files; bad files are named."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import sncosmo

from chandelle.core.errors import InputError
from chandelle.instrument.salt_files import read_salt, write_salt

GRIDS = ("m0", "m1", "variance_0", "variance_1", "covariance_01")


def write(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def salt2_texts() -> dict[str, str]:
    grid = "".join(f"{p} {w} {p * w}\n" for p in range(5) for w in range(2000, 2060, 10))
    names = ("template_0", "template_1", "lc_dispersion_scaling", "lc_relative_variance_0")
    names += ("lc_relative_variance_1", "lc_relative_covariance_01")
    texts = {f"salt2_{name}.dat": grid for name in names}
    texts["salt2_color_dispersion.dat"] = "# l : wavelength\n2000 0.1\n2050 0.2\n"
    texts["salt2_color_correction.dat"] = "1\n0.5\nSalt2ExtinctionLaw.version 1\n"
    return texts


def test_shipped_model_is_its_text_files_bit_for_bit(f22_texts):
    notice = (files("chandelle.instrument") / "data" / "NOTICE").read_text()
    pairs = re.findall(r"(salt3_\w+\.dat)\n.*\n\s+SHA-256 (\w+)", notice)
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in f22_texts.items()}
    assert len(pairs) == 7
    assert hashes == dict(pairs)


def test_shipped_model_equals_its_folder(f22_texts, tmp_path):
    shipped, read = read_salt("salt3-f22"), read_salt(write(tmp_path, f22_texts))
    for name in GRIDS:
        for part in ("phase", "wave", "values"):
            one, other = (getattr(getattr(model, name), part) for model in (shipped, read))
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(shipped.color_law, read.color_law)
    np.testing.assert_array_equal(shipped.color_dispersion, read.color_dispersion)
    assert shipped.color_law_range == read.color_law_range == (2800.0, 8000.0)
    assert (shipped.kind, read.kind, read.error_scale) == ("salt3", "salt3", None)


def test_grids_are_read_as_sncosmo_reads_them(f22_texts, tmp_path):
    folder = write(tmp_path, f22_texts)
    phase, wave, values = sncosmo.read_griddata_ascii(str(folder / "salt3_template_1.dat"))
    grid = read_salt(folder).m1
    np.testing.assert_array_equal(grid.phase, phase)
    np.testing.assert_array_equal(grid.wave, wave)
    np.testing.assert_array_equal(grid.values, values * 1e-12)


def test_salt2_folder_has_error_scale_and_default_range(tmp_path):
    model = read_salt(write(tmp_path, salt2_texts()))
    assert model.kind == "salt2"
    assert model.error_scale is not None
    assert model.color_law_range == (3000.0, 7000.0)
    np.testing.assert_array_equal(model.variance_0.values[2], 2.0 * np.arange(2000, 2060, 10))


@pytest.mark.parametrize("kind", ["salt2", "salt3"])
def test_what_is_written_is_read(tmp_path, kind):
    folder = tmp_path / "texts"
    folder.mkdir()
    model = read_salt(write(folder, salt2_texts()) if kind == "salt2" else "salt3-f22")
    for _ in range(2):
        write_salt(model, tmp_path / "again")
    again = read_salt(tmp_path / "again")
    assert (again.kind, again.name) == (kind, "again")
    assert again.color_law_range == model.color_law_range
    np.testing.assert_array_equal(again.color_law, model.color_law)
    np.testing.assert_array_equal(again.color_dispersion, model.color_dispersion)
    for name in (*GRIDS, *(["error_scale"] if kind == "salt2" else [])):
        one, other = getattr(model, name), getattr(again, name)
        np.testing.assert_array_equal(one.phase, other.phase)
        np.testing.assert_array_equal(one.wave, other.wave)
        np.testing.assert_allclose(other.values, one.values, rtol=1e-15)


def test_a_folder_of_other_things_is_not_written_over(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"holds other things \(thesis.tex\)"):
        write_salt(read_salt("salt3-f22"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_unknown_name_says_what_is_known():
    with pytest.raises(InputError, match=r"'salt9': expected one of salt3-f22 or a folder"):
        read_salt("salt9")


def test_empty_folder(tmp_path):
    with pytest.raises(
        InputError, match=r"neither salt2_template_0\.dat nor salt3_template_0\.dat"
    ):
        read_salt(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("salt2_template_1.dat", None, "missing"),
        ("salt2_template_1.dat", "0 2000 1\n0 2010\n", "expected 3 columns"),
        ("salt2_template_1.dat", "0 2000 1\n0 2010 2\n1 2000 3\n", "full grid"),
        ("salt2_lc_dispersion_scaling.dat", "0 2000 nan\n", "expected 3 finite"),
        ("salt2_color_dispersion.dat", "2000 1 2\n", "expected 2 finite columns, got 3"),
        ("salt2_color_correction.dat", "2\n0.5\n", "2 coefficients expected"),
        ("salt2_color_correction.dat", "1\n0.5\nSalt2ExtinctionLaw.version 0", "version 1"),
        ("salt2_color_correction.dat", "1\n0.5\nother 3", "unknown words"),
        ("salt2_color_correction.dat", "", "expected count"),
    ],
)
def test_bad_file_is_named(tmp_path, name, text, message):
    folder = write(tmp_path, salt2_texts())
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_salt(folder)
    assert name in str(error.value)


def test_templates_on_two_grids_are_refused(tmp_path):
    texts = salt2_texts()
    texts["salt2_template_1.dat"] = "".join(
        f"{p} {w} 0\n" for p in range(6) for w in range(2000, 2060, 10)
    )
    with pytest.raises(InputError, match="its grid"):
        read_salt(write(tmp_path, texts))


def test_decreasing_phases_are_refused(tmp_path):
    texts = salt2_texts()
    texts["salt2_template_0.dat"] = "".join(
        f"{-p} {w} 0\n" for p in range(5) for w in range(2000, 2060, 10)
    )
    with pytest.raises(InputError, match="must increase"):
        read_salt(write(tmp_path, texts))
