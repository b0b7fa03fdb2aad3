"""`make dr2` on a synthetic tree: what it prints, and that its likelihood comes to an end."""

import re
import sys
from pathlib import Path

import dr2
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from stretch_law import _HESSIAN, START, _chi2_and_log_det, draw

import chandelle as ch
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.ingest.frames import cmb_redshift
from chandelle.physics.salt import peak_magnitude_offset
from chandelle.standardization.likelihood import reference_modulus

N = 120
TRUTH = {"alpha_low": 0.27, "alpha_high": 0.08, "x1_break": -0.5, "beta": 3.2, "step": 0.15}
PECULIAR, FAR, NO_COLOR, SPARSE, CLOUDY = range(5)
"""Supernovae that are left out: by class, redshift, local color, epochs and flags."""
NAMES = [f"ZTF18sn{i:03d}" for i in range(N)]
PHASES = np.linspace(-14.0, 38.0, 16)


def sample() -> pd.DataFrame:
    """Supernovae with the `TRUTH`, their places and environments."""
    rng = np.random.default_rng(3)
    is_high = rng.random(N) < 0.6
    x1 = np.where(is_high, rng.normal(0.4, 0.6, N), rng.normal(-1.2, 0.6, N))
    c = np.clip(rng.normal(0.0, 0.08, N), -0.18, 0.18)
    is_red = rng.random(N) < np.where(is_high, 0.3, 0.9)
    z = rng.uniform(0.02, 0.055, N)
    z[FAR] = 0.08
    ra, dec = rng.uniform(0, 360, N), rng.uniform(-20, 80, N)
    from_break = x1 - TRUTH["x1_break"]
    slope = np.where(from_break < 0, TRUTH["alpha_low"], TRUTH["alpha_high"])
    mb = np.asarray(reference_modulus(cmb_redshift(z, ra, dec), z)) - 19.3
    mb += TRUTH["beta"] * c - slope * from_break - TRUTH["step"] * is_red
    mb += rng.normal(0.0, 0.05, N)
    frame = pd.DataFrame({"ztfname": NAMES, "redshift": z, "ra": ra, "dec": dec, "mwebv": 0.03})
    frame["x0"] = 10 ** (-0.4 * (mb - peak_magnitude_offset(ch.load_salt("salt3-f22"))))
    frame["color"] = np.where(is_red, 1.5, 0.5)
    frame.loc[NO_COLOR, "color"] = np.nan
    frame["sn_type"] = "snia-cosmo"
    frame.loc[PECULIAR, "sn_type"] = "snia-pec-91bg"
    return frame.assign(x1=x1, c=c, t0=58500.0)


