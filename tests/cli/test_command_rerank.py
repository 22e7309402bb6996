"""rescoldo rerank, in both of its forms."""

from __future__ import annotations

import json
import math

import pytest

from json_output import json_lines

PASSAGES = ["Paris is the capital of France.", "A banana is yellow.", "", "Rome is the capital of Italy.", "eggs"]
TEXT = "\n".join(PASSAGES).encode() + b"\n"


def rerank(run, model, *arguments, **options):
    return run("rerank", "--model", model, *arguments, **options)


def test_every_passage_comes_back_best_first(run, cross_encoder):
    results = json_lines(rerank(run, cross_encoder, "--query", "capital of France", "--raw", input=TEXT).stdout)
    assert sorted(r["index"] for r in results) == list(range(len(PASSAGES)))
    assert [r["text"] for r in results] == [PASSAGES[r["index"]] for r in results]
    logits = [r["logit"] for r in results]
    assert logits == sorted(logits, reverse=True)
    for result in results:
        assert list(result) == ["index", "relevance_score", "logit", "tokens", "truncated", "characters_used", "text"]
        assert result["relevance_score"] == pytest.approx(1 / (1 + math.exp(-result["logit"])), rel=1e-5)
        assert result["truncated"] is False and result["tokens"] >= 6


def test_an_embedder_reranks_by_cosine(run, embedder):
    results = json_lines(rerank(run, embedder, "--query", "eggs", "--raw", input=TEXT).stdout)
    assert results[0]["text"] == "eggs" and results[0]["cosine"] == pytest.approx(1, abs=1e-5)
    for result in results:
        assert result["relevance_score"] == pytest.approx((1 + result["cosine"]) / 2, abs=1e-6)


def test_the_raw_score_is_printed_only_when_asked_for(run, cross_encoder):
    results = json_lines(rerank(run, cross_encoder, "--query", "a", input=TEXT).stdout)
    assert all("logit" not in result for result in results)


def test_top_n(run, cross_encoder):
    everything = json_lines(rerank(run, cross_encoder, "--query", "a", input=TEXT).stdout)
    assert json_lines(rerank(run, cross_encoder, "--query", "a", "--top-n", 2, input=TEXT).stdout) == everything[:2]
    assert json_lines(rerank(run, cross_encoder, "--query", "a", "--top-n", 99, input=TEXT).stdout) == everything


def test_equal_scores_keep_their_order(run, cross_encoder):
    results = json_lines(rerank(run, cross_encoder, "--query", "a", input=b"rome\n" * 20).stdout)
    assert [r["index"] for r in results] == list(range(20))


def test_a_file_says_the_same_as_standard_input(run, cross_encoder, tmp_path):
    path = tmp_path / "passages.txt"
    path.write_bytes(TEXT)
    from_file = rerank(run, cross_encoder, "--query", "a", path).stdout
    assert from_file == rerank(run, cross_encoder, "--query", "a", input=TEXT).stdout
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace(b"\n", b"\r\n")[:-2])
    assert from_file == rerank(run, cross_encoder, "--query", "a", path).stdout


def test_truncation_is_a_choice_and_told(run, refuse, cross_encoder):
    arguments = ["--query", "the capital", "--max-length", 16]
    long = b"paris " * 100 + b"\nrome\n"
    results = {r["index"]: r for r in json_lines(rerank(run, cross_encoder, *arguments, input=long).stdout)}
    assert results[0]["truncated"] is True and results[0]["tokens"] == 16
    assert results[1]["truncated"] is False
    message = refuse("rerank", "--model", cross_encoder, *arguments, "--truncation", "none", input=long)
    assert "passage 0" in message
    assert "--max-length is 129, the model allows at most 128" in refuse(
        "rerank", "--model", cross_encoder, "--query", "a", "--max-length", 129, input=b"a\n"
    )


def test_texts_that_are_not_utf8(refuse, cross_encoder):
    message = refuse("rerank", "--model", cross_encoder, "--query", "a", input=b"good\nbad \xff\n")
    assert "line 2 of standard input is not UTF-8 at byte 4" in message
    assert "query" in refuse("rerank", "--model", cross_encoder, "--query", b"\xff\xfe".decode(errors="surrogateescape"), input=b"a\n")


def test_texts_that_are_not_utf8_replaced_where_that_is_asked_for(run, refuse, cross_encoder):
    query = b"capital \xff\xfe".decode(errors="surrogateescape")
    arguments = ["--query", query, "--invalid-utf8", "replace"]
    results = json_lines(rerank(run, cross_encoder, *arguments, input=b"good\nbad \xe2\x82 \xff\n").stdout)
    assert {r["text"] for r in results} == {"good", "bad \ufffd \ufffd"}
    same = json_lines(rerank(run, cross_encoder, "--query", "capital \ufffd\ufffd", input="good\nbad \ufffd \ufffd\n".encode()).stdout)
    assert results == same
    message = refuse("rerank", "--model", cross_encoder, "--jsonl", "--invalid-utf8", "replace", status=2)
    assert "JSON is always UTF-8" in message


def test_a_line_of_ten_megabytes(run, cross_encoder):
    results = json_lines(rerank(run, cross_encoder, "--query", "a", input=b"x" * 10_000_000 + b"\nrome\n").stdout)
    assert len(results) == 2 and all(len(r["text"]) in (4, 10_000_000) for r in results)


def test_a_line_beyond_the_limit(refuse, cross_encoder):
    message = refuse("rerank", "--model", cross_encoder, "--query", "a", input=b"rome\n" + b"x" * 17_000_000)
    assert "line 2 of standard input is longer than 16777216 bytes" in message


