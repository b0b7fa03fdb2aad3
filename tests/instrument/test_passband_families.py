"""Files of position-dependent passbands, and the same curves and magnitudes as sncosmo."""

import importlib.util
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sncosmo
from astropy.table import Table
from sncosmo.bandpasses import BandpassInterpolator, GeneralBandpassInterpolator, Transforms
from sncosmo.builtins import load_general_bandpass_interpolator
from sncosmo.snfitio import read_snfit_bandpass_interpolator

from chandelle.core.errors import InputError
from chandelle.instrument.passband_families import read_passband_family
from chandelle.products.passband_family import PassbandFamily

WAVE = np.arange(4000.0, 6001.0, 10.0)


def _table():
    radii = [0.0, 5.0, 20.0]
    curves = [np.exp(-0.5 * ((WAVE - 5000.0 + r) / 300.0) ** 4) for r in radii]
    return pd.DataFrame(
        {
            "radius": np.repeat(radii, len(WAVE)),
            "wave": np.tile(WAVE, 3),
            "transmission": np.concatenate(curves),
        }
    )


def _spectrum():
    """A spectrum with the slopes and features of a supernova, 2 mmag an angstrom at places."""
    wave = np.arange(2500.0, 12000.0, 2.0)
    return wave, (wave / 5000.0) ** -2 * (1.0 + 0.4 * np.sin(wave / 60.0))


def _magnitude(band):
    """AB magnitude by the midpoint rule at 1 angstrom, of any callable passband."""
    wave = np.arange(3000.5, 11500.0)
    photons = np.nan_to_num(band(wave)) * wave * np.interp(wave, *_spectrum())
    flat = np.nan_to_num(band(wave)) / wave
    return -2.5 * np.log10(photons.sum() / flat.sum())


def test_a_table_in_any_order_and_any_format(tmp_path):
    table = _table()
    mixed = table.sample(frac=1.0, random_state=3)
    mixed.to_csv(tmp_path / "g.csv", index=False)
    mixed.to_parquet(tmp_path / "g.parquet")
    Table.from_pandas(mixed).write(tmp_path / "g.ecsv", format="ascii.ecsv")
    for suffix in ("csv", "parquet", "ecsv"):
        family = read_passband_family(tmp_path / f"g.{suffix}", name="mega_g")
        assert (family.name, family.axes) == ("mega_g", ("radius",))
        np.testing.assert_array_equal(family.nodes[0], [0.0, 5.0, 20.0])
        np.testing.assert_allclose(family.transmission.ravel(), table.transmission, rtol=1e-12)


def test_what_is_written_is_read(tmp_path):
    family = PassbandFamily(
        name="z",
        axes=("sensor", "x_fp", "y_fp"),
        nodes=(np.array([1.0, 9.0]), np.array([-1.0, 1.0]), np.array([0.0, 1.0, 3.0])),
        wave=WAVE[:30],
        transmission=np.random.default_rng(1).uniform(0.1, 0.9, (2, 2, 3, 30)),
        unit="mm",
        step=0.3,
        source="bench",
    )
    family.write(tmp_path / "z.parquet")
    again = read_passband_family(tmp_path / "z.parquet")
    assert [getattr(again, n) for n in ("name", "axes", "unit", "step", "source")] == [
        *("z", ("sensor", "x_fp", "y_fp"), "mm", 0.3, "bench")
    ]
    np.testing.assert_array_equal(again.transmission, family.transmission)
    assert read_passband_family(tmp_path / "z.parquet", step=1.0).step == 1.0


def test_refused_files(tmp_path):
    with pytest.raises(InputError, match="no such file of passbands"):
        read_passband_family(tmp_path / "none.csv")
    _table().drop(columns="radius").to_csv(tmp_path / "flat.csv", index=False)
    with pytest.raises(InputError, match=r"flat.csv: expected columns wave .* a position"):
        read_passband_family(tmp_path / "flat.csv")
    _table().assign(radius="far").to_csv(tmp_path / "far.csv", index=False)
    with pytest.raises(InputError, match=r"far.csv: columns must be numbers"):
        read_passband_family(tmp_path / "far.csv")
    (tmp_path / "g.dat").write_text("4000 0\n5000 1\n")
    with pytest.raises(InputError, match="a single curve by read_passband"):
        read_passband_family(tmp_path / "g.dat")
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "instrument.cards").write_text("@FILTERS wheel\n")
    with pytest.raises(InputError, match="no RADIALLY_VARIABLE_FILTERS"):
        read_passband_family(tmp_path / "cards", band="g")


def test_radial_family_equals_sncosmo():
    table = _table()
    ours = PassbandFamily.from_curves(
        "g",
        {
            (r,): (part.wave.to_numpy(), part.transmission.to_numpy())
            for r, part in table.groupby("radius")
        },
        common=[(np.array([3000.0, 4500.0, 8000.0]), np.array([0.9, 0.6, 0.8]))],
    )
    theirs = BandpassInterpolator(
        [(np.array([3000.0, 4500.0, 8000.0]), np.array([0.9, 0.6, 0.8]))],
        [(r, p.wave.to_numpy(), p.transmission.to_numpy()) for r, p in table.groupby("radius")],
    )
    wave = np.linspace(4000.0, 6000.0, 777)
    for radius in (0.0, 1.3, 5.0, 17.21):
        own = ours.at(radius=radius)
        # Between samples sncosmo multiplies what we have multiplied at the samples.
        np.testing.assert_allclose(own(wave), theirs.at(radius)(wave), atol=2e-4)
        assert abs(_magnitude(own) - _magnitude(theirs.at(radius))) < 1e-5


