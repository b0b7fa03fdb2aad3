"""`fit-lightcurves`: what Python can be told, the shell can be told; large sets in blocks."""

import numpy as np
import pandas as pd
import pytest

import chandelle as ch
from chandelle.instrument.passbands import load_passband
from chandelle.lightcurve.stage import FitConfig

N = 6


@pytest.fixture(scope="module")
def lcs() -> ch.LightCurves:
    """Six near supernovae."""
    return ch.simulate_lightcurves(seed=4, n={"ZTF": N, "DEEP": 0}).lightcurves


@pytest.fixture(scope="module")
def folder(lcs, tmp_path_factory):
    """The same on disk."""
    path = tmp_path_factory.mktemp("survey") / "lcs"
    lcs.write(path)
    return path


@pytest.fixture(scope="module")
def table(lcs, tmp_path_factory):
    """The same as a table with bands of the observatory's names, and the targets apart."""
    path = tmp_path_factory.mktemp("tables")
    frame = lcs.to_pandas()[["sn", "mjd", "band", "flux", "flux_err", "zp"]]
    frame["band"] = frame["band"].str.replace("ztf", "camera-")
    frame.to_csv(path / "epochs.csv", index=False)
    targets = lcs.targets.to_pandas()[["sn", "z_hel", "z_cmb", "z_hd", "mwebv"]]
    targets.to_csv(path / "targets.csv", index=False)
    return path


def test_options_of_the_fit(run, lcs, folder, tmp_path):
    out = tmp_path / "fits.parquet"
    options = "--bounds c=-0.1:0.1 --bounds x1=-inf:1 --priors x1=0:0.5 --phase-range -inf inf"
    options += " --threads 1 --engine cpu --derivatives --block 4"
    options += " --dust ccm89 --r-v 2.5 --c-max 0.2 --min-detection 3"
    done = run("fit-lightcurves", folder, "-o", out, *options.split())
    assert done.code == 0, done.err
    expected = ch.fit_salt(
        lcs,
        bounds={"c": (-0.1, 0.1), "x1": (-np.inf, 1.0)},
        priors={"x1": (0.0, 0.5)},
        phase_range=(-np.inf, np.inf),
        threads=1,
        engine="cpu",
        derivatives=True,
        dust="ccm89",
        r_v=2.5,
        c_max=0.2,
        min_detection=3.0,
    )
    fits = ch.SaltFits.read(out)
    assert fits.meta.provenance["fit"] == expected.meta.provenance["fit"]
    assert fits.meta.provenance["fit"]["bounds"]["x1"] == ["-Infinity", 1.0]
    for name in ("x1", "c", "chi2", "cov_x1_c", "flags", "n_used"):
        np.testing.assert_array_equal(fits[name], expected[name])
    np.testing.assert_allclose(fits.derivative("zp"), expected.derivative("zp"), rtol=1e-7)


def test_options_go_before_the_settings_file(run, folder, tmp_path):
    (tmp_path / "fit.toml").write_text(
        "model_cov = true\nthreads = 2\n[priors]\nc = [0.0, 0.1]\nx1 = [0.0, 1.0]\n"
    )
    done = run(
        *("fit-lightcurves", folder, "-o", tmp_path / "fits.parquet"),
        *("--config", tmp_path / "fit.toml", "--priors", "x1=0:2", "--threads", 1),
    )
    assert done.code == 0, done.err
    settings = ch.SaltFits.read(tmp_path / "fits.parquet").meta.provenance["fit"]
    assert settings["model_cov"] is True
    assert settings["threads"] == 1
    assert settings["priors"] == {"x1": [0.0, 2.0]}


