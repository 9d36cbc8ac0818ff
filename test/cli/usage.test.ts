import { mkdir, readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { finish, useCli } from "./support/cli.ts";

const cli = useCli();

describe("help and version", () => {
  it("goes to stdout and ends with 0 when asked for", async () => {
    for (const args of [["--help"], ["help"], ["search", "--help"]]) {
      const result = await cli.run(args);
      expect(result, args.join(" ")).toMatchObject({ code: 0, stderr: "" });
      expect(result.text).toMatch(/^Usage: llm-compress/);
    }
    const version = await cli.run(["--version"]);
    const { version: wanted } = JSON.parse(
      await readFile(new URL("../../package.json", import.meta.url), "utf8"),
    ) as { version: string };
    expect(version).toMatchObject({ code: 0, text: `${wanted}\n` });
  });

  it("goes to stderr and ends with 2 when no command was given", async () => {
    const result = await cli.run([]);
    expect(result).toMatchObject({ code: 2, text: "" });
    expect(result.stderr).toMatch(/Usage: llm-compress/);
  });
});

describe("failures", () => {
  it("name the store that isn't there", async () => {
    const result = await cli.run(["search", "--query", "x", "--store", "nowhere"]);
    expect(result.code).toBe(4);
    expect(result.stderr).toContain(cli.path("nowhere"));
    const byVariable = await cli.run(["status"], { env: { LLM_COMPRESS_STORE: "nowhere" } });
    expect(byVariable.code).toBe(4);
  });

  it("come as JSON on stdout too, with --json", async () => {
    const result = await cli.run(["read", "no-such-id", "--json"]);
    expect(result.code).toBe(4);
    expect(JSON.parse(result.text)).toMatchObject({ error: { code: "not_found" } });
    expect(result.stderr).toMatch(/^llm-compress: /);
  });

  it("name a store that is a file, or inside of one", async () => {
    await writeFile(cli.path("file"), "");
    for (const store of ["file", "file/below"]) {
      const result = await cli.run(["remember", "--store", store], { input: "x" });
      expect([2, 4, 6]).toContain(result.code);
      expect(result.stderr).toMatch(/^llm-compress: [^\n]*file[^\n]*\n$/);
    }
  });

  it("say that another process holds the store, and end with 7", async () => {
    await mkdir(cli.path("held"));
    const server = cli.start(["serve", "--port", "0", "--store", "held", "--json"]);
    const ended = finish(server);
    await new Promise((resolve) => server.stdout.once("data", resolve));
    const second = await cli.run(["status", "--store", "held"]);
    expect(second.code).toBe(7);
    expect(second.stderr).toContain(String(server.pid));
    server.kill("SIGINT");
    expect((await ended).code).toBe(130);
    expect((await cli.run(["status", "--store", "held"])).code).toBe(0);
  });
});

describe("signals and pipes", () => {
  it("Ctrl-C while waiting for input ends with 130 and says so", async () => {
    const child = cli.start(["remember", "--store", "interrupted"]);
    const ended = finish(child);
    // More than a pipe holds: it is written when the command reads, and so listens to signals.
    await new Promise((resolve) => child.stdin.write("a thought ".repeat(100_000), resolve));
    child.kill("SIGINT");
    const result = await ended;
    expect(result).toMatchObject({ code: 130, text: "" });
    expect(result.stderr).toMatch(/Interrupted/);
  });

  it("a reader that goes away ends it without a word", async () => {
    await mkdir(cli.path("many"));
    for (let i = 0; i < 300; i++)
      await writeFile(cli.path(`many/${i}.txt`), `Note number ${i} about the garden.`);
    const child = cli.start(["batch", "--input-dir=many", "--no-embed", "--json", "--store=piped"]);
    const ended = finish(child);
    child.stdout.once("data", () => child.stdout.destroy());
    const result = await ended;
    expect(result.code).toBe(141);
    expect(result.stderr).toBe("");
    expect((await cli.run(["status", "--store=piped"])).code).toBe(0);
  });
});

describe("streams", () => {
  it("carry no colour and no progress where they are no terminal", async () => {
    await mkdir(cli.path("few"), { recursive: true });
    await writeFile(cli.path("few/a.txt"), "A note about colours.");
    const quiet = await cli.run(["batch", "--input-dir=few", "--no-embed", "--store=streams"]);
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
    const asked = await cli.run([
      "batch",
      "--input-dir=few",
      "--no-embed",
      "--store=streams",
      "--progress",
    ]);
    expect(asked.stderr).toMatch(/Remembering 1\/1/);
    const forced = await cli.run(["search", "-q", "colours", "--store=streams"], {
      env: { FORCE_COLOR: "1", NO_COLOR: "1" },
    });
    expect(forced.text).not.toContain("\u001b");
  });
});
