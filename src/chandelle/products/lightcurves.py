"""Light curves: one row an epoch, with their targets, their passbands and what was rejected."""

# pyarrow.compute makes its functions when imported, where a type checker does not see them.
# pyright: reportAttributeAccessIssue=false

import logging
from collections.abc import Mapping, Sequence
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
from chandelle.products.flux_covariance import check_factor, factor_of
from chandelle.products.passband import Passband
from chandelle.products.product import Product, read_table, write_table
from chandelle.products.schema import Column, Schema, table_from_columns
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)


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
    """Beside these columns, where they exist: `cov_factor` and `dflux_dmode`, lists of one length
    (see `with_covariance`, `with_modes`)."""

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

    @property
    def covariance_factor(self) -> np.ndarray:
        """What the errors of a supernova's epochs share, shape (obs, column) [nJy].

        See `products.flux_covariance`; no column where they are independent.
        """
        has_any = "cov_factor" in self.table.column_names
        return self["cov_factor"] if has_any else np.zeros((len(self), 0))

    @property
    def modes(self) -> tuple[str, ...]:
        """Names of the calibration modes of `dflux_dmode`."""
        return tuple(self.meta.provenance.get("modes", ()))

    def with_covariance(
        self,
        *,
        dense: Mapping[str, np.ndarray] | None = None,
        factor: np.ndarray | None = None,
    ) -> "LightCurves":
        """Add the covariance between the epochs of each supernova.

        Parameters
        ----------
        dense : mapping of name to NDArray, shape (epoch, epoch), nJy^2
            Whole covariances of some supernovae, rows in the order of their epochs in the table.
            Their diagonal becomes flux_err. One that is singular or not positive is not used: its
            epochs are rejected as cov_singular, with rank and condition number in the log.
        factor : NDArray, shape (obs, column), nJy
            Instead: columns U of all epochs; flux_err stays the whole error.

        Returns
        -------
        LightCurves
            With the column `cov_factor`.

        Raises
        ------
        InputError
            If a name is unknown, a shape wrong, or a factor larger than the errors.
        """
        if (dense is None) == (factor is None):
            raise InputError("give dense= or factor=, one of them")
        if factor is not None:
            check_factor(self["flux_err"], factor)
            return self._with_column("cov_factor", factor)
        return add_dense(self, dense or {})

    def with_modes(self, names: Sequence[str], dflux_dmode: np.ndarray) -> "LightCurves":
        """Add how each flux moves with calibration modes of unit prior.

        Parameters
        ----------
        names : sequence of str
            The modes.
        dflux_dmode : NDArray, shape (obs, mode), nJy
            Derivatives of the fluxes; not part of flux_err nor of the covariance.

        Returns
        -------
        LightCurves
            With the column `dflux_dmode`.

        Raises
        ------
        InputError
            If the shape is wrong, or a value not finite.
        """
        if not np.isfinite(dflux_dmode).all():
            raise InputError("dflux_dmode has NaN or infinity")
        if dflux_dmode.shape != (len(self), len(names)):
            raise InputError(
                f"dflux_dmode must be ({len(self)}, {len(names)}), got {dflux_dmode.shape}"
            )
        meta = self.meta.with_provenance(modes=list(names))
        return replace(self._with_column("dflux_dmode", dflux_dmode), meta=meta)

    def _with_column(self, name: str, values: np.ndarray) -> "LightCurves":
        table = self.table
        if name in table.column_names:
            table = table.drop_columns([name])
        if values.shape[1:] == (0,):
            return replace(self, table=table)
        column = table_from_columns({name: values})[name]
        return replace(self, table=table.append_column(name, column))

    def covariance_of(self, sn: str) -> np.ndarray:
        """Covariance of the fluxes of one supernova [nJy^2], in the order of the table."""
        rows = self["sn"] == sn
        factor = self.covariance_factor[rows]
        shared = factor @ factor.T
        np.fill_diagonal(shared, self["flux_err"][rows] ** 2)
        return shared

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


def add_dense(lcs: LightCurves, dense: Mapping[str, np.ndarray]) -> LightCurves:
    """`LightCurves.with_covariance` of dense matrices."""
    owner = lcs["sn"]
    rows_of = {sn: np.flatnonzero(owner == sn) for sn in dense}
    unknown = [sn for sn in dense if not len(rows_of[sn])]
    if unknown:
        raise InputError(f"covariance of {unknown[0]}, which has no epochs here")
    width = max((len(cov) for cov in dense.values()), default=0)
    width = max(width, lcs.covariance_factor.shape[1])
    factor, flux_err = np.zeros((len(lcs), width)), lcs["flux_err"].copy()
    factor[:, : lcs.covariance_factor.shape[1]] = lcs.covariance_factor
    rejected: dict[str, int] = {}
    for sn, cov in dense.items():
        rows = rows_of[sn]
        if np.shape(cov) != (len(rows), len(rows)):
            raise InputError(
                f"{sn}: covariance must be {(len(rows), len(rows))} like its epochs, got "
                f"{np.shape(cov)}; cut both with the same mask"
            )
        try:
            own = factor_of(np.asarray(cov, dtype=float))
        except InputError as error:
            _log.warning("%s: %s", sn, error)
            rejected[sn] = len(rows)
            continue
        factor[rows] = 0.0
        factor[rows, : len(rows)] = own
        flux_err[rows] = np.sqrt(np.diagonal(cov))
    out = lcs._with_column("cov_factor", factor)._with_column("flux_err", flux_err)
    if not rejected:
        return out
    lost = pa.table(
        {
            "sn": pa.array(list(rejected), pa.string()),
            "reason": pa.array(["cov_singular"] * len(rejected), pa.string()),
            "count": pa.array(list(rejected.values()), pa.int64()),
        }
    )
    out = out.select(~np.isin(owner.astype(str), list(rejected)))
    return replace(out, rejected=pa.concat_tables([out.rejected, lost]))


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
