"""What this machine remembers of a run's files: what was read from them, and which could not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gclnm.catalog.memory import Memory, fingerprints, memory_file

if TYPE_CHECKING:
    from gclnm.images.sample import Sample
    from gclnm.recipe.recipe import Recipe

__all__ = ["Recall"]


class Recall:
    """Digests of inputs by sample, of files that are now as they were when they were read.

    That a sample failed before anything of it could be digested is remembered too, for this recipe
    alone: another one may not run out of memory on it.
    """

    def __init__(self, samples: Sequence[Sample], recipe: Recipe) -> None:
        self._keys = [sample.sample_id for sample in samples]
        prints = fingerprints(samples)
        salted = {
            key: hashlib.sha256(f"{text} {recipe.id}".encode()).hexdigest() for key, text in prints.items()
        }
        self._read = Memory(memory_file(), prints, samples)
        self._unread = Memory(memory_file(), salted)
        self._there = set(prints)

    def inputs(self) -> dict[str, str]:
        """Digests of the samples whose files have not changed."""
        return self._read.inputs(self._keys)

    def unread(self) -> set[str]:
        """Samples that failed unread, and whose files are as they were or not to be found."""
        return {key for key in self._keys if key not in self._there} | set(self._unread.inputs(self._keys))

    def learn(self, key: str, inputs_sha256: str) -> None:
        """Note what a sample was computed from; empty: it could not be read."""
        (self._read if inputs_sha256 else self._unread).learn(key, inputs_sha256)

    def save(self) -> None:
        """Write it down for the next run."""
        self._read.save()
        self._unread.save()
