/** `episodes`: memories that belong together, and the gist of each. */

import type { Command } from "commander";
import { z } from "zod";
import type { EpisodeView, MemberTwin } from "../../../model/episode.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatBytes, formatPlural, formatRatio, formatScore, formatTime } from "../format.ts";
import { integerOption, modeOption } from "../options.ts";
import { printable } from "../output.ts";

const listSchema = z.object({ limit: integerOption(1, 1_000) });
const buildSchema = z.object({ mode: modeOption, rebuild: z.boolean().default(false) });
const showSchema = z.object({ id: z.string().min(1) });

export function registerEpisodes(program: Command, invocation: Invocation): void {
  const episodes = program
    .command("episodes")
    .summary("list memories that belong together, with the gist of each")
    .description(
      "Lists episodes: a thread, a document, a sitting, near-identical notes. Each has one gist, checked against all of its members.",
    )
    .option("-n, --limit <count>", "how many, the latest first", "20")
    .addHelpText(
      "after",
      examples(
        "llm-compress episodes build",
        "llm-compress episodes --limit 5",
        "llm-compress episodes show 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11",
      ),
    )
    .action(bind(invocation, listSchema, list));
  episodes
    .command("build")
    .summary("group what has no episode yet and write gists")
    .description(
      "Groups memories by thread, time and likeness and writes one gist for each group. A gist is stored only when it passes the quality gate.",
    )
    .option("--mode <mode>", "fast, balanced or high", "fast")
    .option("--rebuild", "group everything anew")
    .action(bind(invocation, buildSchema, build));
  episodes
    .command("show")
    .summary("show one episode with its members")
    .argument("<id>", "id of the episode")
    .action(bind(invocation, showSchema, show));
}

async function list(
  context: CommandContext,
  { limit }: z.output<typeof listSchema>,
): Promise<undefined> {
  const engine = await context.openStore("read");
  const page = await engine.episodes.list({ limit });
  if (context.json) await context.printJson(page);
  else if (page.totalCount === 0)
    context.note("There are no episodes yet; `llm-compress episodes build` makes them.");
  else {
    const blocks = page.items.map((episode) => renderEpisode(context, episode));
    const shown = formatPlural(page.items.length, "episode", "episodes");
    await context.print(
      `${blocks.join("\n")}\n${context.paint("dim", `${shown} of ${page.totalCount}`)}\n`,
    );
  }
  return undefined;
}

async function build(
  context: CommandContext,
  { mode, rebuild }: z.output<typeof buildSchema>,
): Promise<undefined> {
  const engine = await context.openStore("read");
  const report = await engine.episodes.build({
    mode,
    rebuild,
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  if (context.json) await context.printJson(report);
  else {
    for (const { title, reason } of report.refused)
      context.note(`No gist for ${printable(title)}: ${printable(reason)}.`);
    context.note(
      `${formatPlural(report.created, "episode", "episodes")} made, ${report.updated} written anew; ${formatPlural(report.memberCount, "memory belongs", "memories belong")} to one.`,
    );
  }
  return undefined;
}

async function show(
  context: CommandContext,
  { id }: z.output<typeof showSchema>,
): Promise<undefined> {
  const engine = await context.openStore("read");
  const episode = await engine.episodes.read(id);
  if (context.json) await context.printJson(episode);
  else {
    const members = episode.members.map(({ id: member, timestamp, keep, metadata, summary }) => {
      const who = metadata["speaker"] ?? metadata["title"] ?? "";
      const line = printable(summary).replace(/\s+/g, " ").slice(0, 80);
      return `  ${formatTime(timestamp)}  ${member}  ${keep.padEnd(7)}  ${printable(who)}  ${line}`;
    });
    const twins = episode.twins.map(renderTwin);
    await context.print(
      `${renderEpisode(context, episode)}\n${[...members, ...twins].join("\n")}\n`,
    );
  }
  return undefined;
}

/** Sentences of a difference that are printed; `--json` has all. */
const SHOWN_SENTENCES = 3;

function renderTwin({ id, sameAs, difference }: MemberTwin): string {
  const listed = (sentences: readonly string[]): string =>
    sentences
      .slice(0, SHOWN_SENTENCES)
      .map((one) => `“${printable(one)}”`)
      .join(", ") +
    (sentences.length > SHOWN_SENTENCES ? ` and ${sentences.length - SHOWN_SENTENCES} more` : "");
  const parts = [
    ...(difference?.added.length ? [`has ${listed(difference.added)}`] : []),
    ...(difference?.missing.length ? [`lacks ${listed(difference.missing)}`] : []),
  ];
  const how =
    difference === null
      ? "its text isn't kept any more"
      : parts.length > 0
        ? parts.join("; ")
        : "no other sentence";
  return `  ${id} is the same as ${sameAs}: ${how}`;
}

function renderEpisode(context: CommandContext, episode: EpisodeView): string {
  const { title, basis, memberCount, originalBytes, gistBytes, quality } = episode;
  const sizes = `${formatBytes(originalBytes)} → gist ${formatBytes(gistBytes)} (${formatRatio(originalBytes / gistBytes)})`;
  return [
    context.paint("bold", `${printable(title)}  ${episode.id}`),
    `    ${basis}, ${formatPlural(memberCount, "memory", "memories")}, ${formatTime(episode.startsAt)} to ${formatTime(episode.endsAt)}`,
    `    ${sizes}, similarity ${formatScore(quality.similarity)}, faithfulness ${formatScore(quality.faithfulness)}, ${episode.model}${episode.stale ? "; out of date since members went or came back: build again" : ""}`,
    `    ${printable(episode.gist)}`,
    "",
  ].join("\n");
}
