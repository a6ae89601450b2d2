"""What sentences for Python say, in the words of the shell."""

from __future__ import annotations

import re

__all__ = ["in_words_of_the_shell"]

SHELL_WORDS = {
    r"Pass same_as=run\.twins to link": "Write them with --twins twins.csv, and give it to --same-as to link",
    r"\bsame_as=(?=[\s,.;)]|$)": "--same-as",
    r"\bsame_as=": "--same-as ",
    r", or a DataFrame": "",
    r"\{sample_id: sample_id\}, to itself": "to itself in the CSV",
    r"\.twins of a run": "what --twins writes",
    r"\(\.twins\)": "(--twins writes them)",
    r"store\.link\('(\S+)', merged\.twins\)": r"gclnm link STORE \1 twins.csv",
    r"merge\(\.\.\., distinct=\[sample_id, \.\.\.\]\)": "--distinct SAMPLE_ID",
    r'patients="same"': "--same-patients",
    r"or a mapping or function from theirs to new ids": "or --patients with a CSV from theirs to new ids",
    r"patients=(?=\{)": "--patients with a CSV of ",
    r"(?<![\w/])patients=(?=\s)": "--patients",
    r"pair\(catalog\) shows": "gclnm scan shows",
    r"; see \.unpaired": "",
    r"Look at (samples)?\.unpaired of gclnm\.pair[^.]*|Look at samples\.unpaired[^.]*": (
        "Look above at what could not be paired, and why"
    ),
    r' Open it with mode="a"\.': "",
    r'; mode="a" makes a store': "; gclnm extract makes a store",
    r'label= gives a name that stays, for example label="gtv"': (
        "--label gives a name that stays, for example --label gtv"
    ),
    r"(samples)?\.assign\(modality=['\"]CT['\"]\), or ": "",
    r"catalog\.problems": "the problems that gclnm scan shows",
    r"catalog\.segmentations": "the ROIs that gclnm scan shows",
    r", or exclude before you narrow by query\(\)": "",
    r"\b(on|prefer)='(\w+)'": r"--\1 \2",
    r"(?<![\w/])(on|rater|prefer|modality|roi|label|manifest)=(?=[\s,.;)]|$)": r"--\1",
    r"(?<![\w/])(on|rater|prefer|modality|roi|label|manifest)=": r"--\1 ",
}


def in_words_of_the_shell(text: str) -> str:
    """A sentence of the library with options for its arguments, and commands for its calls."""
    for python, shell in SHELL_WORDS.items():
        text = re.sub(python, shell, text)
    return text
