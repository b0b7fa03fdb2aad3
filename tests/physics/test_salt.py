"""Fluxes and model covariance of all SALT models against sncosmo 2.13, same files.

Tolerances: both codes sum the same few hundred terms in another order, so they agree to about
1e-11; fluxes below 1e-6 of the brightest one are differences of larger terms and are held to
1e-16 of the brightest.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sncosmo

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import load_passband
from chandelle.instrument.reference import ReferenceSpectrum
from chandelle.physics.salt import load_salt, peak_magnitude_offset
from chandelle.products.passband import Passband

THETA = {"z": 0.08, "t0": 58000.0, "x0": 1e-3, "x1": 0.7, "c": 0.05}
EDGES = [
    -20.0 + 1e-6,
    -19.99,
    -19.5,
    -19.0,
    -18.9,
    48.9,
    49.0,
    49.3,
    49.999,
    50.0 - 1e-6,
    -20.01,
    50.01,
]
REDSHIFTS = (0.01, 0.3, 0.8)
# All passbands of the model comparisons have 385 to 448 samples of 5 angstrom: one compilation.


def as_sncosmo(band):
    band = load_passband(band) if isinstance(band, str) else band
    return sncosmo.Bandpass(band.wave, band.transmission, name=band.name)


def end_band(model, z, end):
    """A passband that reaches into the first (0) or last (-1) wavelength cell of a model."""
    edge = float(model.surfaces.wave[end]) * (1 + z)
    wave = edge + 1.0 + np.arange(2000) if end == 0 else edge - 1.0 - np.arange(2000)[::-1]
    transmission = np.sin(np.linspace(0.3, np.pi - 0.3, 2000))
    return Passband(name=f"end{end}", wave=wave, transmission=transmission)


def draw(rng, z):
    """Parameters over the range of real supernovae and beyond, and 64 epochs."""
    theta = {"t0": 58000.0, "x0": 10.0 ** rng.uniform(-6, -2), "z": z}
    theta |= {"x1": rng.uniform(-3, 3), "c": rng.uniform(-0.3, 0.8)}
    phase = np.concatenate([EDGES, rng.uniform(-24, 54, 64 - len(EDGES))])
    return theta, 58000.0 + (1 + z) * phase, rng.uniform(0, 0.5)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-16 * np.abs(theirs).max())


def test_band_fluxes(salt_and_sncosmo):
    salt, theirs = salt_and_sncosmo
    rng = np.random.default_rng(1)
    for z in REDSHIFTS:
        for band in ("ztfg", "ztfi", end_band(salt, z, 0), end_band(salt, z, -1)):
            theta, mjd, mwebv = draw(rng, z)
            if z == 0.8 and band == "ztfi":
                theta["c"] = 0.8
            theirs.set(**theta, mwebv=mwebv)
            expected = theirs.bandflux(as_sncosmo(band), mjd, zp=25.0, zpsys="ab")
            close(salt.bandflux(band, mjd, zp=25.0, mwebv=mwebv, **theta), expected)
            assert np.count_nonzero(expected) > 50


def test_first_and_last_phase_to_the_bit(salt_and_sncosmo):
    # At z = 0 the phase has no rounding, so the ends of the grid are hit exactly.
    salt, theirs = salt_and_sncosmo
    theta = {"z": 0.0, "t0": 0.0, "x0": 1.0, "x1": 1.0, "c": 0.1}
    theirs.set(**theta, mwebv=0.0)
    mjd = np.array([*EDGES, -20.0, 50.0, -19.0, 49.0, *np.linspace(-24, 54, 48)])
    close(salt.bandflux("ztfg", mjd, **theta), theirs.bandflux(as_sncosmo("ztfg"), mjd))


def test_spectra(salt_and_sncosmo):
    salt, theirs = salt_and_sncosmo
    theta, mjd, mwebv = draw(np.random.default_rng(2), 0.3)
    theirs.set(**theta, mwebv=mwebv)
    low, high = theirs.minwave(), theirs.maxwave()
    wave = np.linspace(low + 1e-6, high - 1e-6, 501)
    mjd = np.sort(mjd)
    expected = theirs.flux(mjd, wave)
    ours = salt.flux(mjd, wave, mwebv=mwebv, **theta)
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-14 * expected.max())


def test_model_covariance(salt_and_sncosmo):
    salt, theirs = salt_and_sncosmo
    rng = np.random.default_rng(3)
    for z in REDSHIFTS:
        theta, mjd, _ = draw(rng, z)
        theirs.set(**theta, mwebv=0.2)
        bands = [load_passband("ztfg"), end_band(salt, z, 0), end_band(salt, z, -1)]
        band = [bands[i % 3] for i in range(len(mjd))]
        known = {one: as_sncosmo(one) for one in bands}
        expected = theirs._bandflux_rcov(np.array([known[one] for one in band]), mjd)
        ours = salt.bandflux_rcov(band, mjd, **theta)
        np.testing.assert_allclose(ours, expected, rtol=1e-8)


def test_peak_magnitude(salt_and_sncosmo):
    salt, theirs = salt_and_sncosmo
    theirs.set(z=0.0, t0=0.0, x0=1.0, x1=0.0, c=0.0, mwebv=0.0)
    expected = theirs.bandmag(as_sncosmo("bessellb"), "ab", 0.0)
    np.testing.assert_allclose(peak_magnitude_offset(salt), expected, rtol=1e-12)
    assert abs(peak_magnitude_offset(salt) - 10.508) < 0.004


@pytest.mark.parametrize("name", ["lsstu", "lsstg", "lssti", "lsstz", "ztfr", "bessellux"])
def test_shipped_passbands(f22, name):
    salt, theirs = f22
    theta, mjd, mwebv = draw(np.random.default_rng(4), 0.12)
    theirs.set(**theta, mwebv=mwebv)
    expected = theirs.bandflux(as_sncosmo(name), mjd)
    close(salt.bandflux(name, mjd, mwebv=mwebv, **theta), expected)


def test_one_band_an_epoch_any_order_and_zero_points(f22):
    salt, theirs = f22
    theirs.set(**THETA, mwebv=0.1)
    bands = np.array(["ztfr", "ztfg", "ztfi", "ztfg", "ztfr"])
    mjd, zp = np.array([58010.0, 58003.0, 57999.0, 57990.0, 58001.5]), np.linspace(24.0, 28.0, 5)
    known = {name: as_sncosmo(name) for name in set(bands.tolist())}
    theirs_band = np.array([known[name] for name in bands])
    expected = theirs.bandflux(theirs_band, mjd, zp=zp, zpsys="ab")
    close(salt.bandflux(bands, mjd, zp=zp, mwebv=0.1, **THETA), expected)
    close(salt.bandflux(list(bands), mjd, mwebv=0.1, **THETA), theirs.bandflux(theirs_band, mjd))
    mine = [load_passband(name) for name in bands]
    close(salt.bandflux(mine, mjd, zp=zp, mwebv=0.1, **THETA), expected)


def test_scalars_and_shapes(f22):
    salt, _ = f22
    assert salt.bandflux("ztfg", 58000.0, **THETA).shape == ()
    assert salt.bandflux_rcov("ztfg", 58000.0, **THETA).shape == ()
    assert salt.flux(58000.0, 5000.0, **THETA).shape == ()
    assert salt.flux([58000.0, 58001.0], 5000.0, **THETA).shape == (2,)
    assert salt.flux(58000.0, [5000.0, 6000.0, 7000.0], **THETA).shape == (3,)
    assert salt.flux([58000.0], [5000.0, 6000.0], **THETA).shape == (1, 2)


@pytest.mark.parametrize(("law", "dust"), [("ccm89", sncosmo.CCM89Dust), ("o94", sncosmo.OD94Dust)])
def test_other_dust_laws(f22, law, dust):
    salt, other = f22
    theirs = sncosmo.Model(other.source, [dust()], ["mw"], ["obs"])
    theirs.set(**THETA, mwebv=0.3, mwr_v=2.5)
    expected = theirs.bandflux(as_sncosmo("ztfg"), [57995.0, 58010.0])
    ours = salt.bandflux("ztfg", [57995.0, 58010.0], mwebv=0.3, r_v=2.5, dust=law, **THETA)
    close(ours, expected)


def test_magnitude_systems(f22):
    salt, _ = f22
    ab, vega = (
        float(salt.bandflux("bessellb", 58000.0, zp=25.0, zpsys=system, **THETA))
        for system in ("ab", "vega")
    )
    assert 0.05 < 2.5 * np.log10(ab / vega) * -1.0 + 0.2 < 0.35
    flat = ReferenceSpectrum(
        name="ab",
        wave=np.arange(2000.0, 9000.0, 0.5),
        flux=3631e-23 * 2.99792458e18 / np.arange(2000.0, 9000.0, 0.5) ** 2,
    )
    same = salt.bandflux("bessellb", 58000.0, zp=25.0, zpsys=flat, **THETA)
    np.testing.assert_allclose(same, ab, rtol=1e-7)


@pytest.mark.parametrize("method", ["bandflux", "bandflux_rcov"])
def test_band_outside_the_model_is_refused_like_sncosmo(f22, method):
    salt, theirs = f22
    far = THETA | {"z": 0.9}
    theirs.set(**far)
    with pytest.raises(ValueError, match="outside spectral range"):
        theirs.bandflux(as_sncosmo("ztfg"), 58000.0)
    with pytest.raises(InputError, match=r"outside the range of salt3-f22 at z = 0.9"):
        getattr(salt, method)("ztfg", 58000.0, **far)


def test_refusals(f22):
    salt, _ = f22
    with pytest.raises(InputError, match=r"wavelengths .* outside the range"):
        salt.flux(58000.0, [1000.0, 5000.0], **THETA)
    with pytest.raises(InputError, match="expected one band an epoch, got 1 for 2 epochs"):
        salt.bandflux(["ztfg"], [58000.0, 58001.0], **THETA)
    with pytest.raises(InputError, match="did you mean 'ztfg'"):
        salt.bandflux("ztf_g", 58000.0, **THETA)
    with pytest.raises(InputError, match="zpsys must be"):
        salt.bandflux("ztfg", 58000.0, zp=25.0, zpsys="stmag", **THETA)


def test_gradients_equal_finite_differences(f22):
    salt, _ = f22
    mjd = jnp.array([57985.0, 58002.5, 58030.0])
    theta = THETA | {"x0": 1.0, "mwebv": 0.1}

    def flux(values):
        return salt.bandflux("ztfg", mjd, zp=0.0, **values)

    exact = jax.jacfwd(flux)({name: jnp.asarray(value) for name, value in theta.items()})
    for name, value in theta.items():
        step = 1e-3 if name == "t0" else 1e-6
        high, low = (np.asarray(flux(theta | {name: value + s})) for s in (step, -step))
        slope = (high - low) / (2 * step)
        np.testing.assert_allclose(exact[name], slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())


def test_jit_and_vmap_over_supernovae(f22):
    salt, _ = f22
    z = jnp.array([0.03, 0.05, 0.09])
    mjd = jnp.array([57990.0, 58005.0])
    theta = {name: value for name, value in THETA.items() if name != "z"}

    @eqx.filter_jit
    def fluxes(z):
        return jax.vmap(lambda z: salt.bandflux(["ztfg", "ztfr"], mjd, z=z, zp=25.0, **theta))(z)

    for i, ours in enumerate(fluxes(z)):
        alone = salt.bandflux(["ztfg", "ztfr"], mjd, zp=25.0, **(THETA | {"z": float(z[i])}))
        np.testing.assert_allclose(ours, alone, rtol=1e-12)


def test_band_out_of_range_inside_jit(f22):
    salt, _ = f22
    theta = {name: value for name, value in THETA.items() if name != "z"}
    flux = eqx.filter_jit(lambda z: salt.bandflux("ztfg", 58000.0, z=z, **theta))
    assert np.isfinite(flux(jnp.asarray(0.1)))
    with pytest.raises(eqx.EquinoxRuntimeError, match="outside the range"):
        flux(jnp.asarray(0.9)).block_until_ready()


def test_no_retrace_for_new_values(f22):
    salt, _ = f22
    compiled = []

    def listen(event, duration, **kwargs):
        del duration, kwargs
        if "backend_compile" in event:
            compiled.append(event)

    def run(z, count):
        mjd = 58000.0 + np.arange(count)
        return salt.bandflux("ztfg", mjd, zp=25.0, mwebv=z, **(THETA | {"z": z, "c": z}))

    run(0.05, 13)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        run(0.06, 13)
        run(0.07, 13)
        assert not compiled
        run(0.06, 129)
        assert compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_color_law_is_zero_at_b_and_minus_one_at_v():
    law = load_salt("salt3-f22").surfaces.color_law
    np.testing.assert_allclose(law(jnp.array([4302.57, 5428.55])), [0.0, -1.0], atol=1e-14)
