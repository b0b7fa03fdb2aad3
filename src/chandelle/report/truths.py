"""The truth of a simulation, from whichever product carries it."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.products.product import Product
from chandelle.products.saltfits import SaltFits


def truth_columns(truth: Product | pa.Table) -> pa.Table:
    """Take the table of a truth.

    Parameters
    ----------
    truth : Product or pyarrow.Table
        Columns sn and `*_true`.

    Returns
    -------
    pyarrow.Table
        The same.

    Raises
    ------
    InputError
        If it has no column sn.
    """
    table = truth.table if isinstance(truth, Product) else truth
    if "sn" not in table.column_names:
        raise InputError(f"truth: missing column sn; found {', '.join(table.column_names)}")
    return table


def true_parameters(truth: Product | pa.Table | None, fits: SaltFits | None) -> dict[str, float]:
    """Find the true parameters of the simulated universe (Om, alpha, ...).

    They are the entry `truth` of a provenance: that of the truth, or of the fits.

    Parameters
    ----------
    truth : Product or pyarrow.Table, optional
        A table keeps the provenance in its schema's metadata, as its Parquet file does.
    fits : SaltFits, optional
        Those of a simulation at the level of SALT parameters carry it themselves.

    Returns
    -------
    dict of str to float
        Empty where none is known.
    """
    provenances: list[Mapping[str, Any]] = []
    if isinstance(truth, Product):
        provenances.append(truth.meta.provenance)
    elif truth is not None:
        raw = (truth.schema.metadata or {}).get(b"chandelle", b"{}")
        provenances.append(json.loads(raw).get("provenance", {}))
    if fits is not None:
        provenances.append(fits.meta.provenance)
    for provenance in provenances:
        values = provenance.get("truth")
        if isinstance(values, Mapping):
            return {
                str(name): float(value)
                for name, value in values.items()
                if isinstance(value, int | float)
            }
    return {}
