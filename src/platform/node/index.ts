/** Entry point `llm-compression/node`: the engine over a folder on disk. */

export { openEngine, type OpenOptions } from "./compose.ts";
