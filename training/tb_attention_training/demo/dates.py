"""Human-written dates in many locales, and what they mean in ISO 8601.

The texts come from the Unicode CLDR through ``babel``, made on the spot: nothing is downloaded.
Reading a date is a small problem that needs real attention: the day is first here and last there,
a month is a number or an inflected word, a weekday may be anywhere and means nothing.

A text must have one meaning, or no model could be right about it. Two things in the CLDR break
that when the locale is not part of the text, so patterns that have them are left out: years of
two digits, and months in digits that stand before the day without the year before them (5/3/1979
is May in the USA and March in most of the world).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from babel import Locale
from babel.dates import DateTimePattern

LOCALES = (
    "en_US", "en_GB", "de", "fr", "es", "it", "nl", "hu", "pl", "cs", "sv", "pt", "fi", "lt",
    "ru", "uk", "el",
)  # fmt: skip
"""Where the dates come from; every locale has at least three usable formats."""

FIRST_DATE = datetime.date(1900, 1, 1)
LAST_DATE = datetime.date(2099, 12, 31)

_LENGTHS = ("full", "long", "medium", "short")
_SKELETONS = ("yMMMMEd", "yMMMMd", "yMMMEd", "yMMMd", "yMEd", "yMd")
# The locale and the format of the probe; full and long exist in every version of the CLDR.
_PROBE = (
    ("hu", "full", datetime.date(1979, 5, 3)),
    ("en_US", "full", datetime.date(2015, 3, 14)),
    ("de", "full", datetime.date(1989, 11, 9)),
    ("fr", "long", datetime.date(1979, 5, 3)),
    ("lt", "full", datetime.date(1998, 4, 16)),  # the longest: 39 characters
    ("pt", "full", datetime.date(1974, 4, 25)),
    ("pl", "full", datetime.date(1999, 10, 25)),
    ("ru", "full", datetime.date(1961, 4, 12)),
)


@dataclass(frozen=True)
class DateText:
    """One date as a person of some locale writes it.

    Attributes:
        text: What the person wrote, with plain spaces: ``"1979. május 3., csütörtök"``.
        iso: What it means: ``"1979-05-03"``.
        locale: The CLDR's name of the locale.
        format: The CLDR's name of the format, such as ``"full"`` or the skeleton ``"yMMMEd"``.
    """

    text: str
    iso: str
    locale: str
    format: str


@dataclass(frozen=True)
class Corpus:
    """Dates to learn from and dates to be examined on; no date is in both.

    Attributes:
        train: Examples to learn from.
        held_out: Examples of dates that are not in ``train`` in any form.
        probe: The few examples whose attention is recorded. The same for every seed; their dates
            are not in ``train`` either.
    """

    train: tuple[DateText, ...]
    held_out: tuple[DateText, ...]
    probe: tuple[DateText, ...]


def has_one_meaning(pattern: str) -> bool:
    """Says whether dates in this CLDR pattern can be read without knowing the locale.

    Args:
        pattern: A CLDR date pattern, such as ``"EEEE, d. MMMM y"``.

    Returns:
        Whether it has a full year, a month and a day, with the month in letters or the numbers
        in one of the two orders that are left: day, month, year, or year, month, day.
    """
    fields: list[str] = re.findall(r"y+|[ML]+|d+", re.sub(r"'[^']*'", "", pattern))
    order = "".join(field[0] for field in fields).replace("L", "M")
    if sorted(order) != ["M", "d", "y"] or "yy" in fields:
        return False
    month_in_letters = any(len(field) >= 3 for field in fields if field[0] in "ML")
    return month_in_letters or order in ("dMy", "yMd")


@cache
def formats_of(locale: str) -> Mapping[str, DateTimePattern]:
    """Finds the formats of a locale whose dates have one meaning.

    Args:
        locale: The CLDR's name of the locale, such as ``"pt"``.

    Returns:
        Patterns by the CLDR's name of the format; equal patterns only once.
    """
    data = Locale.parse(locale)
    # Both are lazily loaded CLDR tables that babel does not type.
    lengths: Mapping[str, DateTimePattern] = data.date_formats  # type: ignore[assignment]
    skeletons: Mapping[str, DateTimePattern] = data.datetime_skeletons  # type: ignore[assignment]
    found: dict[str, DateTimePattern] = {}
    seen: set[str] = set()
    for names, table in ((_LENGTHS, lengths), (_SKELETONS, skeletons)):
        for name in names:
            pattern = table.get(name)
            if pattern is None or pattern.pattern in seen or not has_one_meaning(pattern.pattern):
                continue
            seen.add(pattern.pattern)
            found[name] = pattern
    return found


def write_date(date: datetime.date, locale: str, format_name: str) -> DateText:
    """Writes a date as the CLDR says that people of a locale do.

    Args:
        date: The date.
        locale: One of ``LOCALES``.
        format_name: A key of ``formats_of(locale)``.

    Returns:
        The text and its meaning. The no-break spaces of typesetting are plain spaces, as typed.
    """
    text = formats_of(locale)[format_name].apply(date, _locale(locale))
    return DateText(re.sub(r"\s", " ", text), date.isoformat(), locale, format_name)


def build_corpus(seed: int, train: int = 24_000, held_out: int = 2_000) -> Corpus:
    """Makes the examples of one training run.

    Locales come evenly, and so do the formats within a locale; dates are uniform between
    ``FIRST_DATE`` and ``LAST_DATE``.

    Args:
        seed: Equal seeds make equal corpora (under one version of the CLDR).
        train: How many examples to learn from; dates and even texts may come more than once.
        held_out: How many examples to be examined on, each of another date.

    Returns:
        The corpus.

    Raises:
        ValueError: If there are not that many dates to hold out.
    """
    days = (LAST_DATE - FIRST_DATE).days + 1
    if not 0 < held_out <= days // 2:
        raise ValueError(
            f"held_out must be between 1 and {days // 2}, half of all dates. Received: {held_out}"
        )
    rng = np.random.default_rng(seed)
    probe = tuple(write_date(date, locale, name) for locale, name, date in _PROBE)
    probe_days = {(date - FIRST_DATE).days for _, _, date in _PROBE}
    shuffled = [day for day in rng.permutation(days).tolist() if day not in probe_days]
    learned = np.array(shuffled[held_out:])
    return Corpus(
        train=_write_all(rng, rng.choice(learned, size=train).tolist()),
        held_out=_write_all(rng, shuffled[:held_out]),
        probe=probe,
    )


def _write_all(rng: np.random.Generator, days: Sequence[int]) -> tuple[DateText, ...]:
    """Writes each day in a random locale and one of that locale's formats."""
    examples: list[DateText] = []
    for day in days:
        locale = LOCALES[int(rng.integers(len(LOCALES)))]
        names = tuple(formats_of(locale))
        name = names[int(rng.integers(len(names)))]
        examples.append(write_date(FIRST_DATE + datetime.timedelta(days=day), locale, name))
    return tuple(examples)


@cache
def _locale(name: str) -> Locale:
    return Locale.parse(name)
