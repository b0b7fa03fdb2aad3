"""The posterior: draws with what is needed to trust them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from chandelle.core.atomic import atomic_folder
from chandelle.core.errors import InputError, NotConvergedError
from chandelle.core.provenance import versions
from chandelle.products.product import Meta

if TYPE_CHECKING:
    import astropy.table
    import pandas as pd
    import pyarrow as pa

_LOW, _HIGH = 0.15865525393145707, 0.8413447460685429
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Posterior:
    """Draws of the parameters of one model, given one data set.

    Attributes
    ----------
    model : str
        Name of the cosmological model (``"flat-wcdm"``).
    draws : mapping of name to NDArray, shape (chain, draw)
    best_fit : mapping of name to float
        Where the likelihood, not the posterior, is highest.
    chi2 : float
        There: r' C^-1 r of a Diagram, or -2 ln L up to a constant of a hierarchical fit.
    n_data : int
        Number of supernovae.
    ess, r_hat : mapping of name to float
        Bulk effective sample size and rank-normalized split R-hat (Vehtari et al. 2021).
    priors : mapping of name to str
        As they were used, in words.
    status : str
        ``"ok"`` or ``"not converged"``; then `reason` says why and `summary` refuses.
    sample_stats : mapping of name to NDArray, shape (chain, draw)
    """

    model: str
    draws: Mapping[str, NDArray[np.float64]]
    best_fit: Mapping[str, float]
    chi2: float
    n_data: int
    ess: Mapping[str, float]
    r_hat: Mapping[str, float]
    priors: Mapping[str, str] = field(default_factory=dict)
    status: str = "ok"
    reason: str = ""
    sample_stats: Mapping[str, NDArray] = field(default_factory=dict)
    meta: Meta = field(default_factory=Meta)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self.draws:
            raise KeyError(f"no parameter {name!r}; parameters: {', '.join(self.draws)}")
        return self.draws[name]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(self.draws)

    @property
    def chi2_name(self) -> str:
        """What `chi2` is: a fit of distances has one, a hierarchical fit has a likelihood."""
        return "-2 ln L" if "alpha" in self.draws else "chi2"

    @property
    def flags(self) -> int:
        """1 where the chains did not converge, else 0."""
        return int(self.status != "ok")

    def summary(self) -> "pd.DataFrame":
        """Mean, sd, 68 % interval, ESS and R-hat of each parameter.

        Raises
        ------
        NotConvergedError
            If the chains did not converge; the draws stay for diagnosis.
        """
        if self.status != "ok":
            raise NotConvergedError(
                f"{self.model}: {self.status}: {self.reason}; run longer chains (n_draws, "
                "n_warmup) or look at `draws`"
            )
        import pandas as pd

        rows = {
            name: {
                "mean": values.mean(),
                "sd": values.std(ddof=1),
                "lo68": np.quantile(values, _LOW),
                "hi68": np.quantile(values, _HIGH),
                "ess": self.ess[name],
                "r_hat": self.r_hat[name],
            }
            for name, values in self.draws.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    def to_pandas(self) -> "pd.DataFrame":
        """All draws, one column a parameter, indexed by (chain, draw)."""
        import pandas as pd

        n_chain, n_draw = next(iter(self.draws.values())).shape
        index = pd.MultiIndex.from_product([range(n_chain), range(n_draw)], names=["chain", "draw"])
        return pd.DataFrame({k: v.ravel() for k, v in self.draws.items()}, index=index)

    def to_arrow(self) -> "pa.Table":
        """All draws as an arrow table with columns chain and draw."""
        import pyarrow as pa

        return pa.Table.from_pandas(self.to_pandas().reset_index(), preserve_index=False)

    def to_astropy(self) -> "astropy.table.Table":
        """All draws as an astropy Table."""
        from astropy.table import Table

        return Table.from_pandas(self.to_pandas().reset_index())

    def to_datatree(self) -> xr.DataTree:
        """The ArviZ layout: groups `posterior` and `sample_stats`, facts as attributes."""

        def dataset(values: Mapping[str, NDArray]) -> xr.Dataset:
            return xr.Dataset({k: (("chain", "draw"), np.asarray(v)) for k, v in values.items()})

        tree = xr.DataTree.from_dict(
            {"/posterior": dataset(self.draws), "/sample_stats": dataset(self.sample_stats)}
        )
        tree.attrs = {"chandelle": json.dumps(self._facts(), allow_nan=True)}
        return tree

    def _facts(self) -> dict[str, Any]:
        return {
            "product": "posterior",
            "version": _VERSION,
            "model": self.model,
            "parameters": list(self.draws),
            "best_fit": dict(self.best_fit),
            "chi2": float(self.chi2),
            "n_data": self.n_data,
            "ess": dict(self.ess),
            "r_hat": dict(self.r_hat),
            "priors": dict(self.priors),
            "status": self.status,
            "reason": self.reason,
            "origin": self.meta.origin,
            "blinding": self.meta.blinding,
            "provenance": {"versions": versions(), **self.meta.provenance},
        }

    def write(self, path: str | Path) -> None:
        """Write as a Zarr folder in ArviZ's layout."""
        with atomic_folder(path) as folder:
            self.to_datatree().to_zarr(folder, mode="w", consolidated=False)

    @classmethod
    def read(cls, path: str | Path) -> "Posterior":
        """Read what `write` wrote."""
        if not (Path(path) / "zarr.json").is_file():
            raise InputError(f"{path}: expected a posterior (Zarr folder), found none")
        tree = xr.open_datatree(path, engine="zarr", consolidated=False)
        if "chandelle" not in tree.attrs:
            raise InputError(f"{path}: a Zarr folder, but not a posterior of chandelle")
        facts = json.loads(tree.attrs["chandelle"])
        if facts.pop("version") > _VERSION:
            raise InputError(f"{path}: written by a newer chandelle; update this one")
        del facts["product"]
        meta = Meta(**{key: facts.pop(key) for key in ("origin", "blinding", "provenance")})
        groups = {
            key: {str(name): array.values for name, array in tree[key].data_vars.items()}
            for key in ("posterior", "sample_stats")
        }
        # A Zarr group lists its arrays in no order; the parameters keep theirs.
        draws = {name: groups["posterior"][name] for name in facts.pop("parameters")}
        return cls(draws=draws, sample_stats=groups["sample_stats"], meta=meta, **facts)

    def __repr__(self) -> str:
        head = f"Posterior of {self.model}: {self.n_data} supernovae, {self.status}"
        origin = self.meta.origin or "unknown origin"
        lines = [f"{head}, {origin}, {self.chi2_name} {self.chi2:.2f}"]
        if self.status != "ok":
            return f"{lines[0]}\n  {self.reason}"
        for name, row in self.summary().iterrows():
            lines.append(
                f"  {name:12s} {row['mean']: .4f} +- {row['sd']:.4f}   "
                f"ess {row['ess']:.0f}  r_hat {row['r_hat']:.4f}"
            )
        return "\n".join(lines)
