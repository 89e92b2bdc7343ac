import { describe, expect, it } from "vitest";
import { describePlan } from "./describe-plan.ts";
import { planSchema } from "./plan.ts";
import { planOf } from "./strategies.ts";

const window = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "Europe/Paris" };

describe("the plan of blue/green", () => {
  it("verifies the candidate, switches, verifies the service and holds", () => {
    expect(planOf("blueGreen")).toEqual({
      strategy: "blueGreen",
      steps: [
        { kind: "verify", target: "candidate" },
        { kind: "shift", weightPercent: 100 },
        { kind: "verify", target: "service" },
        { kind: "hold", durationMs: 5_000 },
      ],
      deadlineMs: 605_000,
      propagationLimitMs: 10_000,
    });
  });

  it("takes the user's hold, limits and window", () => {
    const plan = planOf("blueGreen", { holdMs: 60_000, propagationLimitMs: 3_000, window });
    expect(plan.steps.at(-1)).toEqual({ kind: "hold", durationMs: 60_000 });
    expect(plan).toMatchObject({ deadlineMs: 660_000, propagationLimitMs: 3_000, window });
    expect(planOf("blueGreen", { deadlineMs: 1_000 }).deadlineMs).toBe(1_000);
  });
});

it("the plan of direct switches and verifies; there is no old version to hold", () => {
  expect(planOf("direct", { holdMs: 60_000 })).toMatchObject({
    steps: [
      { kind: "shift", weightPercent: 100 },
      { kind: "verify", target: "service" },
    ],
    deadlineMs: 600_000,
  });
});

it.each(["direct", "blueGreen"] as const)("the plan of %s is what its own schema accepts", (strategy) => {
  const plan = planOf(strategy, { window });
  expect(planSchema.parse(plan)).toEqual(plan);
});

it.each([
  ["no step", { steps: [] }],
  ["an unknown step", { steps: [{ kind: "jump" }] }],
  ["more than all traffic", { steps: [{ kind: "shift", weightPercent: 101 }] }],
  ["a negative hold", { steps: [{ kind: "hold", durationMs: -1 }] }],
  ["an unknown field", { colour: "green" }],
  ["no time at all", { deadlineMs: 0 }],
])("a plan with %s is none", (_name, wrong) => {
  expect(planSchema.safeParse({ ...planOf("blueGreen"), ...wrong }).success).toBe(false);
});

describe("a plan in plain words", () => {
  it("tells each step, the probes, and what happens on failure", () => {
    const text = describePlan({
      plan: planOf("blueGreen", { window }),
      release: "web",
      candidate: "web-2",
      from: { "web-1": 100 },
      probes: ["http /health", "tcp connect"],
    });
    expect(text.split("\n")).toEqual([
      "Cut-over of web (blue/green): web-1 100 % → web-2",
      "  allowed from 2026-11-24T22:00 to 2026-11-25T02:00 (Europe/Paris)",
      "  1. verify the candidate, which has no traffic yet",
      "  2. move 100 % of traffic to the candidate",
      "  3. verify the service as its clients see it",
      "  4. hold for 5 s with the old version still there, and go on verifying",
      "  probes: http /health; tcp connect",
      "  on any failure traffic goes back to web-1 100 %, verified, and the update fails; at the most 605 s in all",
    ]);
  });

  it("of a first release says that the service is removed again", () => {
    const text = describePlan({
      plan: planOf("direct"),
      release: "web",
      candidate: "web-1",
      from: null,
      probes: ["tcp connect"],
    });
    expect(text).toContain("Cut-over of web (direct): a new service → web-1");
    expect(text).toContain("on any failure the service is removed again, verified");
  });
});
