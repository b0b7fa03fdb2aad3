"""The stages by the shell: what one writes the next reads, and Python reads it too."""

import json
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

import chandelle as ch
from chandelle.cli.walkthrough import Comparison, prior_width
from chandelle.report import load_run
from chandelle.simulate.truth import Truth

N = 40


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """One simulation for all, as Python writes it."""
    folder = tmp_path_factory.mktemp("survey")
    simulated = ch.simulate_lightcurves(seed=2, n={"ZTF": N, "DEEP": N})
    simulated.write(folder)
    return folder, simulated


def write_csv(lcs, names, path):
    """A table as a colleague would send it."""
    frame = lcs.to_pandas()
    frame = frame[frame.sn.isin(names)]
    columns = {"sn": "name", "mjd": "time", "band": "band", "flux": "flux", "flux_err": "fluxerr"}
    frame = frame.rename(columns=columns)[list(columns.values())]
    targets = lcs.targets.to_pandas().set_index("sn")
    frame["z"] = targets.loc[frame["name"], "z_hel"].to_numpy()
    frame["mwebv"] = targets.loc[frame["name"], "mwebv"].to_numpy()
    frame.assign(zp=31.400063, zpsys="ab").to_csv(path, index=False)


def test_chain_by_the_shell(run, survey, tmp_path):
    folder, simulated = survey
    fits = tmp_path / "saltfits" / "fits.parquet"
    done = run("fit-lightcurves", folder / "lightcurves", "-o", fits)
    assert done.code == 0, done.err
    assert f"of {2 * N} supernovae fitted" in done.out

    by_shell = ch.SaltFits.read(fits)
    by_python = ch.fit_salt(simulated.lightcurves)
    assert by_shell.table.equals(by_python.table)

    assert run("standardize", fits, "-o", tmp_path / "diagram").code == 0
    diagram = ch.standardize(by_python)
    assert ch.Diagram.read(tmp_path / "diagram").table.equals(diagram.table)

    diagram.write(tmp_path / "from_python")
    done = run("cosmology", tmp_path / "from_python", "-o", tmp_path / "posterior")
    assert done.code == 0, done.err
    posterior = ch.Posterior.read(tmp_path / "posterior")
    assert posterior.n_data == len(diagram)
    assert posterior.meta.origin == "simulated"
    assert "Om" in done.out

    done = run("report", tmp_path)
    assert done.code == 0, done.err
    assert (tmp_path / "report" / "index.html").stat().st_size > 100_000


def test_one_failing_file_does_not_lose_the_others(run, survey, tmp_path):
    names = survey[1].lightcurves.targets["sn"].tolist()
    _, simulated = survey
    lcs = simulated.lightcurves
    write_csv(lcs, [names[0], names[1]], tmp_path / "a.csv")
    write_csv(lcs, [names[2]], tmp_path / "b.csv")
    write_csv(lcs, [names[1]], tmp_path / "again.csv")
    (tmp_path / "broken.csv").write_text("flux,band\n1,ztfg\n")
    out = tmp_path / "fits.parquet"
    files = [
        tmp_path / name for name in ("a.csv", "broken.csv", "absent.csv", "again.csv", "b.csv")
    ]
    kept = tmp_path / "lightcurves"
    done = run("fit-lightcurves", *files, "-o", out, "--origin", "simulated", "--lightcurves", kept)
    assert done.code == 1
    assert "3 of 5 files were left out" in done.err
    twice = f"{names[1]} is in {tmp_path / 'a.csv'} and in {tmp_path / 'again.csv'}; name it apart"
    for said in ("broken.csv", "absent.csv", twice):
        assert said in done.err
    fits = ch.SaltFits.read(out)
    assert fits["sn"].tolist() == [names[0], names[1], names[2]]
    assert fits.meta.origin == "simulated"
    assert ch.LightCurves.read(kept).targets["sn"].tolist() == fits["sn"].tolist()
    # The zero point in the files has six decimals.
    whole = ch.fit_salt(lcs.select_targets(np.arange(3)))
    assert np.allclose(fits["x1"], whole["x1"], atol=1e-4)


