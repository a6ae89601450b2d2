"""A store on S3: conflicts are met, lost answers double nothing, and what is wrong is said in time."""

from __future__ import annotations

import http.server
import random
import re
import threading
import time

import numpy as np
import pytest

from gclnm.errors import InputError, StoreError
from gclnm.store import opening, repository
from gclnm.store import s3 as module
from gclnm.store.store import open_store


def test_a_store_on_s3_keeps_rows_tags_and_history(s3, recipe, row):
    first = open_store(s3).append("ct", recipe, [row("s1"), row("s2", failed="engine: x")])
    open_store(s3).tag("v1")
    open_store(s3).append("ct", recipe, [row("s1", inputs="corrected"), row("s3")])
    again = open_store(f"{s3}/", mode="r")
    assert again.url == s3
    assert again.keys("ct").set_index("sample_id")["revision"].to_dict() == {"s1": 2, "s2": 1, "s3": 1}
    np.testing.assert_array_equal(again.read("ct", at="v1")["value"].values[0], row("s1").values)
    assert again.tags().set_index("tag")["commit"].to_dict() == {"v1": first}
    assert again.log()["added"].tolist() == [1, 2, 0]


def test_a_writer_that_was_overtaken_starts_over_from_the_others_commit(s3, recipe, row, monkeypatch):
    mine, theirs = open_store(s3), open_store(s3)
    mine.append("ct", recipe, [row("s0")])
    genuine, once = repository.zarr.open_group, threading.Event()

    def overtaken(*args, **kwargs):
        group = genuine(*args, **kwargs)
        if kwargs.get("mode") == "a" and not once.is_set():
            once.set()
            theirs.append("ct", recipe, [row("s1"), row("s2")])
        return group

    monkeypatch.setattr(repository.zarr, "open_group", overtaken)
    mine.append("ct", recipe, [row("s2"), row("s3")])
    assert sorted(mine.keys("ct")["sample_id"]) == ["s0", "s1", "s2", "s3"]
    assert mine.log()["added"].tolist() == [1, 2, 1, 0]


def answers_lost(wire, mark: bytes, times: int = 1) -> list[bytes]:
    """Lose the answers to the next requests that hold a mark; the list fills with what was asked."""
    seen = []

    def loses(piece: bytes) -> bool:
        if mark in piece and len(seen) < times:
            seen.append(piece)
            return True
        return False

    wire.loses_answer = loses
    return seen


def test_a_commit_whose_answer_was_lost_is_acknowledged_and_not_doubled(s3, wire, recipe, row):
    store = open_store(s3)
    store.append("ct", recipe, [row("s0")])
    seen = answers_lost(wire, b"refs/branch.main/ref.json?x-id=PutObject")
    commit = store.append("ct", recipe, [row("s1")])
    assert seen
    assert commit == store.commit
    assert store.log()["added"].tolist() == [1, 1, 0]
    # A change that is not its own inverse when it is done twice: a set started anew.
    seen.clear()
    commit = store.create("ct", recipe.with_(prepare={"discretise": {"bin_width": 5.0}}), replace=True)
    assert seen
    assert commit == store.commit
    assert len(store.log()) == 4


@pytest.mark.slow
def test_a_commit_that_may_have_arrived_says_so_and_a_second_run_doubles_nothing(
    s3, wire, recipe, row, monkeypatch
):
    monkeypatch.setattr(module, "TRIES", 2)
    store = open_store(s3)
    store.append("ct", recipe, [row("s0")])

    def gone(piece: bytes) -> bool:
        if b"refs/branch.main/ref.json?x-id=PutObject" in piece:
            wire.cut = True
        return wire.cut

    wire.loses_answer = gone
    with pytest.raises(StoreError, match=r"may have arrived or not.*Run again") as caught:
        store.append("ct", recipe, [row("s1"), row("s2")])
    assert caught.value.code == "commit-unknown"
    wire.cut, wire.loses_answer = False, lambda piece: False
    store.append("ct", recipe, [row("s1"), row("s2"), row("s3")])
    assert store.keys("ct")["sample_id"].tolist() == ["s0", "s1", "s2", "s3"]
    assert store.log()["added"].sum() == 4


