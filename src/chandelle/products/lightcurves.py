"""Light curves: one row an epoch, with their targets, their passbands and what was rejected."""

# pyarrow.compute makes its functions when imported, where a type checker does not see them.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chandelle.core.atomic import atomic_folder
from chandelle.core.errors import InputError
from chandelle.core.typing import ArrayLike
from chandelle.products.passband import Passband
from chandelle.products.product import Product, read_table, write_table
from chandelle.products.schema import Column, Schema, table_from_columns
from chandelle.products.targets import Targets


def _nothing_rejected() -> pa.Table:
    schema = {"sn": pa.string(), "reason": pa.string(), "count": pa.int64()}
    return pa.table({name: pa.array([], kind) for name, kind in schema.items()})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class LightCurves(Product):
    """Fluxes of many supernovae.

    Attributes
    ----------
    targets : Targets
        One row a supernova; its order is that of every result. A target without epochs stays.
    passbands : mapping of name to Passband
        Those that came with the data; other names are looked up in the package.
    rejected : pyarrow.Table
        Rows left out at ingest: sn, reason, count.
    """

    targets: Targets
    passbands: Mapping[str, Passband] = field(default_factory=dict)
    rejected: pa.Table = field(default_factory=_nothing_rejected)
    schema: ClassVar[Schema] = Schema(
        name="lightcurves",
        version=1,
        columns=(
            Column(name="sn", type="string", about="name of the target", required=True),
            Column(name="mjd", unit="d", about="mid-exposure", required=True),
            Column(name="band", type="string", about="passband", required=True),
            Column(name="flux", unit="nJy", about="AB", required=True),
            Column(name="flux_err", unit="nJy", about="one sigma", required=True),
            Column(name="zp", unit="mag", about="AB zero point of the flux: that of 1 nJy"),
            Column(name="exposure", type="string", about="exposure the epoch was taken from"),
            Column(name="flags", type="int64", about="bits of chandelle.core.flags"),
        ),
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", self.schema.conform(self.table))
        known = pa.array(self.targets["sn"].tolist(), pa.string())
        if len(pc.unique(known)) != len(known):
            raise InputError("targets: a name stands twice; names must be unique")
        orphans = self.table.filter(pc.invert(pc.is_in(self.table["sn"], known)))
        if orphans.num_rows:
            names = pc.unique(orphans["sn"]).to_pylist()
            raise InputError(
                f"{len(names)} supernovae have epochs but no target, first {names[0]}; "
                "add them to the targets (name, z_hel) or drop their epochs"
            )

    def select(self, keep: ArrayLike) -> "LightCurves":
        """Epochs of a mask or of indices; all targets stay (`select_targets` cuts those)."""
        return replace(self, table=self.table.take(self.rows_of(keep)))

    def select_targets(self, keep: ArrayLike) -> "LightCurves":
        """Targets of a mask or of indices, with their epochs."""
        targets = self.targets.select(keep)
        names = pa.array(targets["sn"].tolist(), pa.string())
        return replace(
            self,
            targets=targets,
            table=self.table.filter(pc.is_in(self.table["sn"], names)),
            rejected=self.rejected.filter(pc.is_in(self.rejected["sn"], names)),
        )

    def of(self, sn: str) -> pa.Table:
        """Epochs of one supernova, in order of time."""
        return self.table.filter(pc.equal(self.table["sn"], sn)).sort_by("mjd")

    def write(self, path: str | Path) -> None:
        """Write as a folder: epochs, targets, passbands and rejected rows as Parquet."""
        if Path(path).suffix == ".parquet":
            raise InputError(
                f"{path}: light curves are a folder of tables (epochs, targets, passbands, "
                f"rejected); give a folder name, {Path(path).with_suffix('')}"
            )
        with atomic_folder(path) as folder:
            write_table(self, folder / "epochs.parquet")
            self.targets.write(folder / "targets.parquet")
            pq.write_table(_passband_table(self.passbands), folder / "passbands.parquet")
            pq.write_table(self.rejected, folder / "rejected.parquet")

    @classmethod
    def read(cls, path: str | Path) -> "LightCurves":
        """Read what `write` wrote."""
        folder = Path(path)
        if not (folder / "epochs.parquet").is_file():
            raise InputError(
                f"{folder}: expected a folder of light curves (epochs.parquet, targets.parquet); "
                "other tables are read by chandelle.read_lightcurves"
            )
        table, meta = read_table(folder / "epochs.parquet", cls.schema)
        return cls(
            table=table,
            meta=meta,
            targets=Targets.read(folder / "targets.parquet"),
            passbands=_passbands_from(pq.read_table(folder / "passbands.parquet")),
            rejected=pq.read_table(folder / "rejected.parquet"),
        )


def _passband_table(passbands: Mapping[str, Passband]) -> pa.Table:
    if not passbands:
        return table_from_columns({"band": np.array([], str), "wave": [], "transmission": []})
    return table_from_columns(
        {
            "band": np.concatenate([np.full(len(p.wave), name) for name, p in passbands.items()]),
            "wave": np.concatenate([p.wave for p in passbands.values()]),
            "transmission": np.concatenate([p.transmission for p in passbands.values()]),
            "source": np.concatenate([np.full(len(p.wave), p.source) for p in passbands.values()]),
        }
    )


def _passbands_from(table: pa.Table) -> dict[str, Passband]:
    passbands = {}
    for name in pc.unique(table["band"]).to_pylist():
        rows = table.filter(pc.equal(table["band"], name))
        passbands[name] = Passband(
            name=name,
            wave=rows["wave"].to_numpy(),
            transmission=rows["transmission"].to_numpy(),
            source=rows["source"][0].as_py(),
        )
    return passbands
