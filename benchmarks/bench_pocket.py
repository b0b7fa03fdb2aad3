"""The pocket effect on a ZTF quadrant of 3080 x 3102: CPU and wall of forward and inverse.

Run: python benchmarks/bench_pocket.py
The peer is the same recursion as a loop over pixels compiled by numba, one core.
"""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numba
import numpy as np

from chandelle.core.precision import require_x64
from chandelle.instrument.camera_files import load_camera
from chandelle.physics.pocket import Pocket, apply_pocket, invert_pocket

_REPEAT = 3


@numba.njit
def _loop(pixels: np.ndarray, alpha: float, cmax: float, beta: float, nmax: float, n_over: int):
    """The peer."""
    n_rows, n_columns = pixels.shape
    out = np.zeros((n_rows, n_columns + n_over))
    for y in range(n_rows):
        q = 0.0
        for x in range(n_columns + n_over):
            n = pixels[y, x] if x < n_columns else 0.0
            give = min(cmax * (q / cmax) ** alpha, q)
            take = cmax * (1.0 - q / cmax) ** alpha * (max(n, 0.0) / nmax) ** beta
            take = min(take, cmax - q, max(n, 0.0))
            out[y, x] = n + give - take
            q += take - give
    return out


def _timed(name: str, function: Callable[[], Any]) -> tuple[Any, float]:
    """Compile, then the best of some runs: CPU seconds of all threads, and wall."""
    start = time.perf_counter()
    jax.block_until_ready(function())
    first = time.perf_counter() - start
    best_cpu, best_wall, answer = np.inf, np.inf, None
    for _ in range(_REPEAT):
        cpu, wall = time.process_time(), time.perf_counter()
        answer = jax.block_until_ready(function())
        best_cpu = min(best_cpu, time.process_time() - cpu)
        best_wall = min(best_wall, time.perf_counter() - wall)
    print(f"{name:18} {best_cpu:5.2f} CPU s, {best_wall:5.2f} s, first call {first:5.2f} s")
    return answer, best_cpu


def main() -> None:
    """Forward and inverse, in both precisions, and the peer."""
    require_x64()
    quadrant = load_camera("ztf").quadrant(0)
    assert quadrant.pocket is not None
    trap, n_over = quadrant.pocket, quadrant.overscan_columns
    rng = np.random.default_rng(1)
    shape = (quadrant.n_rows, quadrant.n_columns)
    sky = rng.normal(800.0, 30.0, shape) + np.minimum(rng.pareto(0.8, shape), 5e4)
    forward, inverse = eqx.filter_jit(apply_pocket), eqx.filter_jit(invert_pocket)
    pocket = Pocket.of(trap)

    args = (trap.alpha, trap.cmax, trap.beta, trap.nmax, n_over)
    expected, peer = _timed("numba loop", lambda: _loop(sky, *args))
    for dtype, empty in ((jnp.float64, 1e-6), (jnp.float32, 0.1)):
        pixels = jnp.asarray(sky, dtype)
        name = jnp.dtype(dtype).name
        (out, _), cost = _timed(
            f"forward {name}", lambda p=pixels: forward(p, pocket, n_overscan=n_over)
        )
        far = float(np.abs(np.asarray(out) - expected).max())
        print(f"  {peer / cost:.1f} times the loop; at most {far:.1e} from it")
        (back, _), cost = _timed(
            f"inverse {name}", lambda o=out, e=empty: inverse(o, pocket, empty=e)
        )
        science, overscan = np.asarray(back[:, : shape[1]]), np.asarray(back[:, shape[1] :])
        print(
            f"  round trip {np.abs(science / sky - 1.0).max():.1e} relative, overscan "
            f"{np.abs(overscan).max():.1e}; a CCD of 4 quadrants {4 * cost:.1f} CPU s"
        )


if __name__ == "__main__":
    main()
