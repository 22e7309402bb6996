"""A reranking service as it is written with FastAPI and FlashRank: the model in RERANKER_MODELS, one thread."""

import os

import fastapi
import flashrank
import onnxruntime
import pydantic

_session = onnxruntime.InferenceSession


def _one_thread(path: str):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return _session(path, options)


# FlashRank has no setting for it.
flashrank.Ranker.__init__.__globals__["ort"].InferenceSession = _one_thread
ranker = flashrank.Ranker("ms-marco-MiniLM-L-12-v2", cache_dir=os.environ["RERANKER_MODELS"])
app = fastapi.FastAPI()


class Request(pydantic.BaseModel):
    query: str
    documents: list[str]


@app.post("/rerank")
def rerank(request: Request) -> dict:
    passages = [{"id": index, "text": text} for index, text in enumerate(request.documents)]
    ranked = ranker.rerank(flashrank.RerankRequest(query=request.query, passages=passages))
    return {"results": [{"index": row["id"], "relevance_score": float(row["score"])} for row in ranked]}
