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
from chandelle.products.flux_covariance import CovarianceError, check_factor, low_rank_factor
from chandelle.products.passband import Passband, passband_table, passbands_of_table
from chandelle.products.product import Product, read_meta, read_parquet, read_table, write_table
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
        names = pc.unique(self.table["sn"])
        refuse_orphans(names.filter(pc.invert(pc.is_in(names, known))).to_pylist())

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
        rank: int | None = None,
    ) -> "LightCurves":
        """Add the covariance between the epochs of each supernova.

        Parameters
        ----------
        dense : mapping of name to NDArray, shape (epoch, epoch), nJy^2
            Whole covariances of some supernovae, rows in the order of their epochs in the table.
            Their diagonal becomes flux_err. One that cannot be inverted is not used: its
            epochs are rejected (cov_singular, cov_not_positive, cov_not_symmetric or
            cov_not_finite), with rank and condition number or eigenvalues in the log.
        factor : NDArray, shape (obs, column), nJy
            Instead: columns U of all epochs; flux_err stays the whole error.
        rank : int, optional
            Approximate each dense covariance by its diagonal and this many columns, see
            `flux_covariance.low_rank_factor`. Its error is in the log and in the provenance,
            `covariance_rank`: the largest relative error of the variance of any linear
            combination of one supernova's fluxes, by name.

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
        if rank is not None and dense is None:
            raise InputError("rank= goes with dense=; factor= has the columns it has")
        if rank is not None and rank < 1:
            raise InputError(f"rank must be 1 or more, got {rank}; without covariance give none")
        if factor is not None:
            check_factor(self["flux_err"], factor)
            return self._with_column("cov_factor", factor)
        return add_dense(self, dense or {}, rank=rank)

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
            pq.write_table(passband_table(self.passbands), folder / "passbands.parquet")
            pq.write_table(self.rejected, folder / "rejected.parquet")

    @classmethod
    def read(cls, path: str | Path) -> "LightCurves":
        """Read what `write` wrote."""
        whole = read_without_epochs(path)
        table, _ = read_table(Path(path) / "epochs.parquet", cls.schema)
        return replace(whole, table=table)


def read_without_epochs(path: str | Path) -> LightCurves:
    """Read all of a folder of light curves but the epochs, of which the columns alone.

    Raises
    ------
    InputError
        If it is no such folder.
    """
    folder = Path(path)
    epochs = folder / "epochs.parquet"
    if not epochs.is_file():
        raise InputError(
            f"{folder}: expected a folder of light curves (epochs.parquet, targets.parquet); "
            "other tables are read by chandelle.read_lightcurves"
        )
    meta = read_meta(epochs, LightCurves.schema)
    return LightCurves(
        table=pq.read_schema(epochs).remove_metadata().empty_table(),
        meta=meta,
        targets=Targets.read(folder / "targets.parquet"),
        passbands=passbands_of_table(read_parquet(folder / "passbands.parquet")),
        rejected=read_parquet(folder / "rejected.parquet"),
    )


def refuse_orphans(names: Sequence[str]) -> None:
    """Raise if there are `names` that have epochs but no target."""
    if names:
        raise InputError(
            f"{len(names)} supernovae have epochs but no target, first {names[0]}; "
            "add them to the targets (name, z_hel) or drop their epochs"
        )


def add_dense(
    lcs: LightCurves, dense: Mapping[str, np.ndarray], *, rank: int | None = None
) -> LightCurves:
    """`LightCurves.with_covariance` of dense matrices, whole or of a low rank."""
    rows_of = _rows_of(lcs, dense)
    own: dict[str, np.ndarray] = {}
    errors: dict[str, float] = {}
    lost: dict[str, tuple[str, int]] = {}
    for sn, cov in dense.items():
        cov = np.asarray(cov, dtype=float)
        try:
            own[sn], errors[sn] = low_rank_factor(cov, len(cov) if rank is None else rank)
        except CovarianceError as error:
            _log.warning("%s: %s", sn, error)
            lost[sn] = (error.reason, len(rows_of[sn]))
    before = lcs.covariance_factor
    width = max([0, before.shape[1], *(columns.shape[1] for columns in own.values())])
    factor, flux_err = np.zeros((len(lcs), width)), lcs["flux_err"].copy()
    factor[:, : before.shape[1]] = before
    for sn, columns in own.items():
        factor[rows_of[sn]] = 0.0
        factor[rows_of[sn], : columns.shape[1]] = columns
        flux_err[rows_of[sn]] = np.sqrt(np.diagonal(dense[sn]))
    out = lcs._with_column("cov_factor", factor)._with_column("flux_err", flux_err)
    if rank is not None and errors:
        out = _with_rank(out, rank, errors)
    return _without(out, lost)


def _rows_of(lcs: LightCurves, dense: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rows of each supernova; its covariance must have as many."""
    owner = lcs["sn"]
    rows_of = {sn: np.flatnonzero(owner == sn) for sn in dense}
    for sn, cov in dense.items():
        n = len(rows_of[sn])
        if not n:
            raise InputError(f"covariance of {sn}, which has no epochs here")
        if np.shape(cov) != (n, n):
            raise InputError(
                f"{sn}: covariance must be {(n, n)} like its epochs, got {np.shape(cov)}; cut both "
                "with the same mask"
            )
    return rows_of


def _with_rank(lcs: LightCurves, rank: int, errors: Mapping[str, float]) -> LightCurves:
    """State how good the covariances of a low rank are."""
    worst = max(errors, key=lambda sn: errors[sn])
    _log.info(
        "covariances of %d supernovae by diagonal and %d columns: the variance of any combination "
        "of fluxes is right to %.2g (median), %.2g (worst, %s)",
        *(len(errors), rank, np.median(list(errors.values())), errors[worst], worst),
    )
    said = {"rank": rank, "error": errors[worst], "error_of": dict(errors)}
    return replace(lcs, meta=lcs.meta.with_provenance(covariance_rank=said))


def _without(lcs: LightCurves, unusable: Mapping[str, tuple[str, int]]) -> LightCurves:
    """Reject the epochs of supernovae whose covariance cannot be used, by reason and number."""
    if not unusable:
        return lcs
    lost = pa.table(
        {
            "sn": pa.array(list(unusable), pa.string()),
            "reason": pa.array([reason for reason, _ in unusable.values()], pa.string()),
            "count": pa.array([count for _, count in unusable.values()], pa.int64()),
        }
    )
    out = lcs.select(~np.isin(lcs["sn"].astype(str), list(unusable)))
    return replace(out, rejected=pa.concat_tables([out.rejected, lost]))
