"""Errors of drawn SALT curves: of the fitted parameters, and of the model itself."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import load_passband
from chandelle.physics.salt import SaltModel, load_salt
from chandelle.products.passband import Passband
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import CURVE_GRID, ModelCurve, Packed

_PARAMETERS = ("t0", "x0", "x1", "c")
_STEP = 0.1
"""Steps of the derivatives, in units of the errors."""
_MICRO = 1e-3


def parameter_errors(
    packed: Packed, fits: SaltFits, model_curve: ModelCurve
) -> NDArray[np.float64]:
    r"""Error of each curve from the covariance of its fit, :math:`\sqrt{J C J^T}`.

    Derivatives are central differences, one call of the model a band.

    Parameters
    ----------
    packed : Packed
        Curves of the fits.
    fits : SaltFits
        The fits that were packed.
    model_curve : callable
        The model that drew the curves.

    Returns
    -------
    array, shape (curve, 60), microjansky
        NaN where the fit has no covariance.
    """
    out = np.full(packed.curve.shape, np.nan)
    owner = _owners(packed)
    for band in np.unique(packed.curve_band):
        here = np.flatnonzero(packed.curve_band == band)
        rows = packed.row[owner[here]]
        one = fits.select(rows)
        step = _STEP * np.stack([one[f"{name}_err"] for name in _PARAMETERS])
        mjd = np.tile(_times(packed, owner[here]), (2 * len(_PARAMETERS), 1))
        flux = model_curve(_moved(one, step), packed.bands[band], mjd)
        up, down = flux.reshape(2, len(_PARAMETERS), len(here), -1)
        slope = (up - down) / (2.0 * step[:, :, None])
        variance = np.einsum("pnt,npq,qnt->nt", slope, _covariance(one), slope)
        out[here] = _MICRO * np.sqrt(np.maximum(variance, 0.0))
    out[:, [0, -1]] = out[:, [1, -2]]  # a step in t0 leaves the model there
    return out


def model_errors(
    packed: Packed, fits: SaltFits, passbands: Mapping[str, Passband]
) -> NDArray[np.float64]:
    """Error of each curve from the covariance of the SALT model, where the fits took it in.

    Parameters
    ----------
    packed : Packed
        Curves of the fits.
    fits : SaltFits
        The fits that were packed.
    passbands : mapping of str to Passband
        Those that came with the data; others are looked up in the package.

    Returns
    -------
    array, shape (curve, 60), microjansky
        Variance of each point and color dispersion together; zero where the fits did not use it.
    """
    out = np.zeros(packed.curve.shape)
    provenance = fits.meta.provenance
    if not provenance.get("fit", {}).get("model_cov") or "model" not in provenance:
        return out
    salt, owner = load_salt(provenance["model"]), _owners(packed)
    mjd = _times(packed, owner)
    for i, sn in enumerate(owner):
        name = packed.bands[packed.curve_band[i]]
        passband = passbands[name] if name in passbands else load_passband(name)
        out[i] = packed.curve[i] * _relative_error(
            salt, passband, mjd[i], fits, int(packed.row[sn])
        )
    return np.abs(out)


def _relative_error(
    salt: SaltModel, passband: Passband, mjd: NDArray, fits: SaltFits, row: int
) -> NDArray[np.float64]:
    theta = {name: float(fits[name][row]) for name in ("z", "t0", "x1")}
    try:
        covariance = np.asarray(salt.bandflux_rcov(passband, mjd, **theta))
    except InputError:  # beyond the model at this redshift
        return np.zeros(len(mjd))
    return np.sqrt(np.minimum(np.diagonal(covariance), 1.0))


def _owners(packed: Packed) -> NDArray[np.int64]:
    """Supernova of each curve, shape (curve,)."""
    return np.repeat(np.arange(len(packed.names)), np.diff(packed.first_curve))


def _times(packed: Packed, sn: NDArray[np.int64]) -> NDArray[np.float64]:
    """MJD of the points of curves, shape (curve, 60)."""
    start, stop = packed.window[sn].T[:, :, None]
    return packed.origin[sn][:, None] + start + (stop - start) * CURVE_GRID[None, :]


def _moved(fits: SaltFits, step: NDArray[np.float64]) -> SaltFits:
    """Fits with each parameter moved up, one after the other, then down: 8 times as many rows."""
    n = len(fits)
    table = pa.concat_tables([fits.table] * (2 * len(_PARAMETERS)))
    for i, name in enumerate(_PARAMETERS):
        values = np.tile(fits[name], 2 * len(_PARAMETERS))
        for k, sign in ((i, 1.0), (i + len(_PARAMETERS), -1.0)):
            values[k * n : (k + 1) * n] += sign * step[i]
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values))
    return SaltFits(table=table, meta=fits.meta)


def _covariance(fits: SaltFits) -> NDArray[np.float64]:
    """Covariance of (t0, x0, x1, c), shape (sn, 4, 4)."""
    out = np.empty((len(fits), len(_PARAMETERS), len(_PARAMETERS)))
    for i, first in enumerate(_PARAMETERS):
        out[:, i, i] = fits[f"{first}_err"] ** 2
        for j, second in enumerate(_PARAMETERS[:i]):
            out[:, i, j] = out[:, j, i] = fits[f"cov_{second}_{first}"]
    return out
