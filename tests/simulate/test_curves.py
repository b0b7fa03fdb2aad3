"""Fluxes of whole samples: against sncosmo, against JAX, whatever the threads."""

import jax.numpy as jnp
import numpy as np
import pytest
import sncosmo

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.physics.salt import load_salt
from chandelle.products.passband import Passband
from chandelle.simulate.chromatic import SCATTER_WAVES, scatter_curve
from chandelle.simulate.curves import SaltSample, true_fluxes

NAMES = ("ztfg", "ztfr", "ztfi", "lsstz")
N, N_OBS = 700, 40


@pytest.fixture(scope="module")
def salt():
    return load_salt("salt3-f22")


@pytest.fixture(scope="module")
def bands():
    return [load_passband(name) for name in NAMES]


def drawn(n: int = N, *, fewest: int = 0):
    """Supernovae all over the model, epochs beyond its phases too."""
    rng = np.random.default_rng(5)
    z = rng.uniform(0.01, 0.8, n)
    sample = SaltSample(
        z=z,
        t0=58000.0 + rng.uniform(0, 30, n),
        x0=10.0 ** rng.uniform(-6, -2, n),
        x1=rng.uniform(-3, 3, n),
        c=rng.uniform(-0.3, 0.8, n),
        mwebv=rng.uniform(0, 0.5, n),
    )
    counts = rng.integers(fewest, N_OBS + 1, n)
    first = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(n), counts)
    mjd = sample.t0[owner] + (1 + z[owner]) * rng.uniform(-24, 54, first[-1])
    return sample, {"mjd": mjd, "band": rng.integers(0, len(NAMES), first[-1]), "first": first}


def test_fluxes_are_those_of_sncosmo(salt, bands, salt_folder):
    sample, epochs = drawn(n=40)
    found = true_fluxes(salt, bands, sample, **epochs)
    source = sncosmo.SALT3Source(modeldir=str(salt_folder))
    model = sncosmo.Model(
        source, effects=[sncosmo.F99Dust()], effect_names=["mw"], effect_frames=["obs"]
    )
    passbands = [sncosmo.Bandpass(b.wave, b.transmission, name=b.name) for b in bands]
    for k in range(len(sample)):
        rows = slice(epochs["first"][k], epochs["first"][k + 1])
        state = {name: float(getattr(sample, name)[k]) for name in ("z", "t0", "x0", "x1", "c")}
        model.set(**state, mwebv=float(sample.mwebv[k]))
        pairs = zip(epochs["mjd"][rows], epochs["band"][rows], strict=True)
        expected = [model.bandflux(passbands[b], t, zp=ZP_NJY, zpsys="ab") for t, b in pairs]
        brightest = np.abs(expected).max(initial=0.0)
        # 1e-10 of the peak: fluxes near zero have no relative meaning.
        assert np.allclose(found[rows], expected, rtol=0, atol=1e-10 * brightest)
    assert np.count_nonzero(found) > 400


def test_fluxes_are_those_of_jax(salt, bands):
    sample, epochs = drawn(n=12, fewest=N_OBS)  # one shape, one compilation
    found = true_fluxes(salt, bands, sample, **epochs)
    names = np.array(NAMES)
    for k in range(len(sample)):
        rows = slice(epochs["first"][k], epochs["first"][k + 1])
        state = {n: getattr(sample, n)[k] for n in ("z", "t0", "x0", "x1", "c", "mwebv")}
        band = names[epochs["band"][rows]].tolist()
        expected = np.asarray(salt.bandflux(band, epochs["mjd"][rows], zp=ZP_NJY, **state))
        scale = np.abs(expected).max(initial=0.0)
        assert np.allclose(found[rows], expected, rtol=0, atol=1e-12 * scale)


def test_neither_threads_nor_company_change_a_flux(salt, bands):
    sample, epochs = drawn()
    found = true_fluxes(salt, bands, sample, **epochs, threads=2)
    assert np.array_equal(found, true_fluxes(salt, bands, sample, **epochs, threads=1))
    last = slice(epochs["first"][-2], None)
    alone = SaltSample(
        **{name: getattr(sample, name)[-1:] for name in ("z", "t0", "x0", "x1", "c", "mwebv")}
    )
    own = {"mjd": epochs["mjd"][last], "band": epochs["band"][last]}
    first = np.array([0, len(own["mjd"])])
    assert np.array_equal(found[last], true_fluxes(salt, bands, alone, **own, first=first))


def test_scatter_dims_by_what_it_says(salt, bands):
    sample, epochs = drawn(n=30)
    columns = {name: getattr(sample, name) for name in ("z", "t0", "x0", "x1", "c", "mwebv")}
    plain = true_fluxes(salt, bands, sample, **epochs)
    wave = np.array([2000.0, 5000.0, 9200.0])
    gray = SaltSample(**columns, scatter=np.full((30, 3), 0.3), scatter_wave=wave)
    dimmed = true_fluxes(salt, bands, gray, **epochs)
    assert np.allclose(dimmed, plain * 10 ** (-0.4 * 0.3), rtol=1e-12, atol=0)
    # In a passband of 20 angstrom about 6000, as the curve of the population says.
    line = Passband(name="line", wave=np.linspace(5990.0, 6010.0, 21), transmission=np.ones(21))
    nodes = np.array([0.3, -0.2, 0.1, 0.4, -0.3])
    wave = np.array(SCATTER_WAVES)
    tilt = SaltSample(**columns, scatter=np.tile(nodes, (30, 1)), scatter_wave=wave)
    epochs["band"][:] = 0
    plain, tilted = (true_fluxes(salt, [line], one, **epochs) for one in (sample, tilt))
    owner = np.repeat(np.arange(30), np.diff(epochs["first"]))
    bright = plain > 1e-3 * np.abs(plain).max()
    assert bright.sum() > 5
    loss = -2.5 * np.log10(tilted[bright] / plain[bright])
    rest = jnp.asarray(6000.0 / (1 + sample.z[owner[bright]]))
    assert np.abs(loss - scatter_curve(rest, jnp.asarray(nodes))).max() < 2e-4


def test_epochs_that_do_not_fit_are_refused(salt, bands):
    sample, epochs = drawn(n=5)
    with pytest.raises(InputError, match="expected 6 rising rows"):
        true_fluxes(salt, bands, sample, **epochs | {"first": epochs["first"][:-1]})
    with pytest.raises(InputError, match="each of 0 to 3"):
        true_fluxes(salt, bands, sample, **epochs | {"band": epochs["band"] + 4})
    short = {name: getattr(sample, name) for name in ("z", "t0", "x0", "x1", "c")}
    with pytest.raises(InputError, match="expected columns of one length"):
        true_fluxes(salt, bands, SaltSample(**short, mwebv=np.zeros(3)), **epochs)
