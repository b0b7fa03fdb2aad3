"""Sets of light curves as one: in memory, or folders that are read one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.products.blocks import LightCurveBlocks
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.targets import Targets


def join_lightcurves(first: LightCurves, second: LightCurves, *, is_shared: bool) -> LightCurves:
    """Join two sets of light curves.

    Parameters
    ----------
    first, second : LightCurves
        Their passbands of one name must be equal, and so must their origins.
    is_shared : bool
        Both have the same targets; otherwise no name may stand in both.

    Returns
    -------
    LightCurves
        The targets and epochs of `first`, then those of `second`.

    Raises
    ------
    InputError
        If names, passbands or origins conflict.
    """
    if first.meta.origin != second.meta.origin:
        raise InputError(
            f"origin {second.meta.origin} among files of origin {first.meta.origin}; fit them "
            "apart, or say what they are with --origin"
        )
    targets = first.targets
    if not is_shared:
        twice = np.intersect1d(targets["sn"].astype(str), second.targets["sn"].astype(str))
        if len(twice):
            raise InputError(f"{twice[0]} was in an earlier file too; name it apart or drop one")
        table = pa.concat_tables([targets.table, second.targets.table], promote_options="default")
        targets = Targets(table=table, meta=targets.meta)
    for name, band in second.passbands.items():
        if name in first.passbands and not _is_same(first.passbands[name], band):
            raise InputError(
                f"passband {name} differs from that of an earlier file; fit them apart"
            )
    return replace(
        first,
        table=pa.concat_tables([first.table, second.table], promote_options="default"),
        targets=targets,
        passbands={**first.passbands, **second.passbands},
        rejected=pa.concat_tables([first.rejected, second.rejected]),
    )


def _is_same(first: Passband, second: Passband) -> bool:
    return np.array_equal(first.wave, second.wave) and np.array_equal(
        first.transmission, second.transmission
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JoinedBlocks:
    """The blocks of several folders, one folder after the other.

    Attributes
    ----------
    parts : tuple of LightCurveBlocks
        The folders.
    whole : LightCurves
        What is known of all but their epochs; its modes are those of any.
    """

    parts: tuple[LightCurveBlocks, ...]
    whole: LightCurves

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that occur, sorted."""
        return tuple(sorted({band for part in self.parts for band in part.bands}))

    def __iter__(self) -> Iterator[LightCurves]:
        return chain.from_iterable(self.parts)


def join_blocks(parts: Sequence[LightCurveBlocks]) -> JoinedBlocks:
    """Put the blocks of several folders in a row.

    Parameters
    ----------
    parts : sequence of LightCurveBlocks
        One or more folders; each supernova is in one of them.

    Returns
    -------
    JoinedBlocks
        An iterable of `LightCurves`.

    Raises
    ------
    InputError
        If a supernova is in two folders, or their passbands or origins conflict.
    """
    folder_of: dict[str, LightCurveBlocks] = {}
    for part in parts:
        for name in part.whole.targets["sn"].tolist():
            if folder_of.setdefault(name, part) is not part:
                raise InputError(
                    f"{name} is in {folder_of[name].epochs.parent} and in {part.epochs.parent}; "
                    "name it apart or drop one"
                )
    whole = _without_lists(parts[0].whole)
    for part in parts[1:]:
        try:
            whole = join_lightcurves(whole, _without_lists(part.whole), is_shared=False)
        except InputError as error:
            raise InputError(f"{part.epochs.parent}: {error}") from error
    modes = list(dict.fromkeys(name for part in parts for name in part.whole.modes))
    meta = whole.meta.with_provenance(modes=modes) if modes else whole.meta
    return JoinedBlocks(parts=tuple(parts), whole=replace(whole, meta=meta))


def _without_lists(whole: LightCurves) -> LightCurves:
    """Leave out the columns of lists, whose length differs from folder to folder."""
    return replace(whole, table=whole.table.select(LightCurves.schema.names))
