"""Simulated queue: the course that can be reckoned by hand, the same twice, and its efficiency."""

import numpy as np
import pytest
from queue_simulation import (
    Fate,
    Place,
    greedy_makespan,
    random_births,
    random_fates,
    simulate,
)

from chandelle.compute.drive import Policy


def place(workers: int, **changes) -> Place:
    """Workers that are there after ten seconds of waiting and five of starting."""
    return Place(workers=workers, births=lambda _: (10.0, 5.0), **changes)


def test_a_course_without_failures_is_that_of_a_hand(tmp_path):
    course = simulate(place(3, gap_s=1.0, submit_s=0.5), lambda *_: Fate(wall_s=20.0), 9, tmp_path)
    # Jobs are asked for after 0.5, 1 and 1.5 s; ten seconds later they start.
    assert course.makespan_s == pytest.approx(1.5 + 15.0 + 3 * 21.0)
    assert course.useful_s == 9 * 20.0
    assert course.allocated_s == pytest.approx(3 * course.makespan_s - (10.5 + 11.0 + 11.5))
    assert (course.tally.done, course.tally.lost, course.spoiled_s) == (9, 0, 0.0)


def test_a_death_costs_its_run_a_wait_and_a_start(tmp_path):
    def fate(number: int, attempt: int) -> Fate:
        dies = number == 0 and attempt == 1
        return Fate(wall_s=8.0, reason="lost") if dies else Fate(wall_s=20.0)

    course = simulate(place(1, notice_s=3.0), fate, 2, tmp_path)
    assert (course.tally.done, course.tally.lost, course.tally.retried) == (2, 1, 1)
    assert (course.useful_s, course.spoiled_s) == (40.0, 8.0)
    assert course.makespan_s == pytest.approx(15.0 + 8.0 + 15.0 + 2 * 20.0, abs=1.0)
    assert course.allocated_s == pytest.approx(course.makespan_s - 2 * 10.0)


def test_a_driver_that_is_slow_holds_up_the_work(tmp_path):
    walls = [
        simulate(place(10, submit_s=busy), lambda *_: Fate(wall_s=1.0), 60, tmp_path / str(busy))
        for busy in (0.0, 1.0)
    ]
    assert walls[0].makespan_s == pytest.approx(15.0 + 6.0, abs=1.0)
    assert walls[1].makespan_s == pytest.approx(60.0 + 1.0)


@pytest.mark.parametrize("reason", ["data", "transient"])
def test_other_failures_leave_the_worker(tmp_path, reason):
    def fate(number: int, attempt: int) -> Fate:
        fails = number == 1 and attempt == 1
        return Fate(wall_s=5.0, reason=reason if fails else "")

    course = simulate(place(2), fate, 4, tmp_path, policy=Policy(backoff_s=0.1))
    assert course.tally.lost == 0
    assert course.tally.retried == (reason == "transient")
    assert course.tally.failed == ({"data": 1} if reason == "data" else {})


def many(folder, *, seed: int = 1, faults: dict | None = None):
    """1000 tasks of 10 minutes on 100 workers, 1 % lost unless said otherwise."""
    fates = random_fates(seed, wall_s=600.0, spread=0.1, faults=faults or {"lost": 0.01})
    births = random_births(seed, queue_s=60.0, start_s=20.0)
    busy = {"gap_s": 0.05, "submit_s": 2e-3, "take_s": 2e-3}
    where = Place(workers=100, births=births, idle_s=60.0, **busy)
    return simulate(where, fates, 1000, folder), greedy_makespan(100, fates, 1000)


def test_a_seed_gives_one_course(tmp_path):
    first, again, other = (many(tmp_path / str(k), seed=1 + k // 2)[0] for k in range(3))
    assert first == again
    assert first != other


def test_what_is_drawn_is_what_was_asked():
    fates = random_fates(3, wall_s=600.0, spread=0.2, faults={"lost": 0.05, "data": 0.1})
    drawn = [fates(number, 1) for number in range(4000)]
    for reason, part in (("lost", 0.05), ("data", 0.1)):
        share = np.mean([fate.reason == reason for fate in drawn])
        assert abs(share - part) < 5 * np.sqrt(part / 4000)
    whole = np.array([fate.wall_s for fate in drawn if not fate.reason])
    assert abs(whole.mean() / 600.0 - 1.0) < 5 * 0.2 / np.sqrt(3400)
    assert whole.std() == pytest.approx(120.0, rel=0.1)
    assert fates(7, 2) == fates(7, 2)


def test_workers_without_work_are_given_back(tmp_path):
    def fate(number: int, attempt: int) -> Fate:
        return Fate(wall_s=500.0 if number == 0 else 50.0)

    kept = simulate(place(4), fate, 4, tmp_path / "kept")
    back = simulate(place(4, idle_s=60.0), fate, 4, tmp_path / "back")
    assert kept.makespan_s == back.makespan_s
    assert kept.allocated_s == pytest.approx(4 * 505.0, abs=4.0)
    assert back.allocated_s == pytest.approx(505.0 + 3 * (5.0 + 50.0 + 60.0), abs=1.0)


def test_no_more_jobs_than_tasks(tmp_path):
    course = simulate(place(4), lambda *_: Fate(wall_s=20.0), 2, tmp_path)
    assert course.allocated_s == pytest.approx(2 * 25.0, abs=2.0)


@pytest.mark.parametrize(("is_shared", "last_s"), [(False, 20.0), (True, 6 * 20.0)])
def test_suspects_wait_for_each_other_where_they_share_a_machine(tmp_path, is_shared, last_s):
    def fate(number: int, attempt: int) -> Fate:
        return Fate(wall_s=5.0, reason="lost") if attempt < 3 else Fate(wall_s=20.0)

    course = simulate(place(6, is_shared=is_shared), fate, 6, tmp_path)
    assert (course.tally.done, course.tally.lost) == (6, 12)
    assert course.makespan_s == pytest.approx(2 * (15.0 + 5.0) + 15.0 + last_s, abs=2.0)


@pytest.mark.parametrize("faults", [{"lost": 0.01}, {"lost": 0.05}, {"lost": 0.01, "memory": 0.02}])
def test_the_driver_keeps_workers_busy(tmp_path, faults):
    """The makespan holds 60 s in the queue and 20 s of start, beside the two rounds of failures."""
    course, ceiling_s = many(tmp_path, faults=faults)
    assert course.tally.done == 1000
    assert course.efficiency > 0.95
    assert course.makespan_s < ceiling_s + 2 * (60.0 + 20.0) + 60.0
