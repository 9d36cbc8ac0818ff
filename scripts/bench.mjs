/**
 * `npm run bench -- NAME [--json FILE] [options of the benchmark]`: runs bench/NAME/index.ts, which
 * prints a table; without a name it lists what there is. TypeScript and the WASM kernels go through
 * vite-node with the configuration of the unit tests.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, StepError, binaryOf, fail, run } from "./run.mjs";

const [name, ...options] = process.argv.slice(2);
const file = join("bench", name ?? "", "index.ts");
if (!name || !/^[\w-]+$/.test(name) || !existsSync(join(ROOT, file))) {
  const names = readdirSync(join(ROOT, "bench")).filter((entry) =>
    existsSync(join(ROOT, "bench", entry, "index.ts")),
  );
  const list = `Benchmarks: ${names.join(", ")}\nRun one: npm run bench -- NAME [--json FILE]`;
  fail(new StepError(name ? `There is no benchmark "${name}".\n${list}` : list));
}
/** Measured as they are built: see vite.bench.config.ts. */
const BUILT = ["kernels", "large-weights", "quantization", "search", "store", "vectors", "words"];
if (BUILT.includes(name)) {
  const built = await run(
    process.execPath,
    [binaryOf("vite"), "build", "--config", "vite.bench.config.ts"],
    {
      env: { ...process.env, BENCH_ENTRY: file },
    },
  );
  process.exitCode =
    built ||
    (await run(process.execPath, [
      "--conditions=onnxruntime-web-use-extern-wasm",
      join(".cache", "bench", "build", name, `${name}.mjs`),
      ...options,
    ]));
} else
  process.exitCode = await run(process.execPath, [
    binaryOf("vite-node"),
    "--config",
    "vitest.config.ts",
    file,
    ...options,
  ]);
