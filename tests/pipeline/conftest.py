"""A small survey on disk, its fits by one call, and what its tasks can be made to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import chandelle as ch
from chandelle.core.errors import InputError
from chandelle.lightcurve import tasks

N = 20


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """Light curves of twenty supernovae."""
    folder = tmp_path_factory.mktemp("drawn")
    ch.simulate_lightcurves(seed=3, n={"ZTF": 12, "DEEP": 8}).write(folder)
    return folder


@pytest.fixture(scope="session")
def expected(drawn, tmp_path_factory) -> bytes:
    """The file of their fits, block by block in one process."""
    out = tmp_path_factory.mktemp("expected") / "fits.parquet"
    ch.fit_salt_blocks(drawn / "lightcurves", out, size=6)
    return out.read_bytes()


@pytest.fixture
def survey(drawn, tmp_path) -> Path:
    """A survey of its own, in blocks of six."""
    folder = tmp_path / "survey"
    shutil.copytree(drawn, folder)
    write_settings(folder, "[fit-lightcurves]\nblock = 6\n")
    return folder


@pytest.fixture
def break_block(monkeypatch) -> Callable[[int], None]:
    """Make the task of a block find its data unusable, in this process."""
    fit = tasks.fit_block

    def broken(number: int) -> None:
        def fit_block(task, folder):
            if task.settings["number"] == number:
                raise InputError(f"block {number}: expected light, found darkness")
            return fit(task, folder)

        monkeypatch.setattr(tasks, "fit_block", fit_block)

    return broken


def write_settings(folder: Path, text: str) -> None:
    (folder / "survey.toml").write_text(text)
