"""Fits through passbands that depend on the position: against sncosmo with each epoch's own."""

import logging
import tarfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sncosmo
from astropy.table import Table
from sncosmo.snfitio import read_snfit_bandpass_interpolator

from chandelle.core.units import ZP_NJY
from chandelle.instrument.passband_families import read_passband_family
from chandelle.instrument.passbands import load_passband
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.quality_table import FittedEpochs
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.passband_family import PassbandFamily

pytestmark = pytest.mark.filterwarnings("ignore:Assigned errors must be positive")
_log = logging.getLogger(__name__)

NAMES = ["t0", "x0", "x1", "c"]
BANDS = ["lsstg", "lsstr", "lssti"]


def shifting(name: str, move: float, *, step: float = 0.08) -> PassbandFamily:
    """An LSST filter that goes `move` angstrom to the blue from the middle to radius 10."""
    band = load_passband(name)
    edge = (band.wave - move, band.transmission)
    curves = {(0.0,): (band.wave, band.transmission), (10.0,): edge}
    return PassbandFamily.from_curves(name, curves, step=step)


def draw_at_radii(model, n, *, seed, interpolate):
    """Epochs of supernovae at redshift 0.2 to 0.5, each through the passband at its own radius.

    `interpolate(name, radius)` gives sncosmo's passband; the last column holds it.
    """
    rng = np.random.default_rng(seed)
    epochs, targets = [], []
    for i in range(n):
        theta = {
            "z": rng.uniform(0.2, 0.5),
            "t0": 59000.0,
            "x0": 1e-5,
            "x1": rng.normal(),
            "c": 0.1 * rng.normal(),
        }
        model.set(mwebv=0.03, **theta)
        middle = rng.uniform(1.0, 9.0)
        for name in BANDS:
            mjd = np.sort(59000.0 + (1 + theta["z"]) * rng.uniform(-12, 38, 12))
            radius = middle + rng.uniform(-0.5, 0.5, 12)
            bands = [interpolate(name, r) for r in radius]
            flux = [
                float(model.bandflux(b, t, ZP_NJY, "ab")) for b, t in zip(bands, mjd, strict=True)
            ]
            error = np.full(12, 0.02 * max(flux))
            part = {"sn": f"sn{i}", "mjd": mjd, "band": name, "radius": radius}
            part |= {"flux": flux + error * rng.normal(size=12), "flux_err": error}
            epochs.append(pd.DataFrame(part).assign(bandpass=bands))
        targets.append({"sn": f"sn{i}", "mwebv": 0.03, **theta})
    table = pd.concat(epochs, ignore_index=True).assign(zp=ZP_NJY, zpsys="ab")
    return table, pd.DataFrame(targets)


def moves_from_sncosmo(model, epochs, fits):
    """How far sncosmo ends from our answers [sigma], with the exact passband of each epoch."""
    moves = []
    for sn, group in epochs.groupby("sn"):
        fit = fits.loc[sn]
        columns = {n: group[n].to_numpy() for n in ("mjd", "flux", "flux_err", "zp")}
        table = Table({**columns, "zpsys": group.zpsys.to_numpy(str)})
        table["band"] = np.array(group.bandpass.tolist(), dtype=object)
        model.set(z=fit.z, mwebv=fit.mwebv, **{n: fit[n] for n in NAMES})
        how = {"warn": False, "guess_t0": False, "guess_amplitude": False}
        result, _ = sncosmo.fit_lc(table, model, NAMES, **how)
        values = dict(zip(result.param_names, result.parameters, strict=True))
        moves.append([(fit[n] - values[n]) / fit[f"{n}_err"] for n in NAMES])
    return np.abs(moves)


def _check(model, epochs, targets, families):
    lcs = read_lightcurves(epochs.drop(columns="bandpass"), targets=targets, passbands=families)
    fits = fit_salt(lcs, phase_range=None).to_pandas()
    assert (fits.status == "ok").all()
    moves = moves_from_sncosmo(model, epochs, fits)
    _log.info("from sncosmo, sigma: median %s, most %s", np.median(moves, 0), moves.max(0))
    assert moves.max() < 0.02
    # One passband for all positions would not do: the test sees the difference.
    middle = {name: replace(family.at(radius=0.0), name=name) for name, family in families.items()}
    plain = read_lightcurves(epochs.drop(columns="bandpass"), targets=targets, passbands=middle)
    wrong = fit_salt(plain, phase_range=None).to_pandas()
    assert ((wrong.c - fits.c).abs() / fits.c_err).max() > 0.1


def test_fits_equal_sncosmo_with_the_passband_of_each_epoch(salt3_in_sncosmo):
    families = {name: shifting(name, 60.0) for name in BANDS}

    def at(name, radius):
        band = families[name].at(radius=radius)
        return sncosmo.Bandpass(band.wave, band.transmission, name=band.name)

    epochs, targets = draw_at_radii(salt3_in_sncosmo, 3, seed=1, interpolate=at)
    _check(salt3_in_sncosmo, epochs, targets, families)