def test_options_of_reading(run, lcs, table, tmp_path):
    own = load_passband("ztfr")
    np.savetxt(tmp_path / "r.dat", np.column_stack([own.wave, own.transmission]), fmt="%.17g")
    np.savetxt(tmp_path / "flat.txt", [[2000.0, 3631e-23], [20000.0, 3631e-23]])
    (tmp_path / "override.txt").write_text(f"VARNAMES: CID MWEBV\nSN: {lcs.targets['sn'][1]} 0.5\n")
    options = "--bands camera-g=ztfg --bands camera-r=r --bands camera-i=ztfi --passband "
    options += f"r={tmp_path / 'r.dat'} --time-scale tai --zpsys ab --duplicates keep --strict"
    options += f" --header-override {tmp_path / 'override.txt'} --targets {table / 'targets.csv'}"
    kept, out = tmp_path / "lcs", tmp_path / "fits.parquet"
    done = run(
        *("fit-lightcurves", table / "epochs.csv", "-o", out, "--lightcurves", kept),
        *options.split(),
    )
    assert done.code == 0, done.err
    read = ch.LightCurves.read(kept)
    assert read.passbands.keys() == {"r"}
    assert set(read["band"]) == {"ztfg", "r", "ztfi"}
    assert read.targets["mwebv"].tolist()[1] == 0.5
    assert read.meta.provenance["time_scale"] == "tai"
    fits, expected = ch.SaltFits.read(out), ch.fit_salt(lcs)
    others = np.arange(N) != 1
    np.testing.assert_allclose(fits["x1"][others], expected["x1"][others], atol=1e-6)
    assert abs(fits["c"][1] - expected["c"][1]) > 0.05


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--bounds c=1", "--bounds c=1: expected NAME=LOW:HIGH, two numbers"),
        ("--priors x1=0:1 --priors x1=0:2", "--priors: x1 stands twice"),
        ("--bounds q=0:1", "bounds: q is not fitted; fitted are t0, x0, x1, c"),
        ("--priors c=0:-1", "priors: sigma of c must be positive"),
        ("--free dust", '"dust" for --free. Choose from: "z", "host_ebv"'),
        ("--free z --engine cpu", "free parameters are fitted by JAX alone"),
        ("--dust sfd", '"sfd" for --dust. Choose from: "f99", "ccm89", "o94"'),
        ("--r-v 0", "options: r_v: Input should be greater than 0"),
        ("--c-max -1", "options: c_max: Input should be greater than 0"),
        ("--min-detection -1", "options: min_detection: Input should be greater than or equal"),
        ("--threads 0", "options: threads: Input should be greater than or equal to 1"),
        ("--block 0", "--block 0: expected 1 or more"),
        ("--engine gpu", '"gpu" for --engine'),
        ("--phase-range 3 1", "phase_range must be (low, high)"),
        ("--bands g=ztfg", "--bands is for files as they were published"),
        ("--header-override a.txt", "--header-override is for files as they were published"),
        ("--passband r=none.dat", "none.dat: no such passband file"),
        ("--targets none.csv", "--targets none.csv: no such file"),
    ],
)
def test_wrong_options_are_named(run, folder, tmp_path, options, says):
    done = run("fit-lightcurves", folder, "-o", tmp_path / "fits.parquet", *options.split())
    assert done.code == 2
    assert says in done.err
    assert list(tmp_path.iterdir()) == []


def test_limits_of_color_and_significance(run, folder, tmp_path):
    out = tmp_path / "fits.parquet"
    assert run("fit-lightcurves", folder, "-o", out, "--c-max", 0.02).code == 0
    assert np.abs(ch.SaltFits.read(out)["c"]).max() == pytest.approx(0.02)
    done = run("fit-lightcurves", folder, "-o", out, "--min-detection", 1e6)
    assert done.code == 1
    assert f"{N} no_detection: no supernova is seen; see --min-detection" in done.err


def test_help_names_every_setting(run):
    shown = run("fit-lightcurves", "--help").out
    for name in FitConfig.model_fields:
        assert f"--{name.replace('_', '-')}" in shown


def test_targets_and_origin_of_a_folder(run, lcs, folder, tmp_path):
    targets = lcs.targets.to_pandas().iloc[::-1][["sn", "z_hel"]]
    targets.to_csv(tmp_path / "z.csv", index=False)
    out = tmp_path / "fits.parquet"
    done = run(
        *("fit-lightcurves", folder, "-o", out, "--targets", tmp_path / "z.csv", "--published"),
        *("--block", 4),
    )
    assert done.code == 0, done.err
    fits = ch.SaltFits.read(out)
    assert fits["sn"].tolist() == targets["sn"].tolist()
    assert np.isnan(fits["mwebv"]).all()
    assert fits.meta.origin == "published"


