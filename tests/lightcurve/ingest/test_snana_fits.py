"""SNANA FITS pairs: against sncosmo on real simulations, and every way a pair can be wrong."""

import gzip

import numpy as np
import pytest
import sncosmo
from astropy.io import fits

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY, nanojansky_from_zp
from chandelle.lightcurve.ingest import read_lightcurves, snana_fits

DES_OR_PS1 = ("X-g", "X-r", "X-i", "X-z")


@pytest.mark.parametrize(
    ("key", "count", "points"), [("DESREA73fe7", 620, 41990), ("FOUNDB8fea7", 569, 8459)]
)
@pytest.mark.real
def test_simulations_of_pantheon_plus_equal_sncosmo(
    real_data, tmp_path, write_kcor, key, count, points
):
    folder = real_data / "simulations" / "pantheonplus_snana_sims"
    head, phot = (
        folder / f"PIP_PLUS_10REAL_SIM{key}_SNIaMODEL0-0001_{kind}.FITS.gz"
        for kind in ("HEAD", "PHOT")
    )
    kcor = write_kcor(tmp_path / "kcor.fits", offset=0.0, names=DES_OR_PS1)
    lcs = read_lightcurves(head, kcor=kcor, origin="simulated")
    theirs = sncosmo.read_snana_fits(str(head), str(phot))
    assert len(theirs) == len(lcs.targets) == count
    assert sum(map(len, theirs)) == len(lcs) == points
    assert lcs.rejected.num_rows == 0

    def epochs(name):
        return np.concatenate([np.asarray(table[name]) for table in theirs])

    def header(name):
        return np.array([table.meta[name] for table in theirs])

    names = np.char.strip(header("SNID").astype(str))
    assert lcs.targets["sn"].tolist() == names.tolist()
    assert lcs["sn"].tolist() == np.repeat(names, list(map(len, theirs))).tolist()
    np.testing.assert_array_equal(lcs["mjd"], epochs("MJD"))
    bands = np.char.add("X-", np.char.strip(epochs("BAND").astype(str)))
    assert lcs["band"].tolist() == bands.tolist()
    for ours, their_name in (("flux", "FLUXCAL"), ("flux_err", "FLUXCALERR")):
        expected = nanojansky_from_zp(epochs(their_name).astype(float), 27.5)
        np.testing.assert_allclose(lcs[ours], expected, rtol=1e-12)
    for ours, their_name in (
        *(("ra", "RA"), ("dec", "DEC"), ("z_hel", "REDSHIFT_HELIO"), ("z_cmb", "REDSHIFT_FINAL")),
        *(("mwebv", "MWEBV"), ("host_logmass", "HOSTGAL_LOGMASS"), ("vpec", "VPEC")),
        *((name, name) for name in ("SIM_SALT2x1", "SIM_SALT2c", "SIM_SALT2x0", "SIM_PEAKMJD")),
    ):
        np.testing.assert_array_equal(lcs.targets[ours], header(their_name).astype(float))
    truth = header("SIM_PEAKMAG_z").astype(float)
    np.testing.assert_array_equal(
        lcs.targets["SIM_PEAKMAG_z"], np.where(truth == -9, np.nan, truth)
    )


@pytest.mark.real
def test_a_folder_of_two_surveys_keeps_every_supernova(real_data, tmp_path, write_kcor):
    folder = real_data / "simulations" / "pantheonplus_snana_sims"
    kcor = write_kcor(tmp_path / "kcor.fits", names=DES_OR_PS1)
    with pytest.raises(InputError, match=r"2 supernovae stand twice, 25580 \(DES and FOUNDATION\)"):
        read_lightcurves(folder, kcor=kcor)
    lcs = read_lightcurves(folder, kcor=kcor, duplicates="keep")
    assert (len(lcs.targets), len(lcs)) == (620 + 569, 41990 + 8459)
    assert {"25580_DES", "25580_FOUNDATION"} <= set(lcs.targets["sn"])
    assert np.isfinite(lcs.targets["SIM_SALT2x1"]).all()