def test_a_tag_whose_answer_was_lost_is_set(s3, wire, recipe, row):
    store = open_store(s3)
    store.append("ct", recipe, [row("s0")])
    seen = answers_lost(wire, b"refs/tag.v1/ref.json?x-id=PutObject")
    assert store.tag("v1") == store.commit
    assert seen
    store.append("ct", recipe, [row("s1")])
    with pytest.raises(StoreError, match="the tag exists"):
        store.tag("v1")


def test_of_writers_that_set_one_tag_at_once_one_wins(s3, recipe, row):
    stores = [open_store(s3) for _ in range(4)]
    stores[0].append("ct", recipe, [row("s0")])
    outcome, start = {}, threading.Barrier(4)

    def write(number: int) -> None:
        start.wait()
        stores[number].append("ct", recipe, [row(f"t{number}")])
        try:
            outcome[number] = stores[number].tag("v1")
        except StoreError as error:
            outcome[number] = error.code

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = stores[0].tags().set_index("tag")["commit"]["v1"]
    assert set(outcome.values()) <= {won, "tag-exists"}
    assert won in outcome.values()


def break_the_wire(s3, wire, recipe, row, appends: int, seed: int) -> tuple[list[str], int]:
    """Append while connections drop at random moments and none is taken at times; what was acknowledged."""
    chance, stop, acknowledged, failed = random.Random(seed), threading.Event(), [], 0

    def cutter() -> None:
        while not stop.wait(chance.uniform(0.0, 0.25)):
            wire.cut = chance.random() < 0.3
            wire.drop()

    store = open_store(s3)
    store.append("ct", recipe, [row("before")])
    thread = threading.Thread(target=cutter)
    thread.start()
    try:
        for number in range(appends):
            try:
                store.append("ct", recipe, [row(f"s{number}"), row("always")])
            except StoreError:
                failed += 1
            else:
                acknowledged.append(f"s{number}")
    finally:
        stop.set()
        thread.join()
        wire.cut = False
    return acknowledged, failed


def test_a_network_that_breaks_at_random_loses_and_doubles_nothing(s3, wire, recipe, row, monkeypatch):
    monkeypatch.setattr(module, "TRIES", 2)
    acknowledged, _ = break_the_wire(s3, wire, recipe, row, 5, 1)
    whole_after(s3, recipe, row, acknowledged)


@pytest.mark.slow
def test_a_network_that_breaks_for_long_loses_and_doubles_nothing(s3, wire, recipe, row, monkeypatch):
    monkeypatch.setattr(module, "TRIES", 1)
    acknowledged, _ = break_the_wire(s3, wire, recipe, row, 100, 2)
    whole_after(s3, recipe, row, acknowledged)


def whole_after(s3, recipe, row, acknowledged) -> None:
    store = open_store(s3)
    assert store.append("ct", recipe, [row("after")])
    ids = store.read("ct")["sample_id"].values.tolist()
    assert len(set(ids)) == len(ids) == store.log()["added"].sum()
    assert set(ids).issuperset([*acknowledged, "before", "after"])
    assert store.log()["replaced"].sum() == 0
    table = store.read("ct")
    for index, key in enumerate(ids):
        np.testing.assert_array_equal(table["value"].values[index], row(key).values)


def test_a_server_that_is_silent_is_given_up_in_bounded_time(s3, server, recipe, row, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 1.5)
    monkeypatch.setattr(module, "REQUEST_MS", 500)
    monkeypatch.setattr(module, "OPERATION_MS", 1500)
    store = open_store(s3)
    store.append("ct", recipe, [row("s0")])
    server.stall()
    try:
        for ask in (
            lambda: store.append("ct", recipe, [row("s1")]),
            lambda: store.tag("v1"),
            lambda: store.commit,
        ):
            begin = time.monotonic()
            with pytest.raises(StoreError, match=r"not answered|cannot be reached|lost"):
                ask()
            assert time.monotonic() - begin < 20
    finally:
        server.go_on()
    store.append("ct", recipe, [row("s1")])
    assert store.keys("ct")["sample_id"].tolist() == ["s0", "s1"]
    assert store.log()["added"].sum() == 2


