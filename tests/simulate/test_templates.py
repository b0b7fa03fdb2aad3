"""Core-collapse light curves from a template of the user: fluxes beside sncosmo, a whole sample."""

import numpy as np
import pytest
import sncosmo

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import list_passbands, load_passband
from chandelle.simulate.sample import simulate_lightcurves
from chandelle.simulate.settings import SampleSettings, load_preset
from chandelle.simulate.tables import simulate_fits
from chandelle.simulate.templates import read_time_series, template_fluxes


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Write a cooling bump with lines, brightest in R near phase 0."""
    phase, wave = np.arange(-20.0, 81.0, 2.0), np.arange(1500.0, 12001.0, 20.0)
    rise = np.exp(-0.5 * (np.minimum(phase, 0.0) / 6.0) ** 2) * np.exp(-np.maximum(phase, 0) / 40)
    peak = 4500.0 + 15.0 * (phase + 20.0)
    shape = np.exp(-0.5 * ((wave - peak[:, None]) / 2000.0) ** 2)
    lines = 1.0 - 0.3 * np.sin(wave / 120.0) ** 2
    flux = 1e-9 * rise[:, None] * shape * lines
    table = np.column_stack([np.repeat(phase, len(wave)), np.tile(wave, len(phase)), flux.ravel()])
    path = tmp_path_factory.mktemp("templates") / "sn2.dat"
    np.savetxt(path, table)
    return path


@pytest.fixture(scope="module")
def model(path):
    for name in list_passbands():
        band = load_passband(name)
        sncosmo.register(sncosmo.Bandpass(band.wave, band.transmission, name=name), force=True)
    source = sncosmo.TimeSeriesSource(*sncosmo.read_griddata_ascii(str(path)))
    return sncosmo.Model(
        source, effects=[sncosmo.F99Dust()], effect_names=["mw"], effect_frames=["obs"]
    )


@pytest.mark.parametrize(("z", "mwebv"), [(0.01, 0.0), (0.08, 0.3), (0.3, 0.05)])
def test_fluxes_equal_sncosmo(path, model, z, mwebv):
    bands = ["ztfg", "ztfr", "lssti"]
    rng = np.random.default_rng(1)
    mjd = 59000.0 + (1.0 + z) * np.sort(rng.uniform(-19.0, 79.0, 60))
    band = rng.integers(0, len(bands), 60)
    model.set(z=z, t0=59000.0, mwebv=mwebv)
    model.set_source_peakmag(18.5, "bessellr", "ab", sampling=0.1)
    theirs = model.bandflux([bands[i] for i in band], mjd, zp=ZP_NJY, zpsys="ab")
    passbands = [load_passband(name) for name in bands]
    how = {"z": z, "t0": 59000.0, "peak_mag": 18.5, "mwebv": mwebv}
    ours = template_fluxes(read_time_series(path), passbands, **how, mjd=mjd, band=band)
    # Both seek the maximum 0.1 d apart, sncosmo with a parabola: one factor for all epochs.
    np.testing.assert_allclose(ours, theirs, rtol=5e-5)
    np.testing.assert_allclose(ours / ours[30], theirs / theirs[30], rtol=1e-10)
    late = np.array([58900.0, 59000.0 + 200.0])
    zeros = np.zeros(2, dtype=int)
    assert not template_fluxes(read_time_series(path), passbands, **how, mjd=late, band=zeros).any()


def test_a_sample_has_them_by_a_file_of_settings(path):
    record = load_preset("lemaitre-mini").record()
    first = record["surveys"][0]
    text = f"""
model = "salt3-f22"
[population]
outlier_fraction = 0.05
contaminant_fraction = 0.5
templates = {{ "SN II" = "{path.name}" }}
[population.pieces.vpec]
sigma = 300.0
[population.pieces.lensing_mag]
sigma = 0.01
[[surveys]]
name = "ZTF"
log = "ztf"
nights = {first["nights"]}
camera = "{first["camera"]}"
z_max = 0.06
footprint = {first["footprint"]}
n = 12
"""
    file = path.parent / "mine.toml"
    file.write_text(text)
    sample = simulate_lightcurves(file, seed=2)
    lcs, truth = sample.lightcurves, sample.truth.to_pandas().set_index("sn")
    kinds = dict(zip(lcs.targets["sn"], lcs.targets["class"], strict=True))
    assert set(kinds.values()) == {"SN Ia", "SN II"}
    assert set(truth["class"]) == {"SN Ia", "SN II"}
    # The pulls of the others about their template are those of the noise.
    series = read_time_series(path)
    bands = sorted(set(lcs["band"]))
    pulls = []
    for sn in [name for name, kind in kinds.items() if kind == "SN II"]:
        epochs, drawn = lcs.of(sn).to_pandas(), truth.loc[sn]
        row = lcs.targets["sn"].tolist().index(sn)
        exact = template_fluxes(
            series,
            [load_passband(name) for name in bands],
            z=float(lcs.targets["z_hel"][row]),
            t0=float(drawn["t0_true"]),
            peak_mag=float(drawn["mb_true"]),
            mwebv=float(lcs.targets["mwebv"][row]),
            mjd=epochs["mjd"].to_numpy(),
            band=np.searchsorted(bands, epochs["band"].to_numpy(str)),
        )
        assert (exact > 0.0).all()
        pulls.append((epochs["flux"] - exact) / epochs["flux_err"])
    pulls = np.concatenate(pulls)
    assert len(pulls) > 100
    assert abs(pulls.mean()) < 5.0 / np.sqrt(len(pulls))
    assert abs(pulls.std() - 1.0) < 5.0 / np.sqrt(2.0 * len(pulls))
    with pytest.raises(InputError, match="of type Ia alone: leave contaminant_fraction"):
        simulate_fits(file, seed=2)


@pytest.mark.parametrize(
    ("population", "says"),
    [
        ({"contaminant_fraction": 0.2}, "give a contaminant_fraction and templates, or neither"),
        ({"templates": {"SN II": "a.dat"}}, "give a contaminant_fraction and templates"),
        (
            {"contaminant_fraction": 0.2, "templates": {"SN V": "a.dat"}},
            "no class SN V; there are SN II, SN IIb",
        ),
    ],
)
def test_settings_that_cannot_be(population, says):
    record = load_preset("lemaitre-mini").record() | {"population": population}
    with pytest.raises(InputError, match=says):
        SampleSettings.of("test", **record)


def test_templates_that_cannot_be(path, tmp_path):
    table = np.loadtxt(path)
    wrong = {
        "expected a text file": None,
        "expected three columns": table[:, :2],
        "same rising wavelengths": table[:-1],
        "covers 1500 to 6000": table[table[:, 1] <= 6000.0],
        "no flux in bessellr": table * [1.0, 1.0, 0.0],
    }
    for says, rows in wrong.items():
        file = tmp_path / "t.dat"
        if rows is not None:
            np.savetxt(file, rows)
        with pytest.raises(InputError, match=says):
            read_time_series(file)
