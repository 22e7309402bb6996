"""No difference from the reference over all of Unicode: ids and offsets. Nothing here is sampled."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from oracle import VISIBLE_POINTS, assert_same, packed, scalar_values

SETTINGS = [dict(clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower)
            for clean, chinese, strip, lower in itertools.product((True, False), (True, False), (None, True, False),
                                                                  (True, False))]


def name_of(settings: dict) -> str:
    return ",".join(f"{key}={value}" for key, value in settings.items())


def test_every_code_point_alone(ours, reference):
    """With the published vocabulary, each as a text of its own."""
    assert_same(ours, reference, [chr(p) for p in scalar_values()], part=200_000)


@pytest.mark.parametrize("form", ["a{}b", "{}\u0301", "\u0301{}", "{0}{0}"])
def test_every_code_point_in_words(ours, reference, form):
    assert_same(ours, reference, packed(form, scalar_values()))


def test_special_tokens_glued_to_every_code_point(ours, reference):
    assert_same(ours, reference, packed("{0}[SEP]{0}", scalar_values(), per_text=1024))


@pytest.mark.parametrize("settings", SETTINGS, ids=name_of)
def test_every_code_point_under_every_setting(visible, settings):
    """The ids spell the normalized text. The marks around are of classes 220, 9 and 230, the second one kept, so that
    every code point's combining class shows."""
    visible.assert_same(packed("e\u0323{}\u1b44\u0301", VISIBLE_POINTS), **settings)


@pytest.mark.parametrize("settings", [SETTINGS[0], SETTINGS[-1]], ids=name_of)
def test_every_code_point_of_the_planes_without_characters(visible, settings):
    visible.assert_same(packed("a{}b", sorted(set(scalar_values()) - set(VISIBLE_POINTS))), **settings)


def marks_by_class() -> dict[int, list[str]]:
    classes: dict[int, list[str]] = {}
    for point in scalar_values():
        if unicodedata.combining(chr(point)):
            classes.setdefault(unicodedata.combining(chr(point)), []).append(chr(point))
    return classes


# Marks that are not dropped: Mc, and Mn that the reference's Unicode 8.0 does not know.
KEPT_MARKS = [chr(p) for p in (0x302E, 0x1B44, 0xA953, 0xABED, 0x1D165, 0x1D16D, 0x111C0, 0x1E000, 0x1E944)]


@pytest.mark.parametrize("settings", [dict(), dict(strip_accents=True, lowercase=False), dict(strip_accents=False)],
                         ids=name_of)
def test_every_pair_of_combining_classes(visible, settings):
    """Canonical reordering: two marks of each class and all kept ones, every pair in both orders."""
    some = [mark for members in marks_by_class().values() for mark in {members[0], members[-1]}]
    pairs = [f"e{a}{b}" for a, b in itertools.product(some + KEPT_MARKS, repeat=2)]
    threes = [f"\u00e9{a}{b}{c}x" for a, b, c in itertools.product(KEPT_MARKS, some, KEPT_MARKS)]
    sequences = pairs + threes
    visible.assert_same([" ".join(sequences[i:i + 500]) for i in range(0, len(sequences), 500)], **settings)


def test_every_order_of_marks(visible):
    """All permutations of marks of six classes after a composite, a Hangul syllable, an ideograph, an added token."""
    marks = ["\u0334", "\u1b44", "\u0323", "\u0301", "\u0345", "\U0001D165"]
    visible.assert_same([base + "".join(order) + "z" for base in ("\u1e69", "한", "中", "\ufb2c", "[SEP]")
                         for order in itertools.permutations(marks)])


@pytest.mark.parametrize("form", ["a{}b", "{}\u0301", "가{}"])
def test_all_hangul(visible, form):
    jamo = [*range(0x1100, 0x1200), *range(0xA960, 0xA980), *range(0xD7B0, 0xD800), *range(0x3130, 0x3190)]
    visible.assert_same(packed(form, [*range(0xAC00, 0xD7A4), *jamo]))
