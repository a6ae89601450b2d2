"""Free text of headers made plain, once, before any rule about words is asked."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["VIRTUAL", "plain", "readings"]

# Traditional characters and dashes that mean the same as those that rules are written in.
_SAME = str.maketrans(
    "動脈靜門掃遲時強實質無擬虛圖濃鈣電單數‐‑‒–—−", "动脉静门扫迟时强实质无拟虚图浓钙电单数------"
)

# Plain words for images whose contrast agent was computed away: no unenhanced scan, and no HU of one.
VIRTUAL = (
    r"\b(?:VNC|VNUE|VUE)(?![A-Z])|\bVIRT[A-Z]*[ -]*(?:(?:TRUE|NON|UN)[ -]*)*"
    r"(?:I ?V[ -]*)?(?:CON(?:TRAST)?|ENHANCED|NATIVE?|PLAIN)(?![A-Z])|虚拟(?:平扫|非增强)"
)


def plain(words: str, signs: str = "") -> str:
    """Text for comparison: NFKC, upper case, simplified characters, blanks for all that separates words.

    Letters, digits and decimal points stay, and those ``signs`` that mean something to who asks.
    An underscore separates words; for regular expressions it is a letter, so it must not stay.

    Examples
    --------
    >>> plain("DE_Iodine-Map (1.25mm)"), plain("t2_tse*+c", signs="+*"), plain("ＶＮＣ．平掃")
    ('DE IODINE MAP 1.25MM', 'T2 TSE*+C', 'VNC 平扫')
    """
    text = unicodedata.normalize("NFKC", words).translate(_SAME).upper()
    text = re.sub(rf"(?<!\d)\.|\.(?!\d)|_|[^\w.{re.escape(signs)}]", " ", text)
    return re.sub(r"\s+", " ", text).strip()


def readings(words: str) -> list[str]:
    """The text, and what it is if its bytes were Chinese and taken for Latin.

    Examples
    --------
    >>> readings("plain"), readings("平扫".encode("utf-8").decode("latin-1"))[1]
    (['plain'], '平扫')
    """
    found = [words]
    if any(character > "\x7f" for character in words):
        for charset in ("utf-8", "gb18030"):
            try:
                found.append(words.encode("latin-1").decode(charset))
            except UnicodeError:
                continue
    return found
