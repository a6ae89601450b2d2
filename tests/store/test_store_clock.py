"""A clock that jumps by seconds or a year: nothing is lost, the history stays in order, and refusals help."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = f"""
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("store_rows", {str(Path(__file__).with_name("conftest.py"))!r})
rows = sys.modules["store_rows"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rows)
from datetime import datetime, timedelta, UTC
from gclnm.errors import StoreError
from gclnm.store.store import open_store
recipe = rows.small_recipe()
row = rows.RowMaker(recipe)
YEAR = 365 * 86400
def jump(seconds):
    os.environ["CLOCK_SHIFT_S"] = str(seconds)
def refused(call):
    try:
        call()
    except StoreError as error:
        return error
    raise AssertionError("it was not refused")
def ids(store, **at):
    return store.read("ct", **at)["sample_id"].values.tolist()
store = open_store(sys.argv[1])
store.append("ct", recipe, [row("before")])
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> Path:
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("a clock is bent with a compiler and LD_PRELOAD, on Linux")
    made = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", str(source), "-o", str(made), "-ldl"], check=True)
    return made


@pytest.fixture
def under_a_clock(shim, tmp_path):
    def run(code: str) -> None:
        given = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code), str(tmp_path / "f")]
        surroundings = os.environ | {"LD_PRELOAD": str(shim), "CLOCK_SHIFT_S": "0"}
        done = subprocess.run(given, env=surroundings, capture_output=True, text=True, timeout=200)
        assert not done.stderr + done.stdout, done.stderr + done.stdout
        assert done.returncode == 0

    return run


def test_a_clock_that_jumps_ahead_leaves_history_and_dates_in_order(under_a_clock):
    under_a_clock(
        """
        now = datetime.now(UTC)
        jump(YEAR)
        assert datetime.now(UTC) - now > timedelta(days=364)
        store.append("ct", recipe, [row("ahead"), row("before", inputs="corrected")])
        store.tag("v1")
        log = store.log()
        assert log["time"].is_monotonic_decreasing
        assert log["added"].tolist() == [1, 1, 0]
        # A date means the commits whose time is not after it: the time of the clock that made them.
        assert ids(store, at=now + timedelta(days=30)) == ["before"]
        assert ids(store, at=now + timedelta(days=400)) == ["ahead", "before"]
        assert ids(open_store(sys.argv[1]), at="v1") == ["ahead", "before"]
        """
    )


def test_a_clock_that_was_set_back_a_year_is_refused_and_the_rows_go_on_in_a_new_store(under_a_clock):
    under_a_clock(
        """
        jump(YEAR)
        store.append("ct", recipe, [row("ahead")])
        commit = store.commit
        jump(0)
        begin = time.monotonic()
        for again in (store, open_store(sys.argv[1])):
            error = refused(lambda: again.append("ct", recipe, [row("after")]))
            assert error.code == "clock" and "365 days behind the newest commit" in error.what
            assert "merge the store into a new one" in error.fix
        assert time.monotonic() - begin < 30
        # It opens, reads, tags and checks as before.
        store = open_store(sys.argv[1])
        assert store.commit == commit and ids(store) == ["ahead", "before"]
        assert store.tag("v1") == commit
        assert store.check().ok, store.check()
        new = open_store(sys.argv[1] + "-new")
        new.merge(store, patients="same")
        new.append("ct", recipe, [row("after")])
        assert ids(new) == ["after", "ahead", "before"]
        # The clock's time comes round.
        jump(YEAR + 60)
        store.append("ct", recipe, [row("after")])
        assert ids(store) == ["after", "ahead", "before"] and store.check().ok
        """
    )


def test_a_clock_that_lags_a_little_is_waited_for(under_a_clock):
    under_a_clock(
        """
        jump(3)
        store.append("ct", recipe, [row("ahead")])
        jump(0)
        begin = time.monotonic()
        store.append("ct", recipe, [row("after")])
        assert 1 < time.monotonic() - begin < 30
        assert ids(store) == ["after", "ahead", "before"]
        assert store.log()["time"].is_monotonic_decreasing
        assert store.log()["added"].sum() == 3
        """
    )


def test_waiting_for_the_lock_is_measured_by_no_calendar(under_a_clock):
    under_a_clock(
        """
        import threading
        from gclnm.store import places
        places.LOCK_SECONDS = 2.0
        other = open_store(sys.argv[1])
        with other._repository.writing():
            begin = time.monotonic()
            threading.Timer(0.5, jump, [YEAR]).start()
            error = refused(lambda: open_store(sys.argv[1]).append("ct", recipe, [row("after")]))
            assert error.code == "locked" and 1.5 < time.monotonic() - begin < 20
        """
    )


def test_a_storage_whose_clock_is_another_is_refused_with_advice(under_a_clock):
    under_a_clock(
        """
        # The process's clock moves and the files' does not, as with S3 and a machine that is an hour off.
        os.environ["CLOCK_SHIFT_FILES"] = "no"
        jump(3600)
        error = refused(lambda: store.append("ct", recipe, [row("after")]))
        assert error.code == "clock" and "ten minutes apart" in error.what and error.fix == "Set the clock."
        """
    )
