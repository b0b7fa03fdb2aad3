"""`fit-lightcurves`: passbands that depend on the position, from files and folders."""

import h5py
import numpy as np
import pandas as pd
import pytest

import chandelle as ch
from chandelle.products.passband_family import PassbandFamily

RADII = (0.0, 10.0)


@pytest.fixture(scope="module")
def lcs() -> ch.LightCurves:
    """Three near supernovae."""
    return ch.simulate_lightcurves(seed=4, n={"ZTF": 3, "DEEP": 0}).lightcurves


@pytest.fixture(scope="module")
def family() -> PassbandFamily:
    """ZTF g, 30 angstrom bluer at the edge."""
    center = ch.load_passband("ztfg")
    wave = np.arange(center.wave[0] - 40.0, center.wave[-1] + 1.0, 5.0)
    curves = np.stack([center(wave), center(wave + 30.0)])
    return PassbandFamily(
        name="ztfg",
        axes=("radius",),
        nodes=(np.array(RADII),),
        wave=wave,
        transmission=curves,
        unit="cm",
    )


@pytest.fixture(scope="module")
def inputs(lcs, family, tmp_path_factory):
    """Epochs with a radius, targets, and the family as a table, as snfit's folder and as HDF5."""
    path = tmp_path_factory.mktemp("inputs")
    frame = lcs.to_pandas()[["sn", "mjd", "band", "flux", "flux_err", "zp"]]
    frame["radius"] = np.random.default_rng(2).uniform(*RADII, len(frame))
    frame.to_csv(path / "epochs.csv", index=False)
    lcs.targets.to_pandas()[["sn", "z_hel", "mwebv"]].to_csv(path / "targets.csv", index=False)
    family.write(path / "g.parquet")
    snfit = path / "camera"
    snfit.mkdir()
    (snfit / "instrument.cards").write_text("@RADIALLY_VARIABLE_FILTERS filters\n")
    (snfit / "filters").write_text("g 0 inner.dat\ng 10 outer.dat\n")
    for k, name in enumerate(("inner.dat", "outer.dat")):
        rows = np.column_stack([family.wave, family.transmission[k]])
        head = f"@MEASUREMENT_RADIUS {RADII[k]} cm"
        np.savetxt(snfit / name, rows, fmt="%.17g", header=head, comments="")
    with h5py.File(path / "general.hdf5", "w") as file:
        band = file.create_group("bandpasses/g")
        band["wave"], band["radii"], band["trans"] = family.wave, RADII, family.transmission
    return path


def _fit(run, inputs, out, *options):
    words = ("fit-lightcurves", inputs / "epochs.csv", "--targets", inputs / "targets.csv")
    return run(*words, "-o", out / "fits.parquet", "--lightcurves", out / "lcs", *options)


@pytest.mark.parametrize("where", ["g.parquet", "camera:g", "general.hdf5:g"])
def test_epochs_get_the_passband_at_their_place(run, inputs, family, tmp_path, where):
    done = _fit(run, inputs, tmp_path, "--passband-family", f"ztfg={inputs}/{where}")
    assert done.code == 0, done.err
    epochs, targets = pd.read_csv(inputs / "epochs.csv"), pd.read_csv(inputs / "targets.csv")
    expected = ch.read_lightcurves(epochs, targets=targets, passbands={"ztfg": family})
    read, fits = ch.LightCurves.read(tmp_path / "lcs"), ch.SaltFits.read(tmp_path / "fits.parquet")
    assert read["band"].tolist() == expected["band"].tolist()
    assert len({band for band in read["band"] if band.startswith("ztfg@")}) > 20
    np.testing.assert_allclose(fits["c"], ch.fit_salt(expected)["c"], atol=1e-6)


def test_how_finely_positions_are_told_apart(run, inputs, tmp_path):
    words = f"--passband-family ztfg={inputs}/camera:g --passband-step 10".split()
    assert _fit(run, inputs, tmp_path, *words).code == 0
    bands = set(ch.LightCurves.read(tmp_path / "lcs")["band"])
    assert 2 <= len({band for band in bands if band.startswith("ztfg@")}) <= 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--passband-family ztfg", "--passband-family ztfg: expected NAME=FILE or NAME=PATH:BAND"),
        ("--passband-family g=none.csv", "none.csv: no such file of passbands"),
        ("--passband-family g=none:g", "none: no such file of passbands"),
        ("--passband-family g={}/camera:w", "band must be one of g, got w"),
        ("--passband-family g={}/camera", "band must be one of g, got None"),
        ("--passband-family g={0}/g.parquet --passband-family g={0}/camera:g", "g stands twice"),
        ("--passband-family g={0}/g.parquet --passband g={0}/camera/inner.dat", "--passband too"),
        ("--passband-family g={}/g.parquet --passband-step 0", "step must be positive"),
        ("--passband-step 1", "--passband-step 1.0: there is no --passband-family"),
    ],
)
def test_wrong_options_are_named(run, inputs, tmp_path, options, says):
    done = _fit(run, inputs, tmp_path, *options.format(inputs).split())
    assert done.code == 2
    assert says in done.err
    assert list(tmp_path.iterdir()) == []


def test_light_curves_that_were_read_before_have_theirs(run, inputs, lcs, tmp_path):
    lcs.write(tmp_path / "lcs")
    family = ("--passband-family", f"ztfg={inputs}/g.parquet")
    done = run("fit-lightcurves", tmp_path / "lcs", "-o", tmp_path / "fits.parquet", *family)
    assert done.code == 2
    assert "--passband-family is for files as they were published" in done.err
