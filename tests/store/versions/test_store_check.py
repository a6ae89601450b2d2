"""A store in order has no problems; of a damaged one it is said what is damaged, and nothing is raised."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from gclnm.store.store import FeatureStore, open_store
from gclnm.store.versions.check import Check

Damage = Callable[[zarr.Group], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, recipe: Any, row: Any) -> Path:
    """A store with replaced and failed rows, a tag, and chunks that lie in files of their own."""
    path = tmp_path_factory.mktemp("whole") / "store"
    store = open_store(path)
    store.append("ct", recipe, [row(f"s{i}", patient_id=f"P{i}", rater="X") for i in range(40)])
    store.tag("v1")
    store.append("ct", recipe, [row("s1", inputs="corrected", patient_id="P1", rater="X"), row("new")])
    store.append("ct", recipe, [row("lost", failed="unreadable: a slice is missing", unread=True)])
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_rows_that_are_ok_without_any_value_are_counted_and_are_no_problem(recipe: Any, row: Any) -> None:
    store = open_store("memory://")
    store.append("ct", recipe, [row("a"), row("failed", failed="engine: x")])
    assert "empty ok rows" not in store.check().seen
    nothing = np.full(len(recipe.features), np.nan)
    one = nothing.copy()
    one[-1] = row("c").values[-1]
    store.append("ct", recipe, [replace(row("b"), values=nothing), replace(row("c"), values=one)])
    found = store.check()
    assert found.ok
    assert found.seen["empty ok rows"] == 1
    assert "1 empty ok row)" in repr(found) or "1 empty ok row," in repr(found)
    assert "empty ok rows" not in store.check(values=False).seen


def tamper(path: Path, damage: Damage, **record: Any) -> Check:
    """Write to a store behind its back, as another tool would, and look at it."""
    store = open_store(path)
    session = store._repository.repo.writable_session("main")
    damage(zarr.open_group(session.store, mode="a"))
    session.commit("by another tool", metadata={"action": "tampered", **record})
    return open_store(path, mode="r").check()


def codes(found: Check) -> set[str]:
    return set(found.problems["code"])


def test_a_store_in_order_has_no_problems(folder: Path) -> None:
    found = open_store(folder, mode="r").check()
    assert found.problems.empty, found
    assert found.ok
    assert found.seen == {"commits": 4, "sets": 1, "rows": 43, "features": 107, "tags": 1}
    assert "no problems" in repr(found)
    assert "43 rows" in found._repr_html_()


def test_a_set_started_anew_is_in_order(filled: FeatureStore, other_recipe: Any, row: Any) -> None:
    filled.create("ct", other_recipe, replace=True)
    filled.append("ct", other_recipe, [row("a1"), row("a2")])
    assert filled.check().ok


def test_a_set_without_the_arrays_of_later_versions_is_in_order(copy: Path) -> None:
    def damage(root: zarr.Group) -> None:
        for name in ("content_sha256", "origin"):
            del root["sets/ct"][name]

    assert tamper(copy, damage).ok


def test_check_changes_nothing(copy: Path) -> None:
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    open_store(copy, mode="r").check()
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before


def put(name: str, at: Any, value: Any) -> Damage:
    def damage(root: zarr.Group) -> None:
        item = root[f"sets/ct/{name}"]
        assert isinstance(item, zarr.Array)
        item[at] = value

    return damage


def text(value: str) -> Any:
    return np.array([value], dtype=np.dtypes.StringDType())


@pytest.mark.parametrize(
    ("damage", "code", "says"),
    [
        (put("current", 1, True), "double", "'s1'"),
        (put("current", 5, False), "current", "'s5'"),
        (put("revision", 5, 3), "revision", "'s5'"),
        (put("sample_id", slice(6, 7), text("s5")), "double", "'s5'"),
        (put("sample_id", slice(6, 7), text("")), "key", "no sample_id"),
        (put("status", slice(7, 8), text("perhaps")), "status", "'s7'"),
        (put("reason", slice(7, 8), text("odd: why")), "reason", "'s7'"),
        (put("inputs_sha256", slice(8, 9), text("abc")), "digest", "'s8'"),
        (put("inputs_sha256", slice(8, 9), text("")), "digest", "'s8'"),
        (put("content_sha256", slice(8, 9), text("ABC")), "digest", "content_sha256"),
        (put("origin", slice(9, 10), text("../../x")), "origin", "not the id"),
        (put("origin", slice(9, 10), text("0123456789ABCDEFGHJK")), "origin", "no merge"),
        (put("history", slice(9, 10), text("{")), "history", "not JSON"),
        (put("value", (3, slice(None)), -1e300), "bounds", "original_shape_Sphericity"),
        (put("value", (3, 0), np.inf), "bounds", "1 value is outside"),
        (put("value", (42, slice(None)), 0.5), "values", "'lost'"),
    ],
)
def test_rows_that_contradict_themselves_are_named(copy: Path, damage: Damage, code: str, says: str) -> None:
    found = tamper(copy, damage)
    assert code in codes(found)
    assert says in found.problems[["what", "where"]].to_string(max_colwidth=200)
    assert found.problems["fix"].str.len().gt(0).all()


@pytest.mark.parametrize("target", ["s5", "gone"])
def test_links_that_lead_to_no_row_are_named(copy: Path, target: str) -> None:
    store = open_store(copy)
    store.link("ct", {"s6": "s8"})
    store.link("ct", {"s5": "s7"})
    store.link("ct", {"s7": "s8"})
    assert store.check().ok

    def damage(root: zarr.Group) -> None:
        put("reason", slice(45, 46), text(f"same-as: {target}"))(root)

    problems = tamper(copy, damage).problems.set_index("code")
    assert problems.loc["link", "where"] == "set 'ct', rows of 's5', 's7'"


def test_values_are_left_out_when_asked(copy: Path) -> None:
    tamper(copy, put("value", (3, 0), np.inf))
    found = open_store(copy).check(values=False)
    assert found.ok
    assert "values were not read" in repr(found)


def attr(name: str, value: Any) -> Damage:
    return lambda root: root["sets/ct"].attrs.update({name: value})


def drop(name: str) -> Damage:
    def damage(root: zarr.Group) -> None:
        del root["sets/ct"][name]

    return damage


def shorten(name: str) -> Damage:
    def damage(root: zarr.Group) -> None:
        item = root[f"sets/ct/{name}"]
        assert isinstance(item, zarr.Array)
        item.resize((item.shape[0] - 1, *item.shape[1:]))

    return damage


def retype(root: zarr.Group) -> None:
    root["sets/ct"].create_array(
        "revision", shape=(43,), dtype=np.float64, dimension_names=("sample",), overwrite=True
    )


@pytest.mark.parametrize(
    ("damage", "code", "says"),
    [
        (drop("value"), "missing-array", "value"),
        (drop("feature"), "missing-array", "feature"),
        (shorten("history"), "shape", "history"),
        (shorten("rater"), "shape", "rater"),
        (shorten("value"), "shape", "42 x 107"),
        (retype, "type", "float64"),
        (attr("recipe", "{"), "recipe", "not JSON"),
        (attr("recipe", '{"name": "x"}'), "recipe", "not a recipe"),
        (attr("recipe_id", "0" * 64), "recipe", "not that of the stored recipe"),
        (attr("generation", "another"), "lineage", "rows 0 to 42"),
    ],
)
def test_a_structure_that_does_not_fit_is_named(copy: Path, damage: Damage, code: str, says: str) -> None:
    found = tamper(copy, damage)
    assert code in codes(found)
    assert says in found.problems[["what", "where"]].to_string(max_colwidth=200)


def double_last_rows(root: zarr.Group) -> None:
    """Two rows more than the commits say."""
    for _, item in root["sets/ct"].arrays():
        if item.metadata.to_dict()["dimension_names"][0] == "sample":
            item.append(item[-2:])


@pytest.mark.parametrize(
    ("start", "stop", "says"),
    [
        (0, 0, ["no commit says that it wrote rows 43 to 44"]),
        (44, 45, ["no commit says that it wrote rows 43 to 43"]),
        (42, 45, ["one before say that they wrote rows 42 to 42"]),
        (43, 46, ["commits say that they wrote 46 rows, the set has 45"]),
        (43, 45, []),
    ],
)
def test_every_row_is_the_work_of_exactly_one_commit(
    copy: Path, start: int, stop: int, says: list[str]
) -> None:
    generation = str(
        open_store(copy)._repository.root(open_store(copy).commit)["sets/ct"].attrs["generation"]
    )
    found = tamper(copy, double_last_rows, generation=generation, start=start, stop=stop)
    lineage = found.problems.query("code == 'lineage'")["what"].tolist()
    assert len(lineage) == len(says)
    assert all(words in what for words, what in zip(says, lineage, strict=True))


def test_a_tag_beside_the_history_is_found(copy: Path) -> None:
    store = open_store(copy)
    repo = store._repository.repo
    repo.create_branch("beside", store.commit)
    session = repo.writable_session("beside")
    zarr.open_group(session.store, mode="a").attrs["note"] = "of another tool"
    repo.create_tag("strange", snapshot_id=session.commit("beside"))
    found = open_store(copy, mode="r").check()
    assert found.problems[["code", "where"]].values.tolist() == [["lost-tag", "tag 'strange'"]]


def test_a_missing_attribute_is_named(copy: Path) -> None:
    def damage(root: zarr.Group) -> None:
        attrs = root["sets/ct"].attrs
        del attrs["engine"]
        del root.attrs["gclnm_format"]

    # Such a store is refused at the door; whoever has it open already is told why.
    store = open_store(copy)
    session = store._repository.repo.writable_session("main")
    damage(zarr.open_group(session.store, mode="a"))
    session.commit("by another tool", metadata={"action": "tampered"})
    assert codes(store.check()) == {"attribute", "no-format"}


def files(path: Path, kind: str) -> list[Path]:
    return sorted(file for file in (path / kind).rglob("*") if file.is_file())


@pytest.mark.parametrize("kind", ["chunks", "manifests", "transactions", "snapshots"])
@pytest.mark.parametrize("how", ["deleted", "truncated", "overwritten"])
def test_damaged_files_never_raise(copy: Path, kind: str, how: str) -> None:
    store = open_store(copy)
    for file in files(copy, kind):
        damage_file(file, how)
    fresh = FeatureStore(store._repository)
    found = fresh.check()
    if kind != "transactions":  # They are the journal of conflicts: nothing is read from them.
        assert not found.ok or kind == "snapshots"
    assert repr(found)


def damage_file(file: Path, how: str) -> None:
    if how == "deleted":
        file.unlink()
    elif how == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        file.write_bytes(b"\x00" * file.stat().st_size)


@pytest.mark.parametrize("how", ["deleted", "truncated", "overwritten"])
def test_each_damaged_chunk_is_found(folder: Path, tmp_path: Path, how: str) -> None:
    """Every chunk that the newest state is made of is looked at."""
    used = 0
    for index, _ in enumerate(files(folder, "chunks")):
        path = Path(shutil.copytree(folder, tmp_path / str(index)))
        damage_file(files(path, "chunks")[index], how)
        store = open_store(path, mode="r")
        check, needed = store.check(), unreadable(store)
        used += bool(needed)
        assert set(check.problems["where"].str.extract(r"^set 'ct', (\w+), rows")[0]) == needed, check
    assert used > 2


def unreadable(store: FeatureStore) -> set[str]:
    """Arrays of the newest state that zarr cannot read."""
    found = set()
    for name, item in store._repository.root(store.commit)["sets/ct"].arrays():
        try:
            item[...]
        except Exception:
            found.add(name)
    return found


def test_a_lost_commit_in_the_history_is_found(copy: Path) -> None:
    log = open_store(copy).log()
    (copy / "snapshots" / log["commit"].iloc[1]).unlink()
    found = open_store(copy, mode="r").check()
    assert "unreadable" in codes(found)
    assert "the history" in repr(found)
