"""Fit problems made by hand, with epochs and bands at the ends of the model."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.lightcurve.fitting.constraints import constraints_of
from chandelle.lightcurve.fitting.prepare import prepare
from chandelle.lightcurve.fitting.problem import FitProblem, FitSettings, problem_of
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.physics.salt import SaltModel, load_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband

ZTF, LSST = ("ztfg", "ztfr", "ztfi"), ("lsstg", "lsstr", "lssti", "lsstz")
RED_END = Passband(
    name="red end",
    wave=np.array([9900.0, 9950.0, 11050.0, 11130.0]),
    transmission=np.array([0.0, 1.0, 0.6, 0.0]),
)
SUPERNOVAE = (
    # z, mwebv, x1, c, bands; the reddest samples of the first lie in the model's last cell of
    # wavelength, 10990 to 11000 angstrom.
    (0.012, 0.30, 0.5, 0.05, ("bessellb", "bessellv", "besselli", "red end")),
    (0.031, 0.05, -1.5, -0.4, ZTF),
    (0.074, 0.12, 1.2, 0.4, ZTF),
    (0.052, 0.00, -0.3, 0.9, ZTF),
    (0.270, 0.08, 0.1, 0.21, LSST),
    (0.750, 0.02, 0.8, -0.11, LSST),
    # Their bluest samples lie in the first cell, 2000 to 2010 angstrom.
    (0.929, 0.04, -0.9, 0.03, LSST),
    (0.8367, 0.01, 2.1, -0.9, ("ztfg", "lsstr", "lssti", "lsstz", "lssty")),
)


@pytest.fixture(scope="session")
def salt3() -> SaltModel:
    """SALT3-F22."""
    return load_salt("salt3-f22")


@pytest.fixture(scope="session")
def at_the_ends(salt3: SaltModel) -> tuple[LightCurves, np.ndarray]:
    """Eight supernovae with epochs to beyond both ends of the model's phases, and their truth."""
    rng = np.random.default_rng(11)
    epochs, targets, truth = [], [], []
    for k, (z, mwebv, x1, c, bands) in enumerate(SUPERNOVAE):
        phase = np.sort(np.append(rng.uniform(-21.0, 51.5, 41), [-19.5, -20.0, 49.5, 50.0]))
        band = rng.permutation(np.resize(bands, len(phase)))
        theta = (59000.0 + k, 10 ** (-0.4 * (11.0 + 2.0 * k)), x1, c)
        mjd = theta[0] + (1.0 + z) * phase
        names = dict(zip(("t0", "x0", "x1", "c"), theta, strict=True))
        curves = [RED_END if name == RED_END.name else load_passband(name) for name in band]
        flux = np.asarray(salt3.bandflux(curves, mjd, z=z, mwebv=mwebv, zp=ZP_NJY, **names))
        error = 0.03 * flux.max() * rng.uniform(0.5, 1.5, len(phase))
        epochs.append(
            pd.DataFrame(
                {
                    "sn": f"sn{k}",
                    "mjd": mjd,
                    "band": band,
                    "flux": flux + error * rng.normal(size=len(phase)),
                    "flux_err": error,
                    "zp": ZP_NJY,
                }
            )
        )
        targets.append({"sn": f"sn{k}", "z": z, "mwebv": mwebv})
        truth.append(theta)
    lcs = read_lightcurves(
        pd.concat(epochs), targets=pd.DataFrame(targets), passbands={RED_END.name: RED_END}
    )
    return lcs, np.array(truth)


@pytest.fixture(scope="session")
def share_errors() -> Callable[[LightCurves], LightCurves]:
    """Function that gives each band an error in common, and all epochs one that follows the flux.

    `flux_err` stays the whole error.
    """

    def share(lcs: LightCurves) -> LightCurves:
        error, band = lcs["flux_err"], lcs["band"].astype(str)
        columns = [np.where(band == name, 0.6 * error, 0.0) for name in np.unique(band)]
        peak = pd.Series(lcs["flux"]).groupby(lcs["sn"]).transform("max").to_numpy()
        columns.append(0.5 * error * np.clip(lcs["flux"] / peak, -1.0, 1.0))
        return lcs.with_covariance(factor=np.stack(columns, axis=1))

    return share


@pytest.fixture(scope="session")
def pose() -> Callable[..., FitProblem]:
    """Function of (light curves, model) that gives what the engines get, all phases in use."""

    def problem(lcs: LightCurves, model: SaltModel, *, model_cov: bool = False) -> FitProblem:
        settings = FitSettings(
            model_cov=model_cov, dust="f99", r_v=3.1, phase_range=None, c_max=1.0
        )
        constraints = constraints_of(len(lcs.targets), extra=(), c_max=1.0, bounds={}, priors={})
        posed = problem_of(
            prepare(lcs, model, wave_range=None), model, constraints=constraints, settings=settings
        )
        assert posed is not None
        return posed[0]

    return problem