def write_pair(folder, *, band="BAND", gz=False, key="A", head=None, drop=(), survey="SIM(A)"):
    """Three supernovae of 2, 0 and 1 epochs with SNANA's end marker behind each but the empty."""
    folder.mkdir(exist_ok=True)
    columns = {
        "SNID": ("16A", ["11  ", " 12", "13"]),
        "RA": ("1D", [10.0, 20.0, 30.0]),
        "DEC": ("1D", [-9.0, 5.0, 6.0]),
        "NOBS": ("1J", [2, 0, 1]),
        "PTROBS_MIN": ("1J", [1, -9, 4]),
        "PTROBS_MAX": ("1J", [2, -9, 4]),
        "MWEBV": ("1E", [0.25, -9.0, 0.5]),
        "REDSHIFT_HELIO": ("1E", [0.5, 0.25, -9.0]),
        "HOSTGAL_LOGMASS": ("1E", [10.0, -9.0, 0.0]),
        "SIM_SALT2x1": ("1E", [1.5, -9.0, 0.5]),
        "SIM_VPEC": ("1E", [-9.0, 1.0, 2.0]),
    } | (head or {})
    epochs = {
        "MJD": ("1D", [59000.0, 59001.0, -777.0, 59002.0, -777.0]),
        band: ("2A", ["g ", "r", "-", " r", "-"]),
        "FLUXCAL": ("1E", [100.0, 110.0, -777.0, 120.0, -777.0]),
        "FLUXCALERR": ("1E", [5.0, -9.0, -777.0, 6.0, -777.0]),
    }
    primary = fits.PrimaryHDU()
    primary.header["SURVEY"] = survey
    for kind, table in (("HEAD", columns), ("PHOT", epochs)):
        hdu = fits.BinTableHDU.from_columns(
            [fits.Column(n, f, array=v) for n, (f, v) in table.items() if n not in drop]
        )
        path = folder / f"{key}_{kind}.FITS{'.gz' if gz else ''}"
        fits.HDUList([primary, hdu]).writeto(path)
    return folder / f"{key}_HEAD.FITS{'.gz' if gz else ''}"


def reasons(lcs):
    return [(row["sn"], row["reason"]) for row in lcs.rejected.to_pylist()]


@pytest.mark.parametrize("band", ["BAND", "FLT"])
@pytest.mark.parametrize("kind", ["head", "phot", "folder", "list"])
def test_pointers_blanks_and_sentinels(tmp_path, write_kcor, band, kind):
    head = write_pair(tmp_path / "V", band=band, gz=kind == "phot")
    phot = head.with_name(head.name.replace("HEAD", "PHOT"))
    source = {"head": head, "phot": phot, "folder": head.parent, "list": [head, phot]}[kind]
    lcs = read_lightcurves(source, kcor=write_kcor(tmp_path / "kcor.fits"))
    assert lcs.targets["sn"].tolist() == ["11", "12", "13"]
    assert lcs["sn"].tolist() == ["11", "13"]
    assert lcs["mjd"].tolist() == [59000.0, 59002.0]
    assert lcs["band"].tolist() == ["PS1-g", "PS1-r"]
    assert reasons(lcs) == [("11", "err_not_positive")]
    # The survey's magnitudes are 0.02 below AB, as for SNANA text.
    expected = 27.5 - 2.5 * np.log10([100.0, 120.0]) + 0.02
    np.testing.assert_allclose(ZP_NJY - 2.5 * np.log10(lcs["flux"]), expected, atol=1e-9)
    targets = lcs.targets.to_pandas()
    assert targets["survey"].tolist() == ["SIM"] * 3
    assert targets["dec"].tolist() == [-9.0, 5.0, 6.0]
    assert targets["SIM_VPEC"].tolist() == [-9.0, 1.0, 2.0]
    for name in ("mwebv", "z_hel", "host_logmass", "SIM_SALT2x1"):
        assert not targets[name].isin([-9.0, 0.0]).any()
    assert np.isnan(targets["z_hel"][2])


def test_numbers_as_names_are_read(tmp_path, write_kcor):
    head = write_pair(tmp_path / "V", head={"SNID": ("1J", [7, 8, 9])})
    lcs = read_lightcurves(head, kcor=write_kcor(tmp_path / "kcor.fits"))
    assert lcs.targets["sn"].tolist() == ["7", "8", "9"]


