import { describe, expect, it } from "vitest";
import { isTimed, stepSchema, type Step } from "./step.ts";
import { analysis, experiment, mirror, pause, route, runHook, scale, setWeight, soak } from "./step-builders.ts";

const steps: readonly (readonly [string, Step, Step])[] = [
  ["setWeight", setWeight(5), { kind: "shift", weightPercent: 5 }],
  ["soak", soak(60_000), { kind: "soak", durationMs: 60_000 }],
  ["pause", pause("look"), { kind: "pause", name: "look", isApproved: false }],
  ["analysis", analysis(), { kind: "verify", target: "service" }],
  ["analysis of probes", analysis({ probes: ["a"] }), { kind: "verify", target: "service", probes: ["a"] }],
  ["scale to Pods", scale({ replicas: 2 }), { kind: "scale", size: { replicas: 2 } }],
  ["scale to a share", scale({ percent: 25 }), { kind: "scale", size: { percent: 25 } }],
  [
    "route",
    route([{ header: "x-beta", exact: "yes" }]),
    { kind: "route", matches: [{ header: "x-beta", exact: "yes" }] },
  ],
  ["the end of a route", route([]), { kind: "route", matches: [] }],
  ["mirror", mirror(20), { kind: "mirror", percent: 20 }],
  ["experiment", experiment(5_000), { kind: "experiment", durationMs: 5_000 }],
  [
    "experiment with probes",
    experiment(5_000, { probes: ["a"] }),
    { kind: "experiment", durationMs: 5_000, probes: ["a"] },
  ],
  ["hook", runHook("sync", { limitMs: 1_000 }), { kind: "hook", name: "sync", limitMs: 1_000 }],
  [
    "hook with an undo",
    runHook("stop writes", { limitMs: 1_000, undo: "allow writes", startsReadOnly: true }),
    { kind: "hook", name: "stop writes", limitMs: 1_000, undo: "allow writes", startsReadOnly: true },
  ],
];

it.each(steps)("%s makes a step that the schema accepts", (_name, built, step) => {
  expect(built).toEqual(step);
  expect(stepSchema.parse(built)).toEqual(step);
});

it("time passes on purpose in soaks, holds and experiments, and in nothing else", () => {
  expect(steps.map(([, step]) => step).filter(isTimed)).toEqual([
    soak(60_000),
    experiment(5_000),
    experiment(5_000, { probes: ["a"] }),
  ]);
  expect(isTimed({ kind: "hold", durationMs: 0 })).toBe(true);
});

describe("what is no step", () => {
  it.each([
    ["a weight below nothing", { kind: "shift", weightPercent: -1 }],
    ["a soak of half a millisecond", { kind: "soak", durationMs: 0.5 }],
    ["a verification of nobody", { kind: "verify", target: "stable" }],
    ["a verification with no probe at all", { kind: "verify", target: "service", probes: [] }],
    ["a pause without a name", { kind: "pause", name: "", isApproved: false }],
    ["a pause that does not say whether it is approved", { kind: "pause", name: "look" }],
    ["a size in two ways", { kind: "scale", size: { replicas: 1, percent: 5 } }],
    ["a size of half a Pod", { kind: "scale", size: { replicas: 0.5 } }],
    ["copies of more than all requests", { kind: "mirror", percent: 101 }],
    ["an experiment without a time", { kind: "experiment" }],
    ["a hook without a limit", { kind: "hook", name: "sync" }],
    ["a hook that is not read-only", { kind: "hook", name: "sync", limitMs: 1, startsReadOnly: false }],
    ["a field that nobody knows", { kind: "soak", durationMs: 1, colour: "green" }],
  ])("%s", (_name, step) => {
    expect(stepSchema.safeParse(step).success).toBe(false);
  });

  it.each([
    ["neither a header nor a cookie", { exact: "yes" }, "must name a header or a cookie, and not both"],
    ["both", { header: "a", cookie: "b", exact: "yes" }, "must name a header or a cookie, and not both"],
    ["no value", { header: "a" }, "must have exactly one of exact, prefix and regex"],
    ["two values", { header: "a", exact: "yes", prefix: "y" }, "must have exactly one of exact, prefix and regex"],
  ])("a rule for requests with %s", (_name, match, message) => {
    const parsed = stepSchema.safeParse({ kind: "route", matches: [match] });
    expect(parsed.error?.issues.map((issue) => issue.message)).toContain(message);
  });
});
