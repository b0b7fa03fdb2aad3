"""What all products share: one arrow table, where it came from, and the ways out of it."""

import dataclasses
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError
from chandelle.core.provenance import versions
from chandelle.core.typing import ArrayLike
from chandelle.products.schema import Schema, numpy_of, table_from_columns

if TYPE_CHECKING:
    import astropy.table
    import pandas as pd

Origin = Literal["simulated", "published", "real"]
META_KEY = b"chandelle"
"""Under which the meta of a product stands in its Parquet file."""
ROW_GROUP = 2**17
"""Rows of a row group at most: what a reader of one part of a file must take."""
_PREVIEW = 5
_P = TypeVar("_P", bound="Product")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Where a product came from.

    `origin` is None where a file does not say; cosmology treats that like real data. `blinding`
    says whether the distances were shifted by a hidden amount.
    """

    origin: Origin | None = None
    blinding: Literal["none", "blinded"] = "none"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def with_provenance(self, **facts: Any) -> "Meta":
        """Return the same with further facts."""
        return dataclasses.replace(self, provenance={**self.provenance, **facts})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Product:
    """A table that conforms to its class's `schema`, with its `meta`."""

    table: pa.Table
    meta: Meta = field(default_factory=Meta)
    schema: ClassVar[Schema]

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", self.schema.conform(self.table))

    @classmethod
    def from_columns(
        cls: type[_P],
        columns: dict[str, Sequence | np.ndarray],
        *,
        meta: Meta | None = None,
        **parts: Any,
    ) -> _P:
        """Make the product from named columns; `parts` are its other fields."""
        return cls(table=table_from_columns(columns), meta=meta or Meta(), **parts)

    def __len__(self) -> int:
        return self.table.num_rows

    def __getitem__(self, column: str) -> np.ndarray:
        if column not in self.table.column_names:
            raise KeyError(f"no column {column!r}; columns: {', '.join(self.table.column_names)}")
        return numpy_of(self.table[column])

    def rows_of(self, keep: ArrayLike) -> np.ndarray:
        """Indices of the rows that a mask or a list of indices keeps, in its order.

        Raises
        ------
        InputError
            If a mask has another length, or what is given is neither mask nor indices.
        """
        keep = np.asarray(keep)
        if keep.dtype == bool and len(keep) != len(self):
            raise InputError(
                f"{self.schema.name}: mask must have {len(self)} entries, got {len(keep)}"
            )
        if keep.size and keep.dtype.kind not in "biu":
            raise InputError(
                f"{self.schema.name}: rows are chosen by a mask or by indices, got {keep.dtype}"
            )
        return np.arange(len(self))[keep if keep.size else keep.astype(int)]

    @property
    def flags(self) -> np.ndarray:
        """The flag word of each row (see `chandelle.core.flags`)."""
        return self["flags"]

    def to_arrow(self) -> pa.Table:
        """Return the table, its units in the metadata of its fields."""
        return self.table

    def to_pandas(self) -> "pd.DataFrame":
        """Return the table as a DataFrame."""
        return self.table.to_pandas()

    def to_astropy(self) -> "astropy.table.Table":
        """Return the table as an astropy Table with units."""
        from astropy.table import Column, Table

        columns = []
        for name in self.table.column_names:
            values = self[name]
            values = values.astype(str) if values.dtype == object else values
            columns.append(Column(values, name=name, unit=self.unit(name) or None))
        return Table(columns, meta={"origin": self.meta.origin, "blinding": self.meta.blinding})

    def unit(self, column: str) -> str:
        """Unit of a column; empty where it has none."""
        return (self.table.schema.field(column).metadata or {}).get(b"unit", b"").decode()

    def __repr__(self) -> str:
        origin = self.meta.origin or "unknown origin"
        head = f"{type(self).__name__}: {len(self)} rows, {origin}, blinding {self.meta.blinding}"
        return "\n".join([head, *(f"  {' '.join(row)}" for row in self._overview())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'</td><td>'.join(html.escape(cell) for cell in row)}</td></tr>"
            for row in self._overview()
        )
        title = html.escape(repr(self).splitlines()[0])
        return f"<p>{title}</p><table><tr><th>column<th>unit<th>values</tr>{rows}</table>"

    def _overview(self) -> list[tuple[str, str, str]]:
        rows = []
        for name in self.table.column_names:
            rows.append((name, f"[{self.unit(name) or '-'}]", _span(self[name])))
        return rows


