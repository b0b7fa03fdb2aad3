"""Magnitude systems of the rows, against those of sncosmo 2.13."""

import numpy as np
import pandas as pd
import pytest
import sncosmo
from astropy.table import Table

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.instrument.reference import read_reference_spectrum
from chandelle.lightcurve.ingest import read_lightcurves

BANDS = ("ztfg", "ztfr", "lssti", "bessellb", "bessellv")
FILES = {"vega": "alpha_lyr_stis_007.fits.gz", "bd17": "bd_17d4708_stisnic_005.fits.gz"}


def frame(system: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": "a",
            "mjd": 59000.0 + np.arange(len(BANDS)),
            "band": BANDS,
            "flux": 100.0,
            "fluxerr": 5.0,
            "zp": 25.0,
            "zpsys": system,
        }
    )


def in_sncosmo(band: str) -> sncosmo.Bandpass:
    ours = load_passband(band)
    return sncosmo.Bandpass(ours.wave, ours.transmission, name=f"test_{band}")


def scaled_by_sncosmo(data: pd.DataFrame, system: sncosmo.MagSystem) -> np.ndarray:
    """Fluxes of zero point 1 nJy (AB) as sncosmo's own table scales them."""
    table = Table.from_pandas(data.drop(columns="zpsys"))
    ab = sncosmo.get_magsystem("ab")
    factor = [system.zpbandflux(in_sncosmo(b)) / ab.zpbandflux(in_sncosmo(b)) for b in data["band"]]
    return np.asarray(table["flux"]) * 10 ** (0.4 * (ZP_NJY - np.asarray(table["zp"]))) * factor


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["path", "spectrum"])
def test_standards_equal_sncosmo(real_data, name, kind):
    """Both integrate the same samples on the same grid of 1 angstrom, so 1e-6 is generous."""
    path = real_data / "spectra" / FILES[name]
    star = read_reference_spectrum(path)
    theirs = sncosmo.SpectralMagSystem(sncosmo.SpectrumModel(star.wave, star.flux))
    system = path if kind == "path" else star
    lcs = read_lightcurves(frame(name.upper()), zpsys={name: system})
    np.testing.assert_allclose(lcs["flux"], scaled_by_sncosmo(frame(name), theirs), rtol=1e-6)
    assert not len(lcs.rejected)


@pytest.mark.real
def test_a_composite_equals_sncosmo(real_data):
    star = read_reference_spectrum(real_data / "spectra" / FILES["bd17"])
    sncosmo.register(
        sncosmo.SpectralMagSystem(sncosmo.SpectrumModel(star.wave, star.flux)),
        name="test_bd17",
        force=True,
    )
    offsets = {"ztfg": 9.68, "ztfr": 9.3, "bessellb": 9.9}
    theirs = sncosmo.CompositeMagSystem(
        bands={in_sncosmo(band): ("test_bd17", offset) for band, offset in offsets.items()}
    )
    data = frame("landolt")
    lcs = read_lightcurves(
        data, zpsys={"landolt": {band: (star, offset) for band, offset in offsets.items()}}
    )
    kept = data[data["band"].isin(offsets)]
    bands = {band: key for key in theirs.bands for band in offsets if key.name == f"test_{band}"}
    ab = sncosmo.get_magsystem("ab")
    factor = [theirs.zpbandflux(bands[b]) / ab.zpbandflux(bands[b]) for b in kept["band"]]
    np.testing.assert_allclose(
        lcs["flux"], 100.0 * 10 ** (0.4 * (ZP_NJY - 25.0)) * np.array(factor), rtol=1e-6
    )
    assert lcs.rejected.to_pylist() == [{"sn": "a", "reason": "zpsys_unsupported", "count": 2}]


def test_magnitudes_become_fluxes_with_their_errors():
    data = frame("ab").drop(columns=["flux", "fluxerr", "zp"]).assign(mag=20.0, magerr=0.05)
    data.loc[4, "mag"] = 99.0
    lcs = read_lightcurves(data)
    np.testing.assert_allclose(lcs["flux"], 3631e9 * 10 ** (-0.4 * 20.0), rtol=1e-12)
    # 3631 Jy at magnitude zero: the error is the derivative, checked by a difference.
    step = 1e-5
    slope = (10 ** (-0.4 * (20 - step)) - 10 ** (-0.4 * (20 + step))) / (2 * step) * 3631e9
    np.testing.assert_allclose(lcs["flux_err"], 0.05 * slope, rtol=1e-8)
    assert lcs.rejected.to_pylist() == [{"sn": "a", "reason": "flux_nan", "count": 1}]
    same = read_lightcurves(data.drop(columns="zpsys"))
    np.testing.assert_array_equal(lcs["flux"], same["flux"])


def test_magnitudes_of_vega_are_converted_too():
    data = frame("vega").drop(columns=["flux", "fluxerr", "zp"]).assign(mag=20.0, magerr=0.05)
    fluxes = frame("vega").assign(flux=10 ** (-0.4 * (20.0 - 25.0)))
    np.testing.assert_allclose(
        read_lightcurves(data)["flux"], read_lightcurves(fluxes)["flux"], rtol=1e-12
    )
    named = read_lightcurves(data.drop(columns="zpsys"), zpsys="vega")
    np.testing.assert_array_equal(named["flux"], read_lightcurves(data)["flux"])


def test_what_is_wrong_with_a_system_is_said(caplog):
    lcs = read_lightcurves(frame("bd17"))
    assert lcs.rejected.to_pylist() == [{"sn": "a", "reason": "zpsys_unsupported", "count": 5}]
    assert "zpsys 'bd17' is unknown: give its standard, zpsys={'bd17': path" in caplog.text
    with pytest.raises(InputError, match="column zpsys says vega, zpsys= says 'ab'"):
        read_lightcurves(frame("vega"), zpsys="ab")
    with pytest.raises(InputError, match="no such spectrum file"):
        read_lightcurves(frame("bd17"), zpsys={"bd17": "absent.fits"})
