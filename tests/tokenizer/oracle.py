"""The reference (`tokenizers`) and our tokenizer on the same texts, at volume: see driver.c for our side."""

from __future__ import annotations

import itertools
import json
import struct
import subprocess
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

REFUSED = 0xFFFFFFFF
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def scalar_values() -> list[int]:
    return [*range(0xD800), *range(0xE000, 0x110000)]


def load(directory: Path) -> Tokenizer:
    """The published tokenizer without the truncation and padding its file asks for."""
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def build(vocabulary: dict[str, int], *, added: list[AddedToken] = (), prefix: str = "##", max_characters: int = 100,
          unknown: str = "[UNK]", **normalizer) -> Tokenizer:
    """A BERT tokenizer of one's own; its vocabulary must hold [CLS], [SEP] and the unknown token."""
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=unknown, continuing_subword_prefix=prefix,
                                    max_input_chars_per_word=max_characters))
    tokenizer.normalizer = BertNormalizer(**normalizer)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.add_special_tokens([t for t in SPECIAL if t in vocabulary])
    tokenizer.add_tokens([token for token in added if not token.special])
    tokenizer.add_special_tokens([token for token in added if token.special])
    return tokenizer


def save(tokenizer: Tokenizer, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


class Ours:
    """Our tokenizer over a directory of tokenizer files."""

    def __init__(self, driver: Path, directory: Path, *options: str):
        self.command = [driver, directory, *options]

    def run(self, texts: list[bytes]) -> np.ndarray:
        """Everything the driver answers, as uint32."""
        data = b"".join(itertools.chain.from_iterable((struct.pack("=I", len(text)), text) for text in texts))
        done = subprocess.run(self.command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr.decode()
        return np.frombuffer(done.stdout, dtype=np.uint32)

    def encode(self, texts: list[bytes]) -> list[tuple[list[int], list[tuple[int, int]], list[tuple[int, int]]] | None]:
        """Ids, character offsets and byte offsets of each text; None where it was refused."""
        answer, position, results = self.run(texts), 0, []
        for _ in texts:
            count = int(answer[position])
            position += 1
            if count == REFUSED:
                results.append(None)
                continue
            ids = answer[position:position + count]
            spans = answer[position + count:position + 5 * count].reshape(count, 4).tolist()
            position += 5 * count
            results.append((ids.tolist(), [(s[2], s[3]) for s in spans], [(s[0], s[1]) for s in spans]))
        assert position == len(answer)
        return results


def differences(ours: Ours, reference: Tokenizer, texts: list[str], show: int = 5) -> list[str]:
    """Descriptions of the first texts whose ids or character offsets differ; empty when none does."""
    encodings = reference.encode_batch(texts, add_special_tokens=False)
    counts = np.fromiter((len(e.ids) for e in encodings), dtype=np.int64, count=len(encodings))
    ids = np.fromiter(itertools.chain.from_iterable(e.ids for e in encodings), dtype=np.uint32)
    offsets = np.fromiter(itertools.chain.from_iterable(itertools.chain.from_iterable(e.offsets for e in encodings)),
                          dtype=np.uint32)
    answer = ours.run([text.encode() for text in texts])
    expected = interleave(counts, ids, offsets.reshape(-1, 2))
    if len(answer) == len(expected[0]) and np.array_equal(answer[expected[1]], expected[0][expected[1]]):
        return []
    found = []
    for text, encoding, mine in zip(texts, encodings, ours.encode([text.encode() for text in texts])):
        if mine is None or (mine[0], mine[1]) != (encoding.ids, encoding.offsets):
            found.append(f"{ascii(text[:200])}: ours {mine and mine[:2]}, reference {encoding.ids} {encoding.offsets}"[:1000])
            if len(found) == show:
                break
    assert found
    return found


def interleave(counts: np.ndarray, ids: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the driver should answer, and a mask of what of it the reference tells (all but byte offsets)."""
    sizes = 1 + 5 * counts
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    answer = np.zeros(int(sizes.sum()), dtype=np.uint32)
    told = np.zeros(len(answer), dtype=bool)
    answer[starts] = counts
    told[starts] = True
    within = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
    id_places = np.repeat(starts + 1, counts) + within
    answer[id_places] = ids
    told[id_places] = True
    span_places = np.repeat(starts + 1 + counts, counts) + 4 * within
    for column in (0, 1):
        answer[span_places + 2 + column] = offsets[:, column]
        told[span_places + 2 + column] = True
    return answer, told


def assert_same(ours: Ours, reference: Tokenizer, texts: list[str], part: int = 50_000) -> None:
    for start in range(0, len(texts), part):
        found = differences(ours, reference, texts[start:start + part])
        assert not found, "\n".join(found)


def packed(form: str, points: list[int], per_text: int = 2048) -> list[str]:
    """The form with each code point in its place, many to a text, separated by spaces: words do not see each other."""
    return [" ".join(form.format(chr(p)) for p in points[i:i + per_text]) for i in range(0, len(points), per_text)]


def write_json(directory: Path, name: str, value) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


# The planes with characters. Beyond them every code point is private or unassigned.
VISIBLE_POINTS = [*range(0xD800), *range(0xE000, 0x323B0), *range(0xE0000, 0xE01F0)]


class Visible:
    """Both tokenizers over a vocabulary of every code point as a word's beginning and as its continuation, so that
    the ids spell the normalized text. NUL is left out: a JSON key of ours cannot hold it."""

    def __init__(self, driver: Path, directory: Path):
        pieces = SPECIAL + [chr(p) for p in VISIBLE_POINTS[1:]] + [f"##{chr(p)}" for p in VISIBLE_POINTS[1:]]
        self.reference = build({piece: number for number, piece in enumerate(pieces)})
        self.driver, self.directory = driver, directory

    def assert_same(self, texts: list[str], **settings) -> None:
        """Under these settings of BertNormalizer."""
        self.reference.normalizer = BertNormalizer(**settings)
        save(self.reference, self.directory)
        assert_same(Ours(self.driver, self.directory), self.reference, texts)
