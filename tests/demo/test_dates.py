from __future__ import annotations

import datetime
from collections import Counter

import pytest
from tb_attention_training.demo.dates import (
    LOCALES,
    build_corpus,
    formats_of,
    has_one_meaning,
    write_date,
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("EEEE, MMMM d, y", True),
        ("d 'de' MMMM 'de' y", True),
        ("dd.MM.y", True),
        ("y-MM-dd", True),
        ("ccc, dd.MM.y\u202f'г'.", True),
        ("d LLL y", True),
        ("M/d/y", False),  # the same digits are another date in day-first locales
        ("y-dd-MM", False),
        ("d MMMM yy", False),  # which century?
        ("MMMM y", False),
        ("d MMMM", False),
        ("'d' MMMM y", False),  # quoted letters are text
        ("", False),
    ],
)
def test_has_one_meaning(pattern: str, expected: bool) -> None:
    assert has_one_meaning(pattern) is expected


def test_there_are_many_locales_with_several_formats_each() -> None:
    assert len(set(LOCALES)) >= 8
    for locale in LOCALES:
        assert len(formats_of(locale)) >= 3, locale


@pytest.mark.parametrize(
    ("locale", "name", "text"),
    [
        ("en_US", "full", "Thursday, May 3, 1979"),
        ("de", "long", "3. Mai 1979"),
        ("hu", "full", "1979. május 3., csütörtök"),
        ("pt", "full", "quinta-feira, 3 de maio de 1979"),
        ("ru", "full", "четверг, 3 мая 1979 г."),  # the CLDR has a narrow no-break space
    ],
)
def test_writes_what_people_of_the_locale_write(locale: str, name: str, text: str) -> None:
    written = write_date(datetime.date(1979, 5, 3), locale, name)
    assert (written.text, written.iso) == (text, "1979-05-03")


def test_no_text_has_two_meanings_in_any_locale_or_format() -> None:
    # All days of a leap year and of years whose digits could be taken for days and months.
    days = [datetime.date(year, 1, 1) for year in (1910, 2000, 2012)]
    dates = [first + datetime.timedelta(days=n) for first in days for n in range(365)]
    meanings: dict[str, str] = {}
    for locale in LOCALES:
        for name in formats_of(locale):
            for date in dates:
                written = write_date(date, locale, name)
                assert meanings.setdefault(written.text, written.iso) == written.iso, written


def test_a_generated_text_has_one_meaning_and_a_full_year() -> None:
    corpus = build_corpus(seed=7, train=5003, held_out=503)
    meanings: dict[str, str] = {}
    for example in (*corpus.train, *corpus.held_out, *corpus.probe):
        assert meanings.setdefault(example.text, example.iso) == example.iso
        assert example.iso[:4] in example.text


def test_no_held_out_or_probe_date_is_learned() -> None:
    corpus = build_corpus(seed=3, train=20011, held_out=1009)
    learned = {example.iso for example in corpus.train}
    held_out = {example.iso for example in corpus.held_out}
    probe = {example.iso for example in corpus.probe}
    assert len(held_out) == len(corpus.held_out) == 1009
    assert not learned & held_out
    assert not (learned | held_out) & probe


def test_every_locale_and_format_is_learned() -> None:
    corpus = build_corpus(seed=0, train=5003, held_out=11)
    seen = Counter((example.locale, example.format) for example in corpus.train)
    assert set(seen) == {(locale, name) for locale in LOCALES for name in formats_of(locale)}
    per_locale = Counter(example.locale for example in corpus.train)
    assert max(per_locale.values()) < 1.5 * min(per_locale.values())


def test_the_seed_decides_everything_but_the_probe() -> None:
    first = build_corpus(seed=5, train=101, held_out=53)
    other = build_corpus(seed=6, train=101, held_out=53)
    assert first == build_corpus(seed=5, train=101, held_out=53)
    assert first.train != other.train
    assert first.held_out != other.held_out
    assert first.probe == other.probe


def test_the_probe_is_of_many_locales_and_has_a_long_text() -> None:
    probe = build_corpus(seed=0, train=11, held_out=11).probe
    assert len(probe) == 8
    assert len({example.locale for example in probe}) == 8
    assert 38 <= max(len(example.text) for example in probe) <= 42


@pytest.mark.parametrize("held_out", [0, -1, 40_000])
def test_refuses_to_hold_out_nothing_or_too_much(held_out: int) -> None:
    with pytest.raises(ValueError, match=f"held_out must be between 1 and .*{held_out}"):
        build_corpus(seed=0, train=11, held_out=held_out)
