"""Every setting of the files means what it means to the reference: both are configured by the same file."""

from __future__ import annotations

import itertools
import json
import random
import subprocess

import pytest
import tokenizer_texts as texts
from oracle import Ours, assert_same, build, packed, save, write_json
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary(prefix: str, unknown: str = "[UNK]", seed: int = 0) -> dict[str, int]:
    """Letters and some of their strings, both as beginnings and as continuations."""
    chance = random.Random(seed)
    letters = list("abcdeABCDEé中ßσ.,-!#@x1") + ["\u0301", "\u1b44"]
    strings = letters + ["".join(chance.choices(letters, k=chance.randint(2, 4))) for _ in range(150)]
    pieces = [unknown, *SPECIAL, *strings, *(prefix + s for s in strings)]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def some_texts(seed: int, count: int, words: list[str] = ()) -> list[str]:
    chance = random.Random(seed)
    alphabet = list("abcdeABCDEé中ßσ.,-!#@x1") + ["\u0301", "\u1b44", " ", " ", "\u3000", "[SEP]", "##", *words, *words]
    return ["".join(chance.choices(alphabet, k=chance.randint(0, 20))) for _ in range(count)]


@pytest.mark.parametrize("prefix", ["##", "@@", "x", "", "é", "-" * 15])
def test_continuing_prefix(driver, tmp_path, prefix):
    reference = build(vocabulary(prefix), prefix=prefix)
    assert_same(Ours(driver, save(reference, tmp_path)), reference, some_texts(1, 5000))


@pytest.mark.parametrize("unknown", ["[UNK]", "<unk>", "a", "é"])
def test_unknown_token(driver, tmp_path, unknown):
    reference = build(vocabulary("##", unknown), unknown=unknown)
    assert_same(Ours(driver, save(reference, tmp_path)), reference, some_texts(2, 5000))


@pytest.mark.parametrize("most", [0, 1, 2, 5, 100, 400, 2**32 - 1])
def test_characters_per_word(driver, tmp_path, most):
    reference = build(vocabulary("##"), max_characters=most)
    lengths = [1, 2, 3, 5, 6, 99, 100, 101, 399, 400, 401, 3000]
    assert_same(Ours(driver, save(reference, tmp_path)), reference,
                some_texts(3, 3000) + [c * n for c in ("a", "é", "é\u0301", "中", "가") for n in lengths])


@pytest.mark.parametrize("strip_accents", [None, True, False])
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("clean_text", [True, False])
@pytest.mark.parametrize("handle_chinese_chars", [True, False])
def test_normalizer(driver, tmp_path, strip_accents, lowercase, clean_text, handle_chinese_chars):
    reference = build(vocabulary("##"), strip_accents=strip_accents, lowercase=lowercase, clean_text=clean_text,
                      handle_chinese_chars=handle_chinese_chars)
    assert_same(Ours(driver, save(reference, tmp_path)), reference, some_texts(4, 2000) + texts.texts(5, 2000))


