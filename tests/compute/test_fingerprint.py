"""What tells a user's function from its other versions."""

import functools
import math
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numba
import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from beartype import beartype

from chandelle.compute.fingerprint import fingerprint
from chandelle.core.errors import InputError

LIMIT = 3.0
WAYS = (1, "a")


class Scale:
    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return self.k * x

    def times(self, x):
        return self.k * x

    def plus(self, x):
        return self.k + x


@dataclass(frozen=True)
class Model:
    values: np.ndarray
    names: list = field(default_factory=list)

    @functools.cached_property
    def total(self):
        return self.values.sum()

    def of(self, x):
        return self.total * x


class Color(Enum):
    RED = 1
    BLUE = 2


class Module(eqx.Module):
    a: jax.Array

    def __call__(self, x):
        return self.a * x


def multiply(a, x):
    return a * x


def holding(value):
    def function(x):
        return value, x

    return function


def with_default(value):
    def function(x, *, k=value):
        return k, x

    return function


HOLDERS = {
    "closure": holding,
    "default": with_default,
    "partial": lambda value: functools.partial(multiply, value),
    "keyword": lambda value: functools.partial(multiply, a=value),
    "method": lambda value: Scale(value).times,
    "instance": Scale,
    "wrapped": lambda value: functools.wraps(multiply)(holding(value)),
    "jit": lambda value: jax.jit(holding(value)),
    "filter_jit": lambda value: eqx.filter_jit(holding(value)),
    "vmap": lambda value: jax.vmap(holding(value)),
    "njit": lambda value: numba.njit(holding(value)),
    "vectorize": lambda value: np.vectorize(holding(value)),
    "cached": lambda value: functools.lru_cache(holding(value)),
    "beartype": lambda value: beartype(holding(value)),
    "in a dictionary": lambda value: holding({"deep": [holding(value)]}),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_what_a_function_holds_tells_it_from_another(holder):
    assert fingerprint(holder(2)) == fingerprint(holder(2))
    assert fingerprint(holder(2)) != fingerprint(holder(3))
    assert fingerprint(holder("2")) != fingerprint(holder(2))


PAIRS = {
    "list": lambda: ([1, 2], [2, 1]),
    "dict": lambda: ({"a": 1}, {"a": 2}),
    "set": lambda: ({"a", "b", "c"}, {"a", "b"}),
    "tuple": lambda: ((1, 2), [1, 2]),
    "array": lambda: (np.arange(3.0), np.arange(3)),
    "shape": lambda: (np.zeros((2, 3)), np.zeros((3, 2))),
    "objects": lambda: (np.array([None, 1]), np.array([None, 2])),
    "structured": lambda: (np.zeros(2, "i4,f4"), np.zeros(2, "f4,i4")),
    "masked": lambda: (np.ma.masked_array([1.0, 2.0], [0, 1]), np.ma.masked_array([1.0, 2.0])),
    "jax": lambda: (jnp.arange(3.0), jnp.arange(3.0) + 1),
    "quantity": lambda: (3 * u.Mpc, 3 * u.kpc),
    "frame": lambda: (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})),
    "path": lambda: (Path("a"), Path("b")),
    "enum": lambda: (Color.RED, Color.BLUE),
    "class": lambda: (Scale, Model),
    "function": lambda: (np.sqrt, np.sin),
    "builtin": lambda: (math.sqrt, math.sin),
    "method": lambda: ("a".join, "b".join),
    "unbound": lambda: (str.upper, str.lower),
    "module": lambda: (np, math),
    "dataclass": lambda: (Model(np.arange(2)), Model(np.arange(3))),
    "eqx": lambda: (Module(jnp.ones(2)), Module(jnp.zeros(2))),
    "random": lambda: (np.random.default_rng(1), np.random.default_rng(2)),
    "range": lambda: (range(2), range(3)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_values_of_every_kind_are_told_from_each_other(pair):
    one, other = (fingerprint(holding(value)) for value in pair())
    assert one != other
    assert [one, other] == [fingerprint(holding(value)) for value in pair()]


def test_code_counts_and_its_place_and_comments_do_not():
    def one(x):
        return x + 1

    def two(x):
        # Explained.

        return x + 1

    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint(lambda x: x + 2)
    pair = [lambda x: x + 1, lambda x: x - 1]
    assert fingerprint(pair[0]) != fingerprint(pair[1])
    assert fingerprint(lambda x: math.sin(x)) != fingerprint(lambda x: math.cos(x))
    assert fingerprint(lambda x: lambda: x + 1) != fingerprint(lambda x: lambda: x + 2)
    assert fingerprint(Scale(1).times) != fingerprint(Scale(1).plus)


def _helper(x):
    return x < LIMIT


def _helped(x):
    return _helper(x), WAYS


def _even(x):
    return x == 0 or _odd(x - 1)


def _odd(x):
    return x != 0 and _even(x - 1)


_seen = []


def _notes(x):
    _seen.append(x)


def test_global_numbers_and_functions_that_it_reads_count(monkeypatch):
    before = fingerprint(_helped), fingerprint(_even), fingerprint(_notes)
    _seen.append(1)
    assert before == (fingerprint(_helped), fingerprint(_even), fingerprint(_notes))
    monkeypatch.setitem(globals(), "LIMIT", 4.0)
    assert fingerprint(_helped) != before[0]
    monkeypatch.undo()
    monkeypatch.setitem(globals(), "_helper", lambda x: x)
    assert fingerprint(_helped) != before[0]
    monkeypatch.setitem(globals(), "_odd", lambda x: x)
    assert fingerprint(_even) != before[1]


def test_a_changed_method_of_its_class_counts(monkeypatch):
    before = fingerprint(Model(np.arange(2)).of)
    model = Model(np.arange(2))
    assert model.of(1) == 1
    assert fingerprint(model.of) == before, "what was computed on the way is not state"
    monkeypatch.setattr(Model, "total", property(lambda self: 7))
    assert fingerprint(Model(np.arange(2)).of) != before


def test_what_holds_itself_has_an_end():
    def loop(k):
        def function(x):
            return function(x - k) if x > 0 else held

        held = [k]
        held.append(held)
        return function

    assert fingerprint(loop(1)) == fingerprint(loop(1))
    assert fingerprint(loop(1)) != fingerprint(loop(2))


def test_what_cannot_be_told_is_refused_with_its_name(tmp_path):
    lock = threading.Lock()
    with pytest.raises(InputError, match=r"holds a _thread.lock .* as lock; give version="):
        fingerprint(lambda x: (lock, x))
    with open(tmp_path / "file", "w") as file, pytest.raises(InputError, match="TextIOWrapper"):
        fingerprint(functools.partial(multiply, file))
    with pytest.raises(InputError, match="ufunc"):
        fingerprint(np.frompyfunc(lambda x: x, 1, 1))


PROGRAM = """
from chandelle.compute.fingerprint import fingerprint
import numpy as np
class Scale:
    def __init__(self, k): self.k = k
    def __call__(self, x): return x in {"a", "b", "c", "d"} or self.k
held = {"u", "v", "w"}, {"x": np.arange(3)}, print, np.sin
print(fingerprint((lambda held: lambda x: (held, x))(held)), fingerprint(Scale({"a", "b", "c"})))
"""


def test_it_is_the_same_in_every_process():
    said = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", PROGRAM]
        said.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(said) == 1


SET_OF_CLASSES = """
from chandelle.compute.fingerprint import fingerprint
kept = [object() for _ in range({seed})]
def made(number):
    return type(f"K{{number}}", (), {{"n": number, "__module__": "mine"}})
A, B, C = (made(number) for number in {order})
held, last = {{A, B, C}}, next(kind for kind in (A, B, C) if kind.n == 1)
def of(held, last):
    return lambda x: (held, last)
print(fingerprint(of(held, last)))
"""


def test_a_set_of_classes_has_one_hash_in_every_process():
    found = set()
    for seed, order in enumerate(((0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1))):
        text = SET_OF_CLASSES.format(seed=97 * seed, order=order)
        found.add(subprocess.check_output([sys.executable, "-c", text], text=True))
    assert len(found) == 1


def test_the_values_of_an_enum_count():
    def made(value):
        kind = Enum("Kind", {"A": value, "B": 5})
        return lambda x: x * kind.A.value

    assert fingerprint(made(1)) == fingerprint(made(1))
    assert fingerprint(made(1)) != fingerprint(made(2))
