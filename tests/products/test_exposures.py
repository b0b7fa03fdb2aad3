"""The schema of exposures: what is needed, what is filled, the file."""

import numpy as np
import pandas as pd
import pytest

from chandelle.core.errors import InputError
from chandelle.products.exposures import Exposures
from chandelle.products.product import Meta
from chandelle.products.targets import Targets

NEEDED = {
    "exposure": ["a", "b"],
    "mjd": [59000.1, 59000.2],
    "ra": [10.0, 20.0],
    "dec": [-5.0, 5.0],
    "band": ["ztfg", "ztfr"],
    "zp": [28.3, 28.2],
    "depth": [20.8, 20.6],
}


def test_unknown_values_are_missing_not_sentinels():
    exposures = Exposures.from_columns(NEEDED)
    assert np.isnan(exposures["airmass"]).all()
    assert exposures["survey"].tolist() == ["", ""]
    assert exposures.unit("sky_mag") == "mag/arcsec2"


@pytest.mark.parametrize("name", list(NEEDED))
def test_what_a_light_curve_needs_is_required(name):
    with pytest.raises(InputError, match=f"exposures: missing column {name}"):
        Exposures.from_columns({key: value for key, value in NEEDED.items() if key != name})


def test_file(tmp_path):
    exposures = Exposures.from_columns(NEEDED, meta=Meta(origin="simulated")).select([1])
    exposures.write(tmp_path / "log.parquet")
    again = Exposures.read(tmp_path / "log.parquet")
    pd.testing.assert_frame_equal(again.to_pandas(), exposures.to_pandas())
    assert again.meta.origin == "simulated"
    with pytest.raises(InputError, match="expected targets, found exposures"):
        Targets.read(tmp_path / "log.parquet")
