"""The truth of a survey: complete, readable, and true by sncosmo and astropy."""

import numpy as np
import pytest
import sncosmo
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from made_skies import exposures_at, maker_of, sky_of, stars_at

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import load_passband

BANDS = ("ztfg", "ztfr")
ZP_NJY = 2.5 * np.log10(3631e9)


def test_every_frame_has_its_units_and_its_file(tiny):
    units = tiny.units
    counts = {kind: int((units["kind"] == kind).sum()) for kind in ("object", "bias", "flat")}
    assert counts == {"object": 4 * 6, "bias": 4 * 2, "flat": 4 * 3}
    assert set(units["rcid"].tolist()) == {20, 21, 22, 23}
    for kind, n in counts.items():
        paths = tiny.frames(kind)
        assert len(paths) == n // 4
        assert all(path.is_file() for path in paths)
    assert len(tiny.frames(band="ztfg")) == 3
    assert len(tiny.frames("flat", band="ztfr")) == 2
    raw = set((tiny.folder / "raw").rglob("*.fits"))
    assert raw == {tiny.folder / path for path in units["path"]}
    for path, mjd, kind in zip(units["path"], units["mjd"], units["kind"], strict=True):
        header = fits.getheader(tiny.folder / path)
        assert header["IMGTYPE"] == kind
        middle = header["OBSMJD"] + 0.5 * header["EXPTIME"] / 86400.0
        assert middle == pytest.approx(mjd, abs=1e-8)
    assert "6 quadrants" not in repr(tiny)
    assert "24 quadrants of object frames" in repr(tiny)
    assert "4 supernovae" in repr(tiny)


def test_quadrants_are_the_amplifiers_of_the_headers(tiny):
    table = tiny.quadrants
    path = tiny.frames()[0]
    for row in range(4):
        header = fits.getheader(path, int(table["science_extension"][row]))
        assert header["GAIN"] == table["gain"][row]
        assert header["READNOI"] == table["read_noise"][row]
        assert header["AMP_ID"] == table["qid"][row]
    for name in ("response_a", "response_b", "pocket_alpha", "pocket_cmax", "pocket_nmax"):
        assert np.isfinite(table[name]).all()


def test_fluxes_are_those_of_zero_points_and_magnitudes(tiny):
    sources = tiny.sources
    assert {"star", "sn", "galaxy"} == set(sources["kind"].tolist())
    expected = 10.0 ** (0.4 * (sources["zp"] - sources["mag"]))
    np.testing.assert_allclose(sources["flux"], expected, rtol=1e-12)
    assert (sources["x"] >= -0.5).all()
    assert (sources["x"] < 39.5).all()
    assert (sources["y"] >= -0.5).all()
    assert (sources["y"] < 39.5).all()
    # Colors and places change the zero point of a unit by hundredths.
    units = tiny.units
    of_unit = {
        (exposure, rcid): zp
        for exposure, rcid, zp in zip(units["exposure"], units["rcid"], units["zp"], strict=True)
    }
    keys = zip(sources["exposure"], sources["rcid"], strict=True)
    off = sources["zp"] - np.array([of_unit[key] for key in keys])
    assert np.abs(off).max() < 0.05


def test_light_of_supernovae_is_that_of_sncosmo(tiny, salt_folder):
    truth, targets, fluxes = tiny.supernovae, tiny.targets, tiny.fluxes
    model = sncosmo.Model(
        sncosmo.SALT3Source(modeldir=str(salt_folder)),
        effects=[sncosmo.F99Dust()],
        effect_names=["mw"],
        effect_frames=["obs"],
    )
    bands = {}
    for name in BANDS:
        passband = load_passband(name)
        wave, through = np.asarray(passband.wave), np.asarray(passband.transmission)
        bands[name] = sncosmo.Bandpass(wave, through, name=name)
    seen = 0
    sources = tiny.sources
    for row, sn in enumerate(targets["sn"]):
        model.set(z=targets["z_hel"][row], mwebv=targets["mwebv"][row])
        model.set(**{name: truth[f"{name}_true"][row] for name in ("t0", "x0", "x1", "c")})
        for k in np.flatnonzero(fluxes["sn"] == sn):
            flux = model.bandflux(bands[fluxes["band"][k]], fluxes["mjd"][k], ZP_NJY, "ab")
            assert fluxes["flux"][k] == pytest.approx(max(flux, 0.0), rel=1e-3, abs=1e-3)
            drawn = (sources["source"] == sn) & (sources["exposure"] == fluxes["exposure"][k])
            if drawn.any():
                seen += 1
                mag = -2.5 * np.log10(fluxes["flux"][k]) + ZP_NJY
                assert sources["mag"][drawn] == pytest.approx(mag, abs=1e-9)
    assert seen > 0


