#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.c: the Unicode data of the reference tokenizer, read off the reference itself.

The `tokenizers` library mixes three Unicode versions (docs/tokenizer.md), so no one database gives its answers. This
program asks it about every code point and writes what it said. Run it when the pinned version changes:

    python3 -m venv build/oracle && build/oracle/bin/pip install $(grep ^tokenizers== tests/requirements.txt)
    build/oracle/bin/python tools/unicode_tables.py > src/tokenizer/unicode_tables.c
"""

import sys
from importlib.metadata import version

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

BLOCK = 128
HANGUL = range(0xAC00, 0xAC00 + 11172)

# Must match enum unicode_flag in src/tokenizer/unicode.h.
REMOVED, CLEANED_TO_SPACE, CHINESE, MARK = 1 << 0, 1 << 1, 1 << 2, 1 << 3
PUNCTUATION, WHITE_SPACE, WORD, PATTERN_SPACE = 1 << 4, 1 << 5, 1 << 6, 1 << 7
DECOMPOSES, LOWERCASES, REORDERS = 1 << 8, 1 << 9, 1 << 10


def scalar_values():
    yield from range(0xD800)
    yield from range(0xE000, 0x110000)


def normalizer(**wanted):
    settings = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return BertNormalizer(**{**settings, **wanted}).normalize_str


def word_and_space_flags():
    """What the regular expressions \\w and \\s of the library match, seen through single_word and lstrip."""
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.add_tokens([AddedToken("<W>", single_word=True, normalized=False),
                          AddedToken("<S>", lstrip=True, normalized=False)])
    word, space = tokenizer.token_to_id("<W>"), tokenizer.token_to_id("<S>")
    flags = {}
    points = list(scalar_values())
    for start in range(0, len(points), 65536):
        part = points[start:start + 65536]
        for point, encoding in zip(part, tokenizer.encode_batch([f"{chr(p)}<W>{chr(p)}<S>" for p in part])):
            flags[point] = 0 if word in encoding.ids else WORD
            if encoding.offsets[encoding.ids.index(space)][0] == 4:
                flags[point] |= PATTERN_SPACE
    return flags


def combining_ranks(nfd):
    """Dense ranks of the canonical combining classes, 0 for starters, found by asking which pairs are reordered."""

    def swaps(first, second):
        return first != second and nfd(f"a{chr(first)}{chr(second)}") == f"a{chr(second)}{chr(first)}"

    lowest, highest = 0x334, 0x345  # combining classes 1 and 240, the ends of the scale
    nonstarters = [p for p in scalar_values() if nfd(chr(p)) == chr(p)
                   and (p in (lowest, highest) or swaps(p, lowest) or swaps(highest, p))]
    representatives = []  # one character of each class, ascending
    members = {}
    for point in nonstarters:
        low, high = 0, len(representatives)
        while low < high:
            middle = (low + high) // 2
            if swaps(point, representatives[middle]):
                low = middle + 1
            elif swaps(representatives[middle], point):
                high = middle
            else:
                members[representatives[middle]].append(point)
                break
        else:
            representatives.insert(low, point)
            members[point] = [point]
    return {point: rank + 1 for rank, first in enumerate(representatives) for point in members[first]}


def ranges_of(mapping):
    """[(first, last, value)] of neighbours with equal values."""
    result = []
    for point in sorted(mapping):
        if result and result[-1][1] == point - 1 and result[-1][2] == mapping[point]:
            result[-1] = (result[-1][0], point, mapping[point])
        else:
            result.append((point, point, mapping[point]))
    return result


def stepped_ranges_of(mapping):
    """[(first, last, step, delta)]: Unicode's cased letters come in runs and in alternation."""
    result = []
    points = sorted(mapping)
    start = 0
    while start < len(points):
        end, step = start, 1
        if start + 1 < len(points) and points[start + 1] - points[start] in (1, 2):
            step = points[start + 1] - points[start]
        while (end + 1 < len(points) and points[end + 1] - points[end] == step
               and mapping[points[end + 1]] == mapping[points[start]]):
            end += 1
        result.append((points[start], points[end], step if end > start else 1, mapping[points[start]]))
        start = end + 1
    return result


