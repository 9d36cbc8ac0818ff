/** A short soak: real commands, killed at random, against a model of what was acknowledged. The long one: `npm run bench -- soak`. */

import { expect, it } from "vitest";
import { runSoak } from "../../bench/soak/soak.ts";
import { useCli } from "./support/cli.ts";

const cli = useCli();
const SEED = Number(process.env["LLM_COMPRESS_SOAK_SEED"] ?? Date.now() % 1_000_000);

it("keeps every promise over a few kills", async () => {
  const report = await runSoak({
    build: cli.buildFolder(),
    folder: cli.path("soak"),
    seed: SEED,
    minutes: 0.4,
    rounds: 12,
    models: null,
  });
  expect(report.violation, `seed ${SEED}`).toBeNull();
  expect(report.acknowledged).toBeGreaterThan(0);
}, 240_000);