@pytest.mark.parametrize(
    ("low", "high", "nobs"),
    [(0, 2, 3), (1, 3, 3), (4, 9, 6), (4, 2, -1), (1, 2, 1), (-9, -9, 2), (1, 2**31 - 1, 5)],
)
def test_a_supernova_whose_pointers_are_wrong_is_counted(tmp_path, write_kcor, low, high, nobs):
    wrong = {
        "PTROBS_MIN": ("1J", [low, -9, 4]),
        "PTROBS_MAX": ("1J", [high, -9, 4]),
        "NOBS": ("1J", [nobs, 0, 1]),
    }
    head = write_pair(tmp_path / "V", head=wrong)
    lcs = read_lightcurves(head, kcor=write_kcor(tmp_path / "kcor.fits"))
    assert lcs.targets["sn"].tolist() == ["11", "12", "13"]
    assert lcs["sn"].tolist() == ["13"]
    assert reasons(lcs) == [("11", "bad_pointer")]


def test_a_list_names_the_files_of_its_own_folder_only(tmp_path, write_kcor):
    kcor = write_kcor(tmp_path / "kcor.fits")
    folder = tmp_path / "V"
    write_pair(folder, key="A")
    write_pair(folder, key="B", head={"SNID": ("16A", ["21", "22", "23"])})
    (folder / "V.LIST").write_text("B_HEAD.FITS\n")
    assert read_lightcurves(folder, kcor=kcor).targets["sn"].tolist() == ["21", "22", "23"]
    write_pair(tmp_path / "W", key="C")
    for outside in ("../W/C_HEAD.FITS", str(tmp_path / "W" / "C_HEAD.FITS")):
        (folder / "V.LIST").write_text(f"B_HEAD.FITS {outside}\n")
        with pytest.raises(InputError, match="outside its folder"):
            read_lightcurves(folder, kcor=kcor)


def test_a_pair_that_cannot_be_read_is_named(tmp_path, write_kcor, monkeypatch, caplog):
    kcor = write_kcor(tmp_path / "kcor.fits")
    folder = tmp_path / "V"
    write_pair(folder, key="A")
    (folder / "B_HEAD.FITS").write_text("<html>404</html>")
    (folder / "B_PHOT.FITS").write_text("<html>404</html>")
    lcs = read_lightcurves(folder, kcor=kcor)
    assert ("B_HEAD.FITS", "unreadable_file") in reasons(lcs)
    assert "B_HEAD.FITS: expected an SNANA FITS table" in caplog.text
    (folder / "B_PHOT.FITS").unlink()
    with pytest.raises(InputError, match=r"B_PHOT.FITS\(.gz\): no such file"):
        read_lightcurves(folder, kcor=kcor)
    with pytest.raises(InputError, match="give kcor="):
        read_lightcurves(folder / "A_HEAD.FITS")
    short = write_pair(tmp_path / "short", drop=("FLUXCALERR",))
    with pytest.raises(InputError, match="missing column FLUXCALERR; found MJD"):
        read_lightcurves(short, kcor=kcor)
    monkeypatch.setattr(snana_fits, "_MAX_TABLE", 100)
    with pytest.raises(InputError, match="bytes that unpack to"):
        read_lightcurves(folder / "A_HEAD.FITS", kcor=kcor)


def test_a_table_cut_short_and_a_gzip_bomb_are_refused(tmp_path, write_kcor, monkeypatch):
    kcor = write_kcor(tmp_path / "kcor.fits")
    head = write_pair(tmp_path / "V", gz=True)
    whole = head.read_bytes()
    head.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="expected an SNANA FITS table"):
        read_lightcurves(head, kcor=kcor)
    head.write_bytes(gzip.compress(gzip.decompress(whole)[:5760]))
    with pytest.raises(InputError, match=r"A_HEAD.FITS.gz: expected"):
        read_lightcurves(head, kcor=kcor)
    head.write_bytes(whole)
    monkeypatch.setattr(snana_fits, "_SMALL", 10)
    monkeypatch.setattr(snana_fits, "_MAX_RATIO", 0.001)
    with pytest.raises(InputError, match="bytes that unpack to"):
        read_lightcurves(head, kcor=kcor)


def test_one_name_twice_in_a_survey_is_refused(tmp_path, write_kcor):
    write_pair(tmp_path / "V", key="A")
    write_pair(tmp_path / "V", key="B")
    with pytest.raises(InputError, match=r"3 supernovae stand twice, 11 \(SIM and SIM\)"):
        read_lightcurves(tmp_path / "V", kcor=write_kcor(tmp_path / "kcor.fits"))
