"""What is to be fitted of a set of light curves, and why some targets are not."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.absurd import is_error_absurd, is_flux_absurd
from chandelle.lightcurve.fitting.bands import BandSet, resolve, stack_bands, without_passband
from chandelle.lightcurve.fitting.batch import FlatEpochs
from chandelle.lightcurve.fitting.constraints import Constraints
from chandelle.physics.salt import SaltModel
from chandelle.products.lightcurves import LightCurves

_log = logging.getLogger(__name__)

N_PARAMS = 4
MWEBV_MAX = 5.0
"""Behind more dust, 15 mag in the visible, no supernova is seen: the number is an A_V or a slip."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Epochs that a model can be fitted to.

    Attributes
    ----------
    epochs : FlatEpochs
        Of the targets with status "ok".
    bands : BandSet or None
        Their passbands; None where nothing can be fitted.
    z, mwebv : NDArray, shape (target,)
        Redshift, and Milky Way E(B-V) with unknown values as zero.
    mwebv_unknown : NDArray, shape (target,)
        Which those are.
    status : NDArray of str, shape (target,)
        "ok", or why the target is not fitted.
    band_dropped : NDArray, shape (target,)
        Whether some of its bands lie outside the model's wavelengths.
    points_rejected : NDArray, shape (target,)
        Whether some of its epochs have no known passband, finite time, flux or positive error, or
        absurd ones: light curves that `read_lightcurves` made have none.
    """

    epochs: FlatEpochs
    bands: BandSet | None
    z: NDArray[np.float64]
    mwebv: NDArray[np.float64]
    mwebv_unknown: NDArray[np.bool_]
    status: NDArray
    band_dropped: NDArray[np.bool_]
    points_rejected: NDArray[np.bool_]


def prepare(
    lcs: LightCurves,
    model: SaltModel,
    *,
    wave_range: tuple[float, float] | None,
    constraints: Constraints | None = None,
) -> Prepared:
    """Choose the epochs to fit, and give each target without enough of them its status.

    Parameters
    ----------
    lcs : LightCurves
        Light curves.
    model : SaltModel
        Gives the range of wavelengths; bands that leave it are dropped.
    wave_range : (float, float), optional
        Further range of a band's mean rest-frame wavelength [angstrom].
    constraints : Constraints, optional
        Of the targets. Where they have a free redshift, bands must lie in range over three sigma of
        its prior, whose mean stands for a `z_hel` that is not known.

    Returns
    -------
    Prepared
        What to fit.
    """
    targets = lcs.targets
    z, z_span = _redshifts(np.asarray(targets["z_hel"], dtype=float), constraints)
    epochs, names, rejected = _usable(lcs)
    has_data = _has_rows(epochs, len(targets))
    mwebv = np.asarray(targets["mwebv"], dtype=float)
    has_dust = np.isnan(mwebv) | ((mwebv >= 0) & (mwebv <= MWEBV_MAX))
    has_z = np.isfinite(z) & (z >= 0)
    is_valid = has_z & has_dust
    bands = stack_bands(resolve(names, lcs.passbands)) if names else None
    dropped = np.zeros(len(targets), dtype=bool)
    if bands is not None:
        ends = [np.where(is_valid, end, 0.0)[epochs.target] for end in z_span]
        in_range = [
            bands.in_range(epochs.band, z_end, model=model, wave_range=wave_range) for z_end in ends
        ]
        covered, admitted = np.all(in_range, axis=0)
        dropped = _has_rows(epochs.take(~covered), len(targets))
        epochs = epochs.take(covered & admitted & is_valid[epochs.target])
    count = np.bincount(epochs.target, minlength=len(targets))
    reasons = {
        "z_invalid": ~has_z,
        "mwebv_invalid": ~has_dust,
        "covariance_invalid": ~has_data & _lost_covariance(lcs),
        "no_data": ~has_data,
        "no_band_in_range": count == 0,
        "underconstrained": count < N_PARAMS,
    }
    status = np.select(list(reasons.values()), list(reasons), default="ok")
    epochs = epochs.take((status == "ok")[epochs.target])
    return Prepared(
        epochs=epochs.take(np.lexsort((epochs.mjd, epochs.target))),
        bands=bands,
        z=z,
        mwebv=np.nan_to_num(mwebv, nan=0.0),
        mwebv_unknown=np.isnan(mwebv),
        status=status,
        band_dropped=dropped & is_valid,
        points_rejected=rejected,
    )


def _has_rows(epochs: FlatEpochs, n: int) -> NDArray[np.bool_]:
    """Which of n targets have epochs."""
    return np.bincount(epochs.target, minlength=n) > 0


def _lost_covariance(lcs: LightCurves) -> NDArray[np.bool_]:
    """Whether epochs of each target were rejected since their covariance is unusable."""
    is_of_it = [reason.startswith("cov_") for reason in lcs.rejected["reason"].to_pylist()]
    names = np.asarray(lcs.rejected["sn"].to_pylist(), dtype=str)[np.array(is_of_it, dtype=bool)]
    return np.isin(lcs.targets["sn"].astype(str), names)


def _redshifts(
    z_hel: NDArray[np.float64], constraints: Constraints | None
) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Redshift of each target to start from, and the ends of the range it may end in."""
    if constraints is None or "z" not in constraints.names:
        return z_hel, (z_hel,)
    i = constraints.names.index("z")
    has_prior = constraints.ivar[:, i] > 0
    mean = np.where(has_prior, constraints.mean[:, i], z_hel)
    reach = 3.0 / np.sqrt(np.where(has_prior, constraints.ivar[:, i], np.inf))
    low, high = constraints.low[:, i], constraints.high[:, i]
    z = np.where(np.isfinite(z_hel) & (z_hel >= 0), z_hel, mean)
    return z, tuple(np.clip(mean + side * reach, low, high) for side in (-1.0, 1.0))


