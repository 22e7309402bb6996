#!/usr/bin/env python3
"""Our tokenizer and the `tokenizers` library side by side: same texts, one thread each, one run, taking turns.

    build/oracle/bin/python bench/tokenizer/run.py --model DIR [--repeats N] [--texts FILE]...

Prints MB/s (UTF-8 bytes of text) as the median over the repeats, and the ratio of the medians. "ids" is our encoding
without offsets against encode_batch_fast; "ids and offsets" ours with them against encode_batch. Both tokenize whole
texts: no truncation, no special tokens. The texts of "english" are Debian's common licences, those of "mixed script"
bench/tokenizer/mixed.txt in seeded random order. Pin to one core with taskset for steady figures.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Tokenizer  # noqa: E402  (after the environment that keeps it to one thread)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORDS_PER_TEXT = 180  # a passage as rerankers meet them


def english():
    words = []
    for path in sorted(Path("/usr/share/common-licenses").iterdir()):
        if not path.is_symlink():
            words += path.read_text(encoding="utf-8", errors="replace").split()
    return [" ".join(words[i:i + WORDS_PER_TEXT]) for i in range(0, len(words), WORDS_PER_TEXT)]


def mixed_script():
    lines = (HERE / "mixed.txt").read_text(encoding="utf-8").splitlines()
    order = random.Random(1)
    return [" ".join(order.sample(lines, 8)) for _ in range(300)]


def build(directory):
    program = directory / "ours"
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-O2", "-D_GNU_SOURCE", f"-I{ROOT / 'src'}",
                    str(HERE / "ours.c"), str(ROOT / "build/librescoldo.a"), "-ljansson", "-o", str(program)],
                   check=True)
    return program


class Ours:
    def __init__(self, program, model, texts, spans):
        self.process = subprocess.Popen([program, model, texts] + (["--spans"] if spans else []), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        nanoseconds, tokens = map(int, self.process.stdout.readline().split())
        return nanoseconds / 1e9, tokens

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def library(tokenizer, texts, spans):
    encode = tokenizer.encode_batch if spans else tokenizer.encode_batch_fast
    start = time.perf_counter()
    encodings = encode(texts, add_special_tokens=False)
    seconds = time.perf_counter() - start
    return seconds, sum(len(encoding.ids) for encoding in encodings)


def compare(name, texts, tokenizer, program, model, repeats, directory):
    size = sum(len(text.encode()) for text in texts)
    file = directory / "texts"
    file.write_text("\n".join(texts), encoding="utf-8")
    for spans, label in ((False, "ids"), (True, "ids and offsets")):
        ours, times = Ours(program, model, file, spans), ([], [])
        for _ in range(repeats):
            (our_seconds, our_tokens), (their_seconds, their_tokens) = ours.run(), library(tokenizer, texts, spans)
            if our_tokens != their_tokens:
                sys.exit(f"{name}: {our_tokens} tokens, the library has {their_tokens}")
            times[0].append(size / our_seconds / 1e6)
            times[1].append(size / their_seconds / 1e6)
        ours.close()
        our_speed, their_speed = map(statistics.median, times)
        print(f"{name:13} {label:16} {size / 1e6:5.2f} MB, {our_tokens:7} tokens   ours {our_speed:7.1f} MB/s   "
              f"tokenizers {their_speed:6.2f} MB/s   ratio {our_speed / their_speed:6.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="directory with tokenizer.json")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--texts", action="append", default=[], help="a file of texts of your own, one a line")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(Path(options.model) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    print(f"tokenizers {version('tokenizers')}, one thread, medians of {options.repeats} interleaved repeats")
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        program = build(directory)
        sets = [("english", english()), ("mixed script", mixed_script())]
        sets += [(Path(file).name[:13], Path(file).read_text(encoding="utf-8").splitlines())
                 for file in options.texts]
        for name, texts in sets:
            compare(name, texts, tokenizer, program, options.model, options.repeats, directory)


if __name__ == "__main__":
    main()
