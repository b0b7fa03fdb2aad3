"""Settings, logs and folders that cannot be: the message names file and mend, nothing is left."""

from importlib.resources import files

import pandas as pd
import pytest
from tiny_survey import write_settings

from chandelle.compute.steps import TasksFailedError
from chandelle.core.errors import InputError
from chandelle.simulate.frames.expose import FrameMaker
from chandelle.simulate.frames.given_log import given_log
from chandelle.simulate.frames.settings import list_frame_presets, load_frame_preset
from chandelle.simulate.frames.survey import simulate_survey

DRAWN = """log = "ztf"
nights = 60
fields = [[240.0, 40.0], [240.005, 40.003]]
bands = ["ztfg", "ztfr"]
interval_nights = 5.0
dither_deg = 0.001
exposures_per_band = 3"""
LOG = {
    "mjd": [59000.1, 59010.2, 59020.3],
    "band": ["ztfg"] * 3,
    "ra": [240.0] * 3,
    "dec": [40.0] * 3,
    "zp": [28.0] * 3,
    "depth": [21.0] * 3,
    "seeing_arcsec": [2.0] * 3,
    "exptime_s": [30.0] * 3,
    "airmass": [1.0] * 3,
    "sky_mag": [21.0] * 3,
}


def assert_nothing_made(folder):
    """No frame and no truth."""
    assert not (folder / "raw").exists()
    assert not (folder / "truth").exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["ztfg", "ztfr"]', '["ztfg", "ztfx"]', "no filter 'ztfx'; its passbands are ztfg, ztfr"),
        ('["ztfg", "ztfr"]', '["ztfg", "lsstr"]', "no filter 'lsstr'; its passbands are ztfg"),
        ('["ztfg", "ztfr"]', "[]", "give fields and bands"),
        ("nights = 60", "nights = 0", "give how many nights"),
        ("exposures_per_band = 3", "exposures_per_band = 300", "give more nights"),
        pytest.param(
            "[240.005, 40.003]",
            "[290.0, 40.0]",
            "within 15 deg: give cadence.fields",
            marks=pytest.mark.slow,
        ),
        ('log = "ztf"', 'log = "zft"', "did you mean 'ztf'"),
        ("density = 8.0", "density = -1.0", "stars.density"),
        ("z_max = 0.05", "z_max = 0.01", "z_m"),
        pytest.param(
            "z_min = 0.02\nz_max = 0.05",
            "z_min = 1.2\nz_max = 1.3",
            "mend z_min, z_max or the band",
            marks=pytest.mark.slow,
        ),
        ("margin_days = [0.0, 0.0]", "margin_days = [90.0, 9.0]", "smaller margin_days"),
        ('camera = "ztf"', 'camera = "zft"', "the package has lsst, ztf"),
        ("ccds = [6]", "ccds = [99]", "no CCD 99; it has 1-16"),
        ("quadrant_size = 40", "quadrant_size = 4000", "take 1 to 3072"),
        ("recenter", "recentre", "recentre: Extra inputs"),
        ("ztfg = [2]", "ztfq = [2]", "no filter 'ztfq'"),
        ("[14.0, 20.0]", "[20.0, 14.0]", "a bright and a faint magnitude"),
        ("[series]", "[detector]\nbrighter_fatter = 1.0\n[series]", "give at most"),
    ],
)
def test_settings_that_cannot_be(tmp_path, old, new, words):
    settings = write_settings(tmp_path, (old, new))
    with pytest.raises((InputError, TasksFailedError)) as caught:
        simulate_survey(settings, out=tmp_path / "out", on="serial")
    assert words in str(caught.value)
    assert "tiny.toml" in str(caught.value)
    assert_nothing_made(tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"band": ["ztfg", "nope", "ztfg"]}, "unknown band 'nope'"),
        ({"band": ["ztfg", "lsstg", "ztfg"]}, "no filter 'lsstg'; its passbands are ztfg, ztfr"),
        ({"sky_mag": [21.0, None, 21.0]}, "have no sky_mag; raw frames need"),
        ({"seeing_arcsec": None}, "have no seeing_arcsec; raw frames need"),
        ({"zp": None}, "zp"),
        ({"mjd": [59000.1] * 3}, "same raw file"),
    ],
)
def test_logs_that_cannot_be(tmp_path, changes, words):
    log = {name: value for name, value in (LOG | changes).items() if value is not None}
    pd.DataFrame(log).to_csv(tmp_path / "log.csv", index=False)
    settings = write_settings(tmp_path, (DRAWN, 'log = "log.csv"'))
    with pytest.raises(TasksFailedError) as caught:
        simulate_survey(settings, out=tmp_path / "out", on="serial")
    assert words in str(caught.value)
    assert "log.csv" in str(caught.value)
    assert_nothing_made(tmp_path / "out")


