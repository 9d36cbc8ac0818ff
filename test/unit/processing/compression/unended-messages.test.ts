import { expect, it } from "vitest";
import { EntityExtractor } from "../../../../src/processing/compression/entities.ts";
import { foreignSpans } from "../../../../src/processing/compression/foreign-spans.ts";
import { analyzeSource } from "../../../../src/processing/compression/source-analysis.ts";
import { renderUnits } from "../../../../src/processing/compression/summary.ts";
import { splitSentences } from "../../../../src/processing/content/segmentation.ts";

it("messages without an end mark stay sentences of their own in a summary", () => {
  const chat = [
    "Ida: the ferry goes at nine",
    "Tor: I bring the blue rope (and the map)",
    "Ida: Please do not forget the key to the boat shed!",
    "Tor: it hangs in the shed",
  ].join("\n");
  const source = analyzeSource(chat, new EntityExtractor(), foreignSpans, "chat");
  const summary = renderUnits(source, [...source.units.keys()]);
  const sentences = splitSentences(summary).map(({ start, end }) => summary.slice(start, end));
  expect(sentences).toEqual([
    "Ida: the ferry goes at nine",
    "Tor: I bring the blue rope (and the map)",
    "Ida: Please do not forget the key to the boat shed!",
    "Tor: it hangs in the shed",
  ]);
});

it("sentences that end in an abbreviation don't run into the next one in a summary", () => {
  const sentences = [
    "Two former managers of the quarry founded Hale Brothers Inc.",
    "Greta Holm became its first bookkeeper in spring.",
    "the office opens at eight on working days only.",
    "Deliveries are taken from nine until 5 p.m.",
    "Lorries have to wait behind the gate until they are called.",
  ];
  const source = analyzeSource(
    sentences.join("\n\n"),
    new EntityExtractor(),
    foreignSpans,
    "prose",
  );
  const summary = renderUnits(source, [...source.units.keys()]);
  const read = splitSentences(summary).map(({ start, end }) => summary.slice(start, end));
  expect(read).toEqual(sentences);
});