def test_no_file_can_be_read(run, tmp_path):
    done = run("fit-lightcurves", tmp_path / "absent.csv", "-o", tmp_path / "fits.parquet")
    assert done.code == 2
    assert "absent.csv" in done.err
    assert not (tmp_path / "fits.parquet").exists()


def test_no_answer_at_all_is_a_failure(run, tmp_path):
    row = "sn,mjd,band,flux,flux_err,zp,zpsys,z\na,59000,ztfg,nan,1,25,ab,0.05\n"
    (tmp_path / "a.csv").write_text(row)
    done = run("fit-lightcurves", tmp_path / "a.csv", "-o", tmp_path / "fits.parquet")
    assert done.code == 1
    assert "0 of 1 supernovae fitted, 1 no_data" in done.out
    assert ch.SaltFits.read(tmp_path / "fits.parquet")["status"].tolist() == ["no_data"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"z": np.nan}, "3 z_invalid: give the heliocentric redshift"),
        ({"fluxerr": -1.0}, "3 no_data: every epoch was rejected"),
    ],
)
def test_no_supernova_fitted_is_a_failure(run, survey, tmp_path, change, says):
    names = survey[1].lightcurves.targets["sn"].tolist()
    write_csv(survey[1].lightcurves, [names[0], names[1], names[2]], tmp_path / "a.csv")
    pd.read_csv(tmp_path / "a.csv").assign(**change).to_csv(tmp_path / "a.csv", index=False)
    done = run("fit-lightcurves", tmp_path / "a.csv", "-o", tmp_path / "fits.parquet")
    assert done.code == 1
    assert "0 of 3 supernovae fitted" in done.out
    assert f"no supernova could be fitted; {says}" in done.err
    assert len(ch.SaltFits.read(tmp_path / "fits.parquet")) == 3


def test_a_table_without_rows_is_a_failure(run, tmp_path):
    (tmp_path / "a.csv").write_text("sn,mjd,band,flux,flux_err,zp,z\n")
    done = run("fit-lightcurves", tmp_path / "a.csv", "-o", tmp_path / "fits.parquet")
    assert done.code == 1
    assert "no supernova in these files" in done.err


@pytest.mark.parametrize("option", ["kcor", "targets"])
def test_an_absent_table_is_named(run, survey, tmp_path, option):
    names = survey[1].lightcurves.targets["sn"].tolist()
    write_csv(survey[1].lightcurves, [names[0]], tmp_path / "a.csv")
    out = tmp_path / "fits.parquet"
    done = run("fit-lightcurves", tmp_path / "a.csv", "-o", out, f"--{option}", tmp_path / "none")
    assert done.code == 2
    assert f"--{option} {tmp_path / 'none'}: no such file" in done.err


def test_targets_of_their_own(run, survey, tmp_path):
    names = survey[1].lightcurves.targets["sn"].tolist()
    _, simulated = survey
    lcs = simulated.lightcurves.select_targets(np.arange(2))
    for name in (names[0], names[1]):
        frame = lcs.of(name).to_pandas()[["sn", "mjd", "band", "flux", "flux_err", "zp"]]
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    lcs.targets.to_pandas()[["sn", "z_hel", "mwebv"]].to_csv(tmp_path / "z.csv", index=False)
    done = run(
        "fit-lightcurves",
        tmp_path / f"{names[0]}.csv",
        tmp_path / f"{names[1]}.csv",
        "--targets",
        tmp_path / "z.csv",
        "-o",
        tmp_path / "fits.parquet",
    )
    assert done.code == 0, done.err
    fits = ch.SaltFits.read(tmp_path / "fits.parquet")
    assert fits["sn"].tolist() == [names[0], names[1]]
    assert fits.is_ok.all()


