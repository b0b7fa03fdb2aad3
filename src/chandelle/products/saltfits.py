"""SALT fits: one row a target, good or not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.products.derivatives import (
    NAMES_OF,
    derivative_array,
    joint_names,
    names_in,
    spread_derivatives,
)
from chandelle.products.product import OneTable
from chandelle.products.schema import Column, Schema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class SaltFits(OneTable):
    """SALT parameters with their covariance; `status` is ``"ok"`` or why there is no answer.

    The 4x4 covariance of (t0, x0, x1, c) is kept as errors and six covariances; `mb` and its
    covariances with x1 and c follow from x0. The redshifts and the host of the target travel along,
    so that the table alone makes a Lemaitre diagram.
    """

    schema: ClassVar[Schema] = Schema(
        name="saltfits",
        version=1,
        columns=(
            Column(name="sn", type="string", about="name", required=True),
            Column(name="z", about="heliocentric redshift of the fit", required=True),
            Column(name="t0", unit="d", about="MJD of maximum", required=True),
            Column(name="t0_err", unit="d"),
            Column(name="x0", about="amplitude", required=True),
            Column(name="x0_err"),
            Column(name="x1", about="stretch", required=True),
            Column(name="x1_err"),
            Column(name="c", about="color", required=True),
            Column(name="c_err"),
            Column(name="mb", unit="mag", about="AB peak magnitude in rest-frame Bessell B"),
            Column(name="mb_err", unit="mag"),
            Column(name="cov_t0_x0", unit="d"),
            Column(name="cov_t0_x1", unit="d"),
            Column(name="cov_t0_c", unit="d"),
            Column(name="cov_x0_x1"),
            Column(name="cov_x0_c"),
            Column(name="cov_x1_c"),
            Column(name="cov_mb_x1", unit="mag"),
            Column(name="cov_mb_c", unit="mag"),
            Column(name="chi2"),
            Column(name="ndof", type="int64"),
            Column(name="n_used", type="int64", about="epochs in the fit"),
            Column(name="status", type="string", about="ok, or a reason code", required=True),
            Column(name="flags", type="int64", about="bits of chandelle.core.flags"),
            Column(name="survey", type="string"),
            Column(name="z_hel", about="heliocentric redshift"),
            Column(name="z_hd", about="redshift of the diagram"),
            Column(name="z_err"),
            Column(name="mwebv", unit="mag"),
            Column(name="host_logmass"),
            Column(name="host_logmass_err"),
        ),
    )

    @property
    def is_ok(self) -> np.ndarray:
        """Which rows have an answer."""
        return self["status"] == "ok"

    def distance_covariance(self) -> np.ndarray:
        """Covariance of (mb, x1, c), shape (sn, 3, 3)."""
        out = np.empty((len(self), 3, 3))
        for i, name in enumerate(("mb", "x1", "c")):
            out[:, i, i] = self[f"{name}_err"] ** 2
        for i, j, name in ((0, 1, "mb_x1"), (0, 2, "mb_c"), (1, 2, "x1_c")):
            out[:, i, j] = out[:, j, i] = self[f"cov_{name}"]
        return out

    def derivative(
        self,
        by: Literal["zp", "lambda", "mode"],
        *,
        band: str | None = None,
        mode: str | None = None,
    ) -> np.ndarray:
        """How the answers move with calibration, as `fit_salt` with ``derivatives=True`` found.

        Parameters
        ----------
        by : {"zp", "lambda", "mode"}
            Zero point of a band [mag], shift of a passband to the red [angstrom], or calibration
            mode of the light curves [of unit prior].
        band, mode : str, optional
            The one that is wanted; all of them unless given, in the order of the provenance's
            ``derivative_bands`` or ``modes``.

        Returns
        -------
        array, shape (sn, param) or (sn, band or mode, param)
            Of t0, x0, x1, c and what else was fitted, the provenance's ``derivative_params``;
            0 for a band that a supernova has no epochs in, NaN where it has no answer.

        Raises
        ------
        InputError
            If the fits have no derivatives, or not that band or mode.

        Examples
        --------
        >>> from chandelle.products.product import Meta
        >>> table = {name: [1.0] for name in ("z", "t0", "x0", "x1", "c")}
        >>> slopes = np.array([[0.1, 0.2, 0.3, 0.4, 0.0, 0.0, 0.0, -0.5]])
        >>> meta = Meta(provenance={"derivative_bands": ["ztfg", "ztfr"]})
        >>> fits = SaltFits.from_columns(
        ...     {"sn": ["a"], "status": ["ok"], "dtheta_dzp": slopes, **table}, meta=meta
        ... )
        >>> fits.derivative("zp", band="ztfr")
        array([[ 0. ,  0. ,  0. , -0.5]])
        >>> fits.derivative("zp").shape
        (1, 2, 4)
        """
        column = f"dtheta_d{by}"
        if column not in NAMES_OF:
            raise InputError(f"derivatives are by zp, lambda or mode, got {by!r}")
        wanted, other = (mode, band) if by == "mode" else (band, mode)
        what = "mode" if by == "mode" else "band"
        if other is not None:
            raise InputError(f"a derivative by {by} is chosen by {what}=")
        every = names_in(self.meta)
        names, whole = every[NAMES_OF[column]], derivative_array(self.table, column, every)
        if wanted is None:
            return whole
        if wanted not in names:
            raise InputError(f"no derivative by {what} {wanted!r}; there are {', '.join(names)}")
        return whole[:, names.index(wanted)]

    @classmethod
    def concat(cls, parts: Sequence["SaltFits"]) -> "SaltFits":
        """Join fits of one origin, those of several surveys for one.

        Derivatives become those of all parameters by all bands and modes: 0 where a part has none
        of the band or did not fit the parameter, NaN where a part has no derivatives at all.

        Raises
        ------
        InputError
            If there are none, or their origins or models differ.
        """
        facts = {
            (part.meta.origin, part.meta.blinding, part.meta.provenance.get("model"))
            for part in parts
        }
        if len(facts) != 1:
            raise InputError(
                "fits to join must have one origin, blinding and model, got "
                f"{sorted(facts, key=str) or 'none'}; join what was made alike"
            )
        names = joint_names([part.meta for part in parts])
        columns = [c for c in NAMES_OF if any(c in part.table.column_names for part in parts)]
        tables = [
            spread_derivatives(part.table, own=names_in(part.meta), names=names, columns=columns)
            for part in parts
        ]
        table = pa.concat_tables(tables, promote_options="default")
        known = {key: list(value) for key, value in names.items() if value}
        meta = parts[0].meta.with_provenance(**known)
        if "status" in meta.provenance:
            meta = meta.with_provenance(status=dict(Counter(table["status"].to_pylist())))
        return cls(table=table, meta=meta)

    def to_pandas(self) -> "pd.DataFrame":
        """Return the table indexed by target."""
        return self.table.to_pandas().set_index("sn")
