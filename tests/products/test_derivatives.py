"""Derivatives of fits by calibration: chosen by name, joined over sets of other bands."""

from dataclasses import replace

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.products.product import Meta
from chandelle.products.saltfits import SaltFits

PLAIN = ("t0", "x0", "x1", "c")


def fits(
    *names: str, bands=(), modes=(), params=PLAIN, start: float = 0.0, status: str = "ok"
) -> SaltFits:
    n = len(names)
    columns = {name: np.ones(n) for name in ("z", "t0", "x0", "x1", "c")}
    columns |= {"sn": list(names), "status": [status] * n}
    facts = {"model": "m", "status": {status: n}}
    for what, key, given in (
        ("zp", "derivative_bands", bands),
        ("lambda", "derivative_bands", bands),
        ("mode", "modes", modes),
    ):
        if given:
            values = start + np.arange(float(len(params) * n * len(given))).reshape(n, -1)
            columns[f"dtheta_d{what}"] = values if status == "ok" else np.nan * values
            facts[key] = list(given)
            facts["derivative_params"] = list(params)
    return SaltFits.from_columns(columns, meta=Meta(provenance=facts))


def test_chosen_by_name():
    one = fits("a", "b", bands=("g", "r"), modes=("u",))
    whole = np.arange(16.0).reshape(2, 2, 4)
    np.testing.assert_array_equal(one.derivative("zp"), whole)
    np.testing.assert_array_equal(one.derivative("lambda", band="r"), whole[:, 1])
    np.testing.assert_array_equal(one.derivative("mode", mode="u"), np.arange(8.0).reshape(2, 4))


@pytest.mark.parametrize(
    ("by", "which", "says"),
    [
        ("zp", {"band": "z"}, "no derivative by band 'z'; there are g"),
        ("zp", {"mode": "u"}, "chosen by band="),
        ("mode", {"band": "g"}, "chosen by mode="),
        ("mode", {}, "derivatives=True"),
    ],
)
def test_wrong_choices_are_refused(by, which, says):
    with pytest.raises(InputError, match=says):
        fits("a", bands=("g",)).derivative(by, **which)


def test_sets_of_other_bands_are_joined_on_all_bands():
    near, far = fits("a", "b", bands=("g", "r")), fits("c", bands=("z", "g"), start=50.0)
    both = SaltFits.concat([near, far, fits("d"), fits("e", bands=("r",), status="no_data")])
    assert both.meta.provenance["derivative_bands"] == ["g", "r", "z"]
    assert both.meta.provenance["status"] == {"ok": 4, "no_data": 1}
    for by in ("zp", "lambda"):
        np.testing.assert_array_equal(both.derivative(by, band="r")[:2], near.derivative(by)[:, 1])
        np.testing.assert_array_equal(both.derivative(by, band="z")[2], far.derivative(by)[0, 0])
        np.testing.assert_array_equal(both.derivative(by, band="g")[2], far.derivative(by)[0, 1])
        assert (both.derivative(by, band="z")[:2] == 0).all()
        assert (both.derivative(by, band="r")[2] == 0).all()
        assert np.isnan(both.derivative(by)[3:]).all()


def test_modes_are_joined_in_the_order_they_come():
    both = SaltFits.concat([fits("a", modes=("u", "t")), fits("b", modes=("s", "t"))])
    assert both.meta.provenance["modes"] == ["u", "t", "s"]
    np.testing.assert_array_equal(both.derivative("mode", mode="t")[:, 0], [4.0, 4.0])
    np.testing.assert_array_equal(both.derivative("mode", mode="s")[:, 0], [0.0, 0.0])


def test_a_set_without_modes_does_not_move():
    both = SaltFits.concat([fits("a", bands=("g",)), fits("b", modes=("s",)), fits("c")])
    np.testing.assert_array_equal(both.derivative("mode")[0], np.zeros((1, 4)))
    assert np.isnan(both.derivative("mode")[2]).all()
    np.testing.assert_array_equal(both.derivative("zp")[1], np.zeros((1, 4)))
    plain = fits("d", modes=("s",))  # the light curves have modes; nobody asked for derivatives
    plain = replace(plain, table=plain.table.drop_columns(["dtheta_dmode"]))
    full = fits("a", bands=("g",), modes=("s",))
    cut = replace(full, table=full.table.drop_columns(["dtheta_dmode"]))
    assert np.isnan(SaltFits.concat([fits("b", modes=("s",)), cut]).derivative("mode")[1]).all()
    both = SaltFits.concat([full, plain])
    assert np.isnan(both.derivative("zp")[1]).all()
    assert np.isnan(both.derivative("mode")[1]).all()


def test_a_parameter_that_was_not_fitted_does_not_move():
    free = fits("a", bands=("g",), params=(*PLAIN, "z"), start=1.0)
    both = SaltFits.concat([free, fits("b", bands=("g",), start=9.0)])
    assert both.meta.provenance["derivative_params"] == [*PLAIN, "z"]
    expected = [[1.0, 2.0, 3.0, 4.0, 5.0], [9.0, 10.0, 11.0, 12.0, 0.0]]
    np.testing.assert_array_equal(both.derivative("zp", band="g"), expected)


def test_sets_without_derivatives_get_no_columns():
    both = SaltFits.concat([fits("a"), fits("b")])
    assert not [name for name in both.table.column_names if name.startswith("dtheta")]
    assert "derivative_bands" not in both.meta.provenance