def light_curve(sn: int, truth: pd.Series) -> pd.DataFrame:
    """Epochs in three bands, fluxes good to 2 % of the peak."""
    rng = np.random.default_rng(sn)
    keys = ("t0", "x0", "x1", "c", "mwebv")
    theta = {"z": truth["redshift"], **{key: truth[key] for key in keys}}
    model, parts = ch.load_salt("salt3-f22"), []
    for k, name in enumerate(("ztfg", "ztfr", "ztfi")):
        mjd = truth["t0"] + (1 + truth["redshift"]) * (PHASES + k / 3)
        band = ch.load_passband(name)
        clean = model.bandflux(band, mjd, **theta, dust="ccm89", zp=ZP_NJY, zpsys="ab")
        error = 0.02 * np.max(np.asarray(clean))
        flux = np.asarray(clean) + error * rng.normal(size=len(mjd))
        parts.append(pd.DataFrame({"mjd": mjd, "filter": name, "flux": flux, "flux_err": error}))
    frame = pd.concat(parts).sort_values("mjd").assign(ZP=ZP_NJY, flag=0)
    frame["flag"] = 4 if sn == CLOUDY else 0
    return frame[::8] if sn == SPARSE else frame


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """The sample in the layout of the release, with the truth as its published fit."""
    folder = tmp_path_factory.mktemp("dr2") / "ztfsniadr2"
    for name in ("tables", "lightcurves"):
        (folder / name).mkdir(parents=True)
    frame = sample()
    columns = ["ztfname", "redshift", "mwebv", "sn_type", "t0", "x0", "x1", "c"]
    frame[columns].to_csv(folder / "tables" / "snia_data.csv")
    host = pd.DataFrame({"ztfname": NAMES, "mass": 10.0, "mass_err": 0.1})
    host = host.assign(restframe_gz=frame["color"], restframe_gz_err=0.01)
    host.to_csv(folder / "tables" / "localhost_data.csv", index=False)
    host.assign(ra=frame["ra"], dec=frame["dec"]).to_csv(
        folder / "tables" / "globalhost_data.csv", index=False
    )
    for sn, name in enumerate(NAMES):
        text = light_curve(sn, frame.loc[sn]).to_csv(sep=" ", index=False)
        (folder / "lightcurves" / f"{name}_lc.csv").write_text(text)
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Function of the arguments: what benchmarks/dr2.py prints."""

    def call(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["dr2.py", *map(str, words)])
        dr2.main()
        return capsys.readouterr().out

    return call


def values(section: str) -> dict[str, tuple[float, float]]:
    """Our values and errors in a section of two columns."""
    rows = re.findall(r"^(\w+) +([+-][\d.]+) \+- ([\d.]+) ", section, flags=re.MULTILINE)
    return {name: (float(value), float(error)) for name, value, error in rows}


def test_a_tree_from_light_curves_to_slopes(run, tree):
    """The drawn truth within five errors, the counts of each cut as the sample was made."""
    head, linear, broken = run("--directory", tree).split("\n-- ")
    n_epochs = 48 * (N - 2) + 6
    assert f"{N} supernovae, {n_epochs} epochs; left out:" in head
    assert re.search(r"^dr2_flag_4_clouds +48$", head, flags=re.MULTILINE)
    for name in ("t0", "x1", "c"):
        assert f"\n{name} minus the release's: median" in head
    assert f"CutFlow: {N} supernovae, {N - 2} kept" in head
    counts = {
        name: (int(left), int(removed))
        for name, left, removed in re.findall(
            r"^  (\w+(?: \w+)?) +\d+ +(\d+) +(\d+) ", head, flags=re.MULTILINE
        )
    }
    assert counts["fitted"] == (N - 1, 1)
    assert counts["detections"] == (N - 2, 1)
    assert list(counts)[2:] == [
        *("bands", "before maximum", "after maximum", "x1", "c", "x1_err", "c_err", "t0_err")
    ]
    assert counts["t0_err"] == (N - 2, 0)
    kept = f"z < 0.06: {N - 3}; and not peculiar: {N - 4}; and local color known: {N - 5}"
    assert kept in head
    assert linear.startswith("one slope, published beside")
    assert values(linear).keys() == {"alpha_low", "beta", "step"}
    assert broken.startswith("broken slope, published beside")
    found = values(broken)
    assert found.keys() == TRUTH.keys()
    for name, (value, error) in found.items():
        assert abs(value - TRUTH[name]) < 5 * error, name


@pytest.mark.parametrize("words", [(), ("--directory", "nowhere")])
def test_without_a_tree_it_says_so(run, monkeypatch, words):
    monkeypatch.delenv("ZTFCOSMODIR", raising=False)
    assert "nothing measured" in run(*words)


def test_drawn_samples_are_fitted(run, monkeypatch):
    monkeypatch.setattr(dr2, "draw", lambda n, seed: draw(n // 4, seed))
    sections = run("--check").split("-- ")[1:]
    assert [section.splitlines()[0] for section in sections] == [
        f"drawn sample {seed}, true values beside" for seed in range(4)
    ]
    for section in sections:
        assert values(section).keys() == TRUTH.keys()


def test_the_likelihood_calls_no_lapack():
    """Several batched calls in one program hung four runs of six (jaxlib 0.10, two cores)."""
    data = {name: jnp.asarray(value) for name, value in draw(3, 0).items()}
    theta = jnp.asarray(list(START.values()))
    lowered = _HESSIAN.lower(theta, jnp.arange(len(theta)), data, linear=False)
    assert "lapack" not in lowered.as_text()


def test_chi2_and_determinant_equal_those_of_numpy():
    rng = np.random.default_rng(1)
    root, residual = rng.normal(size=(7, 3, 3)), rng.normal(size=(7, 5, 3))
    cov = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(3)
    chi2, log_det = _chi2_and_log_det(jnp.asarray(residual), jnp.asarray(cov))
    expected = np.einsum("ngi,nij,ngj->ng", residual, np.linalg.inv(cov), residual)
    np.testing.assert_allclose(chi2, expected, rtol=1e-10)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(cov)[1], rtol=1e-10, atol=1e-12)
