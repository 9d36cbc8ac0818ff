/** Retention behind the engine. */

import type { Retention } from "../engine.ts";
import type { EngineParts } from "./local-engine.ts";

export class RetentionService implements Retention {
  constructor(_parts: EngineParts) {}
  policy: Retention["policy"] = () => Promise.resolve({ enabled: false, rules: [] });
  setPolicy: Retention["setPolicy"] = (policy) => Promise.resolve(policy);
  preview: Retention["preview"] = () =>
    Promise.resolve({ moves: [], totalCount: 0, beforeBytes: 0, afterBytes: 0, held: [] });
  apply: Retention["apply"] = () =>
    Promise.resolve({ moved: 0, undoable: false, beforeBytes: 0, afterBytes: 0, held: [] });
  undo: Retention["undo"] = () => Promise.resolve(0);
}
