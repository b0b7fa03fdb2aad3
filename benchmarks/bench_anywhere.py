"""The fit of one simulated sample on every kind of place: equal files, and what each costs.

Run: python benchmarks/bench_anywhere.py [number of supernovae, 4000 by default]
The peer is the same fit in one process without tasks. The CPU is that of the driver with its
children (the workers too, where they are its children); workers of a scheduler that runs already
and Slurm jobs count apart, in their receipts.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from distributed import LocalCluster
from slurm_here import slurm_site, why_not

import chandelle as ch
from chandelle.compute.ledger import Ledger

_N = 4000
_BLOCKS = 25
_SITE = {"memory_gb": [2.5, 3.5], "walltime_min": 50, "task_min": 20, "jobs": 2}


def _draw(folder: Path, n: int) -> Path:
    """Simulate light curves in a process of its own, which gives its memory back."""
    near = 3 * n // 5
    numbers = ("--n", f"ZTF={near}", "--n", f"DEEP={n - near}")
    command = [sys.executable, "-m", "chandelle", "simulate", "lightcurves", "-o", str(folder)]
    subprocess.run([*command, *numbers], check=True)
    return folder / "lightcurves"


@contextmanager
def _places(folder: Path) -> Iterator[dict[str, str]]:
    """Every kind of place that this machine has, by its name."""
    places = {"serial": "serial", "local": "local:2"}
    with ExitStack() as stack:
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                protocol="tcp://",
                dashboard_address="127.0.0.1:0",
            )
        )
        places["tcp"] = cluster.scheduler_address
        if why_not():
            print(f"no Slurm: {why_not()}")
        else:
            profile, _ = stack.enter_context(slurm_site(folder / "slurm", **_SITE))
            places |= {kind: f"{kind}:{profile}" for kind in ("slurm", "slurm-array")}
        yield places


def _fit(what: str, lcs: Path, out: Path, *options: str) -> bytes:
    """Fit, print what it took, give the file."""
    command = [sys.executable, "-m", "chandelle", "fit-lightcurves", str(lcs), "-o", str(out)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    _, code, usage = os.wait4(process.pid, 0)
    if code:
        raise SystemExit(f"{what}: failed")
    wall, cpu = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    receipts = list(Ledger(Path(f"{out}.run"), "fit-lightcurves").receipts())
    tasks = f", {len(receipts)} tasks of {sum(r.cpu_s for r in receipts):.1f} CPU s in all"
    print(f"{what:12} {wall:6.1f} s, {cpu:6.1f} CPU s{tasks if receipts else ''}; {said.strip()}")
    return out.read_bytes()


def main() -> None:
    """Draw a sample, fit it everywhere, compare the files."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else _N
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lcs = _draw(folder / "survey", n)
        block = str(-(-n // _BLOCKS))
        warm = folder / "warm.parquet"
        ch.LightCurves.read(lcs).select_targets(range(10)).write(folder / "few")
        _fit("compiling", folder / "few", warm)
        expected = _fit("no tasks", lcs, folder / "plain.parquet", "--block", block)
        with _places(folder) as places:
            found = {
                kind: _fit(kind, lcs, folder / f"{kind}.parquet", "--block", block, "--on", on)
                for kind, on in places.items()
            }
    others = [kind for kind, content in found.items() if content != expected]
    if others:
        raise SystemExit(f"{', '.join(others)}: files differ from that of one process")
    print(f"{n} supernovae: {len(found)} kinds of place, files equal byte for byte")


if __name__ == "__main__":
    main()
