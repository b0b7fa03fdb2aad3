"""The table of quality, one row a supernova."""

# pyarrow.compute makes its functions when imported, where a type checker does not see them.
# pyright: reportAttributeAccessIssue=false

import dataclasses

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.stats import chi2 as chi2_distribution

from chandelle.lightcurve.quality import DETECTION, phase_coverage, quality_flags
from chandelle.lightcurve.residuals import (
    aligned,
    can_be_fitted,
    phase_window,
    phases,
    residual_table,
    target_rows,
)
from chandelle.physics.salt import SaltModel
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import filter_of
from chandelle.products.saltfits import SaltFits


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedEpochs:
    """Epochs that the fits may use, as flat arrays.

    Attributes
    ----------
    target, band : array of int, shape (obs,)
        Row of the fit, index into `bands`.
    phase, significance : array, shape (obs,)
        Rest-frame days; flux over its error.
    bands : tuple of str
        Names of the filters: passbands of one at several positions count as one band.
    """

    target: NDArray[np.int64]
    band: NDArray[np.int64]
    phase: NDArray[np.float64]
    significance: NDArray[np.float64]
    bands: tuple[str, ...]

    @classmethod
    def of(
        cls, fits: SaltFits, lcs: LightCurves, *, model: str | SaltModel | None = None
    ) -> "FittedEpochs":
        """Those of the fits; a target without an answer has none, as it has no phase."""
        lcs = aligned(fits, lcs)
        row, phase = target_rows(lcs), phases(fits, lcs)
        use = can_be_fitted(fits, lcs, model=model) & np.isfinite(phase) & fits.is_ok[row]
        names = pc.unique(lcs.table["band"])
        passband = pc.index_in(lcs.table["band"], value_set=names).to_numpy().astype(np.int64)
        bands, band_of = np.unique([filter_of(n) for n in names.to_pylist()], return_inverse=True)
        return cls(
            target=row[use],
            band=band_of[passband[use]],
            phase=phase[use],
            significance=lcs["flux"][use] / lcs["flux_err"][use],
            bands=tuple(bands.tolist()),
        )

    def within(self, low: int | float, high: int | float, *, closed: bool = True) -> "FittedEpochs":
        """Epochs between two phases, the ends included or not."""
        use = (self.phase >= low) & (self.phase <= high)
        if not closed:
            use &= (self.phase > low) & (self.phase < high)
        arrays = ("target", "band", "phase", "significance")
        return dataclasses.replace(self, **{name: getattr(self, name)[use] for name in arrays})

    def coverage(self, n_targets: int, *, detection: int | float = DETECTION) -> dict[str, NDArray]:
        """What `phase_coverage` says of them."""
        arrays = (self.target, self.band, self.phase, self.significance)
        return phase_coverage(*arrays, n_targets=n_targets, detection=detection)


def quality_table(
    fits: SaltFits,
    lcs: LightCurves,
    *,
    detection: int | float = DETECTION,
    residuals: pd.DataFrame | None = None,
    model: str | SaltModel | None = None,
) -> pd.DataFrame:
    """Tell of each fit how well its epochs cover maximum and how well the model follows them.

    Parameters
    ----------
    fits : SaltFits
        Fits of all or of some of the light curves.
    lcs : LightCurves
        Light curves.
    detection : float
        Least significance of a detection.
    residuals : DataFrame, optional
        What `residual_table` returns, if it is there already.
    model : str or SaltModel, optional
        The model of the fits, if it is not one that their provenance names.

    Returns
    -------
    DataFrame
        One row a fit, index sn: status; n_used, epochs that the answer rests on, 0 where the fits
        do not say; n_left_out, those in the fit's range of phases that it left out all the same,
        because they came and went with the time of maximum; the columns of `phase_coverage` over
        the epochs of the fit's range; chi2_per_ndof and its p_value; worst_pull, with its sign,
        [sigma of the data alone]; flags, those of the fit and those of `quality_flags`. Where there
        is no answer counts are zero.
    """
    lcs = aligned(fits, lcs)
    table = residual_table(fits, lcs, model=model) if residuals is None else residuals
    epochs = FittedEpochs.of(fits, lcs, model=model).within(*phase_window(fits), closed=False)
    counts = epochs.coverage(len(fits), detection=detection)
    n_used = fits["n_used"]
    columns = {
        "status": fits["status"],
        "n_used": n_used,
        "n_left_out": np.where(n_used > 0, np.maximum(counts["n_epochs"] - n_used, 0), 0),
        **counts,
        **fit_quality(fits),
        "worst_pull": worst_pulls(fits, table),
        "flags": fits.flags | flags_of(fits, counts),
    }
    return pd.DataFrame(columns, index=pd.Index(fits["sn"], name="sn"))


def fit_quality(fits: SaltFits) -> dict[str, NDArray[np.float64]]:
    """chi2 per degree of freedom and its p-value, NaN where there are none, shapes (sn,)."""
    ndof = np.where(fits["ndof"] > 0, fits["ndof"], np.nan)
    return {
        "chi2_per_ndof": fits["chi2"] / ndof,
        "p_value": chi2_distribution.sf(fits["chi2"], ndof),
    }


def flags_of(fits: SaltFits, counts: dict[str, NDArray]) -> NDArray[np.int64]:
    """Flags of quality of fits, given what `phase_coverage` counted."""
    names = ("x1", "t0_err", "x1_err", "c_err")
    near = {name: counts[name] for name in ("n_early", "n_late", "n_bands_near")}
    return quality_flags(**{name: fits[name] for name in names}, **near)


def worst_pulls(fits: SaltFits, table: pd.DataFrame) -> NDArray[np.float64]:
    """Pull of largest size among the epochs of each fit, with its sign; NaN without any.

    Parameters
    ----------
    fits : SaltFits
        Fits.
    table : DataFrame
        What `residual_table` returns.

    Returns
    -------
    array, shape (sn,), sigma of the data alone
    """
    pulls = table.loc[table["in_fit"].to_numpy(), ["sn", "pull"]]
    worst = pulls.loc[pulls["pull"].abs().groupby(pulls["sn"]).idxmax()].set_index("sn")["pull"]
    return worst.reindex(fits["sn"]).to_numpy()
