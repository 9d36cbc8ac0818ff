/**
 * `import code from "./x-thread.ts?thread"`: bundles the file with what it imports into the text of
 * one CommonJS script, for `new Worker(code, { eval: true })`: a thread needs no file of its own,
 * so that it starts the same way from the built package, in tests and in benchmarks.
 */
import { build, type Plugin } from "vite";
import { assemblyScript } from "./vite-plugin-assemblyscript.ts";

const SUFFIX = "?thread";

export function threadCode(): Plugin {
  return {
    name: "thread-code",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(SUFFIX)) return null;
      const { code, files } = await bundle(id.slice(0, -SUFFIX.length));
      for (const file of files) this.addWatchFile(file);
      return `export default ${JSON.stringify(code)};`;
    },
  };
}

async function bundle(file: string): Promise<{ code: string; files: string[] }> {
  const result = await build({
    configFile: false,
    logLevel: "error",
    publicDir: false,
    plugins: [assemblyScript()],
    ssr: { noExternal: true },
    build: {
      ssr: true,
      write: false,
      target: "node20",
      minify: false,
      sourcemap: false,
      rolldownOptions: { input: file, output: { format: "cjs", codeSplitting: false } },
    },
  });
  const outputs = Array.isArray(result) ? result : "output" in result ? [result] : [];
  const chunks = outputs.flatMap(({ output }) => output.filter((part) => part.type === "chunk"));
  const [chunk] = chunks;
  if (!chunk || chunks.length !== 1)
    throw new Error(`${file} gave ${chunks.length} chunks, not one script.`);
  return { code: chunk.code, files: chunk.moduleIds.filter((path) => path.startsWith("/")) };
}
