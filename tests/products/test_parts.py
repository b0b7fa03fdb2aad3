"""A product written part by part is that written at once, or absent."""

import pandas as pd
import pytest

from chandelle.core.errors import InputError
from chandelle.products.parts import write_parts
from chandelle.products.product import Meta
from chandelle.products.targets import Targets


def targets(*names: str) -> Targets:
    meta = Meta(origin="published", provenance={"of": list(names)})
    return Targets.from_columns({"sn": list(names), "z_hel": [0.1] * len(names)}, meta=meta)


def test_parts_make_the_whole(tmp_path):
    with write_parts(tmp_path / "t.parquet") as parts:
        for name in "abc":
            parts.append(targets(name))
        parts.meta = targets("a", "b", "c").meta
        assert not (tmp_path / "t.parquet").exists()
    targets("a", "b", "c").write(tmp_path / "at_once.parquet")
    found, expected = (Targets.read(tmp_path / f"{name}.parquet") for name in ("t", "at_once"))
    pd.testing.assert_frame_equal(found.to_pandas(), expected.to_pandas(), check_exact=True)
    assert found.table.schema.equals(expected.table.schema, check_metadata=True)
    assert found.meta == expected.meta


def test_the_meta_is_that_of_the_first_part_unless_set(tmp_path):
    with write_parts(tmp_path / "t.parquet") as parts:
        parts.append(targets("a"))
        parts.append(targets("b"))
    assert Targets.read(tmp_path / "t.parquet").meta.provenance["of"] == ["a"]


def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path):
    targets("old").write(tmp_path / "t.parquet")
    with (
        pytest.raises(RuntimeError, match="half way"),
        write_parts(tmp_path / "t.parquet") as parts,
    ):
        parts.append(targets("a"))
        raise RuntimeError("half way")
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    assert Targets.read(tmp_path / "t.parquet")["sn"].tolist() == ["old"]


def test_other_columns_and_no_part_are_refused(tmp_path):
    other = Targets.from_columns({"sn": ["a"], "z_hel": [0.1], "mine": [1]})
    with pytest.raises(InputError, match="mine, the first has"):  # noqa: SIM117
        with write_parts(tmp_path / "t.parquet") as parts:
            parts.append(targets("a"))
            parts.append(other)
    with pytest.raises(InputError, match="one part at least"), write_parts(tmp_path / "t.parquet"):
        pass
    assert list(tmp_path.iterdir()) == []
