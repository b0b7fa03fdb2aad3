"""Figures of a log: what is drawn is what is in it."""

import numpy as np
import pytest
from matplotlib import pyplot

from chandelle.core.errors import InputError
from chandelle.products.exposures import Exposures
from chandelle.report import plot, plot_cadence, plot_pointings


@pytest.fixture
def log():
    n = 30
    columns = {
        "exposure": [f"e{k}" for k in range(n)],
        "mjd": 58000.0 + np.arange(n),
        "field": np.repeat([7, 8, 9], [20, 6, 4]),
        "ra": np.repeat([10.0, 200.0, 350.0], [20, 6, 4]),
        "dec": np.repeat([-20.0, 40.0, 80.0], [20, 6, 4]),
        "band": np.where(np.arange(n) % 3 == 0, "ztfg", "ztfr"),
        "zp": np.full(n, 28.0),
        "depth": np.linspace(20.0, 21.0, n),
    }
    return Exposures.from_columns(columns)


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def test_pointings_stand_where_the_fields_are(log):
    ax = plot_pointings(log)
    points = ax.collections[0]
    assert points.get_array().tolist() == [20, 6, 4]
    # East is left: right ascension 10 deg lies left of the middle, 350 right of it.
    expected = np.radians([[-10.0, -20.0], [160.0, 40.0], [10.0, 80.0]])
    assert np.allclose(points.get_offsets(), expected)
    with pytest.raises(InputError, match="projection 'mollweide'"):
        plot_pointings(log, ax=pyplot.figure().add_subplot())
    with pytest.raises(InputError, match="no exposure"):
        plot_pointings(log.select(np.arange(0)))


def test_the_milky_way_runs_through_its_center(log):
    x, y = plot_pointings(log).lines[0].get_data()
    # Sgr A*: right ascension 266.4 deg, declination -29.0 deg.
    distance = np.hypot(x - np.radians(360.0 - 266.4), y - np.radians(-29.0))
    assert np.degrees(distance.min()) < 1.0


def test_cadence_is_that_of_the_field_most_taken(log):
    ax = plot_cadence(log)
    assert ax.get_title() == "field 7"
    drawn = {line.get_label(): len(line.get_xdata()) for line in ax.lines}
    assert drawn == {"ztfg (7)": 7, "ztfr (13)": 13}
    assert ax.yaxis_inverted()
    assert plot_cadence(log, field=9).get_title() == "field 9"
    with pytest.raises(InputError, match="no exposure of field 5 among 30"):
        plot_cadence(log, field=5)


def test_plot_knows_a_log(log):
    assert plot(log).name == "mollweide"
    assert plot(log, field=8).get_title() == "field 8"