def collect():
    clean, chinese = normalizer(clean_text=True), normalizer(handle_chinese_chars=True)
    strip, lower = normalizer(strip_accents=True), normalizer(lowercase=True)
    nfd, split = NFD().normalize_str, BertPreTokenizer().pre_tokenize_str
    flags, lowercase, decompositions = word_and_space_flags(), {}, {}
    for point in scalar_values():
        character = chr(point)
        cleaned, decomposed, lowered = clean(character), nfd(character), lower(character)
        value = flags[point]
        if cleaned != character or cleaned == " ":
            value |= {"": REMOVED, " ": CLEANED_TO_SPACE}[cleaned]
        if chinese(character) != character:
            assert chinese(character) == f" {character} "
            value |= CHINESE
        if decomposed != character:
            value |= DECOMPOSES
            if point in HANGUL:
                offset = point - 0xAC00
                jamo = [0x1100 + offset // 588, 0x1161 + offset % 588 // 28, 0x11A7 + offset % 28]
                assert decomposed == "".join(map(chr, jamo[:2 if offset % 28 == 0 else 3]))
            else:
                decompositions[point] = [ord(c) for c in decomposed]
        elif strip(character) == "":
            value |= MARK
        else:
            assert strip(character) == character
        if lowered != character:
            if len(lowered) == 1:
                lowercase[point] = ord(lowered) - point
                value |= LOWERCASES
            else:
                # The one exception, which unicode_lowercase spells out.
                assert (point, lowered) == (0x130, "i\u0307")
                value |= LOWERCASES
        pieces = [piece for piece, _ in split(f"a{character}b")]
        if pieces == ["a", character, "b"]:
            value |= PUNCTUATION
        elif pieces == ["a", "b"]:
            value |= WHITE_SPACE
        else:
            assert pieces == [f"a{character}b"]
        flags[point] = value
    ranks = combining_ranks(nfd)
    for point in ranks:
        flags[point] |= REORDERS
        assert not flags[point] & (PUNCTUATION | WHITE_SPACE | CHINESE)
    for surrogate in range(0xD800, 0xE000):
        flags[surrogate] = 0
    return flags, lowercase, decompositions, ranks


def print_array(declaration, values, per_line=16, form=str):
    print(f"{declaration} = {{")
    for start in range(0, len(values), per_line):
        print("    " + ", ".join(form(v) for v in values[start:start + per_line]) + ",")
    print("};\n")


def main():
    flags, lowercase, decompositions, ranks = collect()
    sets = sorted(set(flags.values()))
    blocks, index = {}, []
    for start in range(0, 0x110000, BLOCK):
        block = tuple(sets.index(flags[p]) for p in range(start, start + BLOCK))
        index.append(blocks.setdefault(block, len(blocks)))
    assert len(blocks) <= 256 and len(sets) <= 256
    stepped, ranked = stepped_ranges_of(lowercase), ranges_of(ranks)
    pool, places = [], []
    for point in sorted(decompositions):
        places.append((point, len(pool), len(decompositions[point])))
        pool.extend(decompositions[point])
    assert len(pool) < 1 << 16

    print("/* Written by tools/unicode_tables.py from the answers of tokenizers " + version("tokenizers") + ". */")
    print('/* clang-format off */\n#include "tokenizer/unicode_tables.h"\n')
    print_array("const uint8_t unicode_flag_index[UNICODE_BLOCKS]", index, 32)
    print_array("const uint16_t unicode_flag_sets[]", sets)
    print_array("const uint8_t unicode_flag_blocks[][UNICODE_BLOCK_SIZE]", list(blocks), 1,
                lambda block: "{" + ",".join(map(str, block)) + "}")
    print_array("const struct unicode_lowercase_range unicode_lowercase_ranges[]", stepped, 4,
                lambda r: f"{{0x{r[0]:X}, 0x{r[1]:X}, {r[2]}, {r[3]}}}")
    print(f"const size_t unicode_lowercase_range_count = {len(stepped)};\n")
    print_array("const struct unicode_combining_range unicode_combining_ranges[]", ranked, 6,
                lambda r: f"{{0x{r[0]:X}, 0x{r[1]:X}, {r[2]}}}")
    print(f"const size_t unicode_combining_range_count = {len(ranked)};\n")
    print_array("const struct unicode_decomposition unicode_decompositions[]", places, 8,
                lambda d: f"{{0x{d[0]:X}, {d[1]}, {d[2]}}}")
    print(f"const size_t unicode_decomposition_count = {len(places)};\n")
    print_array("const uint32_t unicode_decomposed[]", pool, 16, lambda p: f"0x{p:X}")
    print(f"flag sets {len(sets)}, blocks {len(blocks)}, lowercase ranges {len(stepped)}, combining ranges {len(ranked)}, "
          f"decompositions {len(places)} in {len(pool)} code points", file=sys.stderr)


if __name__ == "__main__":
    main()
