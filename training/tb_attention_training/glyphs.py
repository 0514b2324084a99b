"""Text that can be drawn: which fonts cover it, and what to write where none does."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from matplotlib import font_manager

_FIRST = "DejaVu Sans"  # comes with matplotlib
_PREFERRED = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Noto Sans KR",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "Arial Unicode MS",
)
# Fonts of colour bitmaps, which matplotlib cannot draw, and fonts that claim every character.
_USELESS = ("color emoji", "emoji one", "last resort", "lastresort", "adobe blank", "adobeblank")
_MAX_FONTS = 300

# All of these are in DejaVu Sans.
_SPACE = "␣"
_ELLIPSIS = "…"
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_DOTTED_CIRCLE = "◌"

_lock = threading.RLock()


def drawable(text: str, limit: int = 24) -> str:
    r"""Returns `text` as it can be drawn on one line.

    Spaces alone become `␣`, line breaks and tabs `\n`, `\r`, `\t`, a lone combining mark gets a
    dotted circle, and whatever cannot be seen or no installed font covers becomes `U+XXXX`.

    Args:
        text: A token or a title.
        limit: Characters of `text` to draw at most; `…` stands for the rest.
    """
    if len(text) > limit:
        text = text[: limit - 1] + _ELLIPSIS
    if text and not text.strip(" "):
        return _SPACE * len(text)
    if text and unicodedata.combining(text[0]):
        text = _DOTTED_CIRCLE + text
    return "".join(_drawable_character(character) for character in text)


def families_for(text: str) -> list[str]:
    """Font families that together cover `text`, to be tried in this order."""
    families = [_FIRST]
    for character in text:
        family = _family(character)
        if family is not None and family not in families:
            families.append(family)
    return families


def _drawable_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    # Cc control, Cf invisible (direction marks, joiners), Cs lone surrogates, Z* breaks and spaces.
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Cs", "Zl", "Zp") or _family(character) is None:
        return f"U+{ord(character):04X}"
    return " " if category == "Zs" else character


@lru_cache(maxsize=65536)
def _family(character: str) -> str | None:
    """The first font family that covers the character, None when no installed one does."""
    code = ord(character)
    with _lock:
        for family, path in _candidates():
            if code in _covered(path):
                return family
    return None


@lru_cache(maxsize=1)
def _candidates() -> list[tuple[str, str]]:
    """Installed families with a file for each, the preferred ones first."""
    entries: Iterable[Any] = font_manager.fontManager.ttflist
    files: dict[str, tuple[int, str]] = {}
    for entry in entries:
        if any(word in entry.name.lower() for word in _USELESS):
            continue
        oddity = (entry.style != "normal") + (str(entry.weight) not in ("400", "normal"))
        if entry.name not in files or oddity < files[entry.name][0]:
            files[entry.name] = (oddity, entry.fname)
    order = [name for name in (_FIRST, *_PREFERRED) if name in files]
    order += sorted(set(files) - set(order))
    return [(name, files[name][1]) for name in order[:_MAX_FONTS]]


@lru_cache(maxsize=_MAX_FONTS)
def _covered(path: str) -> frozenset[int]:
    """Code points for which a font file has a glyph."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):  # not a font that FreeType reads
        return frozenset()
