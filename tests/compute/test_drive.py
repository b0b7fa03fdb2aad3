"""The driver in this process: what is done, skipped, tried again, given up."""

from dataclasses import replace

import pytest
from small_tasks import begun, drive, task

from chandelle.compute.drive import Driver
from chandelle.compute.engine import SerialEngine
from chandelle.compute.ledger import Ledger
from chandelle.compute.policy import Policy
from chandelle.compute.task import Task


def test_a_task_is_done_once_and_has_a_receipt(tmp_path):
    tasks = [task(k) for k in range(5)]
    assert drive(tmp_path, tasks).done == 5
    again = drive(tmp_path, tasks)
    assert (again.done, again.skipped, begun(tmp_path)) == (0, 5, 5)
    receipt = Ledger(tmp_path, "squares").read(tasks[3].id)
    assert receipt.is_done
    assert receipt.outputs["out/3.txt"]["bytes"] == 1
    assert receipt.facts == {"number": 3}
    assert receipt.seed == tasks[3].seed
    assert receipt.peak_gb > 0.01
    assert receipt.versions["numpy"]


def test_what_enters_the_answer_enters_the_name():
    one = task(2)
    assert one.id == task(2).id == Task.from_json(one.to_json()).id
    others = [task(3), task(2, "flaky"), task(2, code="2"), task(2, inputs={"a": "x"})]
    assert len({one.id, *(other.id for other in others)}) == 5
    assert task(2, memory_gb=9.0, is_isolated=True).id == one.id


@pytest.mark.parametrize(
    ("call", "reason", "runs"), [("bad_data", "data", 1), ("forgets", "program", 0)]
)
def test_a_failure_that_would_come_again_is_a_dead_letter_at_once(tmp_path, call, reason, runs):
    tasks = [task(0), task(1, call), task(2)]
    tally = drive(tmp_path, tasks)
    assert (tally.done, tally.failed) == (2, {reason: 1})
    assert drive(tmp_path, tasks).failed == {reason: 1}
    assert begun(tmp_path) == 2 + runs
    receipt = Ledger(tmp_path, "squares").read(tasks[1].id)
    assert receipt.reason == reason
    assert "k1" in receipt.error


def test_a_failure_of_the_place_is_tried_again(tmp_path):
    tally = drive(tmp_path, [task(0), task(1, "flaky")])
    assert (tally.done, tally.retried) == (2, 2)
    never = drive(tmp_path, [task(5, "flaky")], Policy(retries=1, backoff_s=0.01))
    assert never.failed == {"transient": 1}


def test_a_process_that_dies_is_replaced(tmp_path):
    tally = drive(tmp_path, [task(0), task(1, "dies_once", is_isolated=True)])
    assert (tally.done, tally.lost) == (2, 1)


def test_a_task_that_always_kills_its_process_is_given_up(tmp_path):
    tasks = [task(0), task(1, "poison", is_isolated=True), task(2)]
    tally = drive(tmp_path, tasks)
    assert (tally.done, tally.failed, tally.lost) == (2, {"lost": 1}, 3)
    receipt = Ledger(tmp_path, "squares").read(tasks[1].id)
    assert receipt.reason == "lost"
    assert "SIGKILL" in receipt.error


def test_a_task_over_its_memory_gets_the_next_class(tmp_path):
    much = task(1, "greedy", is_isolated=True, memory_gb=0.25, settings={"take_gb": 0.3})
    tally = drive(tmp_path, [much])
    assert (tally.done, tally.retried) == (1, 1)
    more = task(2, "greedy", is_isolated=True, memory_gb=0.25, settings={"take_gb": 1.2})
    assert drive(tmp_path, [more]).failed == {"memory": 1}


def test_receipts_are_gathered_and_still_count(tmp_path):
    tasks = [task(k) for k in range(7)] + [task(8, "bad_data")]
    drive(tmp_path, tasks)
    ledger = Ledger(tmp_path, "squares")
    before = {receipt.id: receipt for receipt in ledger.receipts()}
    assert ledger.compact(beyond=3) == 7
    assert len(list(ledger.folder.rglob("*.json"))) == 1
    assert {receipt.id: receipt for receipt in ledger.receipts()} == before
    assert drive(tmp_path, tasks).skipped == 7
    ledger.forget([tasks[4].id])
    assert ledger.read(tasks[4].id) is None
    assert ledger.read(tasks[5].id) == before[tasks[5].id]
    assert drive(tmp_path, tasks).done == 1


def test_a_failure_never_takes_the_place_of_a_success(tmp_path):
    one = task(0)
    drive(tmp_path, [one])
    ledger = Ledger(tmp_path, "squares")
    ledger.write(replace(ledger.read(one.id), status="failed", reason="lost"))
    assert ledger.read(one.id).is_done


class TwoWorkers(SerialEngine):
    """Takes more tasks than it has workers."""

    def window(self) -> int:
        return 6

    def workers(self) -> int:
        return 2


def test_no_more_tasks_are_said_to_run_than_there_are_workers(tmp_path):
    seen = []
    engine, tasks = TwoWorkers(tmp_path), [task(k) for k in range(9)]
    driver = Driver(engine, tmp_path, "squares", report=lambda tally: seen.append(tally.running))
    driver.run(tasks, total=9)
    assert max(seen) == 2
    assert seen[-1] == 0
