"""Samples from settings: presets, numbers asked for, surveys that do not touch each other."""

import numpy as np
import pandas as pd
import pytest
from astropy.cosmology import FlatLambdaCDM

from chandelle.core.errors import InputError
from chandelle.lightcurve.cuts import apply_cuts
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.exposures import Exposures
from chandelle.products.lightcurves import LightCurves
from chandelle.simulate.population_settings import population_of
from chandelle.simulate.sample import simulate_lightcurves
from chandelle.simulate.settings import (
    PopulationSettings,
    SampleSettings,
    list_presets,
    load_preset,
)
from chandelle.simulate.survey import SurveySimulation
from chandelle.simulate.truth import Truth

MINI = "lemaitre-mini"


@pytest.fixture(scope="module")
def sample():
    return simulate_lightcurves(MINI, seed=3, n={"ZTF": 60, "DEEP": 60})


def changed(**survey) -> SampleSettings:
    """The first survey of the small preset with other settings."""
    record = load_preset(MINI).record()
    record["surveys"] = [record["surveys"][0] | survey]
    return SampleSettings.of("test", **record)


def test_presets_are_read():
    assert set(list_presets()) == {"lemaitre", "lemaitre-mini", "lsst-y1", "ztf-dr2"}
    assert all(about for about in list_presets().values())
    for name in list_presets():
        settings = load_preset(name)
        population_of(settings.population)
        for survey in settings.names:
            SurveySimulation(sample=settings, name=survey, seed=1).view()
            settings.modes_of(survey)


def test_as_many_as_were_asked_for(sample):
    targets, truth = sample.lightcurves.targets, sample.truth
    assert pd.Series(targets["survey"]).value_counts().to_dict() == {"ZTF": 60, "DEEP": 60}
    assert truth["sn"][truth["is_selected"]].tolist() == targets["sn"].tolist()
    # The last that was drawn is the last that was needed.
    for name in ("ZTF", "DEEP"):
        assert truth["is_selected"][truth["survey"] == name][-1]
    assert (truth["n_detections"][truth["is_selected"]] >= 10).all()
    assert (truth["n_detections"][~truth["is_selected"]] < 10).all()
    assert sample.lightcurves.meta.origin == "simulated"
    assert truth.parameters == pytest.approx(
        {"Om": 0.3, "w": -1, "alpha": 0.15, "beta": 3.1, "gamma": 0.1, "M": -19.3, "sigma_int": 0.1}
    )


def test_neither_number_nor_other_surveys_change_a_supernova(sample):
    few = simulate_lightcurves(MINI, seed=3, n={"ZTF": 5, "DEEP": 0})
    assert list(few.exposures) == ["ZTF"]
    for sn in few.lightcurves.targets["sn"]:
        assert few.lightcurves.of(sn).equals(sample.lightcurves.of(sn))
    n = len(few.truth)
    assert few.truth.to_pandas().equals(sample.truth.select(np.arange(n)).to_pandas())
    other = simulate_lightcurves(MINI, seed=4, n={"ZTF": 1, "DEEP": 0})
    assert other.truth["x1_true"][0] != few.truth["x1_true"][0]


def test_truth_hangs_together(sample):
    truth = sample.truth.to_pandas()
    low = truth["survey"] == "ZTF"
    assert truth["z_cos_true"][low].between(0.015, 0.1).all()
    assert truth["z_cos_true"][~low].between(0.1, 0.8).all()
    mu = FlatLambdaCDM(70, 0.3, Tcmb0=0).distmod(truth["z_cos_true"]).value
    # That of the observed redshift differs by the velocity.
    assert np.abs(mu - truth["mu_true"]).max() < 5 * 5 / np.log(10) * 250 / 3e5 / 1.0
    heavy = np.where(truth["host_logmass_true"] > 10, 0.5, -0.5)
    rest = truth["mb_true"] - truth["mu_true"] + 19.3 + 0.15 * truth["x1_true"]
    rest += -3.1 * truth["c_true"] + 0.1 * heavy - truth["lensing_mag_true"]
    assert np.allclose(rest, truth["gray_mag_true"], atol=1e-12)
    assert abs(rest.std() / 0.1 - 1) < 5 / np.sqrt(2 * len(rest))


