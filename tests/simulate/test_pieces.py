"""The graph of pieces: order, keys, replacement bit for bit, and what it says when it is wrong."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest, norm

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.simulate.piece import draws, inputs_of
from chandelle.simulate.pieces import Population, supernova_keys
from chandelle.simulate.supernovae import supernova_population

ROOT = key_for(11, "pieces")


def x1(*, key):
    return jax.random.normal(key)


def c(x1, *, key):
    return 0.02 * x1 + 0.1 * jax.random.normal(key)


def mb(x1, c):
    return 19.0 - 0.15 * x1 + 3.1 * c


@pytest.fixture
def small():
    return Population(mb=mb, c=c, x1=x1)


def keys(n):
    return supernova_keys(ROOT, np.arange(n))


def test_each_supernova_and_piece_has_the_key_of_its_names(small):
    drawn = small.draw(keys(5))
    key = jax.random.fold_in(ROOT, 3)
    by_hand = {"x1": float(x1(key=key_for(key, "x1")))}
    by_hand["c"] = float(c(by_hand["x1"], key=key_for(key, "c")))
    by_hand["mb"] = float(mb(by_hand["x1"], by_hand["c"]))
    assert set(drawn) == set(by_hand)
    for name, value in by_hand.items():
        assert drawn[name][3] == pytest.approx(value, rel=1e-14)
    one = small.sample(key)
    assert float(one["mb"]) == pytest.approx(by_hand["mb"], rel=1e-14)


def default_given(n):
    rng = np.random.default_rng(0)
    z = rng.uniform(0.01, 0.5, n)
    ra, dec = rng.uniform(0, 360, n), rng.uniform(-90, 90, n)
    return {"z": z, "ra": ra, "dec": dec, "mu": 35 + z}


def test_no_answer_depends_on_chunks_or_batch():
    n = 700
    population = supernova_population(chromatic=True, outlier_fraction=0.1)
    given = default_given(n)
    whole = population.draw(keys(n), given=given)
    again = population.draw(keys(n), given=given, chunk=256)
    assert set(again) == set(whole)
    for name in whole:
        np.testing.assert_array_equal(again[name], whole[name], err_msg=name)
    few = {name: column[100:133] for name, column in given.items()}
    part = population.draw(supernova_keys(ROOT, np.arange(100, 133)), given=few)
    for name in whole:
        np.testing.assert_array_equal(part[name], whole[name][100:133], err_msg=name)


def test_a_replaced_piece_leaves_what_does_not_need_it_bit_for_bit():
    n = 500
    given = default_given(n)
    population = supernova_population()
    before = population.draw(keys(n), given=given)

    def c(host_logmass, *, key):
        return -0.05 + 0.01 * (host_logmass - 10.0) + 0.08 * jax.random.normal(key)

    after = population.with_pieces(c=c).draw(keys(n), given=given)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"c", "color_mag", "abs_mag", "mb"}


def test_three_lines_replace_a_piece_and_add_another():
    n = 20_000
    given = default_given(n)

    def host_age(young, *, key):
        return jnp.where(young > 0.5, 0.5, 5.0) * jnp.exp(0.3 * jax.random.normal(key))

    population = supernova_population(step_mag=lambda host_age: 0.02 * jnp.minimum(host_age, 8.0))
    drawn = population.with_pieces(host_age=host_age).draw(keys(n), given=given)
    np.testing.assert_allclose(drawn["step_mag"], 0.02 * np.minimum(drawn["host_age"], 8.0))
    is_young = drawn["young"] > 0.5
    log_age = np.log(drawn["host_age"][is_young] / 0.5)
    assert abs(log_age.mean()) < 5 * 0.3 / np.sqrt(is_young.sum())


def test_a_piece_may_draw_quantities_jointly():
    """Such as a trained normalizing flow: any callable with a key."""

    @draws("x1", "c")
    class Flow(eqx.Module):
        weight: jax.Array

        def __call__(self, *, key):
            hidden = self.weight @ jax.random.normal(key, (2,))
            return {"x1": jnp.sinh(hidden[0]), "c": hidden[1]}

    root = np.array([[0.8, 0.0], [0.06, 0.08]])
    n = 20_000
    population = Population(mb=mb, c=c, x1=x1).with_pieces(shape=Flow(jnp.asarray(root)))
    assert set(population.pieces) == {"mb", "shape"}
    drawn = population.draw(keys(n))
    hidden = np.stack([np.arcsinh(drawn["x1"]), drawn["c"]])
    covariance, exact = np.cov(hidden), root @ root.T
    scale = np.sqrt((np.outer(np.diag(exact), np.diag(exact)) + exact**2) / n)
    assert np.all(np.abs(covariance - exact) < 5 * scale)
    np.testing.assert_allclose(drawn["mb"], 19.0 - 0.15 * drawn["x1"] + 3.1 * drawn["c"])


def test_parameters_are_changed_and_differentiated():
    n = 4
    given = default_given(n)
    population = supernova_population()
    steeper = eqx.tree_at(lambda p: p.pieces["color_mag"].beta, population, jnp.asarray(3.27 + 0.5))
    before, after = (p.draw(keys(n), given=given) for p in (population, steeper))
    np.testing.assert_allclose(after["mb"] - before["mb"], 0.5 * before["c"], atol=1e-12)

    one = {name: jnp.asarray(column[0]) for name, column in given.items()}

    @eqx.filter_grad
    def slope(population):
        return population.sample(keys(1)[0], one)["mb"]

    gradient = slope(population).pieces
    assert float(gradient["color_mag"].beta) == pytest.approx(before["c"][0], rel=1e-12)
    exponential = (before["c"][0] - -0.075) / 0.14
    assert 0 < float(gradient["c"].tau) < 3.27 * (exponential + 3)
    # mb is linear in tau and intrinsic: the slopes give the whole of c.
    c = population.pieces["c"]
    parts = [gradient["c"].intrinsic * c.intrinsic, gradient["c"].sigma * c.sigma]
    total = sum(float(x) for x in [*parts, gradient["c"].tau * c.tau]) / 3.27
    assert total == pytest.approx(before["c"][0], rel=1e-12)


def test_a_given_quantity_needs_no_piece(small):
    values = np.linspace(-2, 2, 7)
    drawn = small.draw(keys(7), given={"x1": values})
    np.testing.assert_array_equal(drawn["x1"], values)
    other = Population(mb=mb, c=c).draw(keys(7), given={"x1": values})
    np.testing.assert_array_equal(other["mb"], drawn["mb"])


def test_none_are_drawn_when_none_are_asked(small):
    assert {len(column) for column in small.draw(keys(0)).values()} == {0}


def test_keys_give_independent_quantities(small):
    n = 100_000
    drawn = Population(x1=x1, other=x1).draw(keys(n))
    assert abs(np.corrcoef(drawn["x1"], drawn["other"])[0, 1]) < 5 / np.sqrt(n)
    assert abs(np.corrcoef(drawn["x1"][1:], drawn["x1"][:-1])[0, 1]) < 5 / np.sqrt(n)
    assert kstest(drawn["x1"], norm.cdf).pvalue > 1e-4


def test_one_program_a_piece_serves_any_number():
    traces = []

    def counted(*, key):
        traces.append(1)
        return jax.random.normal(key)

    population = Population(x1=counted)
    for n in (1, 10, 100):
        population.draw(keys(n), chunk=64)
    assert len(traces) == 1


def bad(pieces, message, given=None):
    with pytest.raises(InputError, match=message):
        Population(**pieces).draw(keys(3), given=given)


def test_a_missing_quantity_is_named():
    bad({"c": c}, r"piece 'c' takes 'x1', which no piece draws.* known: c; .*x1=\.\.\.")
    bad({"x_1": x1, "c": c}, "did you mean 'x_1'")


def test_a_ring_is_named():
    pieces = {"a": lambda b: b, "b": lambda a: a, "x": x1}
    bad(pieces, "pieces need each other: '[ab]' <- '[ab]' <- '[ab]'")


def test_two_makers_of_one_quantity_are_refused():
    @draws("x1", "c")
    def shape(*, key):
        return {"x1": jax.random.normal(key), "c": 0.0}

    bad({"shape": shape, "c": c}, "pieces 'c' and 'shape' both draw 'c'")


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (lambda: jnp.ones(3), r"must return a scalar for 'x', got shape \(3,\)"),
        (lambda: {"y": 1.0}, r"must return a dict of x, got \['y'\]"),
        (lambda: jnp.nan, r"piece 'x' returned nan for 'x' \(3 of 3\)"),
        (lambda key: key, "keyword-only key"),
        (lambda *args: 1.0, "must name each quantity"),
        (lambda *, seed: 1.0, "must name each quantity"),
    ],
)
def test_what_is_no_piece_is_refused(piece, message):
    bad({"x": piece}, message)


def test_a_number_is_no_piece():
    with pytest.raises(InputError, match=r"must be callable, got float; a constant is lambda: 1"):
        inputs_of("x", 1.0)


def test_a_declared_piece_must_return_what_it_declares():
    bad({"s": draws("a", "b")(lambda: {"a": 1.0})}, r"dict of a, b, got \['a'\]")
    bad({"s": draws("a", "b")(lambda: 1.0)}, "dict of a, b, got float")


def test_a_value_that_is_not_finite_says_where():
    pieces = {"x": lambda: -1.0, "root": lambda x: jnp.sqrt(x)}
    bad(pieces, r"'root' returned nan for 'root' \(3 of 3\), first where x=-1")


def test_a_given_column_of_another_length_is_refused():
    bad({"c": c}, r"given 'x1' must have shape \(3,\), got \(2,\)", given={"x1": np.zeros(2)})


def test_a_piece_that_is_not_there_cannot_be_left_out(small):
    assert small.without("mb").quantities == ("x1", "c")
    with pytest.raises(InputError, match=r"no piece 'mbb'.*did you mean 'mb'"):
        small.without("mbb")
