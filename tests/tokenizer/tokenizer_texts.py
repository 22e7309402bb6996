"""Seeded random texts over weighted alphabets: every kind of character that some rule of the tokenizer treats."""

from __future__ import annotations

import random

WORDS = ["the", "unaffable", "tokenization", "Paris", "don't", "naïve", "Ünïcödé", "straße", "ΑΣΣΑ", "İstanbul", "Кириллица",
         "日本語", "한국어", "がぎぐ", "नमस्ते", "ภาษาไทย", "עברית", "العربية", "3.14", "x" * 99, "y" * 101, "é" * 100, "a\u0301" * 101]
SPECIAL = ["[SEP]", "[CLS]", "[MASK]", "[UNK]", "[PAD]", "[sep]", "[SE\0P]", "[[SEP]]", "[SEP", "SEP]", "##ing", "[unused0]"]
RANGES = {  # name: (weight, first, last)
    "ascii": (30, 0x20, 0x7E), "letters": (30, 0x61, 0x7A), "control": (2, 0x00, 0x1F), "latin": (12, 0x80, 0x24F),
    "marks": (10, 0x300, 0x36F), "greek": (4, 0x370, 0x3FF), "cyrillic": (4, 0x400, 0x52F), "hebrew": (2, 0x590, 0x5FF),
    "arabic": (2, 0x600, 0x6FF), "indic": (4, 0x900, 0xDFF), "thai": (2, 0xE00, 0xE7F), "tibetan": (1, 0xF00, 0xFFF),
    "jamo": (2, 0x1100, 0x11FF), "latin additional": (4, 0x1E00, 0x1FFF), "spaces": (4, 0x2000, 0x206F),
    "symbols": (3, 0x2070, 0x2BFF), "kana": (3, 0x3000, 0x30FF), "ideographs": (5, 0x3400, 0x9FFF), "hangul": (4, 0xAC00, 0xD7A3),
    "compatibility": (2, 0xF900, 0xFFFD), "plane 1": (3, 0x10000, 0x1FFFF), "plane 2": (2, 0x20000, 0x323AF),
    "any": (1, 0x0, 0x10FFFF), "balinese": (1, 0x1B34, 0x1B44), "musical marks": (1, 0x1D158, 0x1D172),
}
NAMES, WEIGHTS = list(RANGES), [weight for weight, _, _ in RANGES.values()]


def character(chance: random.Random, name: str) -> str:
    _, first, last = RANGES[name]
    while True:
        point = chance.randint(first, last)
        if not 0xD800 <= point < 0xE000:
            return chr(point)


def text(chance: random.Random, longest: int = 16) -> str:
    kinds = chance.choices(NAMES, WEIGHTS, k=chance.randint(1, 3))  # few kinds a text, so that they meet often
    parts = []
    for _ in range(chance.randint(0, longest)):
        draw = chance.random()
        if draw < 0.80:
            parts.append(character(chance, chance.choice(kinds)))
        elif draw < 0.90:
            parts.append(chance.choice((" ", " ", "  ", "\t", "\u00a0", "\u3000")))
        elif draw < 0.96:
            parts.append(chance.choice(WORDS))
        else:
            parts.append(chance.choice(SPECIAL))
    return "".join(parts)


def texts(seed: int, count: int, longest: int = 16) -> list[str]:
    chance = random.Random(seed)
    return [text(chance, longest) for _ in range(count)]
