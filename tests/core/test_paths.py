"""Places that are read are not written."""

import pytest

from chandelle.core.errors import InputError
from chandelle.core.paths import refuse_to_replace, refuse_twice


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("in/a", r"in/a: is read here; write elsewhere"),
        ("in/b/../a", "is read here"),
        ("link", "is read here"),
        ("in/a/deep/out.parquet", r"lies in .*in/a, which is read here"),
        ("in", r"in: holds .*in/a, which is read here"),
        (".", "holds"),
    ],
)
def test_an_output_that_is_an_input(tmp_path, output, says):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "b").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in" / "a")
    with pytest.raises(InputError, match=says):
        refuse_to_replace(tmp_path / output, [tmp_path / "other", tmp_path / "in" / "a"])


def test_relative_names_and_neighbors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_to_replace("out/fits.parquet", ["in", "out.parquet", "out/fits"])
    with pytest.raises(InputError, match=r"in/x: lies in .*in, which"):
        refuse_to_replace("in/x", [tmp_path / "in"])


def test_twice(tmp_path):
    refuse_twice([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(InputError, match="a is given twice; drop one"):
        refuse_twice([tmp_path / "a", tmp_path / "b", str(tmp_path / "a")])
    with pytest.raises(InputError, match=r"a is given twice, also as .*b/\.\./a; drop one"):
        refuse_twice([f"{tmp_path}/b/../a", tmp_path / "a"])
