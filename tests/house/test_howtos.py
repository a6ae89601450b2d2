"""The how-to pages run from top to bottom, as the documentation shows them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "docs" / "howto"
FENCE = "```"


def cells(text: str) -> list[str]:
    """Source of the code cells of a MyST page."""
    found: list[str] = []
    lines: list[str] | None = None
    for line in text.splitlines():
        if lines is None and line.startswith(f"{FENCE}{{code-cell}}"):
            lines = []
        elif lines is not None and line.startswith(FENCE):
            # Options of a cell (:tags: ...) stand before its code.
            found.append("\n".join(item for item in lines if not item.startswith(":")))
            lines = None
        elif lines is not None:
            lines.append(line)
    return found


PAGES = [path for path in sorted(FOLDER.glob("*.md")) if cells(path.read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.timeout(900)
def test_the_page_runs(path: Path, tmp_path: Path) -> None:
    sources = cells(path.read_text(encoding="utf-8"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]


def test_code_cells_are_found_and_their_options_are_not_code() -> None:
    page = (
        f"# a\n{FENCE}{{code-cell}} python\n:tags: [x]\na = 1\n\nb = 2\n{FENCE}\n{FENCE}python\nc\n{FENCE}\n"
    )
    assert cells(page) == ["a = 1\n\nb = 2"]
