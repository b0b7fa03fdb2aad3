"""Machine code of the compiled kernels: kept, announced where absent, with the same bits."""

import os
import subprocess
import sys

import pytest

from chandelle.cli.cache import fit_step
from chandelle.core import compiled

FITS = """
import sys
import numpy as np
import chandelle as ch
from chandelle.core.compiled import has_machine_code
print("kept" if has_machine_code("fit_targets") else "none")
survey = ch.simulate_lightcurves(seed=8, n={"ZTF": 15, "DEEP": 15})
for model_cov in (False, True):
    table = ch.fit_salt(survey.lightcurves, model_cov=model_cov).to_pandas()
    sys.stdout.write(table.select_dtypes("number").to_numpy(dtype=float).tobytes().hex() + "\\n")
"""


def test_a_fit_says_that_it_compiles_first(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "_folder", lambda: str(tmp_path))
    assert fit_step("fit") == "fit, compiling first (once)"
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "fit.other-1.py311.nbi").touch()
    assert fit_step("fit") == "fit, compiling first (once)"
    (tmp_path / "fit" / "fit.fit_targets-236.py311.nbi").touch()
    assert fit_step("fit") == "fit"
    monkeypatch.setattr(compiled, "_folder", lambda: "")
    assert fit_step("fit") == "fit, compiling first (once)"


@pytest.mark.slow
def test_the_run_that_compiles_gives_the_bits_of_those_that_do_not(tmp_path):
    environment = {**os.environ, "CHANDELLE_CACHE": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", FITS]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        for _ in range(2)
    )
    assert first.stdout.startswith("none\n")
    assert second.stdout.startswith("kept\n")
    answers = [done.stdout.splitlines()[1:] for done in (first, second)]
    assert len(answers[0][0]) > 30 * 10 * 16
    assert answers[0] == answers[1]