def _usable(lcs: LightCurves) -> tuple[FlatEpochs, list[str], NDArray[np.bool_]]:
    """Usable epochs, names of their passbands, and which targets have others too."""
    epochs, names = _flatten(lcs)
    unknown = without_passband(names, lcs.passbands)
    is_usable = np.isfinite(epochs.mjd) & np.isfinite(epochs.flux)
    is_usable &= np.isfinite(epochs.flux_err) & (epochs.flux_err > 0)
    is_usable &= ~is_flux_absurd(epochs.flux) & ~is_error_absurd(epochs.flux, epochs.flux_err)
    is_usable &= ~np.isin(epochs.band, [names.index(name) for name in unknown])
    rejected = _has_rows(epochs.take(~is_usable), len(lcs.targets))
    if not is_usable.all():
        _log.warning(
            "%d epochs of %d targets have no finite, sensible time, flux or error, or no passband, "
            "and are left out%s",
            np.sum(~is_usable),
            rejected.sum(),
            f"; {', '.join(unknown.values())}" if unknown else "",
        )
        epochs = epochs.take(is_usable)
    names, epochs = _only_known(names, epochs, unknown)
    return epochs, names, rejected


def _flatten(lcs: LightCurves) -> tuple[FlatEpochs, list[str]]:
    """Light curves as index arrays, and the names of the passbands in order of their index."""
    row_of = {name: row for row, name in enumerate(lcs.targets["sn"].tolist())}
    names, index = np.unique(lcs["sn"].astype(str), return_inverse=True)
    target = np.array([row_of[str(name)] for name in names], dtype=np.int64)[index]
    bands, band = np.unique(lcs["band"].astype(str), return_inverse=True)
    epochs = FlatEpochs(
        target=target.astype(np.int64),
        mjd=lcs["mjd"],
        flux=lcs["flux"],
        flux_err=lcs["flux_err"],
        factor=lcs.covariance_factor,
        band=band.astype(np.int64),
        row=np.arange(len(lcs)),
    )
    return epochs, [str(name) for name in bands]


def _only_known(
    names: list[str], epochs: FlatEpochs, unknown: Mapping[str, str]
) -> tuple[list[str], FlatEpochs]:
    """Drop the names that no epoch uses, and number the bands anew."""
    if not unknown:
        return names, epochs
    known = [name for name in names if name not in unknown]
    number = np.array([known.index(n) if n in known else -1 for n in names], dtype=np.int64)
    return known, replace(epochs, band=number[epochs.band])
