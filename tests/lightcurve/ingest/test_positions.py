"""Epochs taken through the passband at their position; positions that are none are rejected."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import QTable, Table

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.instrument.passbands import load_passband
from chandelle.instrument.reference import vega_spectrum
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.physics.photometry import ab_bandflux, zero_magnitude_flux
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import filter_of
from chandelle.products.passband_family import PassbandFamily

TARGETS = pd.DataFrame({"name": ["a", "b"], "z": [0.05, 0.03], "mwebv": 0.02})


def family(axes=("radius",), unit="cm", step=1.0) -> PassbandFamily:
    """The LSST g filter, 20 angstrom to the blue from the middle to the edge, 10 from 3 to 7."""
    wave, transmission = load_passband("lsstg").wave, load_passband("lsstg").transmission
    nodes = {"radius": [0.0, 20.0], "x_fp": [-20.0, 20.0], "y_fp": [-20.0, 20.0], "sensor": [3, 7]}
    moves = {"radius": -1.0, "x_fp": -0.5, "y_fp": 0.25, "sensor": -2.5}
    grid = np.stack(np.meshgrid(*(nodes[a] for a in axes), indexing="ij"), axis=-1)
    curves = {
        tuple(place): (
            wave + sum(moves[a] * v for a, v in zip(axes, place, strict=True)),
            transmission,
        )
        for place in grid.reshape(-1, len(axes)).astype(float).tolist()
    }
    return PassbandFamily.from_curves("g", curves, axes=axes, unit=unit, step=step)


def frame(**columns) -> pd.DataFrame:
    data = {
        "target": ["a"] * 4 + ["b"] * 4,
        "mjd": 59000.0 + np.arange(8),
        "band": ["mega_g", "ztfr"] * 4,
        "flux": 100.0 + np.arange(8),
        "fluxerr": np.full(8, 5.0),
        "zp": np.full(8, 25.0),
    }
    return pd.DataFrame(data | columns)


RADIUS = np.array([1.0, np.nan, 1.02, np.nan, 12.0, 3.0, 20.0, 3.0])


def read(data, own=None, **how):
    return read_lightcurves(data, targets=TARGETS, passbands={"mega_g": own or family()}, **how)


def test_each_epoch_gets_the_nearest_member():
    lcs = read(frame(radius=RADIUS))
    names = lcs["band"].tolist()
    assert names[0] == names[2]
    assert [filter_of(n) for n in names] == ["mega_g", "ztfr"] * 4
    assert set(lcs.passbands) == {n for n in names if n != "ztfr"}
    assert len(lcs.passbands) == 3
    exact = family().at(radius=12.0)
    assert lcs.passbands[names[4]].mean_wave == pytest.approx(exact.mean_wave, abs=0.51)
    np.testing.assert_array_equal(lcs["radius"], RADIUS)
    assert lcs.meta.provenance["position_dependent"] == {
        "mega_g": {"step_angstrom": 1.0, "members": 3}
    }
    assert not len(lcs.rejected)


def test_the_step_bounds_the_error_of_the_passband():
    lcs = read(frame(radius=RADIUS), family(step=0.1))
    for name, radius in zip(lcs["band"], RADIUS, strict=True):
        if name != "ztfr":
            move = lcs.passbands[name].mean_wave - family().at(radius=radius).mean_wave
            assert abs(move) < 0.051


def test_a_position_that_is_none_costs_its_row(caplog):
    bad = np.where(np.arange(8) == 2, np.nan, np.where(np.arange(8) == 6, 25.0, RADIUS))
    lcs = read(frame(radius=bad))
    assert lcs.rejected.to_pylist() == [
        {"sn": "a", "reason": "position_missing", "count": 1},
        {"sn": "b", "reason": "position_outside", "count": 1},
    ]
    assert lcs["row"].tolist() == [0, 1, 3, 4, 5, 7]
    assert (lcs.flags == Flag.POINTS_REJECTED).all()
    assert "2 rejected: 1 position_missing, 1 position_outside" in caplog.text
    with pytest.raises(InputError, match="1 position_outside"):
        read(frame(radius=bad), strict=True)


def test_no_column_of_positions_is_an_error_with_its_mend(tmp_path):
    path = tmp_path / "epochs.csv"
    frame().to_csv(path, index=False)
    with pytest.raises(
        InputError, match=r"epochs.csv: the passband of mega_g .* radius 0 \.\. 20 cm"
    ) as info:
        read(path)
    assert "no column radius [cm] of numbers (or radius_fp, r_fp; or x_fp and y_fp)" in str(
        info.value
    )
    assert "passbands={'mega_g': family.at(...)}" in str(info.value)
    frame(radius="far").to_csv(path, index=False)
    with pytest.raises(InputError, match="no column radius"):
        read(path)
    # A family that no epoch needs asks for nothing.
    assert len(read(frame(band="ztfr"))) == 8


def test_radius_follows_from_places():
    lcs = read(frame(X_fp=0.6 * RADIUS, y_focal=-0.8 * RADIUS))
    assert lcs["band"].tolist() == read(frame(radius=RADIUS))["band"].tolist()


def test_places_and_detectors():
    plane = read(frame(x_fp=1.0, y_fp=np.arange(8.0)), family(("x_fp", "y_fp")))
    assert len(plane.passbands) == 4
    sensor = np.array([3, 3, 7, 3, 5, 3, 7, 3])
    chips = read(frame(detector=sensor, radius=4.0), family(("sensor", "radius")))
    assert [n.split(",")[0] for n in chips["band"] if n != "ztfr"] == [
        *("mega_g@3", "mega_g@7", "mega_g@7")
    ]
    assert chips.rejected.to_pylist() == [{"sn": "b", "reason": "position_outside", "count": 1}]


def test_units_are_converted_or_refused(tmp_path):
    table = Table.from_pandas(frame(radius=10.0 * RADIUS))
    table["radius"].unit = "mm"
    assert read(table)["band"].tolist() == read(frame(radius=RADIUS))["band"].tolist()
    assert read(QTable(table))["band"].tolist() == read(frame(radius=RADIUS))["band"].tolist()
    table["radius"].unit = "deg"
    with pytest.raises(InputError, match=r"radius is in deg, the passbands of mega_g .* in cm"):
        read(table)
    table["radius"].unit = "mm"
    table[:4].write(tmp_path / "a.ecsv")
    frame(radius=RADIUS)[4:].to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(InputError, match=r"column radius is in no unit in .*b\.csv, in mm before"):
        read([tmp_path / "a.ecsv", tmp_path / "b.csv"])


def test_vega_is_that_of_the_member():
    lcs = read(frame(radius=RADIUS), zpsys="vega")
    ab = read(frame(radius=RADIUS))
    for name, flux, plain in zip(lcs["band"], lcs["flux"], ab["flux"], strict=True):
        if name != "ztfr":
            band = lcs.passbands[name]
            ratio = zero_magnitude_flux(band, "vega") / ab_bandflux(band)
            assert flux / plain == pytest.approx(ratio, rel=1e-12)
    # A composite system names the filter, whatever the position.
    system = {"mine": {"mega_g": (vega_spectrum(), 0.1), "ztfr": ("ab", 0.0)}}
    own = read(frame(radius=RADIUS, zpsys="mine"), zpsys=system)
    np.testing.assert_allclose(own["flux"][0], lcs["flux"][0] * 10**0.04)


def test_other_names_of_the_band_serve():
    lcs = read(frame(band=["g", "r"] * 4, radius=RADIUS), bands={"g": "mega_g", "r": "ztfr"})
    assert lcs["band"].tolist() == read(frame(radius=RADIUS))["band"].tolist()


def test_columns_of_positions_go_where_no_family_wants_them():
    lcs = read_lightcurves(frame(band="ztfr", radius="r1", sensor=2), targets=TARGETS)
    assert not {"radius", "sensor"} & set(lcs.table.column_names)


def test_written_and_read(tmp_path):
    lcs = read(frame(radius=np.nan_to_num(RADIUS)))
    lcs.write(tmp_path / "lcs")
    again = LightCurves.read(tmp_path / "lcs")
    assert again.table.equals(lcs.table)
    assert list(again.passbands) == list(lcs.passbands)
    for name, band in lcs.passbands.items():
        np.testing.assert_array_equal(again.passbands[name].wave, band.wave)
        np.testing.assert_array_equal(again.passbands[name].transmission, band.transmission)
        assert again.passbands[name].source == band.source


def test_families_come_with_the_table():
    with pytest.raises(InputError, match="give a PassbandFamily when the table of epochs is read"):
        read_lightcurves(read(frame(radius=RADIUS)), passbands={"mega_g": family()})
