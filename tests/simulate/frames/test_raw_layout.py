"""Raw files as the archive has them: names, extensions, keywords, types; ZTF and LSST."""

import hashlib
import re

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time
from made_skies import exposures_at, frames_made_by, maker_of, sky_of, stars_at

RAW_KEYWORDS = [
    "EXPTIME",
    "IMGTYPE",
    "PIXSCALE",
    "INST_ROT",
    "FILTER",
    "OBSJD",
    "RAD",
    "DECD",
    "TELRA",
    "TELDEC",
    "AZIMUTH",
    "ELVATION",
    "FIELDID",
    "FILTERID",
    "PROGRMID",
    "CCD_ID",
    "MOONILLF",
    "CCDTMP06",
    "HUMIDITY",
    "PRESSURE",
]


def made(folder, *, camera="ztf", band="ztfr", ccd=6, **settings):
    """An object, two biases and two flats of one night: the maker, and truth and path by kind."""
    exposures = exposures_at([240.0], [40.0], band=band, rotation=np.array([12.0]))
    sky = sky_of(exposures, stars=stars_at([240.001], [40.001], 16.0, band=band))
    series = {"nights": 1, "biases": 2, "flats": 2, "lamps": {"ztfr": [7]}}
    maker = maker_of(sky, camera=camera, ccds=(ccd,), size=40, series=series, **settings)
    paths = {}
    for frame in frames_made_by(maker):
        maker.write(frame, ccd, folder)
        paths.setdefault(frame.kind, []).append((frame, folder / maker.path(frame, ccd)))
    return maker, paths


@pytest.fixture(scope="module")
def ztf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ztf")
    return folder, *made(folder)


def test_names_are_those_of_the_archive(ztf):
    folder, _, paths = ztf
    ending = {"object": "000651_zr_c06_o", "bias": "000000_bi_c06_b", "flat": "000000_zr_c06_f"}
    for kind, made_of_it in paths.items():
        for frame, path in made_of_it:
            name = path.relative_to(folder).as_posix()
            found = re.fullmatch(r"raw/(\d{4})/(\d{4})/(\d{6})/ztf_(\d{14})_(\w+)\.fits", name)
            year, day, fraction, whole, rest = found.groups()
            assert year + day + fraction == whole
            assert rest == ending[kind]
            # The time of the name is the start of the exposure.
            start = Time(f"{year}-{day[:2]}-{day[2:]}", scale="utc").mjd + float(f"0.{fraction}")
            assert start == pytest.approx(fits.getval(path, "OBSJD") - 2400000.5, abs=1e-6)
            assert start == pytest.approx(frame.start_mjd, abs=1e-6)
    ((_, path),) = paths["object"]
    assert fits.getval(path, "OBSMJD") == pytest.approx(58849.3 - 15.0 / 86400.0)


def test_extensions_are_quadrants_then_overscans(ztf):
    _, maker, paths = ztf
    for kind in ("object", "bias", "flat"):
        with fits.open(paths[kind][0][1]) as units:
            units.verify("exception")
            assert len(units) == 9
            assert units[0].data is None
            for number in range(1, 9):
                data, header = units[number].data, units[number].header
                assert data.shape == ((40, 40) if number < 5 else (40, 30))
                assert (header["BITPIX"], header["BZERO"]) == (16, 32768)
                assert data.dtype == np.uint16
                qid = (number - 1) % 4 + 1
                assert (header["AMP_ID"], header["CCD_ID"]) == (qid, 6)
                quadrant = maker.camera.quadrant(ccdid=6, qid=qid)
                assert header["GAIN"] == quadrant.gain
                assert header["READNOI"] == quadrant.read_noise
                assert header["DARKCUR"] == 1.0
                assert header["SATURATE"] == 58647.0
                assert ("CRVAL1" in header) == (kind == "object" and number < 5)