def test_no_normalizer(driver, tmp_path):
    reference = build(vocabulary("##"))
    reference.normalizer = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    save(reference, tmp_path)
    file = json.loads((tmp_path / "tokenizer.json").read_text())
    file["normalizer"] = None
    write_json(tmp_path, "tokenizer.json", file)
    assert_same(Ours(driver, tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json")), some_texts(6, 3000))


CONTENTS = ["ing", "Foo", "<x>", "é", "É", "b", "中", "foo bar", "b c", "[SEP]", "]", "a\u0301", "\u1b44a", "x-1", "9", " d", "e ", "가"]
WHITE = [" ", "  ", "\t", "\u00a0", "\u3000", "\u2028", "\x0b", "\x85", "\u200b", "\x1c"]


@pytest.mark.parametrize("flags", list(itertools.product((False, True), repeat=5)), ids=lambda f: "".join("01"[v] for v in f))
def test_added_tokens_with_every_flag(driver, tmp_path, flags):
    """single_word, lstrip, rstrip, normalized, special, in this order; all tokens with the same flags."""
    single_word, lstrip, rstrip, normalized, special = flags
    added = [AddedToken(content, single_word=single_word, lstrip=lstrip, rstrip=rstrip, normalized=normalized, special=special)
             for content in CONTENTS if content not in ("[SEP]", "É")]
    check_added(driver, tmp_path, added, random.Random(repr(flags)))


@pytest.mark.parametrize("seed", range(40))
def test_added_tokens_with_mixed_flags(driver, tmp_path, seed):
    chance = random.Random(seed)
    added = [AddedToken(content, **{flag: chance.random() < 0.4 for flag in
                                    ("single_word", "lstrip", "rstrip", "normalized", "special")})
             for content in chance.sample(CONTENTS, chance.randint(1, 8)) if content not in ("[SEP]", "É")]
    settings = dict(strip_accents=chance.choice((None, True, False)), lowercase=chance.random() < 0.6,
                    clean_text=chance.random() < 0.6, handle_chinese_chars=chance.random() < 0.6)
    check_added(driver, tmp_path, added, chance, **settings)


# "É" is only text: of added tokens that are the same after normalization the reference takes a random one (it goes
# through a hash map), so two such cannot be compared. Ours takes the first.
def check_added(driver, directory, added, chance, **settings):
    reference = build(vocabulary("##"), added=added, **settings)
    save(reference, directory)
    alphabet = CONTENTS * 3 + WHITE + list("abcABC.é1_-") + ["\u0301", "foo", "FOO BAR", "ING"]
    some = ["".join(chance.choices(alphabet, k=chance.randint(0, 12))) for _ in range(1500)]
    assert_same(Ours(driver, directory), reference, some)
    reference.encode_special_tokens = True
    assert_same(Ours(driver, directory, "--encode-special-tokens"), reference, some)
    assert_same(Ours(driver, directory, "--encode-special-tokens", "--slow"), reference, some[:60])


@pytest.mark.parametrize("normalized,points", [(False, range(0x110000)), (True, range(0x11000))], ids=["raw", "normalized"])
def test_word_characters_and_spaces_around_added_tokens(driver, tmp_path, normalized, points):
    """The \\w and \\s of the flags. Both texts are searched with the same data, so the second need not be exhaustive."""
    added = [AddedToken("<w>", single_word=True, normalized=normalized),
             AddedToken("<s>", lstrip=True, rstrip=True, normalized=normalized)]
    reference = build(vocabulary("##"), added=added, clean_text=False)
    mine = Ours(driver, save(reference, tmp_path))
    some = [p for p in points if not 0xD800 <= p < 0xE000]
    assert_same(mine, reference, packed("<s>{0}<w>{0}<s>", some, per_text=1024))


# ---- vocab.txt ----


def write_vocabulary(directory, pieces, **config):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "vocab.txt").write_bytes("".join(f"{piece}\n" for piece in pieces).encode())
    if config:
        write_json(directory, "tokenizer_config.json", config)


def from_vocabulary(directory, **normalizer) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece.from_file(str(directory / "vocab.txt"), unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(**normalizer)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


@pytest.mark.parametrize("config,normalizer", [
    ({}, {}),
    ({"do_lower_case": False}, {"lowercase": False}),
    ({"do_lower_case": False, "strip_accents": True}, {"lowercase": False, "strip_accents": True}),
    ({"strip_accents": False}, {"strip_accents": False}),
    ({"tokenize_chinese_chars": False, "model_max_length": 10**30}, {"handle_chinese_chars": False}),
])
def test_vocabulary_file(driver, tmp_path, config, normalizer):
    pieces = list(vocabulary("##"))
    write_vocabulary(tmp_path, [*pieces, "trailing \t\u00a0", "", "a", "##a", "\u3000"], **config)
    assert_same(Ours(driver, tmp_path), from_vocabulary(tmp_path, **normalizer),
                some_texts(7, 3000, ["trailing"]) + texts.texts(8, 1000))


def test_published_vocabulary_file_equals_published_tokenizer_json(driver, all_minilm_directory, reference, tmp_path):
    for name in ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).write_bytes((all_minilm_directory / name).read_bytes())
    assert_same(Ours(driver, tmp_path), reference, texts.texts(9, 20_000))


def test_added_tokens_decoder(driver, tmp_path):
    pieces = list(vocabulary("##"))
    tokens = {0: AddedToken("[UNK]", special=True, normalized=False), len(pieces): AddedToken("Foo", lstrip=True),
              len(pieces) + 1: AddedToken("b c", single_word=True, rstrip=True, normalized=False)}
    decoder = {str(number): {"content": t.content, "lstrip": t.lstrip, "rstrip": t.rstrip, "single_word": t.single_word,
                             "normalized": t.normalized, "special": t.special} for number, t in tokens.items()}
    write_vocabulary(tmp_path, pieces, added_tokens_decoder=decoder)
    reference = from_vocabulary(tmp_path)
    reference.add_tokens([tokens[len(pieces)], tokens[len(pieces) + 1]])
    assert_same(Ours(driver, tmp_path), reference, some_texts(10, 3000, ["foo", " Foo", "b c", "b c "]))


# ---- what is refused ----


def refusal(driver, directory) -> str:
    done = subprocess.run([driver, directory], input=b"", capture_output=True)
    assert done.returncode == 1
    return done.stderr.decode()


def changed(**changes):
    def change(file):
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = file
            for parent in parents:
                place = place[int(parent) if parent.isdigit() else parent]
            if value is KeyError:
                del place[last]
            else:
                place[last] = value
    return change


@pytest.mark.parametrize("change,expected", [
    (changed(model={"type": "BPE", "vocab": {}, "merges": []}), ["model BPE", "supported: WordPiece"]),
    (changed(model={"type": "Unigram", "vocab": []}), ["model Unigram", "WordPiece"]),
    (changed(model={"type": "WordLevel", "vocab": {}}), ["model WordLevel", "WordPiece"]),
    (changed(normalizer={"type": "NFKC"}), ["normalizer NFKC", "BertNormalizer"]),
    (changed(normalizer={"type": "Sequence", "normalizers": []}), ["normalizer Sequence"]),
    (changed(pre_tokenizer={"type": "Whitespace"}), ["pre_tokenizer Whitespace", "BertPreTokenizer"]),
    (changed(pre_tokenizer=None), ["pre_tokenizer null"]),
    (changed(pre_tokenizer={"type": "Sequence", "pretokenizers": []}), ["pre_tokenizer Sequence"]),
    (changed(post_processor={"type": "RobertaProcessing"}), ["post_processor RobertaProcessing", "TemplateProcessing"]),
    (changed(post_processor=None), ["post_processor null"]),
    (changed(model__unk_token="nowhere"), ["nowhere", "not in the vocabulary"]),
    (changed(model__continuing_subword_prefix="#" * 16), ["continuing_subword_prefix", "16 bytes"]),
    (changed(model__max_input_chars_per_word=-1), ["max_input_chars_per_word"]),
    (changed(model__vocab={"[UNK]": 0, "a": -1}), ["\"a\"", "model.vocab"]),
    (changed(model__vocab={"[UNK]": 0, "a": 0}), ["the id 0"]),
    (changed(model__vocab={"[UNK]": 0, "a": 1.5}), ["\"a\"", "model.vocab"]),
    (changed(model__vocab={"[UNK]": 0, "a": 10**9}), ["\"a\"", "model.vocab"]),
    (changed(model__vocab=[]), ["model.vocab"]),
    (changed(normalizer__lowercase="yes"), ["lowercase"]),
    (changed(normalizer__strip_accents=1), ["strip_accents"]),
    (changed(normalizer__clean_text=KeyError), ["clean_text"]),
    (changed(added_tokens={}), ["added_tokens"]),
    (changed(added_tokens__0__id="x"), ["added_tokens", "id"]),
    (changed(added_tokens__0__id=7), ["id 7"]),
    (changed(added_tokens__0__id=2**31), ["id"]),
    (changed(added_tokens__0__content=""), ["empty"]),
    (changed(added_tokens__0__lstrip=KeyError), ["lstrip"]),
    (changed(post_processor__cls=["[CLS]", 10**6]), ["1000000", "outside the vocabulary"]),
    (changed(post_processor__sep=["[SEP]", "x"]), ["post_processor.sep"]),
])
def test_refused_by_name(driver, tmp_path, change, expected):
    save(build(vocabulary("##")), tmp_path)
    file = json.loads((tmp_path / "tokenizer.json").read_text())
    change(file)
    write_json(tmp_path, "tokenizer.json", file)
    message = refusal(driver, tmp_path)
    for part in ["tokenizer.json", *expected] if "id 7" not in expected and "empty" not in expected else expected:
        assert part in message or part == "tokenizer.json", message


def test_refused_templates(driver, all_minilm_directory, tmp_path):
    file = json.loads((all_minilm_directory / "tokenizer.json").read_text())
    file["post_processor"]["pair"].pop()
    write_json(tmp_path, "tokenizer.json", file)
    assert "template is not supported" in refusal(driver, tmp_path)


@pytest.mark.parametrize("config,expected", [
    ({"tokenizer_class": "RobertaTokenizer"}, "RobertaTokenizer"),
    ({"do_basic_tokenize": False}, "do_basic_tokenize"),
    ({"never_split": ["a"]}, "never_split"),
    ({"do_lower_case": 1}, "do_lower_case"),
    ({"unk_token": "nowhere"}, "nowhere"),
    ({"added_tokens_decoder": {"x": {}}}, "added_tokens_decoder"),
])
def test_refused_configurations(driver, tmp_path, config, expected):
    write_vocabulary(tmp_path, list(vocabulary("##")), **config)
    assert expected in refusal(driver, tmp_path)


def test_refused_directories(driver, tmp_path):
    assert "neither tokenizer.json nor vocab.txt" in refusal(driver, tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"{")
    assert "tokenizer.json is not valid JSON" in refusal(driver, tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"")
    assert "tokenizer.json is empty" in refusal(driver, tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    write_vocabulary(tmp_path, list(vocabulary("##")))
    write_json(tmp_path, "added_tokens.json", {"new": 1000})
    assert "added_tokens.json" in refusal(driver, tmp_path)
