"""Every file below a folder, once, in a fixed order, whatever links and permissions are in the way."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from gclnm.errors import InputError

__all__ = ["FoundFile", "Tree", "walk"]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file: its path, and what tells whether it changed since it was last read."""

    path: str
    size: int
    mtime_ns: int


@dataclass
class Tree:
    """Files in order of their paths, and the folders that could not be opened."""

    root: Path
    files: list[FoundFile] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


def walk(path: str | Path) -> Tree:
    """Walk a folder. Hidden names (a leading dot) are passed over, links are followed once.

    Raises
    ------
    InputError
        When there is no such file or folder.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise InputError(
            "there is no such file or folder", where=str(path), fix="Check the path.", code="missing-path"
        )
    # Not resolved: a mount may be reached by another path tomorrow, and users know theirs.
    root = Path(os.path.abspath(root))
    tree = Tree(root)
    if root.is_file():
        _add(tree, str(root))
        return tree
    seen: set[tuple[int, int]] = set()
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        folders += reversed(_visit(tree, folder, seen))
    tree.files.sort(key=lambda f: f.path)
    return tree


def _visit(tree: Tree, folder: str, seen: set[tuple[int, int]]) -> list[str]:
    """Note the files of one folder; its subfolders come back. A folder seen before is passed over."""
    try:
        identity = os.stat(folder)
        if (identity.st_dev, identity.st_ino) in seen:
            return []
        seen.add((identity.st_dev, identity.st_ino))
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        tree.closed.append(folder)
        return []
    below = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir():
                below.append(entry.path)
            elif entry.is_file():
                _add(tree, entry.path)
        except OSError:
            tree.closed.append(entry.path)
    return below


def _add(tree: Tree, path: str) -> None:
    try:
        status = os.stat(path)
    except OSError:
        tree.closed.append(path)
        return
    tree.files.append(FoundFile(path, status.st_size, status.st_mtime_ns))
