"""A stage's TOML file, and what the command line overrules."""

import pytest

from chandelle.cli.settings import settings_of
from chandelle.core.errors import InputError
from chandelle.cosmology.stage import CosmologyConfig
from chandelle.lightcurve.stage import PHASE_RANGE, FitConfig
from chandelle.standardization.stage import StandardizeConfig


def test_options_overrule_the_file_and_the_file_the_defaults(tmp_path):
    path = tmp_path / "fit.toml"
    path.write_text('model_cov = true\ndust = "o94"\nwave_range = [3000, 7000]\n')
    settings = settings_of(FitConfig, path, model="mine", model_cov=None, wave_range=None)
    assert settings["model"] == "mine"
    assert settings["model_cov"] is True
    assert settings["dust"] == "o94"
    assert settings["wave_range"] == (3000.0, 7000.0)
    assert settings["phase_range"] == PHASE_RANGE
    assert settings_of(FitConfig, path, model_cov=False)["model_cov"] is False


@pytest.mark.parametrize("kind", [StandardizeConfig, CosmologyConfig])
def test_cuts_are_a_table(tmp_path, kind):
    path = tmp_path / "stage.toml"
    path.write_text("lensing = 0.0\n[cuts]\nx1_max = 2.0\n")
    assert settings_of(kind, path)["cuts"].x1_max == 2.0


def test_a_wrong_key_is_named_with_its_file(tmp_path):
    path = tmp_path / "stage.toml"
    path.write_text("[cuts]\nx1_mx = 2.0\n")
    with pytest.raises(InputError, match=r"stage\.toml: cuts\.x1_mx"):
        settings_of(StandardizeConfig, path)
    with pytest.raises(InputError, match="expected a file"):
        settings_of(StandardizeConfig, tmp_path / "absent.toml")