def test_files(sample, tmp_path):
    sample.write(tmp_path)
    assert LightCurves.read(tmp_path / "lightcurves").table.equals(sample.lightcurves.table)
    assert Truth.read(tmp_path / "truth.parquet").parameters == sample.truth.parameters
    assert {path.name for path in (tmp_path / "exposures").iterdir()} == {
        "ZTF.parquet",
        "DEEP.parquet",
    }
    log = Exposures.read(tmp_path / "exposures" / "DEEP.parquet")
    assert log.to_pandas().equals(sample.exposures["DEEP"].to_pandas())


def test_what_fits_see_says_nothing_of_the_truth(sample):
    said = str(sample.lightcurves.meta) + str(sample.lightcurves.targets.meta)
    for word in ("LinearStretch", "alpha", "Om", "_true"):
        assert word not in said
    columns = sample.lightcurves.table.column_names + sample.lightcurves.targets.table.column_names
    assert not [name for name in columns if name.endswith("_true")]


@pytest.mark.slow
def test_selection_may_be_asked_for():
    bright = {"m_half": 17.0, "slope": 3.8, "bands": ["ztfr"]}
    settings = changed(spectroscopy=bright)
    everyone = simulate_lightcurves(settings, seed=3, n={"ZTF": 80})
    chosen = simulate_lightcurves(settings, seed=3, n={"ZTF": 80}, selection=True)
    assert len(chosen.truth) > 1.3 * len(everyone.truth)
    peak = [one.truth["peak_mag_true"][one.truth["is_selected"]] for one in (everyone, chosen)]
    assert np.median(peak[1]) < np.median(peak[0]) - 0.3


@pytest.mark.slow
def test_modes_of_one_survey_do_not_move_another():
    record = load_preset(MINI).record() | {
        "modes": [
            {"name": "zp_ZTF_g", "surveys": ["ZTF"], "shift": {"ztfg": 0.01}},
            {"name": "all", "shift": {"ztfr": 0.01, "lsstr": 0.02}},
            {"name": "far", "shift": {"lsstz": 0.01, "lssty": 0.01}},
        ]
    }
    settings = SampleSettings.of("test", **record)
    both = simulate_lightcurves(settings, seed=3, n={"ZTF": 3, "DEEP": 3})
    lcs = both.lightcurves
    assert lcs.modes == ("zp_ZTF_g", "all", "far")
    assert set(both.truth.meta.provenance["modes_true"]) == {"zp_ZTF_g", "all", "far"}
    moves = {
        band: (np.abs(lcs["dflux_dmode"][lcs["band"] == band]).max(axis=0) > 0).tolist()
        for band in ("ztfg", "ztfr", "lsstg", "lsstr", "lsstz")
    }
    assert moves == {
        "ztfg": [True, False, False],
        "ztfr": [False, True, False],
        "lsstg": [False, False, False],
        "lsstr": [False, True, False],
        "lsstz": [False, False, True],
    }
    # A survey left out takes its own modes with it, and no other.
    alone = simulate_lightcurves(settings, seed=3, n={"ZTF": 0, "DEEP": 3})
    assert alone.lightcurves.modes == ("all", "far")
    facts = both.truth.meta.provenance["targets"]
    assert {name: one["z_max"] for name, one in facts.items()} == {"ZTF": 0.1, "DEEP": 0.8}
    assert sum(one["n"] for one in facts.values()) == len(both.truth)


def test_a_log_of_ones_own(sample, tmp_path):
    path = tmp_path / "mine.csv"
    log = sample.exposures["ZTF"].to_pandas()
    log[["mjd", "band", "ra", "dec", "field", "zp", "depth"]].to_csv(path, index=False)
    settings = changed(log=str(path), nights=0, camera="", radius_deg=3.0, footprint=None)
    sky = SurveySimulation(sample=settings, name="ZTF", seed=1)
    area = sky.footprint(sky.exposures()).area_deg2
    drawn = SurveySimulation(sample=changed(footprint=None), name="ZTF", seed=1)
    assert 0.5 < area / drawn.footprint(sample.exposures["ZTF"]).area_deg2 < 1.1
    log[["mjd", "band", "ra", "dec", "zp", "depth"]].to_csv(tmp_path / "no_field.csv", index=False)
    nameless = changed(log=str(tmp_path / "no_field.csv"), nights=0, footprint=None)
    with pytest.raises(InputError, match="give the log a column field, or the survey a footprint"):
        simulate_lightcurves(nameless, n={"ZTF": 4})
    settings = changed(log=str(path), nights=0, camera="", radius_deg=3.0)
    mine = simulate_lightcurves(settings, seed=3, n={"ZTF": 4})
    letters = log.assign(band=log["band"].str[-1])
    letters[["mjd", "band", "ra", "dec", "field", "zp", "depth"]].to_csv(path, index=False)
    two = changed(log=str(path), nights=0, bands={"g": "ZTF_g", "r": "ztfr", "i": ""})
    kept = SurveySimulation(sample=two, name="ZTF", seed=1).exposures()
    assert kept["band"].tolist() == [band for band in log["band"] if band != "ztfi"]
    assert len(mine.exposures["ZTF"]) == len(log)
    assert len(mine.lightcurves.targets) == 4
    assert set(mine.lightcurves["mjd"]) <= set(log["mjd"])


