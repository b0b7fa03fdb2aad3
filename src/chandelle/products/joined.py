"""Sets of light curves as one: in memory, or folders that are read one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.paths import refuse_twice
from chandelle.products.blocks import LightCurveBlocks
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets

_LISTS = ("cov_factor", "dflux_dmode")


class Joining:
    """Sets of light curves on their way into one; one that is refused leaves no trace.

    Parameters
    ----------
    is_shared : bool
        All sets have the same targets; otherwise no name may stand in two.
    """

    def __init__(self, *, is_shared: bool) -> None:
        self._is_shared = is_shared
        self._sets: list[LightCurves] = []
        self._label_of: dict[str, str] = {}
        self._passbands: dict[str, Passband] = {}
        self._epochs = self._targets = pa.schema([])

    def __len__(self) -> int:
        return len(self._sets)

    def add(self, lcs: LightCurves, *, label: str) -> None:
        """Add a set.

        Parameters
        ----------
        lcs : LightCurves
            Its origin must be that of the others, and so must its passbands of one name.
        label : str
            Where it comes from, for the message.

        Raises
        ------
        InputError
            If names, passbands, origins or types of columns conflict with those of the others.
        """
        origin = self._sets[0].meta.origin if self._sets else lcs.meta.origin
        if lcs.meta.origin != origin:
            raise InputError(
                f"{label}: origin {lcs.meta.origin} among files of origin {origin}; fit them "
                "apart, or say what they are with --origin"
            )
        names = [] if self._is_shared else lcs.targets["sn"].tolist()
        for name in names:
            if name in self._label_of:
                raise InputError(
                    f"{name} is in {self._label_of[name]} and in {label}; name it apart or drop one"
                )
        for name, band in lcs.passbands.items():
            if name in self._passbands and not _is_same(self._passbands[name], band):
                raise InputError(
                    f"{label}: passband {name} differs from that of an earlier file; fit them apart"
                )
        epochs = _promoted(self._epochs, _without_lists(lcs.table).schema, label)
        targets = _promoted(self._targets, lcs.targets.table.schema, label)
        self._epochs, self._targets = epochs, targets
        self._sets.append(lcs)
        self._label_of.update(dict.fromkeys(names, label))
        self._passbands.update(lcs.passbands)

    def joined(self) -> LightCurves:
        """Join what was added, see `join_lightcurves`; there must be one set at least."""
        first, *others = self._sets
        if not others:
            return first
        targets = first.targets
        if not self._is_shared:
            tables = [lcs.targets.table for lcs in self._sets]
            targets = replace(targets, table=_concat(tables))
        table, meta = _concat([_without_lists(lcs.table) for lcs in self._sets]), first.meta
        modes = list(dict.fromkeys(name for lcs in self._sets for name in lcs.modes))
        lists = (_factor(self._sets), _by_mode(self._sets, modes))
        for name, values in zip(_LISTS, lists, strict=True):
            if values.shape[1]:
                table = table.append_column(name, table_from_columns({name: values})[name])
        return replace(
            first,
            table=table,
            meta=meta.with_provenance(modes=modes) if modes else meta,
            targets=targets,
            passbands=dict(self._passbands),
            rejected=_concat([lcs.rejected for lcs in self._sets]),
        )


def join_lightcurves(
    sets: Sequence[LightCurves], *, labels: Sequence[str], is_shared: bool
) -> LightCurves:
    r"""Join sets of light curves.

    The flux covariance of a supernova is :math:`D + U U^T`, U the columns of `cov_factor`. Sets
    with fewer columns than others get columns of zeros. Where a supernova has epochs in several
    sets, the columns of these stand beside each other: what the errors share is known within a
    set, not between sets. A calibration mode is known by its name, in any set; the epochs of a set
    that does not have it do not move with it.

    Parameters
    ----------
    sets : sequence of LightCurves
        One or more. Their origins must be equal, and so must their passbands of one name.
    labels : sequence of str
        Where each comes from, for messages.
    is_shared : bool
        All have the same targets; otherwise no name may stand in two.

    Returns
    -------
    LightCurves
        The targets and epochs of the first, then those of the next.

    Raises
    ------
    InputError
        If names, passbands, origins or types of columns conflict.
    """
    joining = Joining(is_shared=is_shared)
    for lcs, label in zip(sets, labels, strict=True):
        joining.add(lcs, label=label)
    return joining.joined()


def _is_same(first: Passband, second: Passband) -> bool:
    return np.array_equal(first.wave, second.wave) and np.array_equal(
        first.transmission, second.transmission
    )


def _without_lists(table: pa.Table) -> pa.Table:
    return table.drop_columns([name for name in _LISTS if name in table.column_names])


def _concat(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive")


def _promoted(known: pa.Schema, new: pa.Schema, label: str) -> pa.Schema:
    """Types that hold the columns of both."""
    if new.equals(known):
        return known
    for field in new:
        former = known.field(field.name) if field.name in known.names else field
        pair = [pa.schema([former]), pa.schema([field])]
        try:
            pa.unify_schemas(pair, promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            raise InputError(
                f"{label}: column {field.name} is {field.type}, in an earlier file {former.type}; "
                "bring both to one type or drop it"
            ) from error
    return pa.unify_schemas([known, new], promote_options="permissive")


def _factor(sets: Sequence[LightCurves]) -> NDArray[np.float64]:
    """What errors share, shape (obs, column) [nJy]; each set has columns of its own."""
    taken: dict[str, int] = {}
    starts, factors = [], [lcs.covariance_factor for lcs in sets]
    for lcs, factor in zip(sets, factors, strict=True):
        width = factor.shape[1]
        names, codes = np.unique(lcs["sn"].astype(str) if width else [], return_inverse=True)
        starts.append(np.array([taken.get(name, 0) for name in names.tolist()], dtype=int)[codes])
        taken |= {name: taken.get(name, 0) + width for name in names.tolist()}
    whole = np.zeros((sum(map(len, sets)), max(taken.values(), default=0)))
    row = 0
    for lcs, factor, start in zip(sets, factors, starts, strict=True):
        if len(start):
            rows = row + np.arange(len(lcs))
            whole[rows[:, None], start[:, None] + np.arange(factor.shape[1])] = factor
        row += len(lcs)
    return whole


def _by_mode(sets: Sequence[LightCurves], modes: Sequence[str]) -> NDArray[np.float64]:
    """How fluxes move with all calibration modes, shape (obs, mode) [nJy]."""
    whole = np.zeros((sum(map(len, sets)), len(modes)))
    row = 0
    for lcs in sets:
        if lcs.modes:
            at = [modes.index(name) for name in lcs.modes]
            whole[row : row + len(lcs), at] = lcs["dflux_dmode"]
        row += len(lcs)
    return whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JoinedBlocks:
    """The blocks of several folders, one folder after the other.

    Attributes
    ----------
    parts : tuple of LightCurveBlocks
        The folders.
    whole : LightCurves
        What is known of all but their epochs, in the columns of the schemas; its modes are those of
        any.
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
        If a folder is given twice, a supernova is in two, or passbands or origins conflict.
    """
    folders = [part.epochs.parent for part in parts]
    refuse_twice(folders)
    plain = [_plain(part.whole) for part in parts]
    whole = join_lightcurves(plain, labels=[str(folder) for folder in folders], is_shared=False)
    return JoinedBlocks(parts=tuple(parts), whole=whole)


def _plain(whole: LightCurves) -> LightCurves:
    """Leave out the columns of the user, whose types may differ from folder to folder."""
    lists = [name for name in _LISTS if name in whole.table.column_names]
    targets = whole.targets.table.select(Targets.schema.names)
    return replace(
        whole,
        table=whole.table.select([*LightCurves.schema.names, *lists]),
        targets=replace(whole.targets, table=targets),
    )
