"""SNANA files of a sample: read back by chandelle, by sncosmo, beside those that SNANA wrote."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import sncosmo
from astropy.io import fits

import chandelle as ch
from chandelle.cli.main import main
from chandelle.core.errors import InputError
from chandelle.core.units import nanojansky_from_zp
from chandelle.instrument.passbands import load_passband
from chandelle.physics.photometry import ab_bandflux
from chandelle.simulate.sample import simulate_lightcurves
from chandelle.simulate.snana import snana_x0, write_snana


@pytest.fixture(scope="module")
def sample():
    return simulate_lightcurves(seed=6, n={"ZTF": 4, "DEEP": 3})


@pytest.fixture(scope="module")
def places(sample, tmp_path_factory):
    folder = tmp_path_factory.mktemp("snana")
    return write_snana(folder, sample.lightcurves, sample.truth, version="TWO")


def of_survey(sample, survey):
    lcs = sample.lightcurves
    return lcs.select_targets(lcs.targets["survey"].astype(str) == survey)


@pytest.mark.parametrize(("survey", "row"), [("ZTF", 0), ("DEEP", 1)])
def test_chandelle_reads_what_was_written(sample, places, survey, row):
    assert [place.name for place in places] == ["TWO_ZTF", "TWO_DEEP"]
    own, kcor = of_survey(sample, survey), places[row] / f"TWO_{survey}_KCOR.FITS"
    back = ch.read_lightcurves(places[row], kcor=kcor, origin="simulated")
    assert back.rejected.num_rows == 0
    assert back.targets["sn"].tolist() == own.targets["sn"].tolist()
    assert set(back.targets["survey"]) == {survey}
    for name in ("ra", "dec", "z_hel", "z_cmb", "z_hd", "mwebv", "host_logmass"):
        np.testing.assert_allclose(back.targets[name], own.targets[name], rtol=1e-12)
    for sn in own.targets["sn"]:
        ours, theirs = own.of(sn).to_pandas(), back.of(sn).to_pandas()
        assert ours["mjd"].tolist() == theirs["mjd"].tolist()
        assert ours["band"].tolist() == theirs["band"].tolist()
        # FLUXCAL has 32 bits, as SNANA's.
        for name in ("flux", "flux_err"):
            np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-7)
    for band, curve in back.passbands.items():
        # Where a passband begins above zero, samples of others stand in its step.
        assert ab_bandflux(curve) == pytest.approx(ab_bandflux(load_passband(band)), rel=1e-4)


def test_sncosmo_reads_what_was_written(sample, places):
    head, phot = (places[0] / f"TWO_ZTF_{kind}.FITS.gz" for kind in ("HEAD", "PHOT"))
    theirs = sncosmo.read_snana_fits(str(head), str(phot))
    own, truth = of_survey(sample, "ZTF"), sample.truth.to_pandas().set_index("sn")
    assert [table.meta["SNID"].decode() for table in theirs] == own.targets["sn"].tolist()
    for table in theirs:
        sn = table.meta["SNID"].decode()
        ours, drawn = own.of(sn).to_pandas(), truth.loc[sn]
        assert np.array_equal(table["MJD"], ours["mjd"])
        assert np.char.decode(table["BAND"]).tolist() == ours["band"].str[-1].tolist()
        flux = nanojansky_from_zp(np.asarray(table["FLUXCAL"], float), 27.5)
        np.testing.assert_allclose(flux, ours["flux"], rtol=1e-7)
        named = {
            **{"SIM_PEAKMJD": "t0_true", "SIM_SALT2x1": "x1_true", "SIM_SALT2c": "c_true"},
            **{"SIM_DLMU": "mu_true", "SIM_VPEC": "vpec_true", "SIM_REDSHIFT_CMB": "z_cos_true"},
            **{"SIM_LENSDMU": "lensing_mag_true", "SIM_HOSTLIB(LOGMASS_TRUE)": "host_logmass_true"},
        }
        for column, name in named.items():
            assert table.meta[column] == drawn[name]
        # For the same fluxes SNANA's x0 is 0.27 mag brighter, its mB 10.635 - 2.5 log10 of it.
        assert -2.5 * np.log10(table.meta["SIM_SALT2x0"] / drawn["x0_true"]) == pytest.approx(-0.27)
        assert table.meta["SIM_SALT2mB"] == pytest.approx(10.365 - 2.5 * np.log10(drawn["x0_true"]))
        assert table.meta["SIM_MODEL_NAME"] == b"SALT3-F22"
        assert abs(table.meta["PEAKMJD"] - drawn["t0_true"]) < 20.0


@pytest.mark.real
def test_columns_are_those_that_snana_wrote(real_data, places):
    folder = real_data / "simulations" / "pantheonplus_snana_sims"
    name = "PIP_PLUS_10REAL_SIMDESREA73fe7_SNIaMODEL0-0001"
    for kind in ("HEAD", "PHOT"):
        with (
            fits.open(folder / f"{name}_{kind}.FITS.gz") as theirs,
            fits.open(places[0] / f"TWO_ZTF_{kind}.FITS.gz") as ours,
        ):
            kinds = {column.name: column.format[-1] for column in theirs[1].columns}
            for column in ours[1].columns:
                # SIM_GENTYPE is the newer name of SIM_TYPE_INDEX; numbers are wider at most.
                known = kinds["SIM_TYPE_INDEX" if column.name == "SIM_GENTYPE" else column.name]
                assert (known == "A") == (column.format[-1] == "A")
                assert (known in "ED") == (column.format[-1] in "ED")
            if kind == "HEAD":
                assert set(ours[0].header) - set(theirs[0].header) == {"SIM_MODEL_INDEX"}
                data = theirs[1].data
                np.testing.assert_allclose(
                    data["SIM_SALT2mB"], 10.635 - 2.5 * np.log10(data["SIM_SALT2x0"]), atol=1e-5
                )
            else:
                for table, count in ((theirs[1].data, 620), (ours[1].data, 4)):
                    ends = table[table["MJD"] == -777.0]
                    assert len(ends) == count
                    assert {name.strip() for name in ends["BAND"]} == {"-"}
                    assert set(ends["FLUXCAL"]) == set(ends["FLUXCALERR"]) == {-777.0}


def test_same_bytes_every_time(sample, places, tmp_path):
    again = write_snana(tmp_path, sample.lightcurves, sample.truth, version="TWO")
    for old, new in zip(places, again, strict=True):
        assert {p.name: p.read_bytes() for p in old.iterdir()} == {
            p.name: p.read_bytes() for p in new.iterdir()
        }
    readme = (again[0] / "TWO_ZTF.README").read_text()
    assert "GENVERSION: TWO_ZTF" in readme
    assert "filters: g = ztfg, i = ztfi, r = ztfr" in readme


def test_other_classes_and_missing_values(sample, tmp_path):
    lcs = of_survey(sample, "DEEP")
    sn = lcs.targets["sn"].tolist()
    table = lcs.targets.table
    for name, values in {
        "class": pa.array(["SN II", "SN Ia", None]),
        "host_logmass": pa.array([None, 10.0, np.nan], pa.float64()),
    }.items():
        table = table.set_column(table.column_names.index(name), name, values)
    lcs = replace(lcs, targets=replace(lcs.targets, table=table))
    # One of them has no epoch.
    lcs = lcs.select(lcs["sn"] != sn[2])
    [place] = write_snana(tmp_path, lcs, sample.truth, version="V", compress=False)
    head = fits.getdata(place / "V_HEAD.FITS")
    assert head["SNID"].tolist() == sn[:2]
    assert head["SNTYPE"].tolist() == [20, 1]
    assert head["SIM_MODEL_NAME"].tolist() == ["NON1A", "SALT3-F22"]
    assert head["HOSTGAL_LOGMASS"].tolist() == [-9.0, 10.0]
    x0 = sample.truth["x0_true"][sample.truth["sn"] == sn[1]]
    assert head["SIM_SALT2x0"][1:].tolist() == snana_x0(x0).tolist()


def test_samples_that_cannot_be_written(sample, tmp_path):
    lcs, truth = of_survey(sample, "ZTF"), sample.truth
    for version in ("", "../V", "a b", "V" * 71, ".V"):
        with pytest.raises(InputError, match="version must be a name"):
            write_snana(tmp_path, lcs, truth, version=version)
    with pytest.raises(InputError, match="4 targets have no truth, first ZTF"):
        write_snana(tmp_path, lcs, truth.select(np.arange(0)), version="V")
    with pytest.raises(InputError, match="nothing to write"):
        write_snana(tmp_path, lcs.select(np.arange(0)), truth, version="V")
    band = np.where(lcs["band"] == "ztfr", "lsstg", lcs["band"])
    table = lcs.table.set_column(2, "band", pa.array(band.tolist()))
    with pytest.raises(InputError, match="not alone in lsstg, ztfg, ztfi"):
        write_snana(tmp_path, replace(lcs, table=table), truth, version="V")
    assert not list(tmp_path.iterdir())
    (tmp_path / "V").mkdir()
    (tmp_path / "V" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="the folder holds other things"):
        write_snana(tmp_path, lcs, truth, version="V")


def test_from_the_shell(tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["simulate", "lightcurves", "-o", str(out), "--n", "ZTF=2", "--n", "DEEP=0"]
    with pytest.raises(SystemExit, match="2"):
        main([*asked, "--snana", "a/b"])
    assert "version must be a name" in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(SystemExit, match="0"):
        main([*asked, "--snana", "MINE"])
    assert (out / "snana" / "MINE" / "MINE.LIST").read_text() == "MINE_HEAD.FITS\n"