def test_simulate_by_the_shell(run, survey, tmp_path):
    simulated, out = survey[1], tmp_path / "out"
    asked = ("--n", "ZTF=3", "--n", "DEEP=2", "--seed", 2)
    done = run("simulate", "lightcurves", "-o", out, *asked)
    assert done.code == 0, done.err
    assert done.out.startswith("5 supernovae of ")
    lcs = ch.LightCurves.read(out / "lightcurves")
    names = lcs.targets["sn"].tolist()
    assert [name[:3] for name in names] == ["ZTF", "ZTF", "ZTF", "DEE", "DEE"]
    for name in names:
        assert lcs.of(name).equals(simulated.lightcurves.of(name))
    truth = Truth.read(out / "truth.parquet")
    assert truth["sn"][truth["is_selected"]].tolist() == names


def test_blocks_give_the_same_files(run, tmp_path):
    preset = files("chandelle.simulate") / "presets" / "lemaitre-mini.toml"
    modes = [
        '[[modes]]\nname = "zp_ZTF_g"\nsurveys = ["ZTF"]\nshift = { ztfg = 0.01 }\n',
        '[[modes]]\nname = "zp_ZTF_r"\nsurveys = ["ZTF"]\nshift = { ztfr = 0.01 }\n',
    ]
    mine = tmp_path / "mine.toml"
    mine.write_text(preset.read_text() + "".join(modes))
    asked = ("--n", "ZTF=3", "--n", "DEEP=2", "--seed", 2, "--preset", mine)
    assert run("simulate", "lightcurves", "-o", tmp_path / "one", *asked).code == 0
    settings = f'[simulate]\npreset = "{mine}"\nseed = 2\nn = {{ ZTF = 3, DEEP = 2 }}\n'
    for block in (2, 100):
        folder = tmp_path / f"blocks{block}"
        folder.mkdir()
        (folder / "survey.toml").write_text(f"{settings}block = {block}\n")
        done = run("run", folder, "--until", "simulate", "--on", "serial")
        assert done.code == 0, done.err
        for name in ("lightcurves/epochs.parquet", "lightcurves/targets.parquet", "truth.parquet"):
            assert (folder / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name
    again = settings.replace("DEEP = 2", "DEEP = 1")
    (folder / "survey.toml").write_text(f"{again}block = 100\n")
    done = run("run", folder, "--until", "simulate", "--on", "serial")
    assert "make-logs            2 of 2 done, 2 of them before" in done.out
    assert "draw-targets         2 of 2 done, 1 of them before" in done.out
    assert "observe-targets      2 of 2 done, 1 of them before" in done.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--n", "ZTF"), "expected SURVEY=NUMBER"),
        (("--n", "ZTF=many"), "expected SURVEY=NUMBER, a whole number"),
        (("--n", "ATLAS=3"), "no survey ATLAS; there are ZTF, DEEP"),
        (("--n", "ZTF=0", "--n", "DEEP=0"), "no survey is left"),
        (("--preset", "moon"), "no preset moon; there are lemaitre"),
        (("--preset", "moon.toml"), "moon.toml: expected a file of settings"),
    ],
)
def test_simulations_that_cannot_be(run, tmp_path, words, says):
    done = run("simulate", "lightcurves", "-o", tmp_path / "out", *words)
    assert done.code == 2
    assert says in done.err
    assert not (tmp_path / "out").exists()


def test_simulated_diagram_by_the_shell(run, tmp_path):
    done = run("simulate", "diagram", "-o", tmp_path, "--n", "ZTF=30", "--n", "DEEP=20")
    assert done.code == 0, done.err
    assert done.out.startswith("50 supernovae")
    fits = ch.SaltFits.read(tmp_path / "saltfits" / "fits.parquet")
    assert fits["sn"].tolist() == ch.Diagram.read(tmp_path / "diagram")["sn"].tolist()
    assert Truth.read(tmp_path / "truth.parquet")["sn"].tolist() == fits["sn"].tolist()


