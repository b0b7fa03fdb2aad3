"""ZTF Bright Transient Survey: light curves and table; redshifts in the frame of the CMB."""

import tarfile

import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest import bts_targets, read_lightcurves
from chandelle.lightcurve.ingest.bts import A_V_PER_EBV
from chandelle.lightcurve.ingest.frames import DIPOLE_GALACTIC, DIPOLE_KM_S, cmb_redshift

CURVE = "time,mag,magerr,band\n58000.5,18.0,0.1,g\n58001.5,17.0,0.05,R\n58002.5,,0.05,g\n"
TABLE = """
ZTFID,IAUID,RA,Dec,peakt,peakfilt,peakmag,type,redshift,b,A_V
ZTF18aaaaaab,SN2018b,08:29:47.59,+33:54:22.8,879.69,g,17.9,SN Ia,0.062,34.1,0.31
ZTF18aaaaaaa,SN2018a,11:43:06.37,-16:34:01.7,891.92,r,18.4,SN Ia-91T,-,70.3,-
ZTF18aaaaaaz,SN2018z,08:02:35.75,+50:55:21.1,1266.65,g,18.1,SN Ia,0.05295,31.6,0.129
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "curves"
    folder.mkdir()
    for letter in "abc":
        (folder / f"ZTF18aaaaaa{letter}.csv").write_text(CURVE)
    (tmp_path / "bts.csv").write_text(TABLE)
    return folder


@pytest.mark.parametrize("kind", ["folder", "archive", "frame"])
def test_magnitudes_become_fluxes_and_every_file_a_target(folder, kind, caplog):
    source, targets = folder, folder.parent / "bts.csv"
    if kind == "archive":
        source = folder.parent / "curves.tar.gz"
        with tarfile.open(source, "w:gz") as archive:
            archive.add(folder, "curves")
    if kind == "frame":
        targets = pd.read_csv(targets)
    lcs = read_lightcurves(source, targets=targets, origin="real")
    assert lcs.targets["sn"].tolist() == [f"ZTF18aaaaaa{letter}" for letter in "abc"]
    expected = ([18.0, 17.0] * units.ABmag).to_value(units.nJy)
    np.testing.assert_allclose(lcs["flux"], np.tile(expected, 3), rtol=1e-4)
    np.testing.assert_allclose(
        lcs["flux_err"] / lcs["flux"], np.tile([0.1, 0.05], 3) * np.log(10) / 2.5
    )
    assert lcs["band"].tolist() == ["ztfg", "ztfr"] * 3
    assert [row["reason"] for row in lcs.rejected.to_pylist()] == ["flux_nan"] * 3
    frame = lcs.targets.to_pandas().set_index("sn")
    known = frame.loc["ZTF18aaaaaab"]
    assert known.z_hel == 0.062
    assert known.mwebv == pytest.approx(0.31 / A_V_PER_EBV)
    position = SkyCoord("08h29m47.59s +33d54m22.8s")
    assert (known.ra, known.dec) == pytest.approx((position.ra.deg, position.dec.deg))
    assert (known["class"], known.iau_name, known.peak_band) == ("SN Ia", "SN2018b", "ztfg")
    assert known.peak_mjd == pytest.approx(2458879.69 - 2400000.5)
    assert frame["z_hel"].isna().tolist() == [True, False, True]
    assert frame["mwebv"].isna().tolist() == [True, False, True]
    assert "1 supernovae are not in the targets" in caplog.text


def test_any_table_of_targets_will_do(folder):
    plain = pd.DataFrame({"name": [f"ZTF18aaaaaa{x}" for x in "cba"], "z": [0.1, 0.2, 0.3]})
    assert read_lightcurves(folder, targets=plain).targets["z_hel"].tolist() == [0.3, 0.2, 0.1]
    twice = pd.concat([plain, plain])
    with pytest.raises(InputError, match="a name stands twice"):
        read_lightcurves(folder, targets=twice)
    assert np.isnan(read_lightcurves(folder).targets["z_hel"]).all()


def test_a_file_that_cannot_be_read_costs_only_its_epochs(folder, caplog):
    (folder / "ZTF18aaaaaab.csv").write_text("time,mag,band\n58000.5,18.0,g\n")
    (folder / "ZTF18aaaaaac.csv").write_text("")
    lcs = read_lightcurves(folder, targets=folder.parent / "bts.csv")
    assert len(lcs.targets) == 3
    assert set(lcs["sn"]) == {"ZTF18aaaaaaa"}
    assert [r["reason"] for r in lcs.rejected.to_pylist()].count("unreadable_file") == 2
    assert "ZTF18aaaaaab.csv: missing column magerr; found time, mag, band" in caplog.text


def test_another_table_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("name,z\nx,0.1\n")
    with pytest.raises(InputError, match="missing column ZTFID, redshift; found name, z"):
        bts_targets(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text(TABLE.replace("08:29:47.59", "eight"))
    with pytest.raises(InputError, match="expected positions like"):
        bts_targets(tmp_path / "b.csv")


@pytest.mark.real
def test_every_one_of_the_1145_has_a_row(real_data):
    data = real_data / "lightcurves" / "ztf_bts_snia"
    lcs = read_lightcurves(data / "light-curves.tar.gz", targets=data / "bts.csv.gz", origin="real")
    assert (len(lcs.targets), len(lcs), lcs.rejected.num_rows) == (1145, 22222, 0)
    assert np.isnan(lcs.targets["z_hel"]).sum() == 1
    assert np.isfinite(lcs.targets["mwebv"]).all()
    assert set(lcs["band"]) == {"ztfg", "ztfr", "ztfi"}
    # The brightest epoch of the band of the peak is at the peak that the survey's table lists.
    frame = lcs.to_pandas()
    frame["mag"] = (frame["flux"].to_numpy() * units.nJy).to_value(units.ABmag)
    targets = lcs.targets.to_pandas().set_index("sn")
    frame = frame.join(targets[["peak_mag", "peak_mjd", "peak_band"]], on="sn")
    frame = frame[frame["band"] == frame["peak_band"]]
    best = frame.loc[frame.groupby("sn")["mag"].idxmin()]
    assert abs((best["mag"] - best["peak_mag"]).median()) < 0.01
    assert abs((best["mjd"] - best["peak_mjd"]).median()) < 0.05


@pytest.mark.real
def test_extinction_is_that_of_pantheon_plus_at_the_same_places(real_data):
    targets = bts_targets(real_data / "lightcurves" / "ztf_bts_snia" / "bts.csv.gz").to_pandas()
    path = real_data / "sn_distances" / "pantheonplus" / "Pantheon+SH0ES.dat"
    published = pd.read_csv(path, sep=r"\s+").query("MWEBV > 0")
    here = SkyCoord(targets["ra"], targets["dec"], unit="deg")
    near, angle, _ = here.match_to_catalog_sky(
        SkyCoord(published["RA"], published["DEC"], unit="deg")
    )
    close = angle < 0.2 * units.deg
    ratio = targets["mwebv"][close].to_numpy() / published["MWEBV"].to_numpy()[near[close]]
    assert close.sum() == 26
    assert np.median(ratio) == pytest.approx(1.0, abs=0.02)


def test_the_motion_of_the_sun_is_taken_out_as_astropy_finds_it():
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    z = rng.uniform(0.001, 1.0, 200)
    apex = SkyCoord(*DIPOLE_GALACTIC, unit="deg", frame="galactic")
    cosine = np.cos(SkyCoord(ra, dec, unit="deg").separation(apex).rad)
    toward = (-DIPOLE_KM_S * cosine * units.km / units.s).to(
        units.one, equivalencies=units.doppler_redshift()
    )
    expected = (1 + z) / (1 + toward.value) - 1
    # The relativistic Doppler shift differs by (v/c)^2 / 2, below 1e-6.
    np.testing.assert_allclose(cmb_redshift(z, ra, dec), expected, rtol=0, atol=2e-6)
    assert np.isnan(cmb_redshift(np.array([0.1]), np.array([np.nan]), np.array([0.0]))).all()


@pytest.mark.real
def test_redshifts_equal_those_of_pantheon_plus(real_data):
    path = real_data / "sn_distances" / "pantheonplus" / "Pantheon+SH0ES.dat"
    table = pd.read_csv(path, sep=r"\s+")
    ours = cmb_redshift(*(table[name].to_numpy() for name in ("zHEL", "RA", "DEC")))
    # Their column has five decimals.
    np.testing.assert_allclose(ours, table["zCMB"], rtol=0, atol=1.1e-5)