def test_planar_family_equals_sncosmo():
    x, y = np.array([-100.0, 0.0, 100.0]), np.array([-50.0, 50.0])
    table = np.array(
        [[np.exp(-0.5 * ((WAVE - 5000.0 + i / 10 - j / 5) / 300.0) ** 4) for j in y] for i in x]
    )
    flat = np.column_stack([WAVE, np.linspace(0.9, 0.5, len(WAVE))])
    theirs = GeneralBandpassInterpolator(
        [flat], variable_transmission=(x, y, WAVE, table), transforms=Transforms({}, {})
    )
    ours = PassbandFamily.from_curves(
        "g",
        {(a, b): (WAVE, table[i, j]) for i, a in enumerate(x) for j, b in enumerate(y)},
        axes=("x_fp", "y_fp"),
        common=[(WAVE, flat[:, 1])],
    )
    for place in ((0.0, 0.0), (33.0, -12.0), (-99.0, 49.0)):
        own = ours.at(x_fp=place[0], y_fp=place[1])
        same = theirs.eval_at(*place, 1, WAVE, filter_frame=True)[0]
        np.testing.assert_allclose(own(WAVE), same, atol=1e-12)


@pytest.fixture(scope="session")
def megacam(real_data, tmp_path_factory) -> Path:
    """The folder of MegaCam's filters by radius."""
    folder = tmp_path_factory.mktemp("bands")
    with tarfile.open(real_data / "bandpasses" / "megacampsf.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "megacampsf"


@pytest.mark.parametrize("band", list("ugrizy"))
def test_megacam_equals_sncosmo(megacam, band):
    ours = read_passband_family(megacam, band=band)
    theirs = read_snfit_bandpass_interpolator(str(megacam), band)
    assert (ours.name, ours.unit) == (f"megacampsf_{band}", "cm")
    assert ours.nodes[0][[0, -1]].tolist() == [theirs.minpos(), theirs.maxpos()]
    for radius in np.random.default_rng(1).uniform(theirs.minpos(), theirs.maxpos(), 20):
        own, other = ours.at(radius=radius), theirs.at(radius)
        wave = np.linspace(other.minwave(), other.maxwave(), 2001)
        peak = other(wave).max()
        # Between nodes of different wavelengths sncosmo takes the samples of the inner one.
        np.testing.assert_allclose(own(wave), other(wave), atol=3e-3 * peak)
        assert own.mean_wave == pytest.approx(other.wave_eff, abs=0.1)
        assert abs(_magnitude(own) - _magnitude(other)) < 1e-4


def _equals_general(ours, theirs, *, sensors):
    rng = np.random.default_rng(2)
    low, high = (np.array([n[k] for n in ours.nodes if len(n) > 1]) for k in (0, -1))
    is_radial = "radius" in ours.axes
    for _ in range(10):
        place = rng.uniform(low[-1], high[-1]) if is_radial else rng.uniform(low[-2:], high[-2:])
        sensor = int(rng.choice(sensors))
        where = {"radius": place} if is_radial else dict(zip(("x_fp", "y_fp"), place, strict=True))
        own = ours.at(**where, **({"sensor": sensor} if "sensor" in ours.axes else {}))
        x, y = (0.6 * place, -0.8 * place) if is_radial else place
        grid = theirs.wavegrid
        other = sncosmo.Bandpass(grid, theirs.eval_at(x, y, sensor, grid, filter_frame=True)[0])
        np.testing.assert_allclose(own(grid), other(grid), atol=1e-9)
        assert abs(_magnitude(own) - _magnitude(other)) < 1e-4


@pytest.mark.parametrize("band", list("grI"))
def test_ztf_equals_sncosmo(real_data, band):
    path = real_data / "bandpasses" / "ztf" / "ztf_v0.hdf5"
    ours = read_passband_family(path, band=band, name="ztf")
    assert ours.axes == ("sensor", "radius")
    theirs = load_general_bandpass_interpolator(str(path), band)
    _equals_general(ours, theirs, sensors=[1, 17, 40, 64])


@pytest.mark.parametrize("band", list("griz"))
def test_lemaitre_megacam_equals_sncosmo(band):
    spec = importlib.util.find_spec("lemaitre")
    found = (
        [Path(p) / "bandpasses/data" for p in (spec.submodule_search_locations or [])]
        if spec
        else []
    )
    files = [folder / "megacam6_v0.hdf5" for folder in found if folder.is_dir()]
    if not files:
        pytest.skip("lemaitre-bandpasses is not installed")
    ours = read_passband_family(files[0], band=band)
    assert ours.axes == ("x_fp", "y_fp")
    _equals_general(ours, load_general_bandpass_interpolator(str(files[0]), band), sensors=[1])


def test_a_wrong_band_is_named(megacam, real_data):
    with pytest.raises(InputError, match="band must be one of g, i, r, u, y, z, got w"):
        read_passband_family(megacam, band="w")
    with pytest.raises(InputError, match="band must be one of I, g, r, got None"):
        read_passband_family(real_data / "bandpasses" / "ztf" / "ztf_v0.hdf5")