def test_supernovae_are_where_the_headers_put_them(tiny):
    sources, targets = tiny.sources, tiny.targets
    units = tiny.units
    found = 0
    for row in np.flatnonzero(sources["kind"] == "sn"):
        k = np.flatnonzero(
            (units["exposure"] == sources["exposure"][row])
            & (units["rcid"] == sources["rcid"][row])
        )[0]
        extension = int(sources["rcid"][row]) % 4 + 1
        header = fits.getheader(tiny.folder / units["path"][k], extension)
        which = targets["sn"].tolist().index(sources["source"][row])
        place = SkyCoord(targets["ra"][which], targets["dec"][which], unit="deg")
        x, y = WCS(header).world_to_pixel(place)
        # The telescope believes that it points 2 arcsec off, one sigma an axis.
        assert np.hypot(x - sources["x"][row], y - sources["y"][row]) < 10.0
        found += 1
    assert found > 0


def test_transmission_is_on_disk(tiny):
    for band in BANDS:
        through = tiny.transmission(6, band)
        assert through.shape == (80, 80)
        assert 0.85 < np.median(through) < 1.05
    assert not np.array_equal(tiny.transmission(6, "ztfg"), tiny.transmission(6, "ztfr"))
    with pytest.raises(InputError, match=r"no band ztfi; it has ztfg, ztfr"):
        tiny.transmission(6, "ztfi")


def test_proper_motion_moves_a_star_as_astropy_does():
    mjds = np.array([57388.5, 61041.0])
    exposures = exposures_at([240.0, 240.0], [70.0, 70.0], mjd=mjds)
    motion = {"pm_ra_cosdec": np.array([900.0]), "pm_dec": np.array([-400.0])}
    stars = stars_at([240.002], [70.003], 17.0, **motion)
    maker = maker_of(sky_of(exposures, stars=stars), size=64)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [240.0, 70.0]
    still = SkyCoord(
        240.002 * u.deg,
        70.003 * u.deg,
        pm_ra_cosdec=900 * u.mas / u.yr,
        pm_dec=-400 * u.mas / u.yr,
        obstime=Time(57388.5, format="mjd", scale="tdb"),
        distance=100 * u.pc,
    )
    for row, mjd in enumerate(mjds):
        seen = maker.observer.see(maker.rows[row], None)
        at = still.apply_space_motion(Time(mjd, format="mjd", scale="tdb"))
        xi, eta = wcs.wcs_world2pix(at.ra.deg, at.dec.deg, 1)
        assert seen.xi[0] * 3600.0 == pytest.approx(float(xi) * 3600.0, abs=1e-3)
        assert seen.eta[0] * 3600.0 == pytest.approx(float(eta) * 3600.0, abs=1e-3)
    assert still.separation(at).arcsec == pytest.approx(9.85, abs=0.02)


def test_a_variable_star_varies_and_its_truth_says_so():
    mjds = 58849.0 + np.arange(0.0, 10.0, 0.5)
    exposures = exposures_at(np.full(20, 240.0), np.full(20, 40.0), mjd=mjds)
    varies = {
        "amplitude": np.array([0.3]),
        "period_d": np.array([5.0]),
        "phase": np.array([0.25]),
    }
    maker = maker_of(sky_of(exposures, stars=stars_at([240.0], [40.0], 17.0, **varies)), size=64)
    mags = np.array([maker.observer.see(row, None).mag[0] for row in maker.rows])
    phase = 0.25 + (mjds - 57388.5) / 5.0
    np.testing.assert_allclose(mags, 17.0 + 0.3 * np.sin(2 * np.pi * phase), atol=1e-9)
