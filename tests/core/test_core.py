"""Units, keys, flags, precision, provenance, configuration."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError
from chandelle.core.flags import Flag, describe
from chandelle.core.provenance import sha256_file, versions
from chandelle.core.rng import key_for, keys_for, name_numbers
from chandelle.core.units import ZP_NJY, nanojansky_from_zp


def test_nanojansky_against_astropy():
    from astropy import units as u

    flux = (20.0 * u.ABmag).to_value(u.nJy)
    # astropy's AB is 3630.78 Jy, ours (and sncosmo's) 3631: 6.6e-5 mag apart.
    assert float(nanojansky_from_zp(1.0, 20.0)) == pytest.approx(flux, rel=1e-4)
    assert pytest.approx(31.4, abs=1e-3) == ZP_NJY


def test_keys_depend_on_names_only():
    assert np.all(key_for(3, "a", 1) == key_for(3, "a", 1))
    different = {int(jax.random.bits(key_for(3, "a", i))) for i in range(100)}
    assert len(different) == 100
    assert np.any(key_for(3, "a") != key_for(4, "a"))
    assert np.all(key_for(key_for(3, "a"), "b") == key_for(3, "a", "b"))


def test_many_keys_are_those_of_each_name():
    root, names = key_for(3, "a"), ["b", "", "SN000017", "näher", 12, "a longer name than others"]
    for name, key in zip(names, keys_for(root, names), strict=True):
        assert np.all(key == key_for(root, name))


def test_numbers_of_names_are_those_of_the_hash_as_published():
    # Test vectors of its authors, 64 bits, FNV-1a.
    known = {"": 0xCBF29CE484222325, "a": 0xAF63DC4C8601EC8C, "foobar": 0x85944171F73967E8}
    found = name_numbers(list(known)).astype(object)
    assert [(high << 32) + low for high, low in found] == list(known.values())


def test_no_two_of_a_million_names_share_a_key():
    # 32 bits had 116 pairs. Names of supernovae, then of exposures.
    names = [f"SN{i:06d}" for i in range(600_000)]
    names += [f"ZTF-{58000 + i // 1000}-{i % 1000:04d}" for i in range(400_000)]
    keys = np.asarray(jax.random.key_data(keys_for(key_for(1, "epochs"), names)))
    sorted_keys = np.sort(keys.view(np.uint64)[:, 0])
    assert np.all(np.diff(sorted_keys) > 0)


def test_flags_are_spelled():
    assert describe(int(Flag.CHI2_BAD | Flag.AT_BOUND)) == "chi2_bad at_bound"
    assert describe(0) == ""


def _run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin", "JAX_PLATFORMS": "cpu", **environment},
        check=False,
    )


def test_x64_is_turned_on_by_an_entry_point():
    code = (
        "from chandelle.core.precision import require_x64 as r; import jax.numpy as j; r(); "
        "assert j.ones(1).dtype == 'float64'"
    )
    assert _run(code).returncode == 0


def test_x64_forbidden_by_the_environment_is_refused():
    code = "from chandelle.core.precision import require_x64; require_x64()"
    run = _run(code, JAX_ENABLE_X64="0")
    assert run.returncode != 0
    assert "unset it or set it to 1" in run.stderr


def test_versions_and_file_hash(tmp_path):
    assert versions()["numpy"] == np.__version__
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "a") == expected


class _Config(StageConfig):
    depth_mag: float = 20.0


def test_config_from_toml(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("[scene]\ndepth_mag = 21.5\n")
    assert _Config.from_toml(path, table="scene").depth_mag == 21.5


@pytest.mark.parametrize(
    ("text", "match"),
    [("dept_mag = 1", "known settings: depth_mag"), ("depth_mag = ", "expected TOML")],
)
def test_config_refuses(tmp_path, text, match):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        _Config.from_toml(path)


def test_infinite_settings_are_recorded_in_json(tmp_path):
    config = _Config(depth_mag=-np.inf)
    text = json.dumps(config.record(), allow_nan=False)
    assert _Config(**json.loads(text)) == config


def test_yaml_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(InputError, match="TOML"):
        _Config.from_toml(tmp_path / "a.yaml")
