"""Unmodified packages against the real binary: every score and vector is that of the command line, to the last
digit."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from client_texts import DOCUMENTS, QUERY

for package in ("litellm", "langchain_cohere", "haystack", "rerankers"):
    pytest.importorskip(package, reason="tests/clients/requirements.txt is not installed")

import cohere  # noqa: E402
import litellm  # noqa: E402
import openai  # noqa: E402
from haystack import Document  # noqa: E402
from haystack.utils import Secret  # noqa: E402


def assert_ranked(pairs, scores):
    """pairs: (index, score), best first; at most as many as there are documents."""
    pairs = list(pairs)
    assert pairs == list(scores.items())[: len(pairs)] and pairs


def assert_vectors(given, vectors):
    """As float32: what base64 carries; in double precision the digits differ, the number does not."""
    assert np.array_equal(np.array(given, dtype=np.float32), np.array(vectors, dtype=np.float32))


# --- Cohere's own ---


@pytest.mark.parametrize("options", [{}, {"top_n": 2}, {"return_documents": True, "max_chunks_per_doc": None}])
def test_cohere_v1_rerank(reranker, scores, options):
    client = cohere.Client("any", base_url=reranker.url)
    reply = client.rerank(model="any", query=QUERY, documents=DOCUMENTS, **options)
    assert_ranked([(r.index, r.relevance_score) for r in reply.results], scores)
    assert len(reply.results) == options.get("top_n", len(DOCUMENTS))
    if "return_documents" in options:
        assert [r.document.text for r in reply.results] == [DOCUMENTS[index] for index in scores]


@pytest.mark.parametrize("base", ["", "/v1"])
def test_cohere_v2_rerank(reranker, scores, base):
    client = cohere.ClientV2("any", base_url=reranker.url + base)
    reply = client.rerank(model="any", query=QUERY, documents=DOCUMENTS, max_tokens_per_doc=None)
    assert_ranked([(r.index, r.relevance_score) for r in reply.results], scores)


@pytest.mark.parametrize("types", [None, ["float"], ["float", "int8", "uint8", "binary", "ubinary"]])
def test_cohere_v1_embed(embedder, vectors, types):
    options = {} if types is None else {"embedding_types": types}
    reply = cohere.Client("any", base_url=embedder.url).embed(texts=DOCUMENTS, model="m", input_type="x", **options)
    assert_vectors(reply.embeddings if types is None else reply.embeddings.float_, vectors)
    if types is not None and len(types) > 1:
        assert len(reply.embeddings.int8[0]) == 384 and len(reply.embeddings.ubinary[0]) == 48


def test_cohere_v1_embed_in_several_requests(embedder, vectors):
    reply = cohere.Client("any", base_url=embedder.url).embed(texts=DOCUMENTS[:4] * 50, model="m", input_type="x")
    assert_vectors(reply.embeddings, vectors[:4] * 50)


def test_cohere_v2_embed(embedder, vectors):
    client = cohere.ClientV2("any", base_url=embedder.url)
    reply = client.embed(texts=DOCUMENTS, model="m", input_type="x", embedding_types=["float", "base64"], truncate="END")
    assert_vectors(reply.embeddings.float_, vectors)


def test_cohere_errors(reranker, embedder):
    with pytest.raises(cohere.BadRequestError) as caught:
        cohere.ClientV2("any", base_url=reranker.url).rerank(model="any", query="", documents=["a"])
    assert caught.value.body["message"] == "query is empty"
    with pytest.raises(cohere.BadRequestError) as caught:
        cohere.ClientV2("any", base_url=embedder.url).embed(
            texts=DOCUMENTS, model="m", input_type="x", embedding_types=["float"], truncate="NONE"
        )
    assert "text 4" in caught.value.body["message"]


# --- OpenAI's own ---


@pytest.mark.parametrize("encoding", [None, "float"])
def test_openai(embedder, vectors, encoding):
    options = {} if encoding is None else {"encoding_format": encoding}
    client = openai.OpenAI(api_key="any", base_url=embedder.url + "/v1", max_retries=0)
    reply = client.embeddings.create(model="any", input=DOCUMENTS, **options)
    assert_vectors([item.embedding for item in reply.data], vectors)
    assert [model.id for model in client.models.list()] == ["all-MiniLM-L6-v2"]
    with pytest.raises(openai.BadRequestError, match="384"):
        client.embeddings.create(model="any", input="a", dimensions=100)


# --- LangChain ---


def test_langchain_cohere(reranker, embedder, scores, vectors):
    from langchain_cohere import CohereEmbeddings, CohereRerank

    ranker = CohereRerank(cohere_api_key="any", base_url=reranker.url, model="any", top_n=4)
    found = ranker.rerank(DOCUMENTS, QUERY)
    assert_ranked([(r["index"], r["relevance_score"]) for r in found], scores)
    embeddings = CohereEmbeddings(cohere_api_key="any", base_url=embedder.url, model="any")
    assert_vectors(embeddings.embed_documents(DOCUMENTS), vectors)
    assert_vectors(embeddings.embed_query(DOCUMENTS[1]), vectors[1])


def test_langchain_openai(embedder, vectors):
    from langchain_openai import OpenAIEmbeddings

    options = {"api_key": "any", "base_url": embedder.url + "/v1", "model": "any"}
    embeddings = OpenAIEmbeddings(**options, check_embedding_ctx_length=False)
    assert_vectors(embeddings.embed_documents(DOCUMENTS), vectors)
    # What it does without that option, when its tokenizer can be loaded.
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        OpenAIEmbeddings(**options).client.create(model="any", input=[[1, 2, 3]])


def test_langchain_infinity(embedder, vectors):
    from langchain_community.embeddings import InfinityEmbeddings

    embeddings = InfinityEmbeddings(model="any", infinity_api_url=embedder.url + "/v1")
    assert_vectors(embeddings.embed_documents(DOCUMENTS), vectors)


# --- LlamaIndex ---


def _nodes():
    from llama_index.core.schema import NodeWithScore, TextNode

    return [NodeWithScore(node=TextNode(id_=str(index), text=text), score=0) for index, text in enumerate(DOCUMENTS)]


def _llama_index(kind, url):
    if kind == "tei":
        from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

        return TextEmbeddingInference(base_url=url, top_n=5, auth_token="any")
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    return CohereRerank(api_key="any", base_url=url, model="any", top_n=5)


@pytest.mark.parametrize("kind", ["tei", "cohere"])
def test_llama_index_rerankers(reranker, scores, kind):
    found = _llama_index(kind, reranker.url).postprocess_nodes(_nodes(), query_str=QUERY)
    assert_ranked([(int(node.node.node_id), node.score) for node in found], scores)


def test_llama_index_nvidia(reranker, scores):
    from llama_index.postprocessor.nvidia_rerank import NVIDIARerank

    model = reranker.start_line["model"]
    found = NVIDIARerank(base_url=reranker.url + "/v1", api_key="any", model=model, top_n=5).postprocess_nodes(
        _nodes(), query_str=QUERY
    )
    assert [int(node.node.node_id) for node in found] == list(scores)


def test_llama_index_embeddings(embedder, vectors):
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    embeddings = TextEmbeddingsInference(model_name="any", base_url=embedder.url, query_instruction=None, text_instruction=None)
    assert_vectors(embeddings.get_text_embedding_batch([text.strip() for text in DOCUMENTS]), vectors)


# --- Haystack ---


def _haystack_rankers(url):
    from haystack_integrations.components.rankers.cohere import CohereRanker
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker
    from haystack_integrations.components.rankers.jina import JinaRanker
    from haystack_integrations.components.rankers.vllm import VLLMRanker

    key = Secret.from_token("any")
    return {
        "tei": lambda: HuggingFaceTEIRanker(url=url, token=key, top_k=4),
        "cohere": lambda: CohereRanker(api_base_url=url, api_key=key, top_k=4),
        "jina": lambda: JinaRanker(api_key=key, base_url=url + "/v1/rerank", top_k=4),
        "vllm": lambda: VLLMRanker(model="any", api_base_url=url + "/v1", api_key=key, top_k=4),
    }


@pytest.mark.parametrize("kind", ["tei", "cohere", "jina", "vllm"])
def test_haystack_rankers(reranker, scores, kind):
    documents = [Document(id=str(index), content=text) for index, text in enumerate(DOCUMENTS)]
    ranker = _haystack_rankers(reranker.url)[kind]()
    found = ranker.run(query=QUERY, documents=documents)["documents"]
    assert_ranked([(int(document.id), document.score) for document in found], scores)
    assert len(found) == 4


def test_haystack_embedders(embedder, vectors):
    from haystack.components.embedders import OpenAIDocumentEmbedder
    from haystack_integrations.components.embedders.cohere import CohereDocumentEmbedder

    key = Secret.from_token("any")
    documents = [Document(content=text) for text in DOCUMENTS]
    for component in (
        OpenAIDocumentEmbedder(api_key=key, api_base_url=embedder.url + "/v1", model="any", progress_bar=False),
        CohereDocumentEmbedder(api_key=key, api_base_url=embedder.url, model="any", progress_bar=False),
    ):
        assert_vectors([document.embedding for document in component.run(documents=documents)["documents"]], vectors)


# --- LiteLLM ---


@pytest.mark.parametrize(
    ("provider", "base"),
    [
        ("cohere", ""), ("jina_ai", ""), ("infinity", ""), ("hosted_vllm", ""), ("hosted_vllm", "/v1"),
        ("voyage", ""), ("huggingface", ""),
    ],
)  # fmt: skip
def test_litellm_rerank(reranker, scores, provider, base):
    documents = DOCUMENTS
    reply = litellm.rerank(
        model=f"{provider}/any", query=QUERY, documents=documents, api_base=reranker.url + base, api_key="any", top_n=4
    )
    assert_ranked([(r["index"], r["relevance_score"]) for r in reply.results], scores)


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "cohere"])
def test_litellm_embedding(embedder, vectors, provider):
    path = "/v2/embed" if provider == "cohere" else "/v1"
    reply = litellm.embedding(model=f"{provider}/any", input=DOCUMENTS, api_base=embedder.url + path, api_key="any")
    assert_vectors([item["embedding"] for item in reply.data], vectors)


# What its proxy calls for those who call it.
@pytest.mark.parametrize("provider", ["cohere", "jina_ai", "infinity", "hosted_vllm", "voyage", "huggingface"])
def test_litellm_proxy_reranks(reranker, scores, provider):
    options = {"model": f"{provider}/any", "api_base": reranker.url, "api_key": "any", "top_n": 4}
    reply = asyncio.run(litellm.arerank(query=QUERY, documents=DOCUMENTS, **options))
    assert_ranked([(r["index"], r["relevance_score"]) for r in reply.results], scores)


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("openai", "/v1"), ("hosted_vllm", "/v1"), ("cohere", "/v2/embed"), ("infinity", ""), ("jina_ai", "/v1"),
        ("voyage", "/v1/embeddings"), ("openai_like", "/v1"),
    ],
)  # fmt: skip
def test_litellm_proxy_embeds(embedder, vectors, provider, path):
    options = {"model": f"{provider}/any", "api_base": embedder.url + path, "api_key": "any"}
    reply = asyncio.run(litellm.aembedding(input=DOCUMENTS, **options))
    assert_vectors([item["embedding"] for item in reply.data], vectors)


# --- rerankers, and the clients of other services ---


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("cohere", "/v1/rerank"), ("jina", "/v1/rerank"), ("voyage", "/v1/rerank"), ("mixedbread.ai", "/v1/reranking"),
        ("text-embeddings-inference", "/rerank"), ("pinecone", "/rerank"),
    ],
)  # fmt: skip
def test_rerankers(reranker, scores, provider, path):
    from rerankers.models.api_rankers import APIRanker

    ranker = APIRanker("any", "any", provider, verbose=0, url=reranker.url + path)
    found = ranker.rank(query=QUERY, docs=DOCUMENTS)
    assert_ranked([(result.doc_id, result.score) for result in found.results], scores)


def test_voyageai(reranker, embedder, scores, vectors):
    import voyageai

    found = voyageai.Client(api_key="any", base_url=reranker.url + "/v1").rerank(QUERY, DOCUMENTS, model="any")
    assert_ranked([(result.index, result.relevance_score) for result in found.results], scores)
    reply = voyageai.Client(api_key="any", base_url=embedder.url + "/v1").embed(DOCUMENTS, model="any")
    assert_vectors(reply.embeddings, vectors)


def test_mixedbread(reranker, embedder, scores, vectors):
    import mixedbread

    found = mixedbread.Mixedbread(api_key="any", base_url=reranker.url).rerank(
        model="any", query=QUERY, input=DOCUMENTS, return_input=True
    )
    assert_ranked([(result.index, result.score) for result in found.data], scores)
    reply = mixedbread.Mixedbread(api_key="any", base_url=embedder.url).embed(model="any", input=DOCUMENTS)
    assert_vectors([item.embedding for item in reply.data], vectors)


def test_tei_client(reranker, embedder, scores, vectors):
    from tei_client import HttpClient

    client = HttpClient(reranker.url)
    found = client.rerank(QUERY, DOCUMENTS[:4])
    ranks = getattr(found, "ranks", found)
    assert {rank.index: rank.score for rank in ranks} == {i: score for i, score in scores.items() if i < 4}
    client = HttpClient(embedder.url)
    assert client.health() and client.info().max_input_length == 256 and client.prompt_names() == []
    assert_vectors(client.embed(DOCUMENTS[:4]), vectors[:4])
    ids = [token.id for token in client.tokenize(DOCUMENTS[0])[0].tokens]
    assert client.decode([ids]) == ["berlin is the capital of germany."]
    assert len(client.embed_all(DOCUMENTS[0])[0]) == len(ids)