def _span(values: np.ndarray) -> str:
    """Say in a few words what a column holds."""
    if len(values) == 0:
        return "empty"
    if values.dtype.kind == "f":
        good = values[np.isfinite(values)]
        gaps = f", {len(values) - len(good)} missing" if len(good) < len(values) else ""
        return f"{good.min():.6g} .. {good.max():.6g}{gaps}" if len(good) else "all missing"
    if values.dtype.kind in "iub":
        return f"{values.min()} .. {values.max()}"
    different = list(dict.fromkeys(values.tolist()))
    shown = ", ".join(str(value) for value in different[:_PREVIEW])
    return shown if len(different) <= _PREVIEW else f"{shown}, ... ({len(different)} different)"


def expect_product(value: Any, *kinds: type[Product], caller: str) -> None:
    """Raise in words where a table or a path stands in place of a product.

    Parameters
    ----------
    value : object
        What was given.
    *kinds : type
        Products that serve.
    caller : str
        Who wants it.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if isinstance(value, kinds):
        return
    names = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(value, str | Path):
        mend = f"read the file first, {kinds[-1].__name__}.read({str(value)!r})"
    else:
        mend = f"{kinds[-1].__name__}.from_columns makes one of named columns, .read one of a file"
    raise InputError(f"{caller} takes {names}, got {type(value).__name__}; {mend}")


def write_table(product: Product, path: str | Path) -> None:
    """Write a product's table as Parquet, whole or not at all, with its meta inside."""
    text = meta_text(product.schema, product.meta)
    table = product.table.replace_schema_metadata({META_KEY: text})
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROW_GROUP)


def meta_text(schema: Schema, meta: Meta) -> str:
    """Write what a file says of itself, with the versions of what made it, as JSON."""
    header = {
        "product": schema.name,
        "version": schema.version,
        "origin": meta.origin,
        "blinding": meta.blinding,
        "provenance": {"versions": versions(), **meta.provenance},
    }
    return json.dumps(header, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    """Turn numpy scalars and arrays in a provenance into plain JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not go into a provenance; use plain values")


def read_table(path: str | Path, schema: Schema) -> tuple[pa.Table, Meta]:
    """Read a Parquet table and its meta; a file not written by chandelle has no origin.

    Raises
    ------
    InputError
        If the file is absent, not Parquet, another product, or of a newer version.
    """
    meta = read_meta(path, schema)
    return read_parquet(path).replace_schema_metadata(None), meta


def read_parquet(path: str | Path) -> pa.Table:
    """Read any Parquet table.

    Raises
    ------
    InputError
        If the file is absent or not Parquet.
    """
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: expected a Parquet file, found none") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: expected Parquet, {error}") from error


def read_meta(path: str | Path, schema: Schema) -> Meta:
    """Read the meta of a Parquet file alone.

    Raises
    ------
    InputError
        As `read_table`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a {schema.name} file (Parquet), found none")
    try:
        raw = (pq.read_metadata(path).metadata or {}).get(META_KEY)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: expected Parquet, {error}") from error
    if raw is None:
        return Meta()
    header = json.loads(raw)
    if header["product"] != schema.name:
        raise InputError(f"{path}: expected {schema.name}, found {header['product']}")
    if header["version"] > schema.version:
        raise InputError(
            f"{path}: {schema.name} version {header['version']}, this chandelle reads up to "
            f"{schema.version}; update chandelle"
        )
    return Meta(
        origin=header["origin"], blinding=header["blinding"], provenance=header["provenance"]
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class OneTable(Product):
    """A product that is one Parquet file."""

    def select(self: _P, keep: ArrayLike) -> _P:
        """Rows of a mask or of indices."""
        return dataclasses.replace(self, table=self.table.take(self.rows_of(keep)))

    def write(self, path: str | Path) -> None:
        """Write as one Parquet file, whole or not at all."""
        write_table(self, path)

    @classmethod
    def read(cls: type[_P], path: str | Path) -> _P:
        """Read what `write` wrote, or any Parquet table with these columns."""
        table, meta = read_table(path, cls.schema)
        return cls(table=table, meta=meta)
