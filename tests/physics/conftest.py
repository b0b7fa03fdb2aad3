"""The SALT models tested, beside the same files read by sncosmo 2.13."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import sncosmo

from chandelle.physics.salt import SaltModel, load_salt

PUBLISHED = ("salt2-4_jla_b14", "salt2-b21_pantheonplus", "salt2-t21", "salt3-k21", "salt3nir-p22")
PUBLISHED_PARAMS = [pytest.param(name, marks=pytest.mark.real) for name in PUBLISHED]


def _unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = Path(member.name).name
            if member.isfile() and name.startswith("salt") and name.endswith(".dat"):
                content = tar.extractfile(member)
                assert content is not None
                (folder / name).write_bytes(content.read())
    return folder


@pytest.fixture(scope="session")
def salt_pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[SaltModel, sncosmo.Model]]:
    """Give a model by name, ours and sncosmo's with F99 dust; skips without the real data."""
    known: dict[str, tuple[SaltModel, sncosmo.Model]] = {}

    def pair(name: str) -> tuple[SaltModel, sncosmo.Model]:
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            if name == "salt3-f22":
                for file, text in request.getfixturevalue("f22_texts").items():
                    (folder / file).write_text(text)
                ours = load_salt(name)
            else:
                data = request.getfixturevalue("real_data")
                ours = load_salt(_unpack(data / "models" / f"{name}.tar.gz", folder))
            kind = sncosmo.SALT3Source if name.startswith("salt3") else sncosmo.SALT2Source
            dust = {"effects": [sncosmo.F99Dust()], "effect_names": ["mw"]}
            theirs = sncosmo.Model(kind(modeldir=str(folder)), effect_frames=["obs"], **dust)
            known[name] = ours, theirs
        return known[name]

    return pair


@pytest.fixture(params=[*PUBLISHED_PARAMS, "salt3-f22"])
def salt_and_sncosmo(request, salt_pair) -> tuple[SaltModel, sncosmo.Model]:
    """Each SALT model in turn."""
    return salt_pair(request.param)


@pytest.fixture
def f22(salt_pair) -> tuple[SaltModel, sncosmo.Model]:
    """SALT3-F22, which ships with chandelle."""
    return salt_pair("salt3-f22")
