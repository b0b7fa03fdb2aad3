"""A tiny survey that several tests look at."""

import pytest
from tiny_survey import write_settings

from chandelle.simulate.frames.survey import SimulatedSurvey, simulate_survey


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> SimulatedSurvey:
    """A survey of 15 frames, in one block; nobody may change it."""
    folder = tmp_path_factory.mktemp("tiny")
    settings = write_settings(folder)
    return simulate_survey(settings, out=folder / "survey", seed=1, on="serial", block=20)
