"""Light curves arranged for tasks: which rows of which file each block of supernovae has.

A folder with ``blocks.json``, and ordered copies of those sets whose epochs do not lie in the order
of their targets; the others are read where they are.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from chandelle.core.atomic import atomic_folder
from chandelle.core.errors import InputError
from chandelle.products.blocks import LightCurveBlocks, lightcurve_blocks, read_rows
from chandelle.products.joined import join_blocks
from chandelle.products.lightcurves import LightCurves, read_without_epochs
from chandelle.products.parts import write_parts

_INDEX = "blocks.json"
_EPOCHS = "epochs.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One set of light curves: its folder, seen from the arranged one."""

    path: str
    bands: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """Sets of light curves as blocks of `size` targets, each read by itself.

    Parameters
    ----------
    folder : Path
        What `arrange` wrote.
    size : int
        Targets of a block.
    sources : tuple of Source
        The sets, one after the other.
    """

    folder: Path
    size: int
    sources: tuple[Source, ...]

    def __len__(self) -> int:
        """Count the blocks."""
        return sum(len(source.counts) for source in self.sources)

    def block(self, number: int) -> LightCurves:
        """Targets and epochs of one block, as `LightCurveBlocks` gives them."""
        source, own = self._at(number)
        whole = read_without_epochs(self.folder / source.path)
        edges = [0, *accumulate(source.counts)]
        table = read_rows(self.folder / source.path / _EPOCHS, edges[own], edges[own + 1])
        return replace(self._targets_of(whole, own), table=table)

    def without_epochs(self, number: int) -> LightCurves:
        """Targets of one block alone."""
        source, own = self._at(number)
        return self._targets_of(read_without_epochs(self.folder / source.path), own)

    def whole(self) -> LightCurves:
        """All of the sets but their epochs."""
        parts = [
            LightCurveBlocks(
                whole=read_without_epochs(self.folder / source.path),
                epochs=self.folder / source.path / _EPOCHS,
                size=self.size,
                bands=source.bands,
                counts=source.counts,
                is_in_order=True,
            )
            for source in self.sources
        ]
        return join_blocks(parts).whole

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that occur, sorted."""
        return tuple(sorted({band for source in self.sources for band in source.bands}))

    def _at(self, number: int) -> tuple[Source, int]:
        """Set of a block, and its number there."""
        for source in self.sources:
            if number < len(source.counts):
                return source, number
            number -= len(source.counts)
        raise IndexError(f"no block of that number; there are {len(self)}")

    def _targets_of(self, whole: LightCurves, own: int) -> LightCurves:
        stop = min((own + 1) * self.size, len(whole.targets))
        return whole.select_targets(np.arange(own * self.size, stop))


def arrange(folders: Sequence[Path], out: Path, *, size: int) -> Arranged:
    """Look through sets of light curves, and put their epochs in order where they are not.

    Parameters
    ----------
    folders : sequence of Path
        Folders that `LightCurves.write` wrote; each supernova is in one of them.
    out : Path
        Folder that is written.
    size : int
        Targets of a block.

    Returns
    -------
    Arranged
        For `Arranged.block`.

    Raises
    ------
    InputError
        If a folder is none of light curves, or a supernova is in two.
    """
    opened = [lightcurve_blocks(path, size=size, scratch=out.parent) for path in folders]
    join_blocks(opened)
    with atomic_folder(out) as folder:
        sources = []
        for number, (path, blocks) in enumerate(zip(folders, opened, strict=True)):
            place = os.path.relpath(path.resolve(), out.resolve())
            if not blocks.is_in_order:
                place = f"set-{number}"
                _write_in_order(path, blocks, folder / place)
            sources.append(Source(path=place, bands=blocks.bands, counts=blocks.counts))
        facts = {"size": size, "sources": [asdict(source) for source in sources]}
        (folder / _INDEX).write_text(json.dumps(facts), encoding="utf-8")
    return Arranged(folder=out, size=size, sources=tuple(sources))


def read_arranged(folder: Path) -> Arranged:
    """Read what `arrange` wrote.

    Raises
    ------
    InputError
        If it is no such folder.
    """
    try:
        facts = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        sources = tuple(
            Source(path=s["path"], bands=tuple(s["bands"]), counts=tuple(s["counts"]))
            for s in facts["sources"]
        )
        return Arranged(folder=folder, size=facts["size"], sources=sources)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / _INDEX}: expected blocks of light curves, {error}") from error


def _write_in_order(path: Path, blocks: LightCurveBlocks, out: Path) -> None:
    """Copy a set with its epochs in the order of its blocks."""
    out.mkdir()
    for table in path.glob("*.parquet"):
        if table.name != _EPOCHS:
            shutil.copyfile(table, out / table.name)
    with write_parts(out / _EPOCHS) as parts:
        for block in blocks:
            parts.append(block)
