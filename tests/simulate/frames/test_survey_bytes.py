"""Same seed, same bytes: whatever the blocks, the place, the files that are there."""

import pytest
from astropy.io import fits
from tiny_survey import digests, write_settings

from chandelle.simulate.frames.survey import simulate_survey


def run(tmp_path, *changes, **how):
    settings = write_settings(tmp_path / "settings", *changes)
    options = {"out": tmp_path / "survey", "seed": 1, "on": "serial"} | how
    return simulate_survey(settings, **options)


def assert_same(one, two):
    assert len(digests(one.folder)) > 15
    assert digests(one.folder) == digests(two.folder)


def test_neither_blocks_nor_a_lost_file_change_a_byte(tiny, tmp_path):
    other = run(tmp_path, block=7)
    assert_same(tiny, other)
    other.frames()[1].unlink()
    assert_same(tiny, run(tmp_path, block=7))
    assert_same(tiny, run(tmp_path, block=3))


@pytest.mark.slow
@pytest.mark.parametrize(("place", "block"), [("local:2", 1), ("local:2", 7), ("serial", 1)])
def test_place_and_blocks_change_no_byte(tiny, tmp_path, place, block):
    assert_same(tiny, run(tmp_path, on=place, block=block))


@pytest.mark.slow
def test_another_seed_is_another_universe(tiny, tmp_path):
    other = run(tmp_path, seed=2)
    mine, theirs = digests(tiny.folder), digests(other.folder)
    same = {path for path, digest in mine.items() if digest in theirs.values()}
    # Frames without a source or a cosmic ray have equal tables, those of no row.
    empty = {path for path in same if path.startswith(("truth/sources/", "truth/cosmics/"))}
    assert same - empty == {"truth/quadrants.parquet"}, "the camera alone stays"
    assert not any(path.endswith("_o.parquet") and "sources" in path for path in empty)


@pytest.mark.slow
def test_packed_frames_have_the_pixels_of_plain_ones(tiny, tmp_path):
    packed = run(tmp_path, ("recenter = true", "recenter = true\nis_compressed = true"))
    for kind in ("object", "bias", "flat"):
        pairs = list(zip(tiny.frames(kind), packed.frames(kind), strict=True))
        assert pairs
        for plain, other in pairs:
            assert other.name == f"{plain.name}.fz"
            for number in range(1, 9):
                assert (fits.getdata(plain, number) == fits.getdata(other, number)).all()