def test_an_empty_log_is_refused(tmp_path):
    pd.DataFrame(LOG).head(0).to_csv(tmp_path / "log.csv", index=False)
    settings = write_settings(tmp_path, (DRAWN, 'log = "log.csv"'))
    with pytest.raises(TasksFailedError, match=r"log\.csv: the log has no row"):
        simulate_survey(settings, out=tmp_path / "out", on="serial")
    assert_nothing_made(tmp_path / "out")
    (tmp_path / "log.csv").unlink()
    with pytest.raises(TasksFailedError, match=r"log\.csv is not there"):
        simulate_survey(settings, out=tmp_path / "out", on="serial")


def test_a_night_without_a_number_gets_that_of_its_local_midnight(tmp_path):
    # Palomar is 117 degrees west: local midnight is at 7:47 UTC.
    mjd = [59000.12, 59000.5, 59000.83, 59001.3]
    log = {name: (value * 2)[:4] for name, value in LOG.items()}
    pd.DataFrame(log | {"mjd": mjd}).to_csv(tmp_path / "log.csv", index=False)
    camera = load_frame_preset("ztf-mini").load_camera()
    found = given_log(tmp_path / "log.csv", camera, survey="SN")
    assert found["night"].tolist() == [59000, 59000, 59001, 59001]
    pd.DataFrame(log | {"mjd": mjd, "night": 58000}).to_csv(tmp_path / "own.csv", index=False)
    own = given_log(tmp_path / "own.csv", camera, survey="SN")
    assert set(own["night"].tolist()) == {58000}


def test_a_camera_file_with_a_missing_key(tmp_path):
    text = (files("chandelle.instrument") / "cameras" / "ztf.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("overscan_columns")]
    (tmp_path / "mine.toml").write_text("\n".join(lines))
    settings = write_settings(tmp_path, ('camera = "ztf"', 'camera = "mine.toml"'))
    with pytest.raises(InputError, match=r"mine\.toml.*overscan_columns"):
        simulate_survey(settings, out=tmp_path / "out", on="serial")
    assert not (tmp_path / "out").exists()


def test_presets_are_known_by_name_and_others_refused(tmp_path):
    assert set(list_frame_presets()) == {"ztf-mini", "lsst-mini"}
    for name in list_frame_presets():
        settings = load_frame_preset(name)
        settings.check_camera(name)
        assert settings.supernovae.n == 24
        assert settings.cadence.exposures_per_band == 40
        assert settings.series.nights == 2
    with pytest.raises(InputError, match="no preset ztf-mega; there are lsst-mini, ztf-mini"):
        simulate_survey("ztf-mega", out=tmp_path / "out")
    with pytest.raises(InputError, match=r"none\.toml: expected a file of settings"):
        simulate_survey(tmp_path / "none.toml", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_survey_is_left_alone(tiny, tmp_path):
    settings = tiny.folder.parent / "tiny.toml"
    before = sorted(path.stat().st_mtime_ns for path in tiny.folder.rglob("*.*"))
    with pytest.raises(
        InputError, match=r"holds another survey: .*settings\.json differs.*another folder"
    ):
        simulate_survey(settings, out=tiny.folder, seed=7, on="serial")
    other = write_settings(tmp_path, ("density = 8.0", "density = 7.0"))
    with pytest.raises(InputError, match="the same settings and seed"):
        simulate_survey(other, out=tiny.folder, seed=1, on="serial")
    assert before == sorted(path.stat().st_mtime_ns for path in tiny.folder.rglob("*.*"))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "survey.toml").write_text("[fit-lightcurves]\nblock = 4\n")
    with pytest.raises(InputError, match=r"of another survey, with \[fit-lightcurves\]"):
        simulate_survey(other, out=mine)
    assert (mine / "survey.toml").read_text() == "[fit-lightcurves]\nblock = 4\n"


def test_frames_that_fail_are_not_passed_over(tmp_path, monkeypatch):
    def refuse(*_):
        raise InputError("no light today; open the shutter")

    monkeypatch.setattr(FrameMaker, "expose", refuse)
    with pytest.raises(TasksFailedError, match=r"tiny\.toml: draw-frames.*no light today"):
        simulate_survey(write_settings(tmp_path), out=tmp_path / "out", on="serial")
    assert not (tmp_path / "out" / "raw").exists()


def test_a_survey_that_came_to_nothing_gives_way_to_another(tmp_path):
    settings = write_settings(tmp_path, ('log = "ztf"', 'log = "zft"'))
    for seed in (1, 2):
        with pytest.raises(TasksFailedError, match="did you mean"):
            simulate_survey(settings, out=tmp_path / "out", seed=seed, on="serial")
        assert f"seed = {seed}\n" in (tmp_path / "out" / "survey.toml").read_text()
