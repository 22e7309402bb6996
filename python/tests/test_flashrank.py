"""The drop-in for FlashRank by itself; beside FlashRank: peers/test_flashrank_peer.py."""

from __future__ import annotations

import json
import logging
import pathlib
import shutil
import subprocess
import sys

import pytest

import rescoldo
from rescoldo.flashrank import Ranker, RerankRequest
from conftest import FLASHRANK_NAME
from texts import PASSAGES, QUERIES


def passages() -> list[dict]:
    return [{"id": f"p{index}", "text": text, "meta": {"number": index}} for index, text in enumerate(PASSAGES)]


def embers(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("*.ember"))


def test_passages_get_scores_and_are_sorted_in_place(cache_dir):
    given = passages()
    same = {passage["id"]: passage for passage in given}
    request = RerankRequest(query=QUERIES[0], passages=given)
    results = Ranker(FLASHRANK_NAME, str(cache_dir)).rerank(request)
    assert results is given and results is request.passages
    assert all(result is same[result["id"]] for result in results)
    assert sorted(result["meta"]["number"] for result in results) == list(range(len(PASSAGES)))
    assert all(list(result) == ["id", "text", "meta", "score"] for result in results)
    scores = [result["score"] for result in results]
    assert scores == sorted(scores, reverse=True) and all(type(score) is float and 0 < score < 1 for score in scores)
    json.dumps(results)
    again = Ranker(FLASHRANK_NAME, str(cache_dir)).rerank(RerankRequest(QUERIES[0], passages()))
    assert again == results


def test_a_request_may_be_empty(cache_dir):
    ranker = Ranker(FLASHRANK_NAME, cache_dir=cache_dir)
    assert ranker.rerank(RerankRequest(query="nothing")) == []
    with pytest.raises(TypeError, match="no query"):
        ranker.rerank(RerankRequest(passages=passages()))
    with pytest.raises(KeyError, match="text"):
        ranker.rerank(RerankRequest(query="a", passages=[{"id": 1}]))


def test_max_length_is_that_of_the_pair(cache_dir, monkeypatch):
    short = Ranker(FLASHRANK_NAME, cache_dir, max_length=16).rerank(RerankRequest(QUERIES[0], passages()))
    longer = Ranker(FLASHRANK_NAME, cache_dir, max_length=100_000).rerank(RerankRequest(QUERIES[0], passages()))
    by_id = {result["id"]: result["score"] for result in short}
    assert {result["id"] for result in longer if by_id[result["id"]] != result["score"]} >= {"p4", "p8"}


def test_the_ember_is_baked_once_and_anew_for_other_weights(cache_dir, caplog):
    caplog.set_level(logging.INFO, "rescoldo.flashrank")
    Ranker(FLASHRANK_NAME, cache_dir)
    (first,) = embers(cache_dir)
    inode = first.stat().st_ino
    Ranker(FLASHRANK_NAME, cache_dir)
    assert embers(cache_dir) == [first] and first.stat().st_ino == inode
    assert [record.message.split()[0] for record in caplog.records] == ["baking"]

    # Copied files are the same model.
    copy = cache_dir.with_name("copy")
    shutil.copytree(cache_dir, copy, copy_function=shutil.copyfile)
    Ranker(FLASHRANK_NAME, copy)
    assert [ember.name for ember in embers(copy)] == [first.name] and len(caplog.records) == 1

    configuration = cache_dir / FLASHRANK_NAME / "config.json"
    configuration.write_text(configuration.read_text() + "\n")
    Ranker(FLASHRANK_NAME, cache_dir)
    assert len(embers(cache_dir)) == 1 and embers(cache_dir) != [first]


def test_a_broken_ember_is_replaced(cache_dir, caplog):
    expected = Ranker(FLASHRANK_NAME, cache_dir).rerank(RerankRequest(QUERIES[0], passages()))
    (ember,) = embers(cache_dir)
    ember.write_bytes(b"an ember of another version")
    assert Ranker(FLASHRANK_NAME, cache_dir).rerank(RerankRequest(QUERIES[0], passages())) == expected
    assert "baking ms-marco-TinyBERT-L-2-v2 anew" in caplog.text


def test_processes_that_start_together_bake_once(cache_dir):
    code = (
        "import logging, sys; logging.basicConfig(level='INFO', stream=sys.stdout);"
        "from rescoldo.flashrank import Ranker; sys.stdin.read(); Ranker(sys.argv[1], sys.argv[2])"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, FLASHRANK_NAME, cache_dir], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        process.stdin.close()
    outputs = [process.stdout.read() for process in processes]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert sum(output.count("baking") for output in outputs) == 1 and len(embers(cache_dir)) == 1


def test_the_ember_may_lie_elsewhere_or_alone(cache_dir, tmp_path):
    expected = Ranker(FLASHRANK_NAME, cache_dir, ember_dir=tmp_path / "embers").rerank(RerankRequest(QUERIES[0], passages()))
    (ember,) = embers(tmp_path / "embers")
    assert embers(cache_dir) == []
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(ember, alone / f"{FLASHRANK_NAME}.ember")
    assert Ranker(FLASHRANK_NAME, alone).rerank(RerankRequest(QUERIES[0], passages())) == expected
    assert [path.name for path in alone.iterdir()] == [f"{FLASHRANK_NAME}.ember"]


def test_a_zip_is_read_as_it_was_downloaded(cache_dir, tmp_path):
    expected = Ranker(FLASHRANK_NAME, cache_dir).rerank(RerankRequest(QUERIES[0], passages()))
    zipped = tmp_path / "zipped"
    shutil.make_archive(str(zipped / FLASHRANK_NAME), "zip", cache_dir, FLASHRANK_NAME)
    assert Ranker(FLASHRANK_NAME, zipped).rerank(RerankRequest(QUERIES[0], passages())) == expected
    assert not (zipped / FLASHRANK_NAME).exists()


def test_a_folder_that_cannot_be_written(cache_dir):
    # Not even root writes there.
    with pytest.raises(OSError, match="pass ember_dir"):
        Ranker(FLASHRANK_NAME, cache_dir, ember_dir="/sys")


def test_what_cannot_be_had_is_said(cache_dir, embedder_directory):
    with pytest.raises(FileNotFoundError, match="neither the folder ms-marco-MiniLM-L-12-v2 nor .* downloads nothing"):
        Ranker("ms-marco-MiniLM-L-12-v2", cache_dir)
    with pytest.raises(rescoldo.UnsupportedError, match="a language model"):
        Ranker("rank_zephyr_7b_v1_full", cache_dir)
    for name in ("", "..", "a/b"):
        with pytest.raises(ValueError, match="expected the name of a folder"):
            Ranker(name, cache_dir)
    with pytest.raises(rescoldo.UnsupportedError, match="an embedder"):
        Ranker(embedder_directory.name, embedder_directory.parent, ember_dir=cache_dir)


def test_installed_it_is_flashrank():
    code = (
        "import rescoldo.flashrank as ours; assert ours.install() is ours is ours.install(); import flashrank;"
        "from flashrank import Ranker, RerankRequest; assert flashrank is ours and Ranker is ours.Ranker;"
        "import importlib.util; assert importlib.util.find_spec('flashrank') is not None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    late = (
        "import sys, types; sys.modules['flashrank'] = types.ModuleType('flashrank'); import rescoldo.flashrank as ours\n"
        "try: ours.install()\n"
        "except RuntimeError as error: assert 'before' in str(error)\n"
        "else: sys.exit(1)"
    )
    subprocess.run([sys.executable, "-c", late], check=True)