# ---- --jsonl ----


def lists(run, model, requests, *arguments, status=0):
    text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in requests)
    result = rerank(run, model, "--jsonl", *arguments, input=text.encode(), status=status)
    return json_lines(result.stdout), result.stderr.decode()


def test_lists_keep_what_they_brought(run, cross_encoder):
    request = {
        "id": "list-1",
        "query": "capital of France",
        "passages": [
            {"id": 3, "text": "A banana.", "meta": {"source": "x", "pages": [1, 2.5, None, True], "é": "\u0000"}},
            {"text": "Paris is the capital of France.", "title": "Paris", "relevance_score": "old"},
            "plain text",
        ],
        "extra": 0.1,
    }
    answers, _ = lists(run, cross_encoder, [request], "--raw")
    (answer,) = answers
    assert answer["id"] == "list-1" and answer["extra"] == 0.1 and answer["query"] == request["query"]
    passages = answer["passages"]
    assert [p["logit"] for p in passages] == sorted((p["logit"] for p in passages), reverse=True)
    by_text = {p["text"]: p for p in passages}
    banana = by_text["A banana."]
    assert banana["id"] == 3 and banana["meta"] == request["passages"][0]["meta"]
    assert by_text["Paris is the capital of France."]["title"] == "Paris"
    assert isinstance(by_text["Paris is the capital of France."]["relevance_score"], float)
    assert set(by_text["plain text"]) == {"text", "relevance_score", "logit", "tokens", "truncated", "characters_used"}


def test_numbers_come_back_as_they_were(run, cross_encoder):
    line = '{"query":"a","passages":[{"text":"b","meta":[0.1,1e300,-0.0,5e-324,12345678901234567,1.0,3]}]}'
    result = rerank(run, cross_encoder, "--jsonl", input=line.encode() + b"\n").stdout.decode()
    assert '"meta":[0.1,1e+300,-0.0,4.94065645841247e-324,12345678901234567,1.0,3]' in result


def test_lists_score_as_lines_do(run, cross_encoder):
    expected = {r["index"]: r["relevance_score"] for r in json_lines(rerank(run, cross_encoder, "--query", "a", input=TEXT).stdout)}
    answers, _ = lists(run, cross_encoder, [{"query": "a", "passages": [{"id": i, "text": t} for i, t in enumerate(PASSAGES)]}])
    assert {p["id"]: p["relevance_score"] for p in answers[0]["passages"]} == expected


def test_bad_lines_are_answered_in_their_place(run, cross_encoder):
    good = {"query": "a", "passages": [{"text": "b"}]}
    bad = {
        "not json": "not valid JSON at byte",
        "": "not valid JSON",
        "[1, 2]": "expected a JSON object",
        '{"query": "a", "query": "b", "passages": []}': "duplicate",
        '{"passages": []}': '"query" is missing',
        '{"query": 1, "passages": []}': '"query" is not a string',
        '{"query": "a"}': '"passages" is missing',
        '{"query": "a", "passages": {}}': '"passages" is not an array',
        '{"query": "a", "passages": [{"text": "x"}, {"id": 1}]}': 'passages[1]: "text" is missing',
        '{"query": "a", "passages": [7]}': "passages[0] is neither",
        '{"query": "a", "passages": [{"text": null}]}': 'passages[0]: "text" is missing',
        '{"query": "\\ud800", "passages": []}': "not valid JSON",
        "[" * 100_000: "not valid JSON",
    }
    requests = [good]
    for line in bad:
        requests += [line, good]
    answers, messages = lists(run, cross_encoder, requests, status=1)
    assert len(answers) == len(requests)
    assert f"{len(bad)} of {len(requests)} lines could not be answered" in messages
    for i, reason in enumerate(bad.values()):
        assert list(answers[1 + 2 * i]) == ["error"] and reason in answers[1 + 2 * i]["error"]
    assert all(answer == answers[0] for answer in answers[0::2])


def test_an_empty_list_has_an_empty_answer(run, cross_encoder):
    answers, _ = lists(run, cross_encoder, [{"query": "a", "passages": []}])
    assert answers == [{"query": "a", "passages": []}]


def test_top_n_cuts_each_list(run, cross_encoder):
    request = {"query": "a", "passages": ["b", "c", "d"]}
    answers, _ = lists(run, cross_encoder, [request, request], "--top-n", 1)
    assert [len(answer["passages"]) for answer in answers] == [1, 1]


def test_a_long_and_an_invalid_line(run, cross_encoder):
    good = b'{"query":"a","passages":["b"]}\n'
    long = b'{"query":"a","passages":["' + b"x " * 5_000_000 + b'"]}\n'
    beyond = b'{"query":"' + b"x" * 17_000_000 + b'"}\n'
    invalid = b'{"query":"\xff","passages":[]}\n'
    result = rerank(run, cross_encoder, "--jsonl", input=long + beyond + invalid + good, status=1)
    answers = json_lines(result.stdout)
    assert answers[0]["passages"][0]["truncated"] is True
    assert "longer than 16777216 bytes" in answers[1]["error"]
    assert "not valid JSON" in answers[2]["error"]
    assert answers[3]["passages"][0]["text"] == "b"


def test_each_answer_arrives_before_the_next_request(rescoldo, cross_encoder):
    import subprocess

    with subprocess.Popen(
        [rescoldo, "rerank", "--model", cross_encoder, "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        for word in ("rome", "paris", "berlin"):
            process.stdin.write(json.dumps({"query": "a", "passages": [word]}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["passages"][0]["text"] == word
        process.stdin.close()
        assert process.wait(timeout=60) == 0
