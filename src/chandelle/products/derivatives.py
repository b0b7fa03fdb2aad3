"""Columns of derivatives: four numbers (t0, x0, x1, c) a band or calibration mode, side by side.

The names they belong to stand in the provenance, in the order of the columns.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.products.product import Meta
from chandelle.products.schema import numpy_of, table_from_columns

NAMES_OF: Mapping[str, str] = {
    "dtheta_dzp": "derivative_bands",
    "dtheta_dlambda": "derivative_bands",
    "dtheta_dmode": "modes",
}
"""The columns, and where in the provenance their bands or modes stand."""
N_PARAMS = 4
"""Parameters they are derivatives of: t0, x0, x1, c."""

Names = Mapping[str, Sequence[str]]


def names_in(meta: Meta) -> dict[str, tuple[str, ...]]:
    """Bands and modes of the derivatives of one set of fits."""
    facts = meta.provenance
    return {key: tuple(facts.get(key, ())) for key in set(NAMES_OF.values())}


def joint_names(metas: Sequence[Meta]) -> dict[str, tuple[str, ...]]:
    """Bands of several sets, sorted, and their modes, in the order in which they come."""
    every = [names_in(meta) for meta in metas]
    bands = sorted({band for names in every for band in names["derivative_bands"]})
    modes = dict.fromkeys(mode for names in every for mode in names["modes"])
    return {"derivative_bands": tuple(bands), "modes": tuple(modes)}


def derivative_array(table: pa.Table, column: str, names: Sequence[str]) -> NDArray[np.float64]:
    """One column as an array, shape (sn, name, 4).

    Raises
    ------
    InputError
        If the table does not have it.
    """
    if column not in table.column_names:
        raise InputError(f"no column {column}; fit_salt writes it with derivatives=True")
    return numpy_of(table[column]).reshape(len(table), len(names), N_PARAMS)


def spread_derivatives(
    table: pa.Table, *, own: Names, names: Names, columns: Sequence[str]
) -> pa.Table:
    """Bring derivatives to more bands or modes.

    A supernova does not move with a band or mode it has no epochs in: the derivative is 0, or NaN
    where the supernova has no answer. Where the whole column is missing nobody asked for it, and
    it is NaN.

    Parameters
    ----------
    table : pyarrow.Table
        Fits.
    own, names : mapping of str to sequence of str
        Bands and modes of the table and those wanted, which hold them all.
    columns : sequence of str
        Columns that are wanted, of `NAMES_OF`.

    Returns
    -------
    pyarrow.Table
        With these columns last.
    """
    is_ok = np.asarray(table["status"].to_pylist(), dtype=object) == "ok"
    wide: dict[str, Sequence | np.ndarray] = {}
    for column in columns:
        key = NAMES_OF[column]
        whole = np.full((len(table), len(names[key]), N_PARAMS), np.nan)
        if column in table.column_names:
            whole[is_ok] = 0.0
            at = [list(names[key]).index(name) for name in own[key]]
            whole[:, at] = derivative_array(table, column, own[key])
        wide[column] = whole.reshape(len(table), len(names[key]) * N_PARAMS)
    rest = table.drop_columns([name for name in NAMES_OF if name in table.column_names])
    for name, values in wide.items():
        rest = rest.append_column(name, table_from_columns({name: values})[name])
    return rest
