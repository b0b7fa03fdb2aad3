"""Reading cameras: a user's own in a few lines, and what wrong files are told."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.instrument.camera_files import list_cameras, load_camera

ROOT = Path(__file__).parents[2]
MINE = """
name = "mine"
pixel_scale_arcsec = 0.5
exposure_s = 60
overhead_s = 10
site = { latitude_deg = 43.93, longitude_deg = 5.71, height_m = 650 }
filters = [{ name = "g", passband = "ztfg", code = "g", number = 1 }]
ccds = [{ id = 1 }, { id = 2, center_deg = [0, 0.3], rotation_deg = 180 }]
amplifiers = [
  { qid = 1, read_x = 1, read_y = 1, science_extension = 1, overscan_extension = 3 },
  { qid = 2, x0 = 1024, read_x = -1, read_y = 1, science_extension = 2, overscan_extension = 4 },
]
[quadrant]
n_rows = 2048
n_columns = 1024
gain = 2
read_noise = 5.0
saturation_dn = 60000
full_well = 120000
overscan_columns = 20
bias_dn = 800
[overrides]
columns = ["rcid", "gain", "pocket_alpha", "pocket_cmax", "pocket_beta", "pocket_nmax"]
rows = [[3, 2.2, 1.5, 700, 0.4, 3e5]]
"""


@pytest.fixture
def write(tmp_path):
    """Write a camera, MINE with words replaced."""

    def write(old: str = "", new: str = "") -> Path:
        assert not old or MINE.count(old) == 1
        path = tmp_path / "mine.toml"
        path.write_text(MINE.replace(old, new) if old else MINE)
        return path

    return write


def test_names_of_the_package():
    assert list_cameras() == ("lsst", "ztf")
    for name in list_cameras():
        assert load_camera(name).name == name


def test_a_user_writes_a_camera(write):
    camera = load_camera(write())
    assert [each.rcid for each in camera.quadrants] == [0, 1, 2, 3]
    assert [each.gain for each in camera.quadrants] == [2.0, 2.0, 2.0, 2.2]
    assert [each.pocket is None for each in camera.quadrants] == [True, True, True, False]
    assert camera.quadrant(3).pocket.cmax == 700.0
    assert (camera.site.height_m, camera.exposure_s) == (650.0, 60.0)
    assert camera.area_deg2 == pytest.approx(2 * 2048**2 * (0.5 / 3600.0) ** 2)
    # Quadrant 1 of the turned CCD is to the east of it, where that of the other is to the west.
    np.testing.assert_allclose(camera.centers()[:, 0] * 7200, [-512, 512, 512, -512], atol=1e-9)
    assert load_camera(str(write())) == camera


def test_rcid_may_start_anywhere(write):
    camera = load_camera(write("{ id = 1 }", "{ id = 1, first_rcid = 10 }"))
    assert [each.rcid for each in camera.quadrants] == [10, 11, 2, 3]


def test_passband_of_the_user(write, tmp_path):
    path = write('"ztfg"', '"my_g.dat"')
    with pytest.raises(InputError, match=r"mine\.toml: filters\.0\.passband: 'my_g\.dat'"):
        load_camera(path)
    (tmp_path / "my_g.dat").write_text("4000 0\n4500 0.8\n5000 0\n")
    passband = load_camera(path).filters[0].load()
    assert (passband.name, len(passband.wave)) == ("my_g", 3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n_rows = 2048\n", "", "quadrant.n_rows: missing; expected a whole number; add it"),
        ("exposure_s = 60\n", "", "exposure_s: missing; expected a number; add it"),
        ('name = "mine"', "", "name: missing; expected a text; add it"),
        ("ccds = [{ id = 1 },", "other = [", "ccds: missing; expected a list of tables with id,"),
        ("site = {", "place = {", "site: missing; expected a table with latitude_deg,"),
        ("qid = 1, read_x = 1,", "qid = 1,", "amplifiers.0.read_x: missing; expected -1 or 1"),
        ("gain = 2\n", "gains = 2\n", "quadrant.gain: missing"),
        ("gain = 2\n", "gain = 2\ngains = 2\n", "gains: unknown key; did you mean 'gain'?"),
        ("{ id = 1 }", "{ id = 1, rotation = 3.0 }", "did you mean 'rotation_deg'? Known: id,"),
        ("gain = 2\n", 'gain = "2"\n', "quadrant.gain: Input should be a valid number; found '2'"),
        ("n_rows = 2048", "n_rows = 2048.5", "quadrant.n_rows: Input should be a valid integer"),
        ("gain = 2\n", "gain = 0\n", "quadrant.gain: Input should be greater than 0; found 0"),
        ("gain = 2\n", "gain = inf\n", "quadrant.gain: Input should be a finite number; found inf"),
        ("read_x = -1", "read_x = 2", "amplifiers.1.read_x: Input should be -1 or 1; found 2"),
        ("{ id = 2,", "{ id = 1,", "ccds.0 and ccds.1: both have rcid 0; give each its own id"),
        ("{ id = 2,", "{ id = 2, first_rcid = 1,", "ccds.0 and ccds.1: both have rcid 1"),
        ("{ id = 2,", "{ id = 1, first_rcid = 2,", "ccds: id 1 is used twice; give each its own"),
        ("qid = 2,", "qid = 1,", "amplifiers.0 and amplifiers.1: both have qid 1"),
        ("x0 = 1024", "x0 = 1000", "(0, 0) and (1000, 0) overlap; move one"),
        ("science_extension = 2", "science_extension = 3", "FITS extension 3 is used twice"),
        (", overscan_extension = 4", "", "each needs an overscan_extension of 1 or more; add it"),
        ('"ztfg"', '"ztf-g"', "filters.0.passband: 'ztf-g' is neither a passband of the package"),
        ('"ztfg"', '"ztf-g"', "did you mean 'ztfg'? Known: bessell"),
        ('"gain", ', '"gian", ', "overrides: unknown column 'gian'; known: rcid, gain,"),
        ('["rcid", ', '["bias_dn", ', "expected a column 'rcid', found none; add it"),
        ("[3, 2.2,", "[3,", "overrides.rows.0: expected 6 values (rcid, gain, pocket_alpha,"),
        ("[3, 2.2,", "[4, 2.2,", "overrides: no quadrant has rcid 4; expected 0 to 3"),
        ("[3, 2.2,", "[2.5, 2.2,", "overrides.rows.0: rcid 2.5: expected a whole number"),
        ("[3, 2.2,", "[3, -1,", "overrides of rcid 3: gain: Input should be greater than 0"),
        ('"pocket_cmax"', '"bias_dn"', "the pocket of rcid 3 has alpha, beta, nmax only; give all"),
        ("pixel_scale_arcsec = 0.5", "pixel_scale_arcsec 0.5", "expected TOML,"),
    ],
)
def test_wrong_files_name_file_key_and_mend(write, old, new, said):
    with pytest.raises(InputError) as caught:
        load_camera(write(old, new))
    message = str(caught.value)
    assert "mine.toml: " in message
    assert said in message
    assert "\n" not in message


def test_unknown_names(tmp_path):
    with pytest.raises(InputError, match="camera 'sdss' is unknown; the package has lsst, ztf;"):
        load_camera("sdss")
    with pytest.raises(InputError, match=r"none\.toml: expected the TOML file of a camera, found"):
        load_camera(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match=r"latin\.toml: expected TOML in UTF-8"):
        load_camera(tmp_path / "latin.toml")


def test_the_file_of_ztf_is_what_its_tool_writes(tmp_path):
    tool = tmp_path / "tools" / "build_ztf_camera.py"
    out = tmp_path / "src" / "chandelle" / "instrument" / "cameras" / "ztf.toml"
    out.parent.mkdir(parents=True)
    tool.parent.mkdir()
    shutil.copy(ROOT / "tools" / tool.name, tool)
    subprocess.run([sys.executable, str(tool)], check=True)
    shipped = ROOT / "src" / "chandelle" / "instrument" / "cameras" / "ztf.toml"
    assert out.read_bytes() == shipped.read_bytes()
