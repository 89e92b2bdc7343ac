import { describe, expect, it } from "vitest";
import type { Plan } from "./plan.ts";
import { digestBefore, isDone, restingStep, restSchema, type Rest } from "./rest.ts";
import { pause, route, runHook, setWeight } from "./step-builders.ts";
import { planOf } from "./strategies.ts";

const steps = [setWeight(20), pause("look"), setWeight(50), pause("look again")];
const plan = planOf("progressive", { steps });
const onceApproved = planOf("progressive", { steps, approved: ["look"] });
const allApproved = planOf("progressive", { steps, approved: ["look", "look again"] });
const indexOf = (name: string) => plan.steps.findIndex((step) => step.kind === "pause" && step.name === name);
const restAt = (name: string, change: Partial<Rest> = {}): Rest => ({
  candidate: "new",
  pause: name,
  origin: { old: 100 },
  taken: digestBefore(plan, indexOf(name)),
  undo: [],
  ...change,
});

it("a rest survives being written and read", () => {
  const rest = restAt("look", { undo: ["stop sync"] });
  expect(restSchema.parse(JSON.parse(JSON.stringify(rest)))).toEqual(rest);
});

describe("the digest of what was done", () => {
  it("is the same whichever pauses were approved", () => {
    expect(digestBefore(onceApproved, indexOf("look again"))).toBe(digestBefore(plan, indexOf("look again")));
  });

  it("is another one for other steps, another order, or another affinity", () => {
    const before = (change: Partial<Plan>) => digestBefore({ ...plan, ...change }, plan.steps.length);
    const digests = [
      before({}),
      before({ affinity: {} }),
      before({ affinity: { cookieName: "a" } }),
      before({ steps: plan.steps.toReversed() }),
      before({ steps: [runHook("sync", { limitMs: 1 }), ...plan.steps] }),
      digestBefore(plan, 3),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});

describe("the step that a candidate rests at", () => {
  it("is that of the pause's name", () => {
    expect(restingStep(plan, "new", restAt("look"))).toBe(indexOf("look"));
    expect(restingStep(plan, "new", restAt("look again"))).toBe(indexOf("look again"));
  });

  it.each<[string, string, Rest]>([
    ["another candidate", "newer", restAt("look")],
    ["a pause that is not there any more", "new", restAt("look", { pause: "gone" })],
    ["steps that were changed", "new", restAt("look", { taken: "0123456789abcdef" })],
  ])("is none for %s", (_what, candidate, rest) => {
    expect(restingStep(plan, candidate, rest)).toBeUndefined();
  });
});

describe("a plan has nothing left to do", () => {
  const declared = { candidate: "new", stable: "old" };

  it("when the candidate has all traffic", () => {
    expect(isDone(plan, declared, { new: 100 }, undefined)).toBe(true);
    expect(isDone(plan, { candidate: "new" }, { new: 100 }, undefined)).toBe(true);
  });

  it("when it rests at the pause where an update of it ends, with its weights, and both versions are declared", () => {
    expect(isDone(plan, declared, { new: 20, old: 80 }, restAt("look"))).toBe(true);
    expect(isDone(onceApproved, declared, { new: 50, old: 50 }, restAt("look again"))).toBe(true);
  });

  it("when it rests with rules for requests and no weight at all", () => {
    const routed = planOf("progressive", { steps: [route([{ cookie: "beta", exact: "1" }]), pause("a")] });
    const rest = restAt("look", { pause: "a", taken: digestBefore(routed, 3) });
    expect(isDone(routed, declared, { old: 100 }, rest)).toBe(true);
  });

  it.each<[string, boolean]>([
    ["the pause was approved", isDone(onceApproved, declared, { new: 20, old: 80 }, restAt("look"))],
    ["all pauses were approved", isDone(allApproved, declared, { new: 20, old: 80 }, restAt("look"))],
    ["an earlier pause is not approved any more", isDone(plan, declared, { new: 50, old: 50 }, restAt("look again"))],
    ["weights drifted", isDone(plan, declared, { new: 30, old: 70 }, restAt("look"))],
    [
      "another version is the candidate",
      isDone(plan, { candidate: "newer", stable: "old" }, { new: 20, old: 80 }, restAt("look")),
    ],
    [
      "the version in service is not declared",
      isDone(plan, { candidate: "new" }, { new: 20, old: 80 }, restAt("look")),
    ],
    [
      "another one is declared in its place",
      isDone(plan, { candidate: "new", stable: "older" }, { new: 20, old: 80 }, restAt("look")),
    ],
    [
      "its steps were changed",
      isDone(plan, declared, { new: 20, old: 80 }, restAt("look", { taken: "0123456789abcdef" })),
    ],
    ["nothing rests, and the candidate has only a part", isDone(plan, declared, { new: 20, old: 80 }, undefined)],
    ["it was given up, and the version in service has everything", isDone(plan, declared, { old: 100 }, undefined)],
  ])("but not when %s", (_when, done) => {
    expect(done).toBe(false);
  });

  it("not when it rests with all traffic at the candidate and may go on: what closes it is left", () => {
    const options = { steps: [setWeight(100), pause("keep the old one warm")] };
    const open = planOf("progressive", options);
    const approved = planOf("progressive", { ...options, approved: ["keep the old one warm"] });
    const rest = restAt("look", { pause: "keep the old one warm", taken: digestBefore(open, 3) });
    expect(isDone(open, declared, { new: 100 }, rest)).toBe(true);
    expect(isDone(approved, declared, { new: 100 }, rest)).toBe(false);
  });
});