class Refusal(http.server.BaseHTTPRequestHandler):
    """A server that refuses everything with one code."""

    protocol_version = "HTTP/1.1"
    code = "AccessDenied"

    def refuse(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b"<?xml version='1.0'?><Error><Code>%s</Code></Error>" % self.code.encode()
        body = b"" if self.command == "HEAD" else body
        self.send_response(403)
        self.send_header("content-type", "application/xml")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = refuse  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDenied", "does not permit this. Ask for ListBucket"),
        ("SignatureDoesNotMatch", "does not know these keys. Look at AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_refusal_is_one_sentence_that_helps(s3, monkeypatch, code, words):
    handler = type("Handler", (Refusal,), {"code": code})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{refusing.server_port}")
        for mode in ("a", "r"):
            with pytest.raises(StoreError, match=re.escape(words)):
                open_store(s3, mode=mode)
        refusing.shutdown()


def test_a_missing_bucket_a_missing_store_and_missing_keys_are_named(s3, monkeypatch):
    with pytest.raises(StoreError, match="there is no such bucket"):
        open_store("s3://no-such-bucket/features")
    with pytest.raises(StoreError, match="there is no store here"):
        open_store(s3, mode="r")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StoreError, match=r"no keys for the storage were found.* AWS_PROFILE"):
        open_store(s3)


def test_a_prefix_that_holds_other_objects_is_refused(s3, wire, monkeypatch):
    import urllib.request

    monkeypatch.setattr(opening, "MAKING_SECONDS", 0.3)
    address = f"{wire.url}/{s3.removeprefix('s3://')}/image.dcm"
    with urllib.request.urlopen(urllib.request.Request(address, method="PUT", data=b"DICM")):
        pass
    with pytest.raises(StoreError, match="holds other objects"):
        open_store(s3)


@pytest.mark.slow
def test_an_unreachable_server_is_reported_within_a_minute(s3, wire):
    wire.close()
    begin = time.monotonic()
    with pytest.raises(StoreError, match=r"cannot be reached.* AWS_ENDPOINT_URL"):
        open_store(s3)
    assert time.monotonic() - begin < 90


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://bucket", "names no prefix"),
        ("s3:///features", "names no bucket"),
        ("s3://bucket/x?region=eu", "cannot hold options"),
        ("s3://key:hush@bucket/x", "cannot hold a key"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_secrets(address, words):
    with pytest.raises(InputError, match=words) as caught:
        open_store(address)
    assert "hush" not in str(caught.value)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """An environment with a profile in files only."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = a\naws_secret_access_key = hush\n")
    return tmp_path / "config"


@pytest.mark.parametrize(
    "profile",
    [
        "[profile lab]\nendpoint_url = {url}\n",
        "[profile lab]\nregion = eu-west-3\nservices = own\n[services own]\ns3 =\n  endpoint_url = {url}\n",
    ],
)
def test_a_profile_in_the_usual_files_is_enough(s3, wire, bare, recipe, row, profile):
    # A name, not a number: only then does the bucket's place in the address matter.
    bare.write_text(profile.format(url=wire.url.replace("127.0.0.1", "localhost")))
    store = open_store(s3)
    store.append("ct", recipe, [row("s1")])
    assert len(open_store(s3).keys("ct")) == 1
    assert "hush" not in repr(store) + store._repr_html_() + repr(store._repository)


def test_settings_follow_the_environment_before_the_profile(bare, monkeypatch):
    bare.write_text(
        "[profile lab]\nregion = eu-west-3\nendpoint_url = https://a\ns3 =\n  addressing_style = virtual\n"
    )
    assert module._settings() == {
        "region": "eu-west-3",
        "endpoint": "https://a",
        "addressing_style": "virtual",
    }
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    assert module._settings()["endpoint"] == "https://b"
    assert module._settings()["region"] == "cn-north-1"
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert module._settings()["endpoint"] == ""


def test_a_profile_file_that_is_no_profile_file_is_passed_over(bare):
    bare.write_bytes(b"\xff\xfe no section = here")
    assert module._settings()["region"] == ""
