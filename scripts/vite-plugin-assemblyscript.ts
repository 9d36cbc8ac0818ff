/**
 * `import bytes from "./scan.as.ts?asc"`: compiles the AssemblyScript file with SIMD and gives its
 * WebAssembly binary as a `Uint8Array`, inlined, so that kernels load the same way everywhere.
 */
import asc from "assemblyscript/asc";
import type { Plugin } from "vite";

const SUFFIX = "?asc";

export function assemblyScript(): Plugin {
  return {
    name: "assemblyscript",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(SUFFIX)) return null;
      const file = id.slice(0, -SUFFIX.length);
      this.addWatchFile(file);
      const base64 = await compile(file);
      return `export default Uint8Array.from(atob("${base64}"), (c) => c.charCodeAt(0));`;
    },
  };
}

async function compile(file: string): Promise<string> {
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
