import { expect, it } from "vitest";
import { affinitySchema, planSchema } from "./plan.ts";
import { pause, runHook, setWeight } from "./step-builders.ts";
import { planOf } from "./strategies.ts";

const window = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "Europe/Paris" };

it.each(["direct", "blueGreen", "progressive", "parallel"] as const)(
  "the plan of %s is what its own schema accepts",
  (strategy) => {
    const plan = planOf(strategy, { window });
    expect(planSchema.parse(plan)).toEqual(plan);
  },
);

it("a plan with every option is what the schema accepts", () => {
  const plan = planOf("parallel", {
    steps: [
      setWeight(5),
      pause("look"),
      runHook("stop writes", { limitMs: 5_000, undo: "allow writes", startsReadOnly: true }),
    ],
    approved: ["look"],
    background: { startingStep: 1, probes: ["http /"] },
    affinity: { cookieName: "met", maxAgeSeconds: 60 },
    fastTrackChanges: 2,
    scaleLimitMs: 60_000,
    window,
  });
  expect(planSchema.parse(plan)).toEqual(plan);
});

it.each([
  ["no step", { steps: [] }],
  ["an unknown step", { steps: [{ kind: "jump" }] }],
  ["more than all traffic", { steps: [{ kind: "shift", weightPercent: 101 }] }],
  ["a negative hold", { steps: [{ kind: "hold", durationMs: -1 }] }],
  ["an unknown field", { colour: "green" }],
  ["no time at all", { deadlineMs: 0 }],
  ["no time to scale", { scaleLimitMs: 0 }],
  ["no time to be read-only", { readOnlyLimitMs: 0 }],
  ["no run budget", { runBudgetMs: 0 }],
  ["a background that measures nothing", { background: { startingStep: 0, probes: [] } }],
  ["a background that begins before the plan", { background: { startingStep: -1 } }],
  ["a fast track into the future", { fastTrackChanges: -1 }],
])("a plan with %s is none", (_name, wrong) => {
  expect(planSchema.safeParse({ ...planOf("blueGreen"), ...wrong }).success).toBe(false);
});

it.each([
  ["with a space in the cookie's name", { cookieName: "bascule web" }],
  ["with a cookie that is over at once", { maxAgeSeconds: 0 }],
])("affinity %s is none", (_name, wrong) => {
  expect(affinitySchema.safeParse(wrong).success).toBe(false);
});
