"""Request bodies as JSON: what RFC 8259 allows is understood, all else is refused with the place of what is wrong.

The classes of cases are those of JSONTestSuite (structure, literals, numbers, strings, encodings, depth), written for
fields of a real request."""

from __future__ import annotations

import re

import pytest
from raw_http import RawConnection, post


def rerank(query: bytes = b'"q"', documents: bytes = b'["a"]', more: bytes = b"") -> bytes:
    return b'{"query":' + query + b',"documents":' + documents + more + b"}"


def extra(value: bytes) -> bytes:
    """A field that nobody reads: it must still be JSON."""
    return rerank(more=b',"user":' + value)


GOOD = {
    # structure
    "white space everywhere": b' \t\r\n{ "query" : "q" ,\n"documents"\t:\r[ "a" , "b" ] } \n',
    "no white space": rerank(),
    "empty object and array": extra(b'{"a":{},"b":[]}'),
    "nested": extra(b'[[[{"a":[1,{"b":null}]}]]]'),
    "literals": extra(b"[true,false,null]"),
    "empty name": extra(b'{"":0}'),
    "the same name at two levels": extra(b'{"query":{"query":1}}'),
    "the same name in two objects": extra(b'[{"a":1},{"a":2}]'),
    "depth 16": extra(b"[" * 15 + b"]" * 15),
    "null for what is optional": rerank(more=b',"top_n":null,"return_documents":null,"model":null'),
    # numbers
    "zero": extra(b"[0,-0,0.0,-0.0,0e0,0E+1,0e-1]"),
    "integers": extra(b"[1,-1,123456789,9223372036854775807,-9223372036854775808]"),
    "fractions": extra(b"[1.5,-1.5,0.1,123.456e78,1E22,1e-2,1E+2]"),
    "smallest": extra(b"[5e-324,1e-400,123e-10000000]"),
    "largest": extra(b"[1.7976931348623157e308]"),
    "many digits": extra(b"[0." + b"1" * 300 + b"]"),
    "top_n as an integer": rerank(more=b',"top_n":1'),
    "top_n beyond the number of passages": rerank(more=b',"top_n":9223372036854775807'),
    # strings
    "escapes": rerank(rb'"\"\\\/\b\f\n\r\t"'),
    "escaped code points": rerank(rb'"\u0041\u00e9\u20ac\uFFFD\uffff"'),
    "a surrogate pair": rerank(rb'"\uD834\uDD1E"'),
    "two surrogate pairs": rerank(rb'"\ud83d\ude39\ud83d\udc8d"'),
    "escaped NUL": rerank(rb'"a\u0000b"', rb'["\u0000"]'),
    "DEL": rerank(b'"\x7f"'),
    "empty string": rerank(documents=b'["",""]'),
    "UTF-8 of two, three, four bytes": rerank("\"é€𝄞\"".encode()),
    "first and last of each length": rerank("\"\u0080\u07ff\u0800\uffff\U00010000\U0010ffff\"".encode()),
    "noncharacters": rerank("\"\ufdd0\U0001fffe\"".encode()),
    "byte order mark within a string": rerank("\"\ufeff\"".encode()),
    "line separators": rerank("\"\u2028\u2029\"".encode()),
    "escaped name": rb'{"\u0071uery":"q","documents":["a"]}',
    "escaped slash in a name": extra(rb'{"a\/b":1}'),
    "null as text within a string": rerank(b'"null"', b'["{}","[1,2","]"]'),
    "a long string": rerank(b'"q"', b'["' + b"a" * 100000 + b'"]'),
}

