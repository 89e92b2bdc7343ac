import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { pause, planOf, scale, setWeight, soak, stepsFromArgoRollouts, type Step } from "../packages/core/src/index.ts";

const page = readFileSync(new URL("../docs/coming-from.md", import.meta.url), "utf8");
const blockOf = (language: string) => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)\\n\`\`\`$`, "m").exec(page)?.[1];

describe("the manifest that docs/coming-from.md translates", () => {
  const canary = {
    trafficRouting: { nginx: { stableIngress: "web" } },
    steps: [{ setWeight: 20 }, { pause: { duration: "10m" } }, { setWeight: 50 }, { pause: {} }],
  };
  const { strategy, options, notes } = stepsFromArgoRollouts({
    replicas: 5,
    rollbackWindow: { revisions: 3 },
    strategy: { canary },
  });

  it("becomes the options that the page shows", () => {
    expect(JSON.parse(blockOf("json") ?? "")).toEqual(options);
  });

  it("becomes the notes that the page shows", () => {
    expect(blockOf("text")?.split("\n")).toEqual(notes);
  });

  it("is the plan that the page's program has, whichever way its sizes are said", () => {
    const program = (steps: readonly Step[], sizing?: "matchTraffic") =>
      planOf("progressive", { previewReplicas: 1, steps, sizing, holdMs: 30_000, fastTrackChanges: 3 });
    const weights = [setWeight(20), soak(600_000), setWeight(50), pause("step-4")] as const;
    const sized = [scale({ percent: 20 }), weights[0], weights[1], scale({ percent: 50 }), weights[2], weights[3]];
    const migrated = planOf(strategy, options);
    expect(migrated).toEqual(program(sized));
    expect(migrated.steps).toEqual(program(weights, "matchTraffic").steps);
  });
});
