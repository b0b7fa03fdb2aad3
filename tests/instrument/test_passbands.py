"""Shipped passbands against sncosmo's, and the two-column reader."""

from importlib.resources import files

import numpy as np
import pytest
import sncosmo

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import list_passbands, load_passband, read_passband

BESSELL = ("bessellux", "bessellb", "bessellv", "bessellr", "besselli")


def sncosmo_band(path, factor=1.0):
    wave, transmission = np.loadtxt(path, usecols=(0, 1), unpack=True)
    return sncosmo.Bandpass(wave * factor, transmission, trim_level=0.001)


def test_names():
    assert list_passbands() == tuple(sorted(list_passbands()))
    ztf = ("ztfg", "ztfr", "ztfi")
    lsst = tuple(f"lsst{letter}" for letter in "ugrizy")
    assert set(list_passbands()) == {*ztf, *lsst, *BESSELL}


@pytest.mark.parametrize("name", list_passbands())
def test_every_shipped_band_loads_read_only(name):
    band = load_passband(name)
    assert band.name == name
    assert name in band.source
    assert load_passband(name) is band
    with pytest.raises(ValueError, match="read-only"):
        band.wave[0] = 0.0


@pytest.mark.parametrize("name", BESSELL)
def test_bessell_is_photon_counting_as_in_sncosmo(name):
    band, other = load_passband(name), sncosmo.get_bandpass(name)
    wave = np.linspace(2900.0, 9300.0, 6401)
    np.testing.assert_allclose(band(wave), other(wave), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("name", "file"), [("g", "P48_g"), ("r", "P48_R"), ("i", "P48_I")])
def test_ztf_is_sncosmo_bit_for_bit(real_data, name, file):
    other = sncosmo_band(real_data / "bandpasses" / "ztf" / f"{file}.dat")
    band = load_passband(f"ztf{name}")
    np.testing.assert_array_equal(band.wave, other.wave)
    np.testing.assert_array_equal(band.transmission, other.trans)


@pytest.mark.parametrize("letter", list("ugrizy"))
def test_lsst_is_sncosmo_to_five_digits(real_data, letter):
    # The shipped tables are rounded to five digits and end one sample earlier in the wings.
    other = sncosmo_band(real_data / "bandpasses" / "lsst" / f"total_{letter}.dat", 10.0)
    band = load_passband(f"lsst{letter}")
    wave = np.arange(band.wave[0] + 1.0, band.wave[-1] - 1.0)
    np.testing.assert_allclose(band(wave), other(wave), atol=1e-5)
    assert abs(band.mean_wave - other.wave_eff) < 0.01


def test_unknown_name_names_the_nearest():
    with pytest.raises(InputError, match=r"'ztf-g' is unknown, did you mean 'ztfg'\?"):
        load_passband("ztf-g")


def test_read_passband(tmp_path):
    path = tmp_path / "mine.dat"
    path.write_text("# wave transmission\n4000 0\n4100.5 0.5 # peak\n\n4200 0\n")
    band = read_passband(path)
    assert (band.name, band.source) == ("mine", str(path))
    np.testing.assert_array_equal(band.wave, [4000.0, 4100.5, 4200.0])
    np.testing.assert_array_equal(band.transmission, [0.0, 0.5, 0.0])
    assert read_passband(path, name="other").name == "other"


@pytest.mark.parametrize("text", ["", "# only words\n", "4000\n4100\n", "a b\nc d\n"])
def test_bad_passband_file_is_named(tmp_path, text):
    path = tmp_path / "bad.dat"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.dat: expected two columns"):
        read_passband(path)


def test_absent_passband_file(tmp_path):
    with pytest.raises(InputError, match="no such passband file"):
        read_passband(tmp_path / "absent.dat")


def test_notice_lists_source_license_and_hash_of_everything():
    folder = files("chandelle.instrument") / "data"
    notice = (folder / "NOTICE").read_text()
    for word in ("jax_bandflux-1.0.0", "bayesn-0.4.0", "sncosmo-2.13.0", "Copyright (c)"):
        assert word in notice
    assert notice.count("SHA-256") == 7 + len(list_passbands()) + 1
