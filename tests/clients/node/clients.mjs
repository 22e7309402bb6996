// Runs the official packages against a server and prints what they return as one JSON object.
// node clients.mjs URL_OF_A_RERANKER URL_OF_AN_EMBEDDER < {"query", "documents"}
import { readFileSync } from "node:fs";
import { CohereClient, CohereClientV2 } from "cohere-ai";
import OpenAI from "openai";

const [reranker, embedder] = process.argv.slice(2);
const { query, documents } = JSON.parse(readFileSync(0, "utf8"));
const ranked = (reply) => reply.results.map((result) => [result.index, result.relevanceScore]);

const v1 = new CohereClient({ token: "any", environment: reranker });
const v2 = new CohereClientV2({ token: "any", environment: reranker });
const embedV1 = new CohereClient({ token: "any", environment: embedder });
const embedV2 = new CohereClientV2({ token: "any", environment: embedder });
const openai = new OpenAI({ apiKey: "any", baseURL: `${embedder}/v1`, maxRetries: 0 });

const request = { model: "any", query, documents };
const embed = { model: "any", texts: documents, inputType: "search_document" };
const v1Documents = await v1.rerank({ ...request, returnDocuments: true });
let refusal;
try {
  await openai.embeddings.create({ model: "any", input: [[1, 2]] });
} catch (error) {
  refusal = { status: error.status, message: error.message };
}
console.log(
  JSON.stringify({
    cohereV1: ranked(v1Documents),
    cohereV1Documents: v1Documents.results.map((result) => result.document.text),
    cohereV2: ranked(await v2.rerank(request)),
    cohereEmbedV1: (await embedV1.embed(embed)).embeddings,
    cohereEmbedV1ByType: (await embedV1.embed({ ...embed, embeddingTypes: ["float"] })).embeddings.float,
    cohereEmbedV2: (await embedV2.embed({ ...embed, embeddingTypes: ["float", "int8"] })).embeddings.float,
    openai: (await openai.embeddings.create({ model: "any", input: documents })).data.map((item) => item.embedding),
    openaiFloat: (
      await openai.embeddings.create({ model: "any", input: documents, encoding_format: "float" })
    ).data.map((item) => item.embedding),
    refusal,
  }),
);
