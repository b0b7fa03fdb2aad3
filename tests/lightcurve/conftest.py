"""Shared by the light-curve tests: sncosmo with our passbands, and supernovae drawn by sncosmo."""

import tempfile
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import sncosmo

from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import list_passbands, load_passband
from chandelle.instrument.salt_files import SaltFiles, read_salt, write_salt

Draw = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


@pytest.fixture(scope="session", autouse=True)
def same_passbands() -> None:
    """Register our passbands in sncosmo under the same names: no network in tests."""
    for name in list_passbands():
        band = load_passband(name)
        sncosmo.register(sncosmo.Bandpass(band.wave, band.transmission, name=name), force=True)


def sncosmo_source(files: SaltFiles) -> sncosmo.SALT3Source:
    """Build sncosmo's source from the arrays that ship with chandelle."""
    with tempfile.TemporaryDirectory() as name:
        write_salt(files, name)
        return sncosmo.SALT3Source(modeldir=name)


def sncosmo_salt3() -> sncosmo.Model:
    """Give sncosmo's model of salt3-f22 behind Fitzpatrick 1999 dust of the Milky Way."""
    return sncosmo.Model(
        sncosmo_source(read_salt("salt3-f22")),
        effects=[sncosmo.F99Dust()],
        effect_names=["mw"],
        effect_frames=["obs"],
    )


def draw_sample(
    model: sncosmo.Model, n: int, *, seed: int, points: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw supernovae: even ones ZTF-like (g r i, z < 0.1), odd ones LSST-like (g r i z, z < 0.8).

    Returns epochs (fluxes in nJy) and targets with their true parameters. Of each supernova there
    are as many `points` as asked, else 40 to 69 less those in bands that the model does not cover.
    """
    rng = np.random.default_rng(seed)
    epochs, targets = [], []
    for i in range(n):
        low = i % 2 == 0
        z = rng.uniform(0.01, 0.1) if low else rng.uniform(0.1, 0.8)
        names = ["ztfg", "ztfr", "ztfi"] if low else ["lsstg", "lsstr", "lssti", "lsstz"]
        x1, c = rng.normal(0.0, 1.0), rng.normal(0.0, 0.1)
        # A luminosity distance good to some per cent is enough to set the signal to noise.
        mb = 24.0 + 5 * np.log10(z * (1 + 0.75 * z) / 0.1) - 5.0 + 0.2 - 0.15 * x1 + 3.1 * c
        theta = {
            "z": z,
            "t0": 59000 + rng.uniform(0, 30),
            "x0": 10 ** (-0.4 * (mb - 10.5)),
            "x1": x1,
            "c": c,
            "mwebv": rng.uniform(0.0, 0.2),
        }
        model.set(z=z)
        if points is not None:
            names = [name for name in names if model.bandoverlap(name)]
        size = rng.integers(40, 70) if points is None else points
        mjd = np.sort(theta["t0"] + (1 + z) * rng.uniform(-17, 45, size))
        band = rng.choice(names, size)
        model.set(mwebv=theta["mwebv"], **{k: theta[k] for k in ("z", "t0", "x0", "x1", "c")})
        covered = model.bandoverlap(band)
        mjd, band = mjd[covered], band[covered]
        flux = model.bandflux(band, mjd, zp=ZP_NJY, zpsys="ab")
        peak = flux.max()
        error = np.sqrt((0.01 * flux) ** 2 + (peak * rng.uniform(0.01, 0.1)) ** 2)
        name = f"sn{i:03d}"
        epochs.append(
            pd.DataFrame(
                {
                    "sn": name,
                    "mjd": mjd,
                    "band": band,
                    "flux": flux + error * rng.normal(size=len(mjd)),
                    "flux_err": error,
                    "zp": ZP_NJY,
                    "zpsys": "ab",
                }
            )
        )
        targets.append({"sn": name, **theta})
    return pd.concat(epochs, ignore_index=True), pd.DataFrame(targets)


@pytest.fixture(scope="session")
def salt3_in_sncosmo() -> sncosmo.Model:
    """sncosmo's model of salt3-f22 behind Milky Way dust."""
    return sncosmo_salt3()


@pytest.fixture(scope="session")
def draw(salt3_in_sncosmo: sncosmo.Model, same_passbands: None) -> Draw:
    """Function of (n, seed=) that draws a sample."""
    return lambda n, seed: draw_sample(salt3_in_sncosmo, n, seed=seed)