def test_keywords_of_raw_frames(ztf):
    _, maker, paths = ztf
    for kind, made_of_it in paths.items():
        header = fits.getheader(made_of_it[0][1])
        assert set(RAW_KEYWORDS) < set(header)
        assert header["IMGTYPE"] == kind
        lamp = {"ILUM_LED", "ILUMWAVE", "ILUMPOWR"}
        assert (lamp & set(header)) == (lamp if kind == "flat" else set())
        assert header["CCD_ID"] == 6
        assert header["PIXSCALE"] == 1.012
        assert header["HUMIDITY"] == header["PRESSURE"] == -9999
    seen, bias, flat = (fits.getheader(paths[kind][0][1]) for kind in ("object", "bias", "flat"))
    assert (seen["FILTER"], seen["FILTERID"], seen["FIELDID"]) == ("ZTF_r", 2, 651)
    assert (flat["FILTER"], flat["FILTERID"], flat["FIELDID"]) == ("ZTF_r", 2, 0)
    assert (bias["EXPTIME"], seen["EXPTIME"]) == (0.0, 30.0)
    assert flat["EXPTIME"] > 0.0
    assert (flat["ILUM_LED"], flat["ILUMWAVE"]) == (7, pytest.approx(645.0, abs=15.0))
    assert (seen["INST_ROT"], seen["MOONILLF"]) == (12.0, 0.25)
    place = SkyCoord(seen["TELRA"], seen["TELDEC"], unit=("hourangle", "deg"))
    degrees = SkyCoord(seen["RAD"], seen["DECD"], unit="deg")
    assert place.separation(degrees).arcsec < 0.05
    assert SkyCoord(240.0, 40.0, unit="deg").separation(degrees).arcsec < 10.0
    site = maker.camera.site
    location = EarthLocation.from_geodetic(
        site.longitude_deg * u.deg, site.latitude_deg * u.deg, site.height_m * u.m
    )
    time = Time(58849.3, format="mjd", scale="utc", location=location)
    horizon = SkyCoord(240.0, 40.0, unit="deg").transform_to(AltAz(obstime=time, location=location))
    assert seen["ELVATION"] == pytest.approx(horizon.alt.deg, abs=0.02)
    away = (seen["AZIMUTH"] - horizon.az.deg + 180.0) % 360.0 - 180.0
    assert away == pytest.approx(0.0, abs=0.05)


def test_lsst_takes_the_same_layout_with_its_own_numbers(tmp_path):
    maker, paths = made(tmp_path, camera="lsst", band="lsstr", ccd=3)
    ((frame, path),) = paths["object"]
    assert path.name == f"lsst_{path.name[5:19]}_000651_r_c03_o.fits"
    assert frame.field == 651
    with fits.open(path) as units:
        assert len(units) == 33
        for quadrant in maker.camera.ccd(3).quadrants:
            assert units[quadrant.science_extension].data.shape == (40, 40)
            assert units[quadrant.overscan_extension].data.shape == (40, 64)
            assert units[quadrant.science_extension].header["AMP_ID"] == quadrant.qid
        assert units[0].header["INSTRUME"] == "LSST"
        assert (units[0].header["FILTER"], units[0].header["FILTERID"]) == ("r", 3)


def test_compressed_files_have_the_same_pixels_and_headers(ztf, tmp_path):
    _, _, plain = ztf
    _, packed = made(tmp_path, is_compressed=True)
    for kind in ("object", "bias", "flat"):
        for (_, path), (_, other) in zip(plain[kind], packed[kind], strict=True):
            assert other.name == f"{path.name}.fz"
            with fits.open(path) as units, fits.open(other) as others:
                assert len(others) == len(units)
                for one, two in zip(units[1:], others[1:], strict=True):
                    assert isinstance(two, fits.CompImageHDU)
                    np.testing.assert_array_equal(two.data, one.data)
                    for word in ("AMP_ID", "GAIN", "CRVAL1", "CD1_2"):
                        assert two.header.get(word) == one.header.get(word)
                assert others[0].header["OBSJD"] == units[0].header["OBSJD"]


def test_a_frame_written_twice_is_the_same_bytes(ztf, tmp_path):
    folder, _, plain = ztf
    made(tmp_path)
    for made_of_it in plain.values():
        for _, path in made_of_it:
            again = tmp_path / path.relative_to(folder)
            assert (
                hashlib.sha256(again.read_bytes()).digest()
                == hashlib.sha256(path.read_bytes()).digest()
            )
