"""Bad flux covariances by their number: 29 singular, 30 not positive, 32 not cut with the rows.

sncosmo takes the first two, fits with success, and was 1.7 d off with an error of 1e-5.
"""

import logging
import re

import numpy as np
import pytest
from astropy.table import Table

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.lightcurves import LightCurves

GOOD, BAD = "sn000", "sn001"


@pytest.fixture(scope="module")
def curves(draw) -> LightCurves:
    epochs, targets = draw(3, seed=5)
    return read_lightcurves(epochs, targets=targets)


def plain(curves: LightCurves, sn: str) -> np.ndarray:
    """The diagonal covariance of a supernova."""
    return np.diag(curves["flux_err"][curves["sn"] == sn] ** 2)


def doubled(curves: LightCurves) -> np.ndarray:
    """Singular: the second epoch repeats the first in all it has."""
    cov = plain(curves, BAD)
    cov[1, 1] = cov[0, 1] = cov[1, 0] = cov[0, 0]
    return cov


def flipped(curves: LightCurves) -> np.ndarray:
    """Not positive: a correlation of 1.5."""
    cov = plain(curves, BAD)
    cov[0, 1] = cov[1, 0] = 1.5 * np.sqrt(cov[0, 0] * cov[1, 1])
    return cov


def uneven(curves: LightCurves) -> np.ndarray:
    cov = plain(curves, BAD)
    cov[0, 1] = 0.1 * cov[0, 0]
    return cov


def with_value(value: float):
    def make(curves: LightCurves) -> np.ndarray:
        cov = plain(curves, BAD)
        cov[2, 2] = value
        return cov

    return make


@pytest.mark.parametrize(
    ("make", "reason", "words"),
    [
        pytest.param(
            doubled,
            "cov_singular",
            "singular: rank {less} of {n}, condition number (inf|[1-9].*e)",
            id="row 29",
        ),
        pytest.param(
            flipped,
            "cov_not_positive",
            "not positive definite: eigenvalues of its correlations from -5.0e-01 to",
            id="row 30",
        ),
        pytest.param(uneven, "cov_not_symmetric", "is not symmetric", id="not symmetric"),
        pytest.param(with_value(np.nan), "cov_not_finite", "has NaN or infinity", id="NaN"),
        pytest.param(
            with_value(0.0), "cov_not_positive", "1 variances are not positive", id="no variance"
        ),
        pytest.param(
            with_value(-1.0), "cov_not_positive", "1 variances are not positive", id="negative"
        ),
    ],
)
def test_an_unusable_covariance_costs_its_supernova_alone(
    curves: LightCurves, caplog: pytest.LogCaptureFixture, make, reason: str, words: str
) -> None:
    given = {GOOD: plain(curves, GOOD), BAD: make(curves)}
    n = len(given[BAD])
    with caplog.at_level(logging.WARNING):
        out = curves.with_covariance(dense=given)
    assert re.search(f"{BAD}: .*{words.format(n=n, less=n - 1)}", caplog.text)
    assert {"sn": BAD, "reason": reason, "count": n} in out.rejected.to_pylist()
    fits = fit_salt(out).to_pandas()
    assert fits.status.to_dict() == {GOOD: "ok", BAD: "covariance_invalid", "sn002": "ok"}
    assert fits.loc[BAD, ["t0", "x0", "x1", "c", "t0_err"]].isna().all()
    assert fits["flags"][BAD] & int(Flag.POINTS_REJECTED)
    alone = fit_salt(curves).to_pandas()
    for name in ("t0", "x1", "c", "c_err"):
        assert fits[name][GOOD] == pytest.approx(alone[name][GOOD], rel=1e-9)


def test_what_mends_a_singular_covariance_is_in_the_message(curves: LightCurves, caplog) -> None:
    """Row 29: the noise that was missing on the diagonal makes it usable."""
    curves.with_covariance(dense={BAD: doubled(curves)})
    assert "remove epochs that repeat others, or add the noise" in caplog.text
    cov = doubled(curves)
    out = curves.with_covariance(dense={BAD: cov + 0.01 * np.diag(np.diagonal(cov))})
    assert fit_salt(out)["status"].tolist() == ["ok"] * 3


def test_row_32_a_covariance_of_other_rows_is_refused(curves: LightCurves) -> None:
    keep = np.arange(len(curves)) % 7 > 0
    cov, n = plain(curves, BAD), int((curves["sn"][keep] == BAD).sum())
    with pytest.raises(
        InputError, match=rf"{BAD}: covariance must be \({n}, {n}\) like its epochs"
    ):
        curves.select(keep).with_covariance(dense={BAD: cov})
    with pytest.raises(InputError, match="cut both with the same mask"):
        curves.select(keep).with_covariance(dense={BAD: cov})


def test_row_32_rows_that_are_cut_take_their_covariance_along(curves: LightCurves) -> None:
    rng = np.random.default_rng(1)
    n = int((curves["sn"] == BAD).sum())
    root = rng.normal(size=(n, n)) / np.sqrt(n)
    own = np.diagonal(plain(curves, BAD))
    cov = np.sqrt(np.outer(own, own)) * (0.5 * root @ root.T + np.eye(n))
    keep = rng.uniform(size=len(curves)) > 0.2
    mine = keep[curves["sn"] == BAD]
    first = curves.with_covariance(dense={BAD: cov}).select(keep)
    last = curves.select(keep).with_covariance(dense={BAD: cov[np.ix_(mine, mine)]})
    one, two = fit_salt(first).to_pandas(), fit_salt(last).to_pandas()
    for name in ("t0", "x0", "x1", "c", "chi2", "c_err"):
        np.testing.assert_allclose(one[name], two[name], rtol=1e-7)


def test_row_32_a_covariance_in_a_table_is_not_lost_in_silence(
    curves: LightCurves, caplog: pytest.LogCaptureFixture
) -> None:
    """A table cannot carry it through a cut: whoever reads one is told."""
    shared = curves.with_covariance(factor=0.5 * curves["flux_err"][:, None])
    one = shared.select(shared["sn"] == GOOD)
    again = read_lightcurves(one.to_pandas(), targets=curves.targets)
    assert again.covariance_factor.shape[1] == 0
    assert "covariance in column cov_factor is not read" in caplog.text
    caplog.clear()
    table = Table.from_pandas(one.to_pandas().drop(columns="cov_factor"))
    table["fluxcov"] = one.covariance_of(GOOD)
    read_lightcurves(table, targets=curves.targets)
    assert "covariance in column fluxcov is not read" in caplog.text
    assert "LightCurves.with_covariance" in caplog.text
    caplog.clear()
    again = read_lightcurves(shared)
    np.testing.assert_array_equal(again.covariance_factor, shared.covariance_factor)
    assert "is not read" not in caplog.text
