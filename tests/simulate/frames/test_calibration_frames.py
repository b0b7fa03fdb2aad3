"""Gain, read noise and flat field as measured on the written biases and flats."""

import numpy as np
import pytest
from astropy.io import fits
from made_skies import exposures_at, frames_made_by, maker_of, sky_of

from chandelle.simulate.frames.detector import DetectorSettings

SERIES = {"nights": 1, "biases": 10, "flats": 8, "lamps": {"ztfr": [7]}}


def written(folder, **settings):
    """The calibration series of a night, written: the maker and the paths by kind."""
    sky = sky_of(exposures_at([240.0], [40.0]))
    maker = maker_of(sky, size=384, throughput={}, series=SERIES, **settings)
    paths = {"bias": [], "flat": []}
    for frame in frames_made_by(maker):
        if frame.kind != "object":
            maker.write(frame, 6, folder)
            paths[frame.kind].append(folder / maker.path(frame, 6))
    return maker, paths


def linear(pixels, quadrant, bias):
    """Response undone by its formula, above a bias level."""
    x = pixels - bias
    return x / (quadrant.response_a * x**2 + quadrant.response_b * x + 1.0)


def usual(difference):
    """Where cosmic rays, hot pixels and such are not."""
    off = difference - np.median(difference)
    return np.abs(off) < 5.0 * 1.4826 * np.median(np.abs(off))


def photon_transfer(biases, flats):
    """Gain [electron/DN] and read noise [electron] from differences of frames."""
    pairs = [one - two for one, two in zip(biases[::2], biases[1::2], strict=True)]
    dark = np.mean([pair[usual(pair)].var() for pair in pairs]) / 2.0
    master, gains = np.mean(biases, axis=0), []
    for one, two in zip(flats[::2], flats[1::2], strict=True):
        one, two = one - master, two - master
        # The lamp is not the same twice: brought to one level, so that no pattern is left.
        ratio = one.sum() / two.sum()
        rest = one - ratio * two
        kept = usual(rest) & usual(one)
        photons = rest[kept].var() - dark * (1.0 + ratio**2)
        gains.append((1.0 + ratio) * one[kept].mean() / photons)
    gain = np.mean(gains)
    return gain, gain * np.sqrt(dark - 1.0 / 12.0)


def test_photon_transfer_of_written_frames_gives_gain_and_read_noise(tmp_path):
    # The pocket takes light from bright pixels and gives it to faint ones, which lowers the
    # variance of a flat by 0.3 to 1.7 %; all else stays on.
    maker, paths = written(tmp_path, detector=DetectorSettings(pocket=False))
    for quadrant in maker.camera.ccd(6).quadrants:
        biases, flats = (
            [fits.getdata(path, quadrant.science_extension).astype(float) for path in paths[kind]]
            for kind in ("bias", "flat")
        )
        biases = biases[2:]  # The first have not settled.
        bias = np.median(biases)
        biases, flats = (
            [linear(one, quadrant, bias) for one in frames] for frames in (biases, flats)
        )
        gain, read_noise = photon_transfer(biases, flats)
        assert gain == pytest.approx(quadrant.gain, rel=0.01)
        assert read_noise == pytest.approx(quadrant.read_noise, rel=0.01)
        header = fits.getheader(paths["flat"][0], quadrant.science_extension)
        assert (header["GAIN"], header["READNOI"]) == (quadrant.gain, quadrant.read_noise)
        level = np.median(flats)
        assert level == pytest.approx(18_000 * np.median(maker.transmission(6, "ztfr")), rel=0.05)


def test_biases_of_a_series_settle_and_flats_are_transmission_times_a_smooth_lamp(tmp_path):
    maker, paths = written(tmp_path, detector=DetectorSettings(pocket=False, response=False))
    quadrant = maker.camera.ccd(6).quadrants[2]
    science, overscan = quadrant.science_extension, quadrant.overscan_extension
    levels = [np.median(fits.getdata(path, overscan)) for path in paths["bias"]]
    assert levels[0] - np.mean(levels[6:]) == pytest.approx(8.0, abs=2.5)
    assert np.mean(levels[6:]) == pytest.approx(quadrant.bias_dn, abs=3.0)
    bias = np.mean([fits.getdata(path, science).astype(float) for path in paths["bias"]], axis=0)
    flat = np.mean([fits.getdata(path, science).astype(float) for path in paths["flat"]], axis=0)
    part = maker.transmission(6, "ztfr")[quadrant.y0 :, quadrant.x0 :]
    part = part[:: quadrant.raw_y, :: quadrant.raw_x]
    lamp = (flat - bias) / part
    y, x = np.indices(lamp.shape) / len(lamp)
    terms = np.stack([np.ones_like(x), x, y, x**2 + y**2], axis=-1).reshape(-1, 4)
    found = np.linalg.lstsq(terms, lamp.ravel(), rcond=None)[0]
    rest = lamp.ravel() - terms @ found
    # Photons of 8 flats, read noise of 8 flats and 10 biases.
    photons = np.mean(lamp / part) / quadrant.gain / 8.0
    noise = (quadrant.read_noise / quadrant.gain) ** 2 * (1.0 / 8.0 + 1.0 / 10.0)
    noise *= np.mean(1.0 / part**2)
    assert rest[usual(rest)].var() == pytest.approx(photons + noise, rel=0.02)
    shadow = part.min() / np.median(part)
    assert shadow < 0.97, "what was divided out is not nothing"
