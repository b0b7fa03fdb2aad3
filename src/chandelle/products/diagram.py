"""The Lemaitre (Hubble) diagram: distances and their covariance as one object."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import zarr

from chandelle.core.atomic import atomic_folder
from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.typing import ArrayLike
from chandelle.numerics.covariance import Block, BlockLowRank
from chandelle.products.product import Meta, Origin, Product, read_table, write_table
from chandelle.products.schema import Column, Schema


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Diagram(Product):
    """Distance moduli up to a common constant, with their covariance.

    `select` cuts both together; there is no way to cut one alone.
    """

    covariance: BlockLowRank
    schema: ClassVar[Schema] = Schema(
        name="diagram",
        version=1,
        columns=(
            Column(name="sn", type="string", about="name", required=True),
            Column(name="z_hel", about="heliocentric redshift", required=True),
            Column(name="z_hd", about="cosmological redshift", required=True),
            Column(name="mu", unit="mag", about="distance modulus", required=True),
            Column(name="mu_err", unit="mag", about="root of the covariance's diagonal"),
            Column(name="survey", type="string"),
            Column(name="flags", type="int64", about="bits of chandelle.core.flags"),
        ),
    )

    def __post_init__(self) -> None:
        n = self.table.num_rows
        if self.covariance.shape != (n, n):
            raise InputError(
                f"cov must be ({n}, {n}) like mu, got {self.covariance.shape}; "
                "cut both with `Diagram.select(mask)`"
            )
        table = self.schema.conform(self.table)
        at = table.column_names.index("mu_err")
        mu_err = np.sqrt(self.covariance.variance())
        object.__setattr__(self, "table", table.set_column(at, table.schema.field(at), [mu_err]))
        for name in ("z_hel", "z_hd", "mu", "mu_err"):
            if not np.isfinite(self[name]).all():
                row = int(np.flatnonzero(~np.isfinite(self[name]))[0])
                raise InputError(
                    f"diagram: {name} of {self['sn'][row]} is {self[name][row]}; "
                    "a row without a distance does not belong in a diagram"
                )
        if np.any(self["z_hd"] <= 0):
            row = int(np.flatnonzero(self["z_hd"] <= 0)[0])
            raise InputError(f"diagram: z_hd of {self['sn'][row]} is {self['z_hd'][row]}, not > 0")

    @classmethod
    def from_arrays(
        cls,
        *,
        z_hel: ArrayLike,
        z_hd: ArrayLike,
        mu: ArrayLike,
        cov: ArrayLike | BlockLowRank,
        sn: ArrayLike | None = None,
        survey: ArrayLike | None = None,
        origin: Origin | None = None,
    ) -> "Diagram":
        """Make a diagram of arrays.

        Parameters
        ----------
        z_hel, z_hd : array, shape (sn,)
            Heliocentric redshift; redshift in the CMB frame without peculiar velocity.
        mu : array, shape (sn,), mag
            Distance moduli (or standardized magnitudes: the constant is marginalized later).
        cov : array, shape (sn,) or (sn, sn), mag^2, or BlockLowRank
            Variances, or the full covariance.
        sn, survey : array of str, optional
            Names; numbered when absent.
        origin : "simulated", "published" or "real"
            Cosmology refuses real data, and data of unknown origin, until unblinded.

        Raises
        ------
        InputError
            If lengths differ, or the covariance is not symmetric.

        Examples
        --------
        >>> dia = Diagram.from_arrays(z_hel=[0.1, 0.2], z_hd=[0.1, 0.2], mu=[38.3, 40.0],
        ...                           cov=[0.01, 0.01], origin="simulated")
        >>> dia.select([True, False]).covariance.shape
        (1, 1)
        """
        require_x64()
        mu = np.asarray(mu, dtype=float)
        if not isinstance(cov, BlockLowRank):
            cov = np.asarray(cov, dtype=float)
            cov = BlockLowRank.from_dense(cov) if cov.ndim == 2 else BlockLowRank(diagonal=cov)
        columns = {
            "sn": [f"sn{i}" for i in range(len(mu))] if sn is None else np.asarray(sn),
            "z_hel": np.asarray(z_hel, dtype=float),
            "z_hd": np.asarray(z_hd, dtype=float),
            "mu": mu,
        }
        if survey is not None:
            columns["survey"] = np.asarray(survey)
        return cls.from_columns(columns, meta=Meta(origin=origin), covariance=cov)

    def select(self, keep: ArrayLike) -> "Diagram":
        """Rows of a mask or of indices, table and covariance together."""
        rows = self.rows_of(keep)
        return Diagram(
            table=self.table.take(rows), meta=self.meta, covariance=self.covariance.select(rows)
        )

    def write(self, path: str | Path) -> None:
        """Write as a folder: `diagram.parquet` and `covariance.zarr`."""
        with atomic_folder(path) as folder:
            write_table(self, folder / "diagram.parquet")
            group = zarr.open_group(folder / "covariance.zarr", mode="w")
            group.create_array("diagonal", data=self.covariance.diagonal)
            if self.covariance.factor is not None and self.covariance.rank:
                group.create_array("factor", data=self.covariance.factor)
            for i, block in enumerate(self.covariance.blocks):
                group.create_array(f"block_{i}_rows", data=block.rows)
                group.create_array(f"block_{i}", data=block.matrix)

    @classmethod
    def read(cls, path: str | Path) -> "Diagram":
        """Read what `write` wrote."""
        require_x64()
        folder = Path(path)
        if not (folder / "diagram.parquet").is_file():
            raise InputError(f"{folder}: expected a diagram (diagram.parquet, covariance.zarr)")
        table, meta = read_table(folder / "diagram.parquet", cls.schema)
        group = zarr.open_group(folder / "covariance.zarr", mode="r")
        blocks = []
        while (name := f"block_{len(blocks)}") in group:
            blocks.append(Block(rows=_load(group, f"{name}_rows"), matrix=_load(group, name)))
        covariance = BlockLowRank(
            diagonal=_load(group, "diagonal"),
            blocks=tuple(blocks),
            factor=_load(group, "factor") if "factor" in group else None,
        )
        return cls(table=table, meta=meta, covariance=covariance)


def _load(group: zarr.Group, name: str) -> np.ndarray:
    return np.asarray(group[name][:])  # pyright: ignore[reportIndexIssue, reportArgumentType]
