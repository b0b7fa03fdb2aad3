"""Which minimum in t0 a fit ends in, and which epochs it takes, when epochs come and go."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import chandelle as ch
from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.fitting.guess import LATE_ERROR, MODEL_ERROR, epoch_cost

T0 = 59000.0
ENGINES = ("cpu", "jax")


def light_curve(model, *, phases, snr, x1=0.3, c=0.05, z=0.03, tail=0.02, sn="bright"):
    """Epochs in g and r without noise; after day 50 a straight decline [mag/day]."""
    model.set(z=z, t0=T0, x0=3e-3, x1=x1, c=c, mwebv=0.0)
    mjd = T0 + (1 + z) * np.asarray(phases)
    latest = np.minimum(mjd, T0 + (1 + z) * 49.9)
    fade = 10 ** (-0.4 * tail * (mjd - latest) / (1 + z))
    parts = []
    for band in ("ztfg", "ztfr"):
        flux = model.bandflux(band, latest, zp=ZP_NJY, zpsys="ab") * fade
        error = np.hypot(flux / snr, flux.max() / 300)
        parts.append(
            pd.DataFrame({"sn": sn, "mjd": mjd, "band": band, "flux": flux, "flux_err": error})
        )
    epochs = pd.concat(parts).assign(zp=ZP_NJY, zpsys="ab")
    return ch.read_lightcurves(epochs, targets=pd.DataFrame({"sn": [sn], "z": [z], "mwebv": [0.0]}))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("phase_range", [(-15.0, 45.0), (-20.0, 50.0), None])
def test_bright_late_epochs_do_not_move_the_maximum(salt3_in_sncosmo, phase_range, engine):
    # As 2007sr and 2001da, which ended 7 days late: the later the maximum, the more late epochs
    # fall within the phases and are explained, however badly.
    lcs = light_curve(salt3_in_sncosmo, phases=[8, 10, 13, 17, 22, 28, 35, 52, 56, 60, 65], snr=60)
    fits = ch.fit_salt(lcs, phase_range=phase_range, engine=engine)
    limit = 3.0 if phase_range is None else 0.1
    assert abs(fits["t0"][0] - T0) < limit
    assert not fits["flags"][0] & Flag.TWO_MINIMA


@pytest.mark.parametrize("engine", ENGINES)
def test_left_out_epochs_are_flagged(salt3_in_sncosmo, engine):
    lcs = light_curve(salt3_in_sncosmo, phases=np.arange(-10, 40, 4.0), snr=40)
    fits = ch.fit_salt(lcs, engine=engine)
    assert not fits["flags"][0] & Flag.EPOCHS_HELD_OUT


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("phase_range", [(-15.0, 45.0), (-20.0, 50.0), None])
def test_real_supernovae_end_near_the_published_maximum(real_data, tmp_path, phase_range):
    from real import pantheonplus as release

    model = release.unpack_model(real_data, tmp_path)
    published = release.read_published(real_data)
    far = []
    for survey in release.SURVEYS.values():
        lcs, rows, _ = release.read_survey(survey, real_data, published)
        fits = ch.fit_salt(
            release.with_settings(lcs, survey, rows),
            model=model,
            model_cov=True,
            phase_range=phase_range,
        )
        off = np.abs(fits["t0"] - rows["PKMJD"].to_numpy())
        far += fits["sn"][off > 5].tolist()
    # PS16cqa has no epoch before its maximum; 040166 has a deeper minimum.
    assert set(far) <= {"PS16cqa", "040166"}


def test_an_epoch_costs_as_the_equation_says():
    flux = np.array([100.0, 50.0, 10.0, 0.0])
    model_flux = np.array([90.0, 0.0, 20.0, 1000.0])
    is_late = np.array([False, False, True, False])
    expected = [
        100 / (4 + MODEL_ERROR**2 * (100**2 + 90**2)),
        2500 / (4 + MODEL_ERROR**2 * 2500),
        100 / (4 + LATE_ERROR**2 * (100 + 400)),
        1e6 / (4 + MODEL_ERROR**2 * 1e6),
    ]
    arrays = (jnp.asarray(a) for a in (model_flux, flux, np.full(4, 0.25), is_late))
    cost = np.asarray(epoch_cost(*arrays))
    np.testing.assert_allclose(cost, expected, rtol=1e-12)
    assert cost.max() < 1 / MODEL_ERROR**2
