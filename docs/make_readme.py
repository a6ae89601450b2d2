"""Run the README's example on a fresh demo cohort; write its output and picture back into the README.

python docs/make_readme.py
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
EXAMPLE = re.compile(r"<!-- example: .*? -->\n```python\n(.*?)```\n\n(.*?)!\[", re.DOTALL)


def example(text: str) -> str:
    """The README's example."""
    found = EXAMPLE.search(text)
    if found is None:
        raise ValueError("README.md has no example")
    return found.group(1)


def run(code: str, folder: Path) -> dict[str, object]:
    """What the example leaves behind: its variables, its figure (``figure``), its last value (``last``)."""
    import gclnm

    gclnm.phantom.cohort(folder / "demo" / "cohort", patients=4, seed=0, progress=False)
    *lines, last = code.strip().splitlines()
    lines = [line.replace("gclnm.preview(", "figure = gclnm.preview(") for line in lines]
    names: dict[str, object] = {}
    before = Path.cwd()
    os.chdir(folder)
    try:
        exec("\n".join([*lines, f"last = {last}"]), names)
    finally:
        os.chdir(before)
    return names


def main() -> None:
    """Write output and picture."""
    import pandas as pd

    text = README.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        names = run(example(text), Path(folder))
        last = names["last"]
        assert isinstance(last, pd.DataFrame)
        shown = ["patient_id", "roi", "roi_instance", "scanner"]
        shown += [name for name in last.columns if name.startswith("original_")][:2]
        head = last[shown].head(5).to_string(index=False)
        printed = "\n\n".join([*(repr(names[key]) for key in ("catalog", "samples", "run")), head])
        # The folder is a temporary one: show what a reader would see.
        printed = printed.replace(folder + "/", "")
        (ROOT / "docs" / "images").mkdir(exist_ok=True)
        names["figure"].savefig(ROOT / "docs" / "images" / "preview.png", dpi=90, bbox_inches="tight")
    start, stop = EXAMPLE.search(text).span(2)
    README.write_text(text[:start] + f"```text\n{printed}\n```\n\n" + text[stop:], "utf-8")


if __name__ == "__main__":
    main()
