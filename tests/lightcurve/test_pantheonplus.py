"""Four surveys of Pantheon+ with SALT2-B21 against the published table, sncosmo as referee.

The settings are those of `benchmarks/real/pantheonplus.py`, where each is explained. Limits of the
medians are those of the issue. Limits of the scatter are the measured ones, a fifth wider: what is
left comes from SNANA's polynomial for the dust law, its error of E(B-V) and its window in phase.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pytest
import sncosmo
from astropy.table import Table
from real import pantheonplus as release

from chandelle.core.units import ZP_NJY

_log = logging.getLogger(__name__)

NAMES = ["t0", "x0", "x1", "c"]


@pytest.fixture(scope="module")
def model(real_data, tmp_path_factory):
    return release.unpack_model(real_data, tmp_path_factory.mktemp("b21"))


@pytest.fixture(scope="module")
def published(real_data):
    return release.read_published(real_data)


@dataclass(frozen=True)
class Expected:
    """In the table, in the folder, fitted at least, same NDOF at least, scatter at most."""

    table: int
    folder: int
    fitted: int
    same_ndof: int
    scatter: dict[str, float]


EXPECTED = {
    "Foundation": Expected(179, 179, 179, 110, {"dx1": 0.026, "dc": 0.0033, "dmb": 0.0035}),
    "CSP": Expected(89, 84, 83, 79, {"dx1": 0.0125, "dc": 0.0030, "dmb": 0.0047}),
    "CfA3": Expected(92, 92, 92, 88, {"dx1": 0.0095, "dc": 0.0027, "dmb": 0.0020}),
    "PS1MD": Expected(269, 269, 269, 258, {"dx1": 0.0105, "dc": 0.0026, "dmb": 0.0014}),
}


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", EXPECTED)
def test_survey_equals_the_published_table(name, real_data, model, published):
    survey, expected = release.SURVEYS[name], EXPECTED[name]
    lcs, rows, missing = release.read_survey(survey, real_data, published)
    assert len(rows) + len(missing) == expected.table
    assert len(rows) == expected.folder
    fits = release.fit(release.with_settings(lcs, survey, rows), model)
    table = release.differences(fits, rows)
    for column in ("dx1", "dc", "dmb", "dt0"):
        _log.info("%s %+.4f (%.4f)", column, table[column].median(), release.scatter(table[column]))
    assert len(table) >= expected.fitted
    assert (table["dndof"] == 0).sum() >= expected.same_ndof
    assert abs(table["dx1"].median()) < 0.02
    assert abs(table["dc"].median()) < 0.004
    assert abs(table["dmb"].median()) < 0.004
    for column, limit in expected.scatter.items():
        assert release.scatter(table[column]) < limit, column
    assert table["x1_err"].median() == pytest.approx(1.0, abs=0.02)
    assert table["c_err"].median() == pytest.approx(1.0, abs=0.05)
    far = release.outliers(table)
    assert len(far) < 0.2 * len(table)
    assert set(far["reason"]) <= set(release.REASONS), far[far["reason"] == release.UNEXPLAINED]


@pytest.mark.slow
@pytest.mark.real
def test_dust_of_cfa3_is_in_the_table_not_in_the_files(real_data, model, published):
    # The files carry E(B-V) of Schlegel 1998; the table was made with 0.86 times that.
    survey = release.SURVEYS["CfA3"]
    lcs, rows, _ = release.read_survey(survey, real_data, published)
    ratio = np.median(lcs.targets["mwebv"] / rows["MWEBV"].to_numpy())
    assert ratio == pytest.approx(1 / 0.86, abs=0.01)
    shift = {}
    for step in (0, 1):
        used = release.without_bands(
            release.with_settings(lcs, survey, rows, step=step), survey.left_out
        )
        shift[step] = release.differences(release.fit(used, model), rows)["dc"].median()
    assert abs(shift[0] + 0.14 * rows["MWEBV"].median() / 0.86 - shift[1]) < 0.002
    assert abs(shift[0]) > 0.004


# Far from the table, but at the minimum all the same.
REFEREED = {
    "Foundation": ["ASASSN-16jf", "2018gv"],
    "CSP": ["2004eo", "2008gp"],
    "CfA3": ["2003kf", "2006bw"],
    "PS1MD": ["020176", "470008"],
}


@pytest.mark.real
@pytest.mark.parametrize("name", REFEREED)
@pytest.mark.filterwarnings("ignore:Assigned errors must be positive")
def test_sncosmo_agrees_where_the_table_does_not(name, real_data, model, published):
    survey = release.SURVEYS[name]
    lcs, rows, _ = release.read_survey(survey, real_data, published)
    keep = np.isin(lcs.targets["sn"].astype(str), REFEREED[name])
    lcs, rows = lcs.select_targets(keep), rows[keep]
    lcs = release.with_settings(lcs, survey, rows)
    fits = release.fit(lcs, model)
    for passband in lcs.passbands.values():
        band = sncosmo.Bandpass(passband.wave, passband.transmission, name=passband.name)
        sncosmo.register(band, force=True)
    peer = sncosmo.Model(
        sncosmo.SALT2Source(modeldir=model),
        effects=[sncosmo.F99Dust()],
        effect_names=["mw"],
        effect_frames=["obs"],
    )
    for sn, fit in fits.iterrows():
        assert fit.status == "ok", sn
        epochs = lcs.of(sn).to_pandas()
        phase = (epochs["mjd"] - fit.t0) / (1 + fit.z)
        mean = epochs["band"].map(lambda band: lcs.passbands[band].mean_wave) / (1 + fit.z)
        low, high = release.PHASE_RANGE
        used = (phase > low) & (phase < high) & mean.between(*release.WAVE_RANGE)
        assert used.sum() - 4 == fit.ndof, sn
        table = Table.from_pandas(epochs[used][["mjd", "band", "flux", "flux_err"]])
        table["zp"], table["zpsys"] = ZP_NJY, "ab"
        peer.set(z=fit.z, mwebv=fit.mwebv, **{key: fit[key] for key in NAMES})
        result, _ = sncosmo.fit_lc(
            table, peer, NAMES, modelcov=True, guess_t0=False, guess_amplitude=False, warn=False
        )
        values = dict(zip(result.param_names, result.parameters, strict=True))
        moves = [(fit[key] - values[key]) / fit[f"{key}_err"] for key in NAMES]
        _log.info("%s: moves %s, chi2 %+.4f", sn, np.round(moves, 4), fit.chi2 - result.chisq)
        assert np.abs(moves).max() < 0.02, sn
