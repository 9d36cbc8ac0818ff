import { NodeEmbedderProvider } from "../../src/platform/node/ort-embedder.ts";
import { describeEmbedder } from "./embedder.ts";
import { TextEmbedder } from "../../src/processing/embedding/text-embedder.ts";

async function openNodeEmbedder() {
  const embedder = await new NodeEmbedderProvider().load();
  if (!embedder) throw new Error("The weights are missing: run `npm run setup`.");
  return embedder;
}

describeEmbedder("ONNX Runtime in Node", openNodeEmbedder);
describeEmbedder(
  "TextEmbedder with its cache",
  async () => new TextEmbedder(await openNodeEmbedder()),
);
