"""The truth of detector and optics: what it says is in the pixels, whatever part is simulated."""

import numpy as np
import pytest
from astropy.io import fits
from made_skies import PLAIN, exposures_at, frames_made_by, maker_of, sky_of
from tiny_survey import write_settings

from chandelle.core.errors import InputError
from chandelle.instrument.camera_files import load_camera
from chandelle.simulate.frames.detector_truth import true_defects, true_tracks
from chandelle.simulate.frames.strikes import SatelliteTracks, tracks_across
from chandelle.simulate.frames.survey import SimulatedSurvey, simulate_survey
from chandelle.simulate.frames.throughput import ThroughputSettings, lamp_pattern, transmission


def pixels_of(exposed, quadrant):
    return exposed.readouts[quadrant.qid].science[:: quadrant.raw_y, :: quadrant.raw_x]


def test_dead_columns_and_hot_pixels_are_where_the_truth_says():
    detector = PLAIN.model_copy(update={"dead_columns": 3.0, "hot_pixels": 1e-4, "noise": False})
    maker = maker_of(sky_of(exposures_at([240.0], [40.0])), size=200, detector=detector)
    exposed = maker.expose(*frames_made_by(maker), 6)
    defects = true_defects(maker.camera, detector, seed=maker.seed).to_pandas()
    assert set(defects.kind) == {"dead_column", "hot_pixel"}
    for quadrant in maker.camera.quadrants:
        own, pixels = defects[defects.rcid == quadrant.rcid], pixels_of(exposed, quadrant)
        dead = own[own.kind == "dead_column"].x.to_numpy()
        np.testing.assert_array_equal(np.flatnonzero((pixels == 1500).all(axis=0)), dead)
        hot = own[(own.kind == "hot_pixel") & ~own.x.isin(dead)]
        hot = hot[~hot.duplicated(["x", "y"], keep=False)]
        above = pixels[hot.y, hot.x] - np.median(pixels)
        np.testing.assert_allclose(above, 30.0 * hot.current / quadrant.gain, atol=1.0)


def test_light_is_that_in_the_middle_of_each_quadrant():
    sky = sky_of(exposures_at([240.0], [40.0], sky_mag=np.array([17.0])))
    bright = {"sky_gradient": 0.1, "vignetting": 0.0, "pixel_scatter": 0.0, "shadows": 0}
    detector = PLAIN.model_copy(update={"noise": False})
    maker = maker_of(sky, size=100, throughput=bright, detector=detector)
    exposed = maker.expose(*frames_made_by(maker), 6)
    units = exposed.truth.units
    through = maker.transmission(6, "ztfr")
    for row, quadrant in enumerate(maker.camera.quadrants):
        middle = np.median(pixels_of(exposed, quadrant)[45:56, 45:56]) - quadrant.bias_dn
        dark = quadrant.dark_current * 30.0
        found = (middle * quadrant.gain - dark) / through[quadrant.y0 + 50, quadrant.x0 + 50]
        assert found == pytest.approx(units["light"][row], rel=3e-3)
    assert np.ptp(units["light"]) > 0.005 * units["light"].mean()


def test_optics_do_not_depend_on_the_ccds_that_are_kept():
    whole, alone = load_camera("ztf").subset([1, 6]), load_camera("ztf").subset([6])
    assert whole.radius_deg == alone.radius_deg == pytest.approx(5.2283, abs=1e-4)
    small = load_camera("ztf").subset([6], size=64, recenter=True)
    assert small.radius_deg < 0.1
    settings = ThroughputSettings(pixel_scatter=0.0)
    one, other = (
        transmission(camera, camera.ccd(6), "ztfg", settings, seed=1) for camera in (whole, alone)
    )
    np.testing.assert_array_equal(one, other)


def test_tracks_that_miss_a_quadrant_do_not_count():
    camera = load_camera("ztf").subset([6], size=100, recenter=True)
    (ccd,) = camera.ccds
    middle = SatelliteTracks(*(np.array([value]) for value in (0.0, 0.0, 1e3, 0.5)))
    # Along eta through the middle: between the quadrants, through none of them.
    assert [tracks_across(ccd, one, middle) for one in ccd.quadrants] == [0, 0, 0, 0]
    aside = middle._replace(offset_deg=np.array([50 * 1.012 / 3600.0]))
    assert sum(tracks_across(ccd, one, aside) for one in ccd.quadrants) == 2
    log = exposures_at([240.0] * 40, [40.0] * 40)
    tracks = true_tracks(log, camera, rate=0.5, seed=1)
    assert 5 < len(tracks) < 40
    assert set(tracks["exposure"]) <= set(log["exposure"])


def test_saturated_pixels_are_above_the_level_of_the_headers():
    for quadrant in load_camera("ztf").quadrants:
        level = quadrant.full_well / quadrant.gain
        assert level > 1.02 * quadrant.saturation_dn
        assert level + quadrant.bias_dn < 65_535


def test_a_survey_knows_what_it_was_made_with(tmp_path):
    settings = write_settings(tmp_path)
    made = simulate_survey(settings, out=tmp_path / "survey", seed=3, on="serial")
    settings.unlink()
    found = SimulatedSurvey(made.folder)
    assert found.seed == 3
    assert found.settings.quadrant_size == 40
    assert found.camera.area_deg2 == made.camera.area_deg2
    assert set(found.cosmics["exposure"]) <= set(found.units["exposure"])
    counts = found.units.to_pandas().n_cosmic.sum()
    assert counts == len(found.cosmics)
    lamp = found.lamp(6, "ztfr", 7)
    columns, rows = lamp_pattern(
        found.camera, found.camera.ccd(6), "ztfr-7", found.settings.throughput, seed=3
    )
    np.testing.assert_array_equal(lamp, columns + rows[:, None])
    flat = fits.getheader(found.frames("flat", band="ztfr")[0])
    assert flat["ILUM_LED"] == 7
    assert 550.0 < flat["ILUMWAVE"] < 640.0
    with pytest.raises(InputError, match="expected the settings that a survey of raw frames"):
        SimulatedSurvey(tmp_path)