def test_pantheonplus_by_the_shell(run, tmp_path):
    # A small table in the format of the release, its covariance elsewhere.
    n = 80
    rng = np.random.default_rng(3)
    z = np.sort(rng.uniform(0.02, 1.0, n))
    table = pd.DataFrame(
        {
            "CID": [f"sn{i}" for i in range(n)],
            "IDSURVEY": 1,
            "zHD": z,
            "zHEL": z,
            "MU_SH0ES": 5 * np.log10(z * (1 + 0.775 * z / 2)) + 43.2 + rng.normal(0, 0.1, n),
            "IS_CALIBRATOR": 0,
            "HOST_LOGMASS": 10.5,
        }
    )
    table.to_csv(tmp_path / "table.dat", sep=" ", index=False)
    numbers = [n, *(0.01 * np.eye(n)).ravel()]
    (tmp_path / "matrix.cov").write_text(
        "\n".join(f"{x:.8f}" for x in numbers).replace(f"{n:.8f}", str(n), 1)
    )
    arguments = ("cosmology", tmp_path / "table.dat", "-o", tmp_path / "posterior")
    missing = run(*arguments)
    assert missing.code == 2
    assert "covariance" in missing.err
    done = run(*arguments, "--covariance", tmp_path / "matrix.cov")
    assert done.code == 0, done.err
    posterior = ch.Posterior.read(tmp_path / "posterior")
    assert posterior.n_data == n
    assert posterior.meta.origin == "published"


def test_demo(run, tmp_path):
    folder = tmp_path / "demo"
    done = run("demo", folder, "--seed", 5, "--n", 60)
    assert done.code == 0, done.err
    assert done.err == ""
    run_ = load_run(folder)
    assert all(value is not None for value in run_.values())
    assert run_["config"]["seed"] == 5
    assert run_["config"]["true"]["Om"] == 0.3
    assert len(run_["fits"]) == 120
    lines = done.out.splitlines()
    assert lines[-1] == f"report: {folder / 'report' / 'index.html'}"
    assert lines[-2].startswith("sigma(Om)")
    rows = {line.split()[0]: line.split() for line in lines if "+-" in line}
    assert list(rows) == ["Om", "alpha", "beta", "gamma", "M", "sigma_int"]
    for words in rows.values():
        assert abs(float(words[-1])) < 5.0
    error = float(rows["Om"][3])
    assert error < 0.98 / 3
    assert json.loads((folder / "config.json").read_text())["fit_salt"]["model_cov"] is False


def test_pull_and_prior_width():
    row = Comparison(name="Om", fitted=0.33, error=0.01, true=0.3)
    assert row.pull == pytest.approx(3.0)
    assert prior_width({"Om": "uniform(0.01, 0.99)"}, "Om") == pytest.approx(0.98)
    assert prior_width({"x": "uniform(-3, 1e-05)"}, "x") == pytest.approx(3.00001)


def test_standardize_cuts_by_a_preset(run, survey, tmp_path):
    folder, simulated = survey
    fits = ch.fit_salt(simulated.lightcurves)
    fits.write(tmp_path / "fits.parquet")
    out = tmp_path / "diagram"
    done = run("standardize", tmp_path / "fits.parquet", "-o", out, "--cuts", "dr2")
    assert done.code == 2
    assert "--lightcurves" in done.err
    arguments = ("--cuts", "dr2", "--lightcurves", folder / "lightcurves")
    done = run("standardize", tmp_path / "fits.parquet", "-o", out, *arguments)
    assert done.code == 0, done.err
    assert done.out.startswith(f"CutFlow: {2 * N} supernovae, ")
    diagram = ch.Diagram.read(out)
    provenance = diagram.meta.provenance
    assert provenance["cuts"][-1]["left"] == provenance["standardization"]["n_in"]
    assert provenance["standardization"]["settings"]["cuts"]["c_max"] == 0.8
    done = run("standardize", tmp_path / "fits.parquet", "-o", out, "--cuts", "dr9")
    assert done.code == 2
    assert "presets: dr2, pantheonplus" in done.err
