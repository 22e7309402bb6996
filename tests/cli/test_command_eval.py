"""rescoldo eval against trec_eval's own code (pytrec_eval)."""

from __future__ import annotations

import pathlib
import random

import pytest
import pytrec_eval

from json_output import json_lines
from small_models import WORDS

NOVELEVAL = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "noveleval"


def read_run(path) -> dict[str, dict[str, float]]:
    ranking: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines():
        query, _, document, _, score, _ = line.split()
        ranking.setdefault(query, {})[document] = float(score)
    return ranking


def read_judgments(path) -> dict[str, dict[str, int]]:
    judgments: dict[str, dict[str, int]] = {}
    for line in path.read_text().splitlines():
        query, _, document, relevance = line.split()
        judgments.setdefault(query, {})[document] = int(relevance)
    return judgments


def first_ten(ranking: dict[str, float]) -> dict[str, float]:
    """What trec_eval -M 10 looks at: score descending, then document descending."""
    return dict(sorted(ranking.items(), key=lambda item: (item[1], item[0]), reverse=True)[:10])


def trec_eval(judgments, ranking) -> dict[str, float]:
    whole = pytrec_eval.RelevanceEvaluator(judgments, {"ndcg_cut.10", "recall.100"}).evaluate(ranking)
    top = pytrec_eval.RelevanceEvaluator(judgments, {"recip_rank"}).evaluate(
        {query: first_ten(documents) for query, documents in ranking.items()}
    )

    def mean(results, measure):
        return sum(result[measure] for result in results.values()) / len(results)

    return {
        "nDCG@10": mean(whole, "ndcg_cut_10"),
        "MRR@10": mean(top, "recip_rank"),
        "Recall@100": mean(whole, "recall_100"),
    }


def check(report, judgments, ranking):
    for measure, expected in trec_eval(judgments, ranking).items():
        assert report[measure] == pytest.approx(expected, abs=1e-6), measure


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> pathlib.Path:
    """150 documents, some of them equal, 12 queries, graded judgments (also negative ones, one query without
    a relevant document, one without any judgment), and a run of candidates."""
    directory = tmp_path_factory.mktemp("collection")
    source = random.Random(11)
    documents = {}
    for i in range(150):
        words = source.choices(WORDS, k=source.randint(1, 30)) if i % 10 else ["the", "moon"]
        documents[f"d{i}"] = " ".join(words)
    queries = {f"q{i}": " ".join(source.choices(WORDS, k=4)) for i in range(12)}
    judgments, candidates = [], []
    for number, query in enumerate(queries):
        relevances = [0] if number == 3 else [-1, 0, 1, 1, 2, 3]
        if number != 5:
            judgments += [(query, document, source.choice(relevances)) for document in source.sample(list(documents), 40)]
        ranked = source.sample(list(documents), 130)
        if number != 7:
            candidates += [(query, document, rank) for rank, document in enumerate(ranked, 1)]
    write = lambda name, lines: (directory / name).write_text("".join(line + "\n" for line in lines))
    write("corpus.tsv", [f"{key}\t{text}" for key, text in documents.items()])
    write("queries.tsv", [f"{key}\t{text}" for key, text in queries.items()])
    write("qrels.txt", [f"{query} 0 {document} {relevance}" for query, document, relevance in judgments])
    write("run.trec", [f"{query} Q0 {document} {rank} {1 / rank} bm25" for query, document, rank in candidates])
    return directory


def arguments(directory, model) -> list:
    return [
        "eval", "--model", model, "--queries", directory / "queries.tsv", "--corpus", directory / "corpus.tsv",
        "--qrels", directory / "qrels.txt",
    ]


@pytest.mark.parametrize("model", ["cross_encoder", "embedder"])
def test_candidates_reranked(run, collection, tmp_path, request, model):
    output = tmp_path / "out.trec"
    result = run(
        *arguments(collection, request.getfixturevalue(model)), "--run", collection / "run.trec", "--output", output
    )
    (report,) = json_lines(result.stdout)
    ranking = read_run(output)
    assert {query: set(documents) for query, documents in ranking.items()} == {
        query: set(documents) for query, documents in read_run(collection / "run.trec").items()
    }
    assert report["queries"] == 10 and report["documents"] == 11 * 130
    check(report, read_judgments(collection / "qrels.txt"), ranking)
    assert b"1 judged queries have no candidates" in result.stderr
    assert b"1 queries have no judgments" in result.stderr


def test_scores_are_those_of_rerank(run, collection, cross_encoder, tmp_path):
    output = tmp_path / "out.trec"
    run(*arguments(collection, cross_encoder), "--run", collection / "run.trec", "--output", output)
    ranking = read_run(output)["q0"]
    texts = dict(line.split("\t") for line in (collection / "corpus.tsv").read_text().splitlines())
    query = (collection / "queries.tsv").read_text().splitlines()[0].split("\t")[1]
    text = "\n".join(texts[document] for document in ranking).encode()
    results = json_lines(run("rerank", "--model", cross_encoder, "--query", query, "--raw", input=text).stdout)
    scores = {list(ranking)[r["index"]]: r["logit"] for r in results}
    assert scores == ranking