def test_fields_of_a_group_and_supernovae_in_them():
    settings = changed(log="lsst", group="drilling", nights=40, camera="", radius_deg=1.75)
    settings = SampleSettings.of(
        "test",
        **settings.record()
        | {"surveys": [settings.record()["surveys"][0] | {"footprint": None, "name": "DDF"}]},
    )
    survey = SurveySimulation(sample=settings, name="DDF", seed=1)
    log = survey.exposures()
    assert len(np.unique(log["field"])) <= 4
    where = survey.footprint(log)
    few = [np.unique(log["field"]).size * np.pi * 1.75**2]
    assert where.area_deg2 == pytest.approx(few[0], rel=0.01)


@pytest.mark.parametrize(
    ("survey", "says"),
    [
        ({"log": "ztg"}, "ZTF: no log ztg, did you mean 'ztf'"),
        ({"log": "nowhere.csv", "nights": 0}, "nowhere.csv"),
        ({"nights": 0}, "ZTF: nights: give how many nights"),
        ({"group": "moon"}, "no exposure of fields of group moon; ztf has primary, secondary"),
        ({"margin_days": [80.0, 80.0]}, "give more nights or smaller margin_days"),
        ({"camera": "hubble"}, "hubble"),
        ({"footprint": [0.0, 10.0, -89.0, -80.0]}, "0 are found, 3 were asked"),
    ],
)
def test_surveys_that_cannot_be(survey, says):
    settings = changed(**survey)
    with pytest.raises(InputError, match=says):
        simulate_lightcurves(settings, n={"ZTF": 3})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("surveys = []\n", "surveys: "),
        ("", "surveys: "),
        ('[[surveys]]\nname = "A"\nlog = "ztf"\nz_max = 0.1\n', "give a camera or a radius_deg"),
        (
            '[[surveys]]\nname = "../A"\nlog = "ztf"\nz_max = 0.1\nradius_deg = 1\n',
            "surveys.0.name: ",
        ),
        (
            2 * '[[surveys]]\nname = "A"\nlog = "ztf"\nz_max = 0.1\nradius_deg = 1.0\n',
            "survey A stands twice",
        ),
        (
            '[[modes]]\nname = "m"\nsurveys = ["B"]\nshift = { ztfg = 0.01 }\n'
            '[[surveys]]\nname = "A"\nlog = "ztf"\nz_max = 0.1\nradius_deg = 1.0\n',
            "modes: no survey B",
        ),
        ("rate = 3\n", "surveys: |rate"),
        (
            '[[modes]]\nname = "m"\nshift = { ztfq = 0.01 }\n'
            '[[surveys]]\nname = "A"\nlog = "ztf"\nz_max = 0.1\nradius_deg = 1.0\n',
            "mode m: no passband ztfq",
        ),
        (
            '[[surveys]]\nname = "A"\nlog = "a.csv"\nnights = 3\nz_max = 0.1\nradius_deg = 1.0\n',
            "a log from a file takes no group, nights or first_night",
        ),
        (
            '[[surveys]]\nname = "A"\nlog = "ztf"\nbands = { g = "ztfg" }\nz_max = 0.1\n'
            "radius_deg = 1.0\n",
            "bands: what is drawn has the names of passbands",
        ),
        (
            '[[surveys]]\nname = "A"\nlog = "ztf"\nz_max = nan\nradius_deg = 1.0\n',
            "surveys.0.z_max: ",
        ),
        (
            '[[surveys]]\nname = "A"\nlog = "ztf"\nz_max = 0.1\nradius_deg = 1.0\n'
            "spectroscopy = { slope = nan }\n",
            "slope: Input should be a finite number",
        ),
    ],
)
def test_settings_that_cannot_be(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        load_preset(path)


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ({"colors": {"mean": 1.0}}, "pieces.colors: no such piece"),
        ({"c": {"piece": "Gauss"}}, "no class Gauss, did you mean 'Gaussian'"),
        ({"c": {"piece": "Gaussian", "width": 0.1}}, "pieces.c.width = 0.1: no such number"),
        ({"mb": {"mean": 1.0}}, "pieces.mb.mean = 1.0: no such number"),
        ({"mu": {"piece": "DistanceModulus"}}, "no class DistanceModulus"),
        ({"c": {"piece": "Gaussian", "sigma": -0.1}}, "pieces.c.sigma = -0.1: a width must be"),
    ],
)
def test_pieces_that_are_not(pieces, says):
    with pytest.raises(InputError, match=says):
        population_of(PopulationSettings(pieces=pieces))


