/**
 * `import bytes from "./scan.as.ts?asc"`: compiles the AssemblyScript file with SIMD and gives its
 * WebAssembly binary as a `Uint8Array`, inlined, so that kernels load the same way everywhere.
 * `?asc&shared` compiles the same file for a shared memory: a module takes one kind or the other.
 */
import asc from "assemblyscript/asc";
import type { Plugin } from "vite";

const SUFFIXES = [
  { suffix: "?asc", options: [] },
  {
    suffix: "?asc&shared",
    options: ["--enable", "threads", "--sharedMemory", "--maximumMemory", "65536"],
  },
];

export function assemblyScript(): Plugin {
  return {
    name: "assemblyscript",
    enforce: "pre",
    async load(id) {
      const kind = SUFFIXES.find(({ suffix }) => id.endsWith(suffix));
      if (!kind) return null;
      const file = id.slice(0, -kind.suffix.length);
      this.addWatchFile(file);
      const base64 = await compile(file, kind.options);
      return `export default Uint8Array.from(atob("${base64}"), (c) => c.charCodeAt(0));`;
    },
  };
}

async function compile(file: string, options: readonly string[]): Promise<string> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      file,
      "--outFile",
      "out.wasm",
      "--optimizeLevel",
      "3",
      "--shrinkLevel",
      "0",
      "--noAssert",
      "--runtime",
      "stub",
      "--importMemory",
      "--initialMemory",
      "1",
      "--enable",
      "simd",
      ...options,
    ],
    {
      writeFile(name: string, contents: Uint8Array | string) {
        if (name.endsWith(".wasm")) binary = contents as Uint8Array;
      },
    },
  );
  if (error || !binary)
    throw new Error(
      `AssemblyScript could not compile ${file}: ${error?.message}\n${String(stderr)}`,
    );
  return Buffer.from(binary).toString("base64");
}