# The place where a person would point: the byte that can't be, or what comes right after it.
BAD = {
    # structure
    "nothing": b"",
    "white space": b"  \n",
    "an array": b'["query"]',
    "a string": b'"query"',
    "a number": b"12",
    "null": b"null",
    "unclosed object": rerank()[:-1],
    "unclosed array": b'{"query":"q","documents":["a"',
    "unclosed string": b'{"query":"q',
    "cut in an escape": b'{"query":"\\',
    "cut in a code point": b'{"query":"\xe2\x82',
    "cut in a literal": extra(b"tru")[:-1],
    "closed twice": rerank() + b"}",
    "closed by the wrong bracket": b'{"query":"q","documents":["a"}',
    "trailing text": rerank() + b" x",
    "trailing object": rerank() + rerank(),
    "trailing comma in an array": rerank(documents=b'["a",]'),
    "trailing comma in an object": rerank(more=b","),
    "leading comma": rerank(documents=b'[,"a"]'),
    "two commas": rerank(documents=b'["a",,"b"]'),
    "no comma": rerank(documents=b'["a" "b"]'),
    "comma after the end": rerank() + b",",
    "colon in an array": extra(b'["a":1]'),
    "no colon": extra(b'{"a" 1}'),
    "two colons": extra(b'{"a"::1}'),
    "no value": extra(b'{"a":}'),
    "no name": extra(b"{:1}"),
    "a name without quotes": extra(b"{a:1}"),
    "a name in single quotes": extra(b"{'a':1}"),
    "a number as a name": extra(b"{1:1}"),
    "a line comment": rerank() + b"// done",
    "a comment": b"/* a */" + rerank(),
    "a hash comment": rerank() + b"# done",
    "duplicate name": rerank(more=b',"query":"r"'),
    "duplicate name that nobody reads": extra(b'{"a":1,"a":1}'),
    "duplicate name, once escaped": rerank(more=rb',"\u0071uery":"r"'),
    "depth 17": extra(b"[" * 16 + b"]" * 16),
    "depth 100000": extra(b"[" * 100000),
    "objects of depth 100000": extra(b'{"a":' * 100000),
    # literals
    "True": extra(b"True"),
    "TRUE": extra(b"TRUE"),
    "nul": extra(b"nul"),
    "nulll": extra(b"nulll"),
    "undefined": extra(b"undefined"),
    "NaN": extra(b"NaN"),
    "-NaN": extra(b"-NaN"),
    "Infinity": extra(b"Infinity"),
    "-Infinity": extra(b"-Infinity"),
    # numbers
    "plus": extra(b"+1"),
    "minus alone": extra(b"-"),
    "two minuses": extra(b"--1"),
    "leading zero": extra(b"01"),
    "leading zero of a negative number": extra(b"-012"),
    "no digit before the point": extra(b".5"),
    "no digit after the point": extra(b"1."),
    "minus and point": extra(b"-.5"),
    "two points": extra(b"1.2.3"),
    "empty exponent": extra(b"1e"),
    "exponent of a sign": extra(b"1e+"),
    "fractional exponent": extra(b"1e1.5"),
    "two exponents": extra(b"1e1e1"),
    "hexadecimal": extra(b"0x1F"),
    "octal": extra(b"0o17"),
    "digits with underscores": extra(b"1_000"),
    "full-width digit": extra("１".encode()),
    "number and letter": extra(b"1a"),
    "beyond a double": extra(b"1e400"),
    "beneath a double": extra(b"-1e400"),
    "integer beyond 64 bits": extra(b"9223372036854775808"),
    "integer of 400 digits": extra(b"1" * 400),
    # strings
    "single quotes": rerank(b"'q'"),
    "newline": rerank(b'"a\nb"'),
    "tab": rerank(b'"a\tb"'),
    "NUL": rerank(b'"a\0b"'),
    "control character": rerank(b'"a\x1fb"'),
    "unknown escape": rerank(rb'"\x41"'),
    "escaped single quote": rerank(rb'"\'"'),
    "escaped digit": rerank(rb'"\0"'),
    "escaped capital U": rerank(rb'"\U0041"'),
    "escaped newline": rerank(b'"a\\\nb"'),
    "escape of three digits": rerank(rb'"\u004"'),
    "escape without digits": rerank(rb'"\u"'),
    "escape of letters": rerank(rb'"\u00gz"'),
    "lone high surrogate": rerank(rb'"\ud800"'),
    "lone low surrogate": rerank(rb'"\udc00"'),
    "high surrogate and text": rerank(rb'"\ud800abc"'),
    "high surrogate and an escape": rerank(rb'"\ud800\n"'),
    "two high surrogates": rerank(rb'"\ud800\ud800"'),
    "swapped surrogates": rerank(rb'"\udd1e\ud834"'),
    "lone surrogate in a name": extra(rb'{"\ud800":1}'),
    "lone surrogate that nobody reads": extra(rb'"\ud800"'),
    # encodings
    "byte order mark": b"\xef\xbb\xbf" + rerank(),
    "UTF-16": rerank().decode().encode("utf-16-le"),
    "UTF-16 with a byte order mark": rerank().decode().encode("utf-16"),
    "UTF-32": rerank().decode().encode("utf-32-be"),
    "Latin-1": rerank(b'"\xe9"'),
    "continuation byte": rerank(b'"\x80"'),
    "lone first byte": rerank(b'"\xc3"'),
    "truncated in a string": rerank(b'"\xe2\x82"'),
    "overlong slash": rerank(b'"\xc0\xaf"'),
    "overlong NUL": rerank(b'"\xc0\x80"'),
    "overlong of three bytes": rerank(b'"\xe0\x80\xaf"'),
    "overlong of four bytes": rerank(b'"\xf0\x80\x80\xaf"'),
    "surrogate as UTF-8": rerank(b'"\xed\xa0\x80"'),
    "surrogate pair as UTF-8": rerank(b'"\xed\xa0\xb4\xed\xb4\x9e"'),
    "beyond U+10FFFF": rerank(b'"\xf4\x90\x80\x80"'),
    "five bytes": rerank(b'"\xf8\x88\x80\x80\x80"'),
    "0xff": rerank(b'"\xff"'),
    "invalid UTF-8 in a name": extra(b'{"\xff":1}'),
    "invalid UTF-8 outside strings": rerank()[:-1] + b"\xff}",
    "NUL after the end": rerank() + b"\0",
    "no-break space": b"\xc2\xa0" + rerank(),
    "form feed": b"\x0c" + rerank(),
}

