"""Which file is which: identities of image files below a root, and files that are equal byte for byte."""

from __future__ import annotations

import filecmp
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from gclnm.images.files.headers import ImageHeader, path_digest

__all__ = ["copies_among", "identified"]


def identified(image: ImageHeader, patient_id: str, root: Path) -> ImageHeader:
    """An image file under its identity in a catalog: its patient and its path below the root.

    The content is left out: a file that is exported again replaces its rows. So is the place of the
    root: a folder that is moved as a whole keeps its ids. A root that is the file itself has no path
    below it; then the absolute path counts, as for a file outside any catalog.
    """
    file = Path(image.file)
    if file == root:
        return image
    return replace(image, digest=path_digest(patient_id, file.relative_to(root).as_posix()))


def copies_among(
    images: Iterable[ImageHeader], owners: Mapping[str, str], roles: Mapping[str, object]
) -> tuple[dict[str, str], list[list[str]]]:
    """Copies with the file that is kept for each, and groups of equal files that several patients share.

    A copy is equal as a whole, of the same patient (``owners``) and in the same role (its name, its
    image). Of different patients every file is kept.
    """
    copies: dict[str, str] = {}
    shared = []
    for group in _equal_files(images):
        kept: dict[object, str] = {}
        for file in group:
            first = kept.setdefault((owners[file], roles[file]), file)
            if first != file:
                copies[file] = first
        if len({owners[file] for file in group}) > 1:
            shared.append(group)
    return copies, shared


def _equal_files(images: Iterable[ImageHeader]) -> list[list[str]]:
    """Groups of files whose whole contents are equal, in the order they come.

    Only files whose samples are equal are read, so that a folder of different files costs nothing.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for image in images:
        alike[image.sample].append(image.file)
    found = []
    for files in alike.values():
        groups: list[list[str]] = []
        for file in files:
            group = next((g for g in groups if _equal(g[0], file)), None)
            groups.append([file]) if group is None else group.append(file)
        found += [group for group in groups if len(group) > 1]
    return found


def _equal(one: str, other: str) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
