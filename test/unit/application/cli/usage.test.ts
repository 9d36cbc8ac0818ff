import { describe, expect, it } from "vitest";
import { useInProcessCli } from "./in-process.ts";

const cli = useInProcessCli();

describe("help", () => {
  it("shows examples for every command", async () => {
    const { text } = await cli.run(["--help"]);
    const commands = [...text.matchAll(/^ {2}([a-z]+)(?: .*| *)$/gm)]
      .map((match) => match[1]!)
      .filter((name) => !["done", "help"].includes(name));
    expect(commands.length).toBeGreaterThanOrEqual(18);
    const helps = await Promise.all(commands.map((command) => cli.run([command, "--help"])));
    for (const help of helps) {
      expect(help.code).toBe(0);
      expect(help.text).toMatch(/Examples:\n {2}\$ ./);
      expect(help.text).toContain("--store <folder>");
    }
  });
});

describe("wrong usage ends with 2 and one line", () => {
  it.each<[string[], RegExp]>([
    [["serch"], /Unknown command 'serch'.*Did you mean search\?/],
    [["search", "--querry", "x"], /Unknown option '--querry'.*Did you mean --query\?/],
    [["search"], /--query: is required/],
    [["search", "--query", " "], /--query: needs at least one word/],
    [
      ["search", "--query", "x", "--top-k", "many"],
      /--top-k: must be a whole number from 1 to 1,000/,
    ],
    [["search", "--query", "x", "--after", "tomorrow"], /--after: must be a date like/],
    [["read"], /Missing required argument 'id'/],
    [["export", "--format", "xml", "--output-dir", "x"], /--format: must be one of parquet/],
    [["status", "surplus"], /too many arguments/i],
  ])("%j", async (args, message) => {
    const result = await cli.run(args);
    expect(result).toMatchObject({ code: 2, text: "" });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/^llm-compress: [^\n]*\n$/);
  });
});
