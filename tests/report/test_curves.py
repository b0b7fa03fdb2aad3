"""The packing of light curves, and SALT curves against the model itself."""

import numpy as np
import pytest

from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import mean_waves
from chandelle.physics.salt import load_salt
from chandelle.products.saltfits import SaltFits
from chandelle.report.curves import CURVE_PHASES, N_CURVE, PHASES, pack
from chandelle.report.model import salt_curves
from chandelle.report.plots import chosen_names


@pytest.fixture(scope="module")
def packed(run, drawing):
    return pack(run.lightcurves, run.fits, model_curve=drawing.bell)


def test_epochs_are_those_of_the_light_curve(run, packed):
    for i in (0, 7, len(packed.names) - 1):
        own = slice(packed.first_epoch[i], packed.first_epoch[i + 1])
        table = run.lightcurves.of(packed.names[i])
        mjd = packed.origin[i] + packed.time[own]
        assert np.allclose(mjd, table["mjd"].to_numpy(), atol=1e-4)
        assert np.allclose(1e3 * packed.flux[own], table["flux"].to_numpy(), rtol=1e-6)
        bands = np.array(packed.bands)[packed.band[own]]
        assert bands.tolist() == table["band"].to_pylist()


def test_model_is_the_model_at_the_epochs_and_on_the_grid(run, packed, drawing):
    for i in np.flatnonzero(packed.row >= 0)[::10]:
        own = slice(packed.first_epoch[i], packed.first_epoch[i + 1])
        fit = run.fits.select(packed.row[[i]])
        phase = packed.time[own] / (1 + fit["z"][0])
        for band in np.unique(packed.band[own]):
            here = packed.band[own] == band
            mjd = packed.origin[i] + packed.time[own][here].astype(float)
            expected = 1e-3 * drawing.bell(fit, packed.bands[band], mjd[None, :])[0]
            inside = (phase[here] > PHASES[0]) & (phase[here] < PHASES[1])
            model = packed.model[own][here]
            assert np.allclose(model[inside], expected[inside], rtol=1e-3, atol=1e-6)
            assert np.isnan(model[~inside]).all()
        curves = slice(packed.first_curve[i], packed.first_curve[i + 1])
        assert packed.curve_band[curves].tolist() == np.unique(packed.band[own]).tolist()
        grid = packed.origin[i] + CURVE_PHASES * (1 + fit["z"][0])
        for curve, band in zip(packed.curve[curves], packed.curve_band[curves], strict=True):
            expected = 1e-3 * drawing.bell(fit, packed.bands[band], grid[None, :])[0]
            assert np.allclose(curve, expected, rtol=1e-5)


def test_failed_fits_have_epochs_but_no_curve(run, packed):
    status = dict(zip(run.fits["sn"], run.fits["status"], strict=True))
    failed = np.array([status[name] != "ok" for name in packed.names])
    assert failed.any()
    assert ((packed.row < 0) == failed).all()
    assert (np.diff(packed.first_curve)[failed] == 0).all()
    assert (np.diff(packed.first_epoch)[failed] > 0).all()


def test_without_fits_all_epochs_stay(run):
    packed = pack(run.lightcurves)
    assert len(packed.time) == len(run.lightcurves)
    assert packed.curve.shape == (0, N_CURVE)
    assert np.isnan(packed.window).all()


def test_choice_keeps_the_worst_fits(run):
    assert chosen_names(run.lightcurves, run.fits, limit=60) is None
    names = chosen_names(run.lightcurves, run.fits, limit=20)
    assert len(names) == len(set(names)) == 20
    ok = run.fits.select(run.fits.is_ok)
    worst = ok["sn"][np.argsort(-ok["chi2"] / ok["ndof"])[:15]]
    assert set(worst) <= set(names)


def test_salt_curves_equal_the_model():
    # float64 both: 1e-9 leaves room for another order of summation.
    salt = load_salt("salt3-f22")
    theta = {
        "z": [0.05, 0.4, 0.9],
        "t0": [59000.0, 59100.0, 59200.0],
        "x0": [1e-3, 1e-5, 3e-6],
        "x1": [0.5, -1.0, 0.0],
        "c": [0.1, -0.1, 0.0],
        "mwebv": [0.1, 0.02, np.nan],
    }
    fits = SaltFits.from_columns({"sn": ["a", "b", "c"], "status": ["ok"] * 3, **theta})
    mjd = fits["t0"][:, None] + np.linspace(-30, 90, 25)[None, :]
    curves = salt_curves(fits, {})
    for band in ("ztfg", "lsstz"):
        flux = curves(fits, band, mjd)
        for i in range(3):
            one = {name: np.nan_to_num(values[i]) for name, values in theta.items()}
            if band == "ztfg" and i == 2:  # bluer than the model at this redshift
                assert np.isnan(flux[i]).all()
                continue
            expected = np.asarray(salt.bandflux(band, mjd[i], zp=ZP_NJY, **one))
            assert np.allclose(flux[i], expected, rtol=1e-9, atol=1e-12 * expected.max())
    assert np.isnan(curves(fits, "no such band", mjd)).all()


def test_unknown_bands_have_no_wavelength():
    waves = mean_waves(["ztfr", "nowhere"], {})
    assert 6300 < waves["ztfr"] < 6600
    assert np.isnan(waves["nowhere"])
