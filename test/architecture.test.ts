import { cruise, type ICruiseResult, type IForbiddenRuleType } from "dependency-cruiser";
import { beforeAll, describe, expect, it } from "vitest";

/** Imports go down only; a layer may be skipped, never climbed (ARCHITECTURE.md, "Layers"). */
const LAYERS = [
  { name: "model", path: "^src/(model/|errors\\.ts$|next-turn\\.ts$)" },
  { name: "ports", path: "^src/ports/" },
  { name: "storage", path: "^src/storage/" },
  { name: "search", path: "^src/search/" },
  { name: "processing", path: "^src/processing/" },
  { name: "cognitive", path: "^src/cognitive/" },
  { name: "engine", path: "^src/(engine/|engine\\.ts$|create-engine\\.ts$)" },
  { name: "application", path: "^src/application/" },
];

/** Where the platforms are put together, and their sides of the worker boundary. */
const COMPOSE =
  "^(workers/|src/application/[a-z]+/compose\\.ts$|src/platform/(browser|node|memory)/(compose|index|open|engine-[a-z]+|remote-engine)\\.ts$)";

const climbing: IForbiddenRuleType[] = LAYERS.slice(0, -1).map((layer, rank) => ({
  name: `${layer.name}-imports-up`,
  severity: "error",
  from: { path: layer.path },
  to: { path: LAYERS.slice(rank + 1).map((upper) => upper.path) },
}));

const rules: IForbiddenRuleType[] = [
  ...climbing,
  {
    name: "quantization-stands-on-ports",
    severity: "error",
    from: { path: "^src/quantization/" },
    to: {
      path: "^src/",
      pathNot: "^src/(quantization/|model/|ports/|errors\\.ts$|next-turn\\.ts$)",
    },
  },
  {
    name: "only-compose-files-import-platforms",
    severity: "error",
    from: { path: "^src/", pathNot: ["^src/platform/", COMPOSE, "^src/index\\.ts$"] },
    to: { path: "^src/platform/" },
  },
  {
    name: "platforms-know-ports-not-the-engine",
    severity: "error",
    from: { path: "^src/platform/", pathNot: COMPOSE },
    to: { path: "^src/(engine|create-engine|application|cognitive)" },
  },
  {
    name: "the-core-is-isomorphic",
    severity: "error",
    from: { path: "^src/", pathNot: "^src/(platform/node/|application/cli/)" },
    to: { dependencyTypes: ["core"] },
  },
  {
    name: "no-cycles",
    severity: "error",
    from: { path: "^src/" },
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
];

describe("architecture", () => {
  let result: ICruiseResult;
  beforeAll(async () => {
    const reporter = await cruise(
      ["src", "workers"],
      {
        ruleSet: { forbidden: rules },
        validate: true,
        tsPreCompilationDeps: true,
        doNotFollow: { path: "node_modules" },
        moduleSystems: ["es6"],
      },
      { extensions: [".ts", ".svelte", ".js"] },
    );
    result = reporter.output as ICruiseResult;
  });

  it("sees the sources and the imports between them", () => {
    expect(result.summary.totalCruised).toBeGreaterThan(50);
    const engine = result.modules.find((module) => module.source === "src/engine/ingest.ts");
    expect(engine?.dependencies.map((dependency) => dependency.resolved)).toContain(
      "src/errors.ts",
    );
  });

  it.each(rules.map((rule) => rule.name!))("%s: no violation", (name) => {
    const violations = result.summary.violations
      .filter((violation) => violation.rule.name === name)
      .map((violation) => `${violation.from} → ${violation.to}`);
    expect(violations).toEqual([]);
  });
});