# Whole fields that are JSON, and not what the field is.
WRONG = {
    "query": (rerank(b"1"), "query", "a number"),
    "query null": (rerank(b"null"), "query", None),
    "query as a list": (rerank(b'["q"]'), "query", "an array"),
    "documents": (rerank(documents=b'"a"'), "documents", "a string"),
    "third document": (rerank(documents=b'["a","b",7]'), "documents[2]", "a number"),
    "null document": (rerank(documents=b'["a",null]'), "documents[1]", "null"),
    "document in a document": (rerank(documents=b'[{"text":["a"]}]'), "documents[0].text", "an array"),
    "top_n as a string": (rerank(more=b',"top_n":"1"'), "top_n", "a string"),
    "top_n as a fraction": (rerank(more=b',"top_n":1.5'), "top_n", "a fraction"),
    "top_n as a whole fraction": (rerank(more=b',"top_n":1.0'), "top_n", "a fraction"),
    "top_n of zero": (rerank(more=b',"top_n":0'), "top_n", "0"),
    "negative top_n": (rerank(more=b',"top_n":-1'), "top_n", "-1"),
    "boolean as a number": (rerank(more=b',"return_documents":1'), "return_documents", "a number"),
    "boolean as a string": (rerank(more=b',"return_documents":"true"'), "return_documents", "a string"),
}


@pytest.fixture(scope="module")
def ask(cross_encoder):
    """All on one connection: none of it may be what ends it."""
    with RawConnection(cross_encoder) as connection:

        def send(body: bytes):
            connection.send(post("/v2/rerank", body))
            return connection.read_reply()

        yield send


@pytest.mark.parametrize("name", GOOD)
def test_understood(ask, name):
    reply = ask(GOOD[name])
    assert reply.status == 200, reply.body


@pytest.mark.parametrize("name", BAD)
def test_refused_with_the_place(ask, name):
    body = BAD[name]
    reply = ask(body)
    assert reply.status == 400
    error = reply.json["error"]
    assert error["code"] in ("invalid_json", "json_too_deep")
    if body.strip() and not re.match(rb'\s*(\[|"|\d|null)', body):  # it is JSON, or might be
        place = int(re.search(r"at byte (\d+)", error["message"])[1])
        assert 0 <= place <= len(body), error["message"]


PLACES = {
    "trailing comma in an array": len(b'{"query":"q","documents":["a",]'),
    "trailing text": len(rerank()) + 2,
    "duplicate name": rerank(more=b',"query":"r"').rindex(b'"query"') + len(b'"query"'),
    "newline": len(b'{"query":"a\n'),
    "overlong slash": len(b'{"query":"\xc0'),
    "byte order mark": 3,
    "depth 17": len(b'{"query":"q","documents":["a"],"user":') + 15,
}


@pytest.mark.parametrize("name", PLACES)
def test_the_place_is_where_one_would_look(ask, name):
    found = int(re.search(r"at byte (\d+)", ask(BAD[name]).json["message"])[1])
    assert abs(found - PLACES[name]) <= 2


@pytest.mark.parametrize("name", WRONG)
def test_the_field_is_named(ask, name):
    body, field, found = WRONG[name]
    reply = ask(body)
    assert reply.status in (400, 422)
    error = reply.json["error"]
    assert error["param"] == field
    assert field in error["message"]
    if found is not None:
        assert found in error["message"]


def test_every_cut_of_a_body_is_refused(ask):
    body = extra(rb'[1.5e3,"\ud834\udd1e",true,{"a":null}]').replace(b"q", "é".encode(), 1).replace(b"\xc3\xa9uery", b"query")
    assert ask(body).status == 200
    for size in range(len(body)):
        assert ask(body[:size]).status == 400, body[:size]


def test_the_number_of_values_is_bounded(ask):
    reply = ask(extra(b"[" + b",".join([b"0"] * 300000) + b"]"))
    assert (reply.status, reply.json["error"]["code"]) == (400, "too_many_json_values")
