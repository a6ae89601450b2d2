"""Recipes made to take memory and time, or to run something."""

from __future__ import annotations

import contextlib
import re
from time import process_time

import pytest

import gclnm
from gclnm.errors import RecipeError
from gclnm.recipe.files import parse_yaml


def laughs(levels: int, width: int) -> str:
    lines = [f"a0: &a0 [{', '.join(['lol'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        laughs(10, 10),
        laughs(40, 2),
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: " + "[" * 60 + "]" * 60,
        "a: " + "[" * 20_000,
        "a: [" + "1, " * 20_000 + "1]",
        "x" * 300_000,
    ],
    ids=["laughs", "doubling", "list in itself", "mapping in itself", "deep", "deeper", "long", "large"],
)
def test_a_text_that_stands_for_more_than_a_recipe_is_refused_at_once(text, tmp_path):
    start = process_time()
    path = tmp_path / "r.yaml"
    path.write_text(text)
    for read in (gclnm.Recipe.from_yaml, gclnm.Recipe.from_pyradiomics):
        with pytest.raises(RecipeError) as found:
            read(path)
        assert found.value.code in ("too-large", "bad-yaml")
    assert process_time() - start < 10


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [x]", "!!python/name:os.system", "!x y"])
def test_a_tag_that_would_make_an_object_is_refused(tag):
    with pytest.raises(RecipeError):
        parse_yaml(f"name: {tag}")


@pytest.mark.parametrize("number", ["1e400", "9" * 400, "9" * 5000, "-.inf", ".nan", "0x" + "f" * 300])
def test_a_number_beyond_all_measure_is_refused_with_its_key(number, tmp_path):
    text = re.sub(r"bin_width: \S+", f"bin_width: {number}", gclnm.Recipe.named("ct").to_yaml())
    assert number in text
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError):
        gclnm.Recipe.from_yaml(path)


def test_an_alias_that_a_person_would_write_is_read():
    assert parse_yaml("a: &size [1, 1, 1]\nb: *size") == {"a": [1, 1, 1], "b": [1, 1, 1]}


@pytest.mark.parametrize("value", ["true", "7", "{a: 1}", "[[HU]]", "2001-01-01"])
def test_a_quantity_of_another_kind_is_refused_with_its_key(value, tmp_path):
    text = re.sub(r"(?m)^quantity: .*$", f"quantity: {value}", gclnm.Recipe.named("ct").to_yaml())
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="quantity"):
        gclnm.Recipe.from_yaml(path)


@pytest.mark.parametrize("value", ["{a: 1}", "[1]", "[[x]]"])
@pytest.mark.parametrize(
    "key",
    ["interpolator", "force2Ddimension", "binWidth", "resampledPixelSpacing", "distances", "weightingNorm"],
)
def test_a_parameter_of_another_kind_is_refused_or_read_and_never_fatal(key, value, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(f"setting: {{resampledPixelSpacing: [1, 1, 1], force2D: true, {key}: {value}}}\n")
    if key == "resampledPixelSpacing":
        path.write_text(f"setting: {{{key}: {value}}}\n")
    with contextlib.suppress(RecipeError):
        assert gclnm.Recipe.from_pyradiomics(path).id
