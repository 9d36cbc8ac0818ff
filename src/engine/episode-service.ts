/** Episodes behind the engine. */

import type { EngineStatus, Episodes } from "../engine.ts";
import { AppError } from "../errors.ts";
import type { EngineParts } from "./local-engine.ts";

export class EpisodeService implements Episodes {
  constructor(_parts: EngineParts) {}
  build: Episodes["build"] = () =>
    Promise.resolve({ created: 0, updated: 0, memberCount: 0, refused: [] });
  list: Episodes["list"] = () => Promise.resolve({ items: [], totalCount: 0 });
  read: Episodes["read"] = (id) =>
    Promise.reject(new AppError("not_found", `There is no episode ${id}.`));
  counts(): EngineStatus["episodes"] {
    return { count: 0, memberCount: 0 };
  }
}
