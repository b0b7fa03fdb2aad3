"""The fits of blocks of supernovae as one file."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from chandelle.products.derivatives import NAMES_OF, names_in, spread_derivatives
from chandelle.products.parts import write_parts
from chandelle.products.saltfits import SaltFits

BLOCK = 4096
"""Targets fitted at a time unless said otherwise."""


def write_fits(
    out: Path, blocks: Iterable[SaltFits], *, names: Mapping[str, list[str]]
) -> dict[str, int]:
    """Write the fits of blocks of targets as one file.

    Parameters
    ----------
    out : Path
        Parquet file of `SaltFits`.
    blocks : iterable of SaltFits
        In the order of the targets.
    names : mapping of str to list of str
        Bands, modes and parameters of the derivatives of the whole set; none without derivatives.

    Returns
    -------
    dict of str to int
        How many fits ended with which status.
    """
    status: Counter[str] = Counter()
    with write_parts(out) as parts:
        for block in blocks:
            fits = _spread(block, names)
            status.update(fits["status"].tolist())
            parts.append(fits)
            parts.meta = (parts.meta or fits.meta).with_provenance(status=dict(status))
    return dict(status)


def _spread(fits: SaltFits, names: Mapping[str, list[str]]) -> SaltFits:
    """Bring the derivatives of a block to the bands and modes of the whole set."""
    columns = [column for column, key in NAMES_OF.items() if names.get(key)]
    if not columns:
        return fits
    table = spread_derivatives(fits.table, own=names_in(fits.meta), names=names, columns=columns)
    return replace(fits, table=table, meta=fits.meta.with_provenance(**names))
