"""Figures of raw frames show the pixels where they lie."""

import numpy as np
import pytest
from matplotlib.quiver import Quiver

from chandelle.core.errors import InputError
from chandelle.instrument.camera_files import load_camera
from chandelle.report.frame_figures import (
    plot_psf_field,
    plot_raw_ccd,
    plot_raw_quadrant,
    plot_transmission,
    read_quadrant,
)
from chandelle.simulate.frames.optics import PsfField, PsfSettings
from chandelle.simulate.frames.raw_files import exposure_cards, write_raw

SIZE = 24


@pytest.fixture(scope="module")
def camera():
    return load_camera("ztf").subset([6], size=SIZE, recenter=True)


@pytest.fixture(scope="module")
def path(camera, tmp_path_factory):
    """A raw file whose pixels say their place in the file; the overscan is 100 everywhere."""
    ccd = camera.ccd(6)
    rows = 1000 + 10 * np.arange(SIZE, dtype=np.uint16)[:, None] + np.arange(SIZE, dtype=np.uint16)
    overscan = np.full((SIZE, 30), 100, np.uint16)
    arrays = {each.qid: (rows * 1, overscan) for each in ccd.quadrants}
    cards = exposure_cards(
        camera,
        ccd,
        kind="object",
        name="one",
        start_mjd=58200.0,
        exptime_s=30.0,
        night=58200,
        filter_name="ZTF_r",
        filter_number=2,
    )
    found = tmp_path_factory.mktemp("raw") / "one.fits"
    write_raw(found, ccd, arrays, cards=cards)
    return found


def test_a_quadrant_is_in_the_order_of_reading(path, camera):
    first, second = (camera.quadrant(ccdid=6, qid=qid) for qid in (1, 2))
    science, overscan = read_quadrant(path, first)
    assert science[0, 0] == 1000
    assert science[0, 1] == 1001
    assert overscan.shape == (SIZE, 30)
    # The second is read from its other end.
    assert read_quadrant(path, second)[0][0, 0] == 1000 + SIZE - 1
    shown = plot_raw_quadrant(path, second).images[0].get_array()
    assert shown.shape == (SIZE, SIZE + 30)
    assert shown[0, 0] == 1000 + SIZE - 1
    assert shown[0, -1] == 100


def test_quadrants_lie_on_the_ccd_above_their_overscans(path, camera):
    mosaic = np.asarray(plot_raw_ccd(path, camera).images[0].get_array())
    assert mosaic.shape == (2 * SIZE, 2 * SIZE)
    assert mosaic[0, 0] == 900
    # Raw files run along the axes of the CCD.
    assert mosaic[0, SIZE] == 900
    assert mosaic[SIZE - 1, SIZE - 1] == 900 + 11 * (SIZE - 1)


def test_a_file_of_another_kind_is_refused(tmp_path, camera):
    other = tmp_path / "other.fits"
    other.write_text("no FITS")
    with pytest.raises(InputError, match=r"other\.fits: expected a raw file with extensions 1 and"):
        read_quadrant(other, camera.quadrant(ccdid=6, qid=1))


def test_transmission_and_sharpness_are_drawn(camera):
    image = np.linspace(0.9, 1.0, SIZE**2).reshape(SIZE, SIZE)
    assert plot_transmission(image).images[0].get_array().shape == (SIZE, SIZE)
    psf = PsfField.draw(camera, PsfSettings(), fwhm=2.0, exposure="one", seed=1)
    ax = plot_psf_field(psf, camera)
    left, right = ax.get_xlim()
    assert left > right


def test_sticks_point_away_from_the_middle_where_the_shear_does(camera):
    settings = PsfSettings(guiding=0.0, astigmatism=0.05)
    psf = PsfField.draw(camera, settings, fwhm=2.0, exposure="one", seed=1)
    ax = plot_psf_field(psf, camera)
    ax.figure.canvas.draw()
    (sticks,) = (one for one in ax.collections if isinstance(one, Quiver))
    places = np.asarray(sticks.get_offsets())
    corner = np.argmin(places.sum(axis=1))
    long = max(sticks.get_paths()[corner].vertices, key=lambda each: np.hypot(*each))
    # South-west is to the right and below: a stick away from the middle falls to the right.
    assert long[0] * long[1] < 0.0
