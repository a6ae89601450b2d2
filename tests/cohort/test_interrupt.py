"""Ctrl-C in the course of a run: noted once, obeyed between two results; twice at once."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gclnm.cohort.commits import Commits
from gclnm.cohort.extract import extract
from gclnm.cohort.interrupt import CtrlC
from gclnm.counts import count
from gclnm.store.store import FeatureStore, open_store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.fixture(autouse=True)
def _as_python_starts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def in_a_block(presses: int, then: Callable[[], object]) -> None:
    with CtrlC() as ctrl_c:
        for _ in range(presses):
            press()
        assert ctrl_c.asked()
        then()


def test_the_first_ctrl_c_is_noted_and_raised_at_the_end() -> None:
    done: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        in_a_block(1, lambda: done.append(True))
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_ctrl_c_ends_at_once() -> None:
    done: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        in_a_block(2, lambda: done.append(True))
    assert not done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_patient_block_comes_to_its_end_whatever_is_pressed() -> None:
    done: list[bool] = []

    def pressed_thrice() -> None:
        with CtrlC(patient=True):
            for _ in range(3):
                press()
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        pressed_thrice()
    assert done


def test_an_error_in_the_block_is_not_hidden_by_ctrl_c() -> None:
    with pytest.raises(ZeroDivisionError):
        in_a_block(1, lambda: 1 // 0)


def test_a_handler_of_the_users_and_other_threads_are_left_alone() -> None:
    heard: list[int] = []

    def mine(number: int, frame: object) -> None:
        heard.append(number)

    signal.signal(signal.SIGINT, mine)
    with CtrlC() as ctrl_c:
        press()
    assert (len(heard), ctrl_c.times) == (1, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with CtrlC():
                time.sleep(0)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert not errors


def test_ctrl_c_during_a_commit_leaves_it_whole_and_ends_the_run(
    make_samples: Any, recipe: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_and_commit(self: Commits, rows: Any) -> None:
        self.waiting.extend(rows)
        self.flush()

    monkeypatch.setattr(Commits, "add", add_and_commit)
    offer, pressed = FeatureStore.offer, []

    def pressing(self: FeatureStore, *arguments: Any, **options: Any) -> Any:
        taken = offer(self, *arguments, **options)
        if not pressed:
            pressed.append(True)
            press()
        return taken

    monkeypatch.setattr(FeatureStore, "offer", pressing)
    store = open_store("memory://")
    samples = make_samples(8)
    with pytest.raises(KeyboardInterrupt) as caught:
        extract(samples, recipe, store=store, client=client, progress=False)
    (note,) = caught.value.__notes__
    there = len(store.keys("tiny"))
    assert 1 <= there < 8
    assert f"committed {count(there, 'row')} done and 0 failed" in note
    rest = extract(samples, recipe, store=store, client=client, progress=False)
    assert (rest.done, rest.skipped) == (8 - there, there)


def test_ctrl_c_twice_during_a_commit_takes_no_more_rows(
    make_samples: Any, recipe: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressing(self: FeatureStore, *arguments: Any, **options: Any) -> Any:
        press()
        press()
        pytest.fail("it went on")

    genuine = FeatureStore.offer
    monkeypatch.setattr(FeatureStore, "offer", pressing)
    store = open_store("memory://")
    samples = make_samples(3)
    with pytest.raises(KeyboardInterrupt) as caught:
        extract(samples, recipe, store=store, client=client, progress=False)
    assert not getattr(caught.value, "__notes__", [])
    assert len(store.keys("tiny")) == 0
    monkeypatch.setattr(FeatureStore, "offer", genuine)
    assert extract(samples, recipe, store=store, client=client, progress=False).done == 3
