"""Light curves a second from targets and a log, noise and all, against skysurvey.

Run: python benchmarks/bench_sample.py [number of supernovae, 10000 by default]
The peer is not among the extras of tests: pip install skysurvey==1.3.0; without it ours alone is
timed. Both get the same log of 100 nights of a ZTF-like survey, 60 epochs a supernova, the same
supernovae, the same SALT3 files and a rectangular field of view; the peer's epochs reach as far
from maximum as ours. The number a second is by the clock, and a busy machine lowers it.
"""

import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from peers import register_passbands

from chandelle.core.precision import require_x64
from chandelle.instrument.salt_files import read_salt, write_salt
from chandelle.products.exposures import Exposures
from chandelle.products.lightcurves import LightCurves
from chandelle.products.targets import Targets
from chandelle.simulate.draw_targets import draw_targets
from chandelle.simulate.footprint import Rectangle
from chandelle.simulate.logs.coverage import rectangle
from chandelle.simulate.logs.make import make_log
from chandelle.simulate.logs.ztf import ZTF_LOG
from chandelle.simulate.observing import PHASES, Observing, observe_targets
from chandelle.simulate.selection import Detection
from chandelle.simulate.skysurvey_frames import to_skysurvey
from chandelle.simulate.truth import Truth

SIDE_DEG, NIGHTS, N_PEER = 7.3, 100, 100


def ours(targets: Targets, truth: Truth, log: Exposures) -> tuple[float, LightCurves]:
    """Time our simulation, compiled before; give CPU a supernova [ms], and what was seen."""
    observing = Observing(
        exposures=log, view=rectangle(SIDE_DEG, SIDE_DEG), detection=Detection(epochs=0)
    )
    few = np.arange(10)
    observe_targets(targets.select(few), truth.select(few), observing)
    cpu, wall = time.process_time(), time.perf_counter()
    lightcurves, _ = observe_targets(targets, truth, observing)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    n = len(targets)
    print(
        f"ours: {n / wall:.0f} supernovae a second of {len(lightcurves) / n:.0f} epochs, "
        f"{1e3 * cpu / n:.3f} CPU ms each"
    )
    return 1e3 * cpu / n, lightcurves


def peers(targets: pd.DataFrame, log: Exposures) -> float:
    """Time skysurvey's simulation of such targets; give CPU a supernova [ms]."""
    import shapely.geometry
    import skysurvey
    import sncosmo

    register_passbands()
    with tempfile.TemporaryDirectory() as folder:
        write_salt(read_salt("salt3-f22"), Path(folder))
        source = sncosmo.SALT3Source(modeldir=folder)
    snia = skysurvey.SNeIa()
    snia.set_template(source)
    snia.set_data(targets)
    flux_5 = 10 ** (-0.4 * (log["depth"] - 25.0))
    electron = 10 ** (-0.4 * (log["zp"] - 25.0))
    noise = np.sqrt((flux_5 / 5.0) ** 2 - flux_5 * electron)
    half = SIDE_DEG / 2
    pointings = {
        "mjd": log["mjd"],
        "band": log["band"].astype(str),
        "ra": log["ra"],
        "dec": log["dec"],
        "skynoise": noise,
        "gain": 1.0 / electron,
        "zp": np.full(len(log), 25.0),
    }
    survey = skysurvey.Survey.from_pointings(
        pd.DataFrame(pointings), footprint=shapely.geometry.box(-half, -half, half, half)
    )
    cpu = time.process_time()
    found = skysurvey.DataSet.from_targets_and_survey(snia, survey, phase_range=list(PHASES))
    cpu = time.process_time() - cpu
    print(
        f"skysurvey {skysurvey.__version__}: {len(targets) / cpu:.0f} supernovae a CPU second of "
        f"{len(found.data) / len(targets):.0f} epochs, {1e3 * cpu / len(targets):.1f} CPU ms each"
    )
    return 1e3 * cpu / len(targets)


def main() -> None:
    """Draw, then time."""
    require_x64()
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    log = make_log(ZTF_LOG, seed=3, nights=NIGHTS)
    where = Rectangle(150.0, 250.0, 0.0, 75.0)
    season = {"mjd_start": float(log["mjd"].min()) + 20.0, "years": (NIGHTS - 60.0) / 365.25}
    targets, truth = draw_targets(z_max=0.1, n=n, footprint=where, seed=1, **season)
    print(f"{len(log)} exposures, {n} supernovae")
    own, lightcurves = ours(targets, truth, log)
    if find_spec("skysurvey") is None:
        print("no skysurvey here: pip install skysurvey==1.3.0")
        return
    few = to_skysurvey(lightcurves, truth)[1].head(N_PEER).reset_index(drop=True)
    print(f"ratio {peers(few, log) / own:.0f} of 100")


if __name__ == "__main__":
    main()