def test_depth_takes_the_first_candidates(run, collection, cross_encoder, tmp_path):
    output = tmp_path / "out.trec"
    run(*arguments(collection, cross_encoder), "--run", collection / "run.trec", "--depth", 10, "--output", output)
    candidates = read_run(collection / "run.trec")
    for query, documents in read_run(output).items():
        assert set(documents) == set(first_ten(candidates[query]))


def test_retrieval_from_the_whole_corpus(run, collection, embedder, tmp_path):
    output = tmp_path / "out.trec"
    (report,) = json_lines(run(*arguments(collection, embedder), "--output", output).stdout)
    ranking = read_run(output)
    assert all(len(documents) == 100 for documents in ranking.values()) and len(ranking) == 12
    check(report, read_judgments(collection / "qrels.txt"), ranking)
    deep = tmp_path / "deep.trec"
    run(*arguments(collection, embedder), "--depth", 1000, "--output", deep)
    for query, documents in read_run(deep).items():
        assert len(documents) == 150
        assert set(ranking[query].values()) == set(sorted(documents.values(), reverse=True)[:100])


def test_a_cross_encoder_needs_candidates(refuse, collection, cross_encoder):
    assert "--run FILE is required" in refuse(*arguments(collection, cross_encoder))


def test_bad_files_are_named_with_their_line(refuse, collection, cross_encoder, tmp_path):
    def with_file(option, content):
        path = tmp_path / "bad"
        path.write_bytes(content)
        files = {
            "--queries": collection / "queries.tsv", "--corpus": collection / "corpus.tsv",
            "--qrels": collection / "qrels.txt", "--run": collection / "run.trec", option: path,
        }
        return refuse("eval", "--model", cross_encoder, *(part for pair in files.items() for part in pair))

    bad = tmp_path / "bad"
    assert f"{bad}: line 1: no tab" in with_file("--queries", b"q1 text\n")
    assert f"{bad}: line 2: no tab" in with_file("--corpus", b"d0\ttext\nx\n")
    assert f"{bad} is empty" in with_file("--corpus", b"")
    assert f"{bad}: line 1: expected QUERY 0 DOCUMENT RELEVANCE" in with_file("--qrels", b"q1 d1\n")
    assert f"{bad}: line 1: expected QUERY Q0 DOCUMENT RANK SCORE TAG" in with_file("--run", b"q0 d1 1\n")
    assert 'query "q99"' in with_file("--run", b"q99 Q0 d1 1 1 t\n")
    assert 'document "d999"' in with_file("--run", b"q0 Q0 d999 1 1 t\n")
    assert "no query has both a ranking and judgments" in with_file("--qrels", b"q99 0 d1 1\n")
    assert 'query "q0": passage 0' in with_file("--corpus", (collection / "corpus.tsv").read_bytes().replace(b" ", b" \xff"))
    for option in ("--queries", "--corpus", "--qrels", "--run"):
        files = {
            "--queries": collection / "queries.tsv", "--corpus": collection / "corpus.tsv",
            "--qrels": collection / "qrels.txt", "--run": collection / "run.trec",
        }
        for path, reason in ((tmp_path / "none", "No such file"), (tmp_path, "is a directory")):
            files[option] = path
            message = refuse("eval", "--model", cross_encoder, *(part for pair in files.items() for part in pair))
            assert str(path) in message and reason in message


def test_an_output_that_cannot_be_written(refuse, collection, cross_encoder, tmp_path):
    output = tmp_path / "none" / "out.trec"
    message = refuse(*arguments(collection, cross_encoder), "--run", collection / "run.trec", "--output", output)
    assert str(output) in message


@pytest.mark.skipif(not NOVELEVAL.is_dir(), reason=f"NOT TESTED on NovelEval: {NOVELEVAL} is not here")
def test_noveleval(run, all_minilm_ember, tmp_path):
    """Real questions and passages: the measures are trec_eval's, and the model beats BM25 (published: 55.77).
    tests/engine/test_noveleval.py compares int8 with float32."""
    judgments = read_judgments(NOVELEVAL / "qrels.txt")
    candidates = tmp_path / "candidates.trec"
    candidates.write_text(
        "".join(f"{query} Q0 {query}-{i} {i + 1} {-i} given\n" for query in judgments for i in range(20))
    )
    for options in (["--run", candidates], []):
        output = tmp_path / "out.trec"
        (report,) = json_lines(run(*arguments(NOVELEVAL, all_minilm_ember), *options, "--output", output).stdout)
        assert report["queries"] == 21
        check(report, judgments, read_run(output))
        assert report["nDCG@10"] > 0.5577
