"""What a newcomer waits for: import, help, first fit, the demo.

Run: python benchmarks/bench_startup.py
Each figure is that of a process of its own, wall-clock with CPU seconds in brackets; the cache of
compiled programs is empty for "cold" and filled by that run for "warm".
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ONE_FIT = """
import time, sys
start = time.perf_counter()
import chandelle as ch
from chandelle.compute.programs import keep_programs
keep_programs()
lcs = ch.LightCurves.read(sys.argv[1])
first = lcs.select_targets([0])
begin = time.perf_counter()
ch.fit_salt(first)
print(f"{time.perf_counter() - begin:.2f} s, {time.perf_counter() - start:.2f} s with imports")
begin = time.perf_counter()
ch.fit_salt(first)
print(f"{time.perf_counter() - begin:.3f} s")
"""


def _run(*command: str, cache: str = "off") -> tuple[str, float, float, float]:
    """Output, wall, CPU and peak memory of all children so far [s, s, GB]."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = {**os.environ, "CHANDELLE_CACHE": cache}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, wall, cpu, after.ru_maxrss / 2**20


def main() -> None:
    """Time each in turn."""
    chandelle = str(Path(sys.executable).with_name("chandelle"))
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for what, command in (
        ("import numpy", (sys.executable, "-c", "import numpy")),
        ("import chandelle", (sys.executable, "-c", "import chandelle")),
        ("chandelle --help", (chandelle, "--help")),
    ):
        best = min(_run(*command)[1:3] for _ in range(3))
        print(f"{what:18} {best[0]:.2f} s ({best[1]:.2f})")
    with tempfile.TemporaryDirectory() as folder:
        cache, demo = f"{folder}/cache", f"{folder}/demo"
        _run(chandelle, "simulate", f"{folder}/one", "--n-low", "2", "--n-high", "0", cache=cache)
        fit = (sys.executable, "-c", _ONE_FIT, f"{folder}/one/lightcurves")
        for state in ("cold", "compiled before"):
            lines = _run(*fit, cache=cache)[0].splitlines()
            print(f"first fit, {state:16} {lines[0]}; the next in that process {lines[1]}")
        for state in ("cold", "compiled before"):
            out, wall, cpu, peak = _run(chandelle, "demo", demo, cache=f"{cache}/demo")
            print(f"demo, {state}: {wall:.1f} s ({cpu:.1f}), peak memory {peak:.2f} GB")
        print(out)


if __name__ == "__main__":
    main()