def test_megacam_fits_equal_sncosmo(salt3_in_sncosmo, real_data, tmp_path):
    with tarfile.open(real_data / "bandpasses" / "megacampsf.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder, letter = tmp_path / "megacampsf", dict(zip(BANDS, "gri", strict=True))
    families = {name: read_passband_family(folder, band=letter[name]) for name in BANDS}
    theirs = {n: read_snfit_bandpass_interpolator(str(folder), letter[n]) for n in BANDS}
    epochs, targets = draw_at_radii(
        salt3_in_sncosmo, 3, seed=2, interpolate=lambda name, radius: theirs[name].at(radius)
    )
    _check(salt3_in_sncosmo, epochs, targets, families)


@pytest.fixture(scope="module")
def sample(salt3_in_sncosmo):
    def plain(name, radius):
        return sncosmo.get_bandpass(name)

    epochs, targets = draw_at_radii(salt3_in_sncosmo, 4, seed=3, interpolate=plain)
    return epochs.drop(columns="bandpass"), targets


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["cpu", "jax"])
@pytest.mark.parametrize("model_cov", [False, True])
def test_a_filter_that_is_the_same_everywhere_may_have_members(sample, engine, model_cov):
    # Members of equal curves are one filter: its color dispersion is one error of all of them.
    epochs, targets = sample
    one = read_lightcurves(epochs, targets=targets)
    names = epochs.band + np.where(epochs.radius % 1 < 0.5, "@1", "@2")
    passbands = {n: load_passband(n.split("@")[0]) for n in names.unique()}
    passbands = {n: replace(band, name=n) for n, band in passbands.items()}
    many = read_lightcurves(epochs.assign(band=names), targets=targets, passbands=passbands)
    first, second = (fit_salt(lcs, model_cov=model_cov, engine=engine) for lcs in (one, many))
    for name in (*NAMES, "chi2", *(f"{n}_err" for n in NAMES)):
        np.testing.assert_allclose(first[name], second[name], rtol=1e-7, atol=1e-9)
    # Nor are there more bands of them: cuts on the number of bands count filters.
    assert FittedEpochs.of(second, many).bands == tuple(sorted(BANDS))


@pytest.mark.slow
def test_engines_agree_on_members(sample):
    epochs, targets = sample
    families = {name: shifting(name, 60.0, step=2.0) for name in BANDS}
    lcs = read_lightcurves(epochs, targets=targets, passbands=families)
    for model_cov, limit in ((False, 2e-5), (True, 2e-3)):
        cpu, jax = (fit_salt(lcs, model_cov=model_cov, engine=e) for e in ("cpu", "jax"))
        for name in NAMES:
            assert (np.abs(cpu[name] - jax[name]) < limit * cpu[f"{name}_err"]).all()


def test_derivatives_are_by_filter(sample):
    epochs, targets = sample
    families = {name: shifting(name, 60.0, step=2.0) for name in BANDS}
    lcs = read_lightcurves(epochs, targets=targets, passbands=families)
    fits = fit_salt(lcs, derivatives=True)
    assert fits.meta.provenance["derivative_bands"] == sorted(BANDS)
    slope = fits["dtheta_dzp"].reshape(len(fits), len(BANDS), 4)[:, sorted(BANDS).index("lsstr")]
    # Against refits with the zero point of the whole filter moved, whatever the position.
    step = 1e-3
    ends = []
    for sign in (1, -1):
        zp = np.where(epochs.band == "lsstr", ZP_NJY + sign * step, ZP_NJY)
        moved = read_lightcurves(epochs.assign(zp=zp), targets=targets, passbands=families)
        ends.append(fit_salt(moved))
    for k, name in enumerate(NAMES):
        numeric = (ends[0][name] - ends[1][name]) / (2 * step)
        np.testing.assert_allclose(
            slope[:, k], numeric, rtol=1e-3, atol=1e-3 * np.abs(numeric).max()
        )


def test_wave_derivative_is_that_of_a_shifted_family(sample):
    epochs, targets = sample
    families = {name: shifting(name, 60.0, step=2.0) for name in BANDS}
    lcs = read_lightcurves(epochs, targets=targets, passbands=families)
    fits = fit_salt(lcs, derivatives=True)
    slope = fits["dtheta_dlambda"].reshape(len(fits), len(BANDS), 4)[
        :, sorted(BANDS).index("lssti")
    ]
    ends = []
    for shift in (2.0, -2.0):
        moved = {
            name: replace(band, wave=band.wave + shift) if name.startswith("lssti") else band
            for name, band in lcs.passbands.items()
        }
        ends.append(fit_salt(replace(lcs, passbands=moved)))
    for k, name in enumerate(NAMES):
        numeric = (ends[0][name] - ends[1][name]) / 4.0
        np.testing.assert_allclose(
            slope[:, k], numeric, rtol=0.02, atol=0.02 * np.abs(numeric).max()
        )