def test_numbers_of_a_piece_may_be_changed():
    population = population_of(PopulationSettings(pieces={"color_mag": {"beta": 2.5}}))
    assert population.describe()["color_mag"] == {"piece": "LinearColor", "beta": 2.5}


@pytest.mark.slow
def test_ztf_dr2_has_the_number_that_its_rate_gives():
    """Volume, rate, 1 / (1 + z) and time by astropy; shares by redshift from another universe."""
    sample = simulate_lightcurves("ztf-dr2", seed=1)
    truth, log = sample.truth.to_pandas(), sample.exposures["ZTF"]
    days = log["mjd"].max() - log["mjd"].min() + 30.0 + 10.0
    cosmology = FlatLambdaCDM(70, 0.3, Tcmb0=0)
    share_of_sky = (1 + np.sin(np.radians(31))) / 2

    def expected(z_max: float) -> float:
        z = np.linspace(0, z_max, 4001)
        volume = cosmology.differential_comoving_volume(z).to_value("Gpc3 / sr") * 4 * np.pi
        return float(np.trapezoid(2.35e4 * volume / (1 + z), z) * share_of_sky * days / 365.25)

    for z_max in (0.06, 0.2):
        n, mean = (truth["z_cos_true"] < z_max).sum(), expected(z_max)
        assert abs(n - mean) < 4 * np.sqrt(mean), (z_max, n, mean)
    # After the cuts: who is chosen is the sum of the chances, and that of another seed.
    chosen, chance = truth["is_selected"], truth["p_spectrum"] * truth["is_found"]
    assert abs(chosen.sum() - chance.sum()) < 4 * np.sqrt((chance * (1 - chance)).sum())
    # The integral over redshift of what explodes and of the share that is chosen, or passes the
    # cuts of DR2 too; the error is that of both samples.
    other = simulate_lightcurves("ztf-dr2", seed=2)
    theirs = other.truth.to_pandas()
    edges = np.linspace(0.0, 0.2, 21)
    exploded = np.diff([expected(z) if z else 0.0 for z in edges])
    ours, there = (np.digitize(one["z_cos_true"], edges[1:-1]) for one in (truth, theirs))
    drawn = np.bincount(there, minlength=20)
    weights = {
        "chosen": (chosen, theirs["p_spectrum"] * theirs["is_found"]),
        "cut": (kept_by_dr2(sample), kept_by_dr2(other)),
    }
    for what, (mine, share) in weights.items():
        counts = np.bincount(ours, weights=mine, minlength=20)
        shares = np.bincount(there, weights=share, minlength=20) / drawn
        for z_max in (0.06, 0.2):
            near = edges[1:] < z_max + 1e-9
            mean = (exploded * shares)[near].sum()
            # Who is chosen there scatters like a count; who exploded there is in the share.
            err = np.sqrt(mean + (exploded**2 * shares / drawn)[near].sum())
            assert abs(counts[near].sum() - mean) < 4 * err, (what, z_max, counts[near].sum(), mean)


def kept_by_dr2(sample) -> np.ndarray:
    """Which of all that were drawn pass the cuts of DR2, as 1 or 0."""
    fits = fit_salt(sample.lightcurves, phase_range=(-10.0, 40.0))
    kept = apply_cuts(fits, "dr2", lcs=sample.lightcurves)[0]
    return np.isin(sample.truth["sn"].astype(str), kept["sn"].astype(str)).astype(float)
