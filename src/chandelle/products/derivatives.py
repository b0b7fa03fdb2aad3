"""Columns of derivatives: one number a fitted parameter, for each band or calibration mode in turn.

The names of all three stand in the provenance, in the order of the columns.
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
PARAMS = "derivative_params"
"""Where in the provenance the parameters stand that they are derivatives of."""
_PLAIN = ("t0", "x0", "x1", "c")
"""The parameters where the provenance does not say."""

Names = Mapping[str, Sequence[str]]


def names_in(meta: Meta) -> dict[str, tuple[str, ...]]:
    """Bands, modes and parameters of the derivatives of one set of fits."""
    facts = meta.provenance
    names = {key: tuple(facts.get(key, ())) for key in set(NAMES_OF.values())}
    return names | {PARAMS: tuple(facts.get(PARAMS, _PLAIN if any(names.values()) else ()))}


def joint_names(metas: Sequence[Meta]) -> dict[str, tuple[str, ...]]:
    """Bands of several sets, sorted, and their modes and parameters, in the order they come."""
    every = [names_in(meta) for meta in metas]

    def joint(key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for names in every for name in names[key]))

    bands = tuple(sorted(joint("derivative_bands")))
    return {"derivative_bands": bands, "modes": joint("modes"), PARAMS: joint(PARAMS)}


def derivative_array(table: pa.Table, column: str, names: Names) -> NDArray[np.float64]:
    """One column as an array, shape (sn, band or mode, param).

    Raises
    ------
    InputError
        If the table does not have it.
    """
    if column not in table.column_names:
        raise InputError(
            f"no column {column}; fit_salt writes it with derivatives=True, for each "
            f"{'mode' if NAMES_OF[column] == 'modes' else 'band'} of the light curves"
        )
    shape = (len(table), len(names[NAMES_OF[column]]), len(names[PARAMS]))
    return numpy_of(table[column]).reshape(shape)


def spread_derivatives(
    table: pa.Table, *, own: Names, names: Names, columns: Sequence[str]
) -> pa.Table:
    """Bring derivatives to more bands, modes or parameters.

    A supernova does not move with a band or mode it has no epochs in, nor does a parameter that was
    not fitted: the derivative is 0, or NaN where the supernova has no answer. A set whose
    derivatives are known but that has no bands or modes lacks the column; it does not move either.
    Where nobody asked for derivatives they are NaN.

    Parameters
    ----------
    table : pyarrow.Table
        Fits.
    own, names : mapping of str to sequence of str
        Bands, modes and parameters of the table and those wanted, which hold them all.
    columns : sequence of str
        Columns that are wanted, of `NAMES_OF`.

    Returns
    -------
    pyarrow.Table
        With these columns last.
    """
    is_ok = np.asarray(table["status"].to_pylist(), dtype=object) == "ok"
    is_asked = any(name in table.column_names for name in NAMES_OF)
    wide: dict[str, Sequence | np.ndarray] = {}
    for column in columns:
        key = NAMES_OF[column]
        whole = np.full((len(table), len(names[key]), len(names[PARAMS])), np.nan)
        if is_asked and not own[key]:
            whole[is_ok] = 0.0
        if column in table.column_names:
            whole[is_ok] = 0.0
            at, params = (
                np.array([list(names[k]).index(name) for name in own[k]], dtype=np.int64)
                for k in (key, PARAMS)
            )
            whole[:, at[:, None], params] = derivative_array(table, column, own)
        wide[column] = whole.reshape(len(table), whole.shape[1] * whole.shape[2])
    rest = table.drop_columns([name for name in NAMES_OF if name in table.column_names])
    for name, values in wide.items():
        rest = rest.append_column(name, table_from_columns({name: values})[name])
    return rest
