"""Raw frames: one whole CCD of ZTF, and the small survey of the tests.

Run: ``python benchmarks/bench_frames.py [--mini]``. The whole CCD (4 quadrants of 3080 x 3072
pixels, about 8000 stars) is made in a process of its own: CPU seconds of a second frame, when what
is compiled is there, and the most memory that the process had. With ``--mini``, ``ztf-mini`` with
two workers, wall and CPU seconds from the start of the command to its end.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

from chandelle.simulate.frames.expose import FrameMaker  # noqa: E402
from chandelle.simulate.frames.series import frames_of  # noqa: E402
from chandelle.simulate.frames.settings import FrameSettings  # noqa: E402
from chandelle.simulate.frames.sky import SkyDrawing  # noqa: E402

WHOLE = FrameSettings.of(
    "bench",
    ccds=(6,),
    recenter=True,
    cadence={
        "nights": 30,
        "fields": ((240.0, 40.0),),
        "bands": ("ztfr",),
        "exposures_per_band": 3,
    },
    stars={"mag_range": (11.0, 19.7)},
    supernovae={"n": 10, "margin_days": (0.0, 0.0)},
    series={"nights": 1, "biases": 1, "flats": 1},
)


def whole_ccd(out: Path) -> None:
    """Make frames of a whole CCD and print what they cost."""
    begun = time.process_time()
    drawing = SkyDrawing(settings=WHOLE, seed=1)
    sky = drawing.draw()
    maker = FrameMaker(
        settings=WHOLE,
        camera=drawing.camera,
        sky=sky,
        clouds=drawing.clouds(sky.exposures),
        seed=1,
    )
    print(f"log and sky: {time.process_time() - begun:.1f} CPU s, once a survey")
    frames = frames_of(sky.exposures, WHOLE.series, drawing.camera)
    for frame in frames:
        begun, wall = time.process_time(), time.perf_counter()
        truth = maker.write(frame, 6, out)
        cpu, wall = time.process_time() - begun, time.perf_counter() - wall
        kinds = truth.sources["kind"]
        seen = ", ".join(f"{int((kinds == kind).sum())} {kind}" for kind in sorted(set(kinds)))
        size = (out / maker.path(frame, 6)).stat().st_size / 1e6
        print(f"{frame.kind:7} {cpu:6.1f} CPU s {wall:6.1f} s  {size:.0f} MB  {seen}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"most memory: {peak:.2f} GB (asked 1.5); a science frame: asked 40 CPU s")


def mini() -> None:
    """Make ``ztf-mini`` with two workers, as a user would."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        words = ["-m", "chandelle", "simulate", "survey", "-o", f"{folder}/survey"]
        subprocess.run([sys.executable, *words, "--on", "local:2"], check=True)
        wall = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"ztf-mini: {wall:.0f} s (asked 90), {used.ru_utime + used.ru_stime:.0f} CPU s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mini", action="store_true")
    if parser.parse_args().mini:
        mini()
    else:
        with tempfile.TemporaryDirectory() as place:
            whole_ccd(Path(place))
