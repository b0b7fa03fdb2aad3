"""The JAX kernels lowered for CUDA, where no GPU is at hand: what XLA is given to compile there."""

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.lightcurve.fitting import derivatives, extended, kernels, lanes
from chandelle.lightcurve.fitting.batch import make_batches

NAMES = ("t0", "x0", "x1", "c", "z", "host_ebv")


def is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def lower(kernel: Any, args: tuple, platform: str) -> jax.export.Exported:
    """Export a kernel for a platform; arrays by their shapes, all else fixed."""
    dynamic, static = eqx.partition(args, is_array)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), dynamic)
    closed = jax.jit(lambda arrays: kernel(*eqx.combine(arrays, static)))
    return jax.export.export(closed, platforms=[platform])(shapes)


def custom_calls(exported: jax.export.Exported) -> set[str]:
    """Names of the library functions that the module calls."""
    return set(re.findall(r"custom_call\s+@([\w.$]+)", exported.mlir_module()))


@pytest.fixture(scope="module")
def calls(at_the_ends, share_errors, salt3, pose) -> dict[str, tuple[Any, tuple]]:
    """Every kernel with what a batch of supernovae gives it, under both covariances."""
    problem = pose(share_errors(at_the_ends[0]), salt3, model_cov=True)
    batch = next(make_batches(problem.epochs))
    light, epochs = lanes.batch_light(problem, batch), lanes.batch_epochs(problem, batch)
    bands, passband = problem.bands, jnp.asarray(batch.passband)
    tables = eqx.filter_eval_shape(kernels.make_tables, salt3, light)
    errors = eqx.filter_eval_shape(
        kernels.make_errors, salt3, bands.curve, bands.lengths, passband, epochs.z
    )
    steps, phase = (jax.ShapeDtypeStruct((), dtype) for dtype in (jnp.int64, jnp.float64))

    def params(n: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((len(batch.target), n), jnp.float64)

    modes = jax.ShapeDtypeStruct((*batch.mjd.shape, 3), jnp.float64)
    wide = eqx.tree_at(
        lambda e: (e.low, e.high, e.prior_mean, e.prior_ivar), epochs, (params(6),) * 4
    )
    curve = (salt3, light, bands.curve, bands.lengths)
    return {
        "make_tables": (kernels.make_tables, (salt3, light)),
        "make_tables behind host dust": (kernels.make_tables, (salt3, light, epochs.z)),
        "make_errors": (
            kernels.make_errors,
            (salt3, bands.curve, bands.lengths, passband, epochs.z),
        ),
        "scan_starts": (kernels.scan_starts, (salt3, tables, epochs, (phase, phase))),
        "start_costs": (kernels.start_costs, (salt3, tables, epochs, params(4))),
        "descend": (kernels.descend, (salt3, tables, None, epochs, params(4), steps)),
        "descend with model": (kernels.descend, (salt3, tables, errors, epochs, params(4), steps)),
        "batch_fluxes": (kernels.batch_fluxes, (salt3, tables, epochs, params(4))),
        "lane_derivatives": (
            derivatives.lane_derivatives,
            (*curve, epochs, modes, params(4), params(4), NAMES[:4]),
        ),
        "descend_extended": (
            extended.descend_extended,
            (*curve, wide, params(6), steps, NAMES, True),
        ),
    }


KERNELS = (
    "make_tables",
    "make_tables behind host dust",
    "make_errors",
    "scan_starts",
    "start_costs",
    "descend",
    "descend with model",
    "batch_fluxes",
    "lane_derivatives",
    "descend_extended",
)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_lowered_for_cuda(calls, name: str) -> None:
    exported = lower(*calls[name], "cuda")
    assert exported.platforms == ("cuda",)
    assert len(exported.mlir_module_serialized) > 1000
    strange = {call for call in custom_calls(exported) if not call.startswith("cu")}
    assert not strange, "library calls that are not cuSOLVER's nor JAX's for CUDA"
    floats = [aval.dtype for aval in exported.out_avals if aval.dtype.kind == "f"]
    assert set(floats) == {np.dtype(np.float64)}


def test_the_search_sees_calls_of_the_cpu(calls) -> None:
    """The same kernel for the CPU calls LAPACK: else the test above could not fail."""
    found = custom_calls(lower(*calls["descend with model"], "cpu"))
    assert {call for call in found if call.startswith("lapack")}
    assert custom_calls(lower(*calls["descend with model"], "cuda")).isdisjoint(found)


def test_no_kernel_is_left_out(calls) -> None:
    """Whatever is compiled in these modules is in the list above."""
    assert set(calls) == set(KERNELS)
    tested = {kernel for kernel, _ in calls.values()}
    compiled = [
        value
        for module in (kernels, derivatives, extended, lanes)
        for value in vars(module).values()
        if type(value) is type(kernels.descend)
    ]
    assert len(compiled) >= 7
    assert [c for c in compiled if c not in tested] == []