def test_a_folder_and_a_table_are_read_whole(run, folder, tmp_path):
    frame = pd.DataFrame(
        {"sn": "other", "mjd": [59000.0], "band": "ztfg", "flux": 1.0, "flux_err": 1.0, "zp": 25.0}
    )
    frame.assign(z=0.05).to_csv(tmp_path / "a.csv", index=False)
    out = tmp_path / "fits.parquet"
    done = run("fit-lightcurves", folder, tmp_path / "a.csv", "-o", out, "--origin", "simulated")
    assert done.code == 0, done.err
    assert f"{N} of {N + 1} supernovae fitted, 1 underconstrained" in done.out
    assert ch.SaltFits.read(out)["sn"].tolist()[-1] == "other"


def test_folders_are_fitted_one_after_the_other(run, lcs, tmp_path, monkeypatch):
    """Never as one set in memory; a folder that cannot be read does not lose the others."""
    monkeypatch.delattr("chandelle.cli.gather.gather_lightcurves")
    lcs.select_targets(np.arange(4)).write(tmp_path / "a")
    lcs.select_targets(np.arange(4, N)).write(tmp_path / "b")
    lcs.write(tmp_path / "broken")
    (tmp_path / "broken" / "targets.parquet").write_text("none")
    folders, out = [tmp_path / name for name in ("a", "broken", "b")], tmp_path / "fits.parquet"
    done = run("fit-lightcurves", *folders, "-o", out, "--block", 3)
    assert done.code == 1
    assert "broken/targets.parquet: expected Parquet" in done.err
    assert "1 of 3 files were left out" in done.err
    assert ch.SaltFits.read(out).table.equals(ch.fit_salt(lcs).table)


def test_a_supernova_in_two_folders(run, lcs, folder, tmp_path):
    lcs.select_targets([3]).write(tmp_path / "again")
    done = run("fit-lightcurves", folder, tmp_path / "again", "-o", tmp_path / "fits.parquet")
    assert done.code == 2
    assert f"{lcs.targets['sn'][3]} is in {folder} and in {tmp_path / 'again'};" in done.err
    assert not (tmp_path / "fits.parquet").exists()


def test_targets_of_several_folders_join_their_epochs(run, lcs, tmp_path):
    half = np.arange(len(lcs)) % 2 == 0
    lcs.select(half).write(tmp_path / "a")
    lcs.select(~half).write(tmp_path / "b")
    lcs.targets.to_pandas()[["sn", "z_hel", "mwebv"]].to_csv(tmp_path / "z.csv", index=False)
    out = tmp_path / "fits.parquet"
    words = ("--targets", tmp_path / "z.csv")
    done = run("fit-lightcurves", tmp_path / "a", tmp_path / "b", "-o", out, *words)
    assert done.code == 0, done.err
    np.testing.assert_allclose(ch.SaltFits.read(out)["x1"], ch.fit_salt(lcs)["x1"], atol=1e-6)


def test_no_answer_at_all_in_blocks(run, lcs, tmp_path):
    lcs.select(np.zeros(len(lcs), dtype=bool)).write(tmp_path / "lcs")
    out = tmp_path / "fits.parquet"
    done = run("fit-lightcurves", tmp_path / "lcs", "-o", out)
    assert done.code == 1
    assert f"no supernova could be fitted; {N} no_data" in done.err
    assert ch.SaltFits.read(out).meta.provenance["status"] == {"no_data": N}


def test_a_file_in_blocks_is_read_by_others(run, folder, tmp_path):
    out = tmp_path / "fits.parquet"
    assert run("fit-lightcurves", folder, "-o", out, "--block", 2).code == 0
    frame = pd.read_parquet(out)
    assert len(frame) == N
    assert "chandelle" in ch.SaltFits.read(out).meta.provenance["versions"]
