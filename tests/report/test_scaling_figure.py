"""The figure of a scaling."""

import numpy as np
import pytest
from made_scaling import made_scaling
from matplotlib.figure import Figure

from chandelle.core.errors import InputError
from chandelle.report import plot, plot_scaling


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_measurements_laws_and_targets_are_drawn():
    found = made_scaling(2.0)
    time, memory = plot(found, figure=Figure())
    points = next(line for line in time.lines if line.get_marker() == "o")
    assert points.get_xdata().tolist() == [100, 300, 1000, 3000]
    np.testing.assert_allclose(points.get_ydata(), [1, 9, 100, 900])
    curve = max(
        (line for line in time.lines if len(line.get_xdata()) > 10),
        key=lambda c: len(c.get_xdata()),
    )
    assert curve.get_xdata()[-1] == pytest.approx(400_000)
    assert curve.get_ydata()[-1] == pytest.approx(found.project(400_000).cpu_s.median)
    assert (time.get_xscale(), memory.get_yscale()) == ("log", "log")
    assert texts(time) == ["ztf", "lsst"]
    assert texts(memory) == ["this machine", "ztf", "lsst"]
    assert time.get_legend().get_texts()[0].get_text() == "my.py:func, N^2.00"
    ticks = [label.get_text() for label in time.get_yticklabels()]
    assert {"1 min", "1 h", "1 d"} < set(ticks)


def test_several_with_the_limits_of_a_site():
    one, two = made_scaling(1.0, name="a"), made_scaling(2.0, name="b")
    time, _ = plot(one, two, profile="cc-in2p3", targets={"des": 2000}, figure=Figure())
    assert [text.get_text() for text in time.get_legend().get_texts()] == ["a, N^1.00", "b, N^2.00"]
    assert "des" in texts(time)
    far = plot_scaling(one, two, profile="cc-in2p3", figure=Figure())
    assert "walltime of cc-in2p3" in texts(far[0])
    assert "largest job of cc-in2p3" in texts(far[1])


def test_figures_that_cannot_be():
    found = made_scaling()
    with pytest.raises(InputError, match="label of its own for each"):
        plot_scaling(found, found)
    with pytest.raises(InputError, match="expected scalings"):
        plot_scaling()
    with pytest.raises(InputError, match="fill a figure"):
        plot(found, ax=Figure().add_subplot())
    with pytest.raises(InputError, match="3 sizes or more"):
        plot(made_scaling(sizes=(100, 300)), figure=Figure())
