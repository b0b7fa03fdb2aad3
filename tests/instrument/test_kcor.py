"""SNANA kcor files: a small one written here, and the real ones."""

import numpy as np
import pytest
from astropy.io import fits

from chandelle.core.errors import InputError
from chandelle.instrument.kcor import read_kcor
from chandelle.instrument.passbands import load_passband
from chandelle.instrument.reference import ReferenceSpectrum
from chandelle.physics.photometry import ab_bandflux, reference_bandflux

NAMES = ("PS1-g", "CFA41-r/i", "starX")


def write_kcor(path, *, names=NAMES, curve_names=NAMES, photometry=0.0):
    wave = np.arange(3000.0, 9000.0, 10.0)
    shape = np.exp(-0.5 * ((wave - 5000.0) / 300.0) ** 2)
    offsets = np.array([0.0, -0.03, 0.2])
    columns = [
        fits.Column("Filter Name", "20A", array=np.array(names)),
        fits.Column("Primary Name", "20A", array=np.array(["AB", "AB", "BD17"])),
        fits.Column("Primary Mag", "1E", array=offsets),
        fits.Column("ZPoff(Primary)", "1E", array=offsets),
        fits.Column("ZPoff(SNpot)", "1E", array=np.full(3, photometry)),
    ]
    zero = fits.BinTableHDU.from_columns(columns, name="ZPoff")
    curves = [fits.Column("wave", "1E", array=wave)]
    curves += [fits.Column(name, "1E", array=shape) for name in curve_names]
    table = fits.BinTableHDU.from_columns(curves, name="FilterTrans")
    fits.HDUList([fits.PrimaryHDU(), zero, table]).writeto(path)
    return path


@pytest.fixture
def kcor_path(tmp_path):
    return write_kcor(tmp_path / "kcor.fits")


def test_passbands_and_zero_points(kcor_path):
    kcor = read_kcor(kcor_path)
    assert tuple(kcor.passbands) == NAMES
    np.testing.assert_allclose(list(kcor.zero_points.values()), [0.0, -0.03, 0.2], atol=1e-8)
    assert kcor.primaries["starX"] == "BD17"
    band = kcor.passbands["PS1-g"]
    assert abs(band.mean_wave - 5000.0) < 0.1
    assert band.wave.dtype == np.float64


def test_letter_is_the_last_character(kcor_path):
    kcor = read_kcor(kcor_path)
    assert kcor.name_of("g") == kcor.name_of("PS1-g") == "PS1-g"
    assert kcor.name_of("i") == "CFA41-r/i"
    assert kcor.name_of("r") is None


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_refused_files(tmp_path):
    with pytest.raises(InputError, match="no such kcor file"):
        read_kcor(tmp_path / "absent.fits")
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(InputError, match=r"empty\.fits: expected an SNANA kcor file"):
        read_kcor(tmp_path / "empty.fits")
    path = write_kcor(tmp_path / "names.fits", curve_names=("a", "b", "c"))
    with pytest.raises(InputError, match="FilterTrans has"):
        read_kcor(path)
    path = write_kcor(tmp_path / "photometry.fits", photometry=0.01)
    with pytest.raises(InputError, match=r"ZPoff\(SNpot\) is not zero"):
        read_kcor(path)


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_ambiguous_letter_and_variants(tmp_path):
    names = ("PS1-g", "CSP-g", "*CSP-h")
    kcor = read_kcor(write_kcor(tmp_path / "kcor.fits", names=names, curve_names=names))
    with pytest.raises(InputError, match="'g' is ambiguous: it may be PS1-g or CSP-g"):
        kcor.name_of("g")
    assert kcor.name_of("h") is None


def test_foundation(real_data):
    kcor = read_kcor(real_data / "lightcurves" / "foundation_dr1" / "kcor_PS1_none.fits.gz")
    assert [kcor.name_of(letter) for letter in "griz"] == ["PS1-g", "PS1-r", "PS1-i", "PS1-z"]
    assert [kcor.zero_points[f"PS1-{letter}"] for letter in "griz"] == [0.0] * 4
    assert abs(kcor.passbands["PS1-r"].mean_wave - load_passband("lsstr").mean_wave) < 100.0


def test_zero_point_is_survey_minus_ab_magnitude(real_data):
    # The file keeps the spectrum of its primary, BD+17 4708, and the primary's magnitudes.
    path = real_data / "lightcurves" / "pantheonplus_snana" / "kcor" / "kcor_CSPDR3_v6_1.fits.gz"
    sed, offsets = fits.getdata(path, "PrimarySED"), fits.getdata(path, "ZPoff")
    wave, flux = (np.asarray(sed.field(i), dtype=float) for i in (0, 1))
    star = ReferenceSpectrum(name="BD17", wave=wave, flux=flux)
    kcor = read_kcor(path)
    for row in range(6):
        name = str(offsets["Filter Name"][row]).strip()
        band = kcor.passbands[name]
        ab = -2.5 * np.log10(reference_bandflux(band, star) / ab_bandflux(band))
        expected = float(offsets["Primary Mag"][row]) - ab
        assert abs(kcor.zero_points[name] - expected) < 1e-3
