"""What the reader of a format left out itself, before the checks: named and counted."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.products.lightcurves import LightCurves

_log = logging.getLogger(__name__)
_NAMED = 3


class Lost(NamedTuple):
    """What a reader left out: whose (supernova or file), why, how many epochs (1 for a file)."""

    sn: str
    reason: str
    number: int


def lost_rows(names: np.ndarray, reasons: np.ndarray) -> tuple[Lost, ...]:
    """Count the rows with a reason, by supernova and reason.

    Parameters
    ----------
    names : array of str, shape (obs,)
        Supernova of each row.
    reasons : array of str, shape (obs,)
        Why it is left out; empty for a row that stays.

    Returns
    -------
    tuple of Lost
        In order of first appearance.
    """
    bad = reasons != ""
    pairs = Counter(zip(names[bad].tolist(), reasons[bad].tolist(), strict=True))
    return tuple(Lost(sn, reason, count) for (sn, reason), count in pairs.items())


def unreadable(failures: Mapping[str, str], *, label: str, n_read: int) -> tuple[Lost, ...]:
    """Name the files that could not be read; they cost only themselves.

    Parameters
    ----------
    failures : mapping of str
        What is wrong with each file, by name.
    label : str
        Where they are.
    n_read : int
        How many others were read.

    Returns
    -------
    tuple of Lost
        One a file.

    Raises
    ------
    InputError
        If no file was read at all.
    """
    if not failures:
        return ()
    first = "; ".join(list(failures.values())[:_NAMED])
    more = f" and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
    if not n_read:
        raise InputError(f"{label}: none of {len(failures)} files could be read: {first}{more}")
    _log.warning("%s: %d files could not be read: %s%s", label, len(failures), first, more)
    return tuple(Lost(name, "unreadable_file", 1) for name in failures)


def with_lost(lcs: LightCurves, lost: Sequence[Lost], *, strict: bool) -> LightCurves:
    """Add what a reader left out to the count of rejected rows.

    Parameters
    ----------
    lcs : LightCurves
        Checked light curves.
    lost : sequence of Lost
        What the reader left out before the checks.
    strict : bool
        Raise if anything is lost.

    Returns
    -------
    LightCurves
        Supernovae that lost epochs carry the flag POINTS_REJECTED.

    Raises
    ------
    InputError
        If `strict` and something is lost.
    """
    if not lost:
        return lcs
    by_reason: Counter[str] = Counter()
    for item in lost:
        by_reason[item.reason] += item.number
    line = "left out by the reader: " + ", ".join(f"{n} {why}" for why, n in by_reason.items())
    source = lcs.meta.provenance.get("source", "light curves")
    if strict:
        raise InputError(f"{source}: {line}")
    _log.info("%s: %s", source, line)
    columns = [pa.array([item[i] for item in lost]) for i in range(3)]
    more = pa.Table.from_arrays(columns, schema=lcs.rejected.schema)
    touched = np.isin(lcs["sn"].astype(str), [item.sn for item in lost])
    flags = lcs.flags | np.where(touched, int(Flag.POINTS_REJECTED), 0)
    index = lcs.table.column_names.index("flags")
    table = lcs.table.set_column(index, lcs.table.schema.field(index), pa.array(flags))
    return replace(
        lcs,
        table=table,
        rejected=pa.concat_tables([lcs.rejected, more]),
        meta=lcs.meta.with_provenance(reader=line),
    )
