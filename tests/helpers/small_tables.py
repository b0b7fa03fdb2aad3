"""Small tables of epochs, good but for what a test changes."""

import numpy as np
import pandas as pd

from chandelle.products.lightcurves import LightCurves

TARGETS = pd.DataFrame({"name": ["a", "b"], "z": [0.05, 0.03], "mwebv": 0.02})


def frame() -> pd.DataFrame:
    """Eight good epochs of two supernovae at zero point 25."""
    return pd.DataFrame(
        {
            "target": ["a"] * 4 + ["b"] * 4,
            "mjd": 59000.0 + np.arange(8),
            "band": ["ztfg", "ztfr"] * 4,
            "flux": 100.0 + np.arange(8),
            "fluxerr": np.full(8, 5.0),
            "zp": np.full(8, 25.0),
            "zpsys": "ab",
        }
    )


def changed(column: str, value: object, *, rows: slice = slice(1, 1)) -> pd.DataFrame:
    data = frame().astype({"band": object, "mjd": float})
    data.loc[rows, column] = value
    return data


def rejected(lcs: LightCurves) -> list[tuple[str, str, int]]:
    return [(row["sn"], row["reason"], row["count"]) for row in lcs.rejected.to_pylist()]


def many_exposures() -> pd.DataFrame:
    """Thirty exposures of one band, each with the same five supernovae, zero points near 26."""
    rng = np.random.default_rng(2)
    zp = 26.0 + 0.03 * rng.normal(size=30)
    return pd.DataFrame(
        {
            "target": np.tile(list("abcde"), 30),
            "mjd": np.repeat(59000.0 + np.arange(30), 5),
            "band": "ztfg",
            "flux": 100.0,
            "fluxerr": 5.0,
            "zp": np.repeat(zp, 5),
            "exposure": np.repeat([f"e{i:02d}" for i in range(30)], 5),
        }
    )
