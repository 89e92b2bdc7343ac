import { describe, expect, it } from "vitest";
import { beginPlan, type PlanSituation } from "./begin-plan.ts";
import type { Plan } from "./plan.ts";
import { digestBefore, type Rest } from "./rest.ts";
import type { Step } from "./step.ts";
import { analysis, experiment, mirror, pause, route, runHook, scale, setWeight, soak } from "./step-builders.ts";
import { planOf } from "./strategies.ts";

const verifyCandidate: Step = { kind: "verify", target: "candidate" };
const verifyService = analysis();
const promote = setWeight(100);
const hold: Step = { kind: "hold", durationMs: 5_000 };
const full = scale({ percent: 100 });
const sync = runHook("sync", { limitMs: 1_000, undo: "stop sync" });
const stopWrites = runHook("stop writes", { limitMs: 1_000, undo: "allow writes", startsReadOnly: true });
const endSync = runHook("end sync", { limitMs: 1_000 });

/** A plan in which everything occurs. */
const options = {
  steps: [
    route([{ header: "x-beta", exact: "yes" }]),
    mirror(10),
    setWeight(20),
    soak(1_000),
    sync,
    pause("look"),
    setWeight(50),
    experiment(1_000),
    pause("look again"),
    stopWrites,
  ],
  closing: [endSync],
  sizing: "matchTraffic",
  background: { startingStep: 0 },
} as const;
const whole = planOf("parallel", options);
const onceApproved = planOf("parallel", { ...options, approved: ["look"] });
const allApproved = planOf("parallel", { ...options, approved: ["look", "look again"] });

const situation = (change: Partial<PlanSituation> = {}): PlanSituation => ({
  candidate: "new",
  weights: { old: 100 },
  isServed: true,
  history: ["old"],
  ...change,
});
const indexOf = (plan: Plan, name: string) =>
  plan.steps.findIndex((step) => step.kind === "pause" && step.name === name);
const restAt = (plan: Plan, name: string, change: Partial<Rest> = {}): Rest => ({
  candidate: "new",
  pause: name,
  origin: { old: 100 },
  taken: digestBefore(plan, indexOf(plan, name)),
  undo: ["stop sync"],
  ...change,
});

describe("a plan that nothing stands in the way of", () => {
  it("is taken from its beginning, and goes back to where traffic is", () => {
    expect(beginPlan(whole, situation())).toEqual({ plan: whole, firstStep: 0, goBackTo: { old: 100 } });
    expect(beginPlan(planOf("direct"), situation())).toEqual({
      plan: planOf("direct"),
      firstStep: 0,
      goBackTo: { old: 100 },
    });
  });

  it("goes back to a split that others made", () => {
    const weights = { a: 30, b: 70 };
    expect(beginPlan(whole, situation({ weights })).goBackTo).toEqual(weights);
  });

  it("that pauses before any traffic has moved gives the router its declared shape, and verifies it", () => {
    const plan = planOf("blueGreen", { promotion: "approved" });
    expect(beginPlan(plan, situation()).plan.steps).toEqual([
      verifyCandidate,
      setWeight(0),
      verifyService,
      pause("promote"),
      promote,
      verifyService,
      hold,
    ]);
    const approved = planOf("blueGreen", { promotion: "approved", approved: ["promote"] });
    expect(beginPlan(approved, situation()).plan).toEqual(approved);
  });
});

describe("when no version has the traffic", () => {
  it("only what proves and moves is left: there is nobody to bring along", () => {
    expect(beginPlan(whole, situation({ weights: {}, isServed: false, history: [] }))).toEqual({
      plan: expect.objectContaining({ steps: [full, verifyCandidate, promote, verifyService] }) as Plan,
      firstStep: 0,
      goBackTo: {},
      note: "no version has the traffic yet, so there is nothing to split",
    });
  });

  it("a weight of nothing is none", () => {
    expect(beginPlan(whole, situation({ weights: { old: 0 } })).plan.steps).toHaveLength(4);
  });

  it("there are no probes in the background, since there are no steps to go on through", () => {
    expect(beginPlan(whole, situation({ weights: {} })).plan).not.toHaveProperty("background");
  });
});

describe("when the candidate has all traffic already", () => {
  it("its size, the router's shape and the service are put right, and nothing is done twice", () => {
    expect(beginPlan(whole, situation({ weights: { new: 100 }, history: ["new", "old"] }))).toMatchObject({
      plan: { steps: [full, promote, verifyService] },
      firstStep: 0,
      goBackTo: { new: 100 },
      note: "new has all traffic already",
    });
  });

  it("no size is set where the plan has none", () => {
    const { plan } = beginPlan(planOf("blueGreen"), situation({ weights: { new: 100 } }));
    expect(plan.steps).toEqual([promote, verifyService]);
  });
});

describe("when nobody answers for the traffic", () => {
  const dead = situation({ isServed: false });

  it("everything moves at once, with the hooks that bring data along, since every moment counts", () => {
    expect(beginPlan(allApproved, dead)).toMatchObject({
      plan: { steps: [full, verifyCandidate, sync, stopWrites, promote, verifyService, hold, endSync] },
      goBackTo: { old: 100 },
      note: "nobody answers now, so there is nothing to split",
    });
  });

  it("a pause that nobody approved is still one", () => {
    expect(beginPlan(onceApproved, dead).plan).toEqual(onceApproved);
  });
});

describe("a fast track", () => {
  const fast = (fastTrackChanges: number, history: readonly string[]) =>
    beginPlan({ ...whole, fastTrackChanges }, situation({ history }));

  it("goes back at once to a version that was in service a few changes ago", () => {
    expect(fast(1, ["old", "new"])).toMatchObject({
      plan: { steps: [full, verifyCandidate, sync, stopWrites, promote, verifyService, hold, endSync] },
      firstStep: 0,
      goBackTo: { old: 100 },
      note: "fast track: new was in service before the present version",
    });
    expect(fast(3, ["old", "a", "b", "new"]).note).toBe("fast track: new was in service 3 versions ago");
  });

  it.each<[string, number, readonly string[]]>([
    ["too many changes ago", 2, ["old", "a", "b", "new"]],
    ["never", 9, ["old", "a"]],
    ["where it is not wanted", 0, ["old", "new"]],
    ["nobody knows when", 9, []],
  ])("is not for a version that was in service %s", (_when, fastTrackChanges, history) => {
    expect(fast(fastTrackChanges, history).plan.steps).toEqual(whole.steps);
  });
});

it("a version in service whose traffic others moved away gets it back, and its hooks are not run again", () => {
  expect(beginPlan(whole, situation({ history: ["new", "old"] }))).toMatchObject({
    plan: { steps: [full, verifyCandidate, promote, verifyService, hold] },
    goBackTo: { old: 100 },
    note: "new is the version in service, and gets all traffic again",
  });
});

describe("where an update ended at a pause", () => {
  const at = (name: string, change: Partial<PlanSituation> = {}, rest: Partial<Rest> = {}) =>
    situation({ weights: { new: 20, old: 80 }, rest: restAt(whole, name, rest), ...change });

  it("it goes on from there, after what rests was sized, written and verified again; a rollback goes further back", () => {
    const index = indexOf(onceApproved, "look");
    const beginning = beginPlan(onceApproved, at("look"));
    expect(beginning).toMatchObject({
      firstStep: index,
      goBackTo: { old: 100 },
      note: 'goes on from the pause "look", where the last update ended',
    });
    expect(beginning).not.toHaveProperty("givesUp");
    expect(beginning.plan.steps).toEqual(
      onceApproved.steps.toSpliced(index, 0, scale({ percent: 20 }), setWeight(20), verifyService),
    );
  });

  it("it ends there again as long as nobody approves, with what is declared now", () => {
    const beginning = beginPlan(whole, at("look"));
    expect(beginning).toMatchObject({
      firstStep: indexOf(whole, "look"),
      note: 'stays at the pause "look", where the last update ended',
    });
    expect(beginning.plan.steps.slice(beginning.firstStep, beginning.firstStep + 4)).toEqual([
      scale({ percent: 20 }),
      setWeight(20),
      verifyService,
      pause("look"),
    ]);
  });

  it("two pauses with the same traffic are told apart", () => {
    const plan = planOf("progressive", {
      steps: [setWeight(20), pause("a"), sync, pause("b")],
      approved: ["a", "b"],
    });
    const beginning = beginPlan(plan, situation({ rest: restAt(plan, "b") }));
    expect(plan.steps[beginning.firstStep]).toMatchObject({ name: "b" });
  });

  it("a candidate without traffic is verified again before it gets any", () => {
    const plan = planOf("blueGreen", { promotion: "approved", approved: ["promote"] });
    const { steps } = beginPlan(plan, situation({ rest: restAt(plan, "promote", { undo: [] }) })).plan;
    expect(steps).toEqual([
      verifyCandidate,
      verifyCandidate,
      setWeight(0),
      verifyService,
      { kind: "pause", name: "promote", isApproved: true },
      promote,
      verifyService,
      hold,
    ]);
  });

  it("with everything at the candidate, it goes on to what closes the release", () => {
    const closing = {
      steps: [setWeight(100), pause("keep the old one warm")],
      closing: [endSync],
      approved: ["keep the old one warm"],
    };
    const plan = planOf("parallel", closing);
    const rest = restAt(plan, "keep the old one warm", { undo: [] });
    const beginning = beginPlan(plan, situation({ weights: { new: 100 }, rest }));
    expect(beginning.goBackTo).toEqual({ old: 100 });
    expect(beginning.plan.steps.slice(beginning.firstStep)).toEqual([
      promote,
      verifyService,
      { kind: "pause", name: "keep the old one warm", isApproved: true },
      hold,
      endSync,
    ]);
  });

  it("probes in the background begin with the same step as before", () => {
    const later = planOf("progressive", {
      steps: [setWeight(20), pause("look"), soak(5), setWeight(50)],
      approved: ["look"],
      background: { startingStep: 3 },
    });
    const { plan } = beginPlan(later, at("look", { rest: restAt(later, "look") }));
    expect(plan.steps[plan.background?.startingStep ?? -1]).toEqual(setWeight(50));
    const earlier = { ...later, background: { startingStep: 0 } };
    expect(beginPlan(earlier, at("look", { rest: restAt(later, "look") })).plan.background?.startingStep).toBe(0);
  });

  it("weights that others changed meanwhile make no difference: they are written again", () => {
    expect(beginPlan(onceApproved, at("look", { weights: { new: 70, old: 30 } }))).toEqual(
      beginPlan(onceApproved, at("look")),
    );
  });

  it("it is gone on from whoever answers just then", () => {
    expect(beginPlan(whole, at("look", { isServed: false }))).toEqual(beginPlan(whole, at("look")));
  });
});

describe("a pause is given up", () => {
  const rest = restAt(whole, "look");
  const resting = { weights: { new: 20, old: 80 }, rest };

  it("for another version, which begins from where traffic came from", () => {
    expect(beginPlan(whole, situation({ ...resting, candidate: "newer" }))).toEqual({
      plan: whole,
      firstStep: 0,
      goBackTo: { old: 100 },
      givesUp: rest,
      note: 'the pause "look" is given up first, of new: traffic goes back to old 100 %, and stop sync run to take back what was done',
    });
  });

  it("by declaring the version in service again", () => {
    expect(beginPlan(whole, situation({ ...resting, candidate: "old" }))).toMatchObject({
      plan: { steps: [full, promote, verifyService] },
      goBackTo: { old: 100 },
      givesUp: rest,
      note: 'the pause "look" is given up first, of new: traffic goes back to old 100 %, and stop sync run to take back what was done; then old has all traffic already',
    });
  });

  it("for a former version, which may go back fast", () => {
    const fast = { ...whole, fastTrackChanges: 1 };
    expect(beginPlan(fast, situation({ ...resting, candidate: "older", history: ["old", "older"] }))).toMatchObject({
      givesUp: rest,
      note: expect.stringContaining("; then fast track: older was in service before the present version") as string,
    });
  });

  it.each<[string, Plan]>([
    [
      "the steps before it were changed",
      planOf("parallel", { ...options, steps: [setWeight(30), ...options.steps.slice(3)] }),
    ],
    ["it is not in the plan any more", planOf("parallel", { steps: [setWeight(20)] })],
    ["users stay with their version now", { ...whole, affinity: {} }],
  ])("when %s, and the plan begins again", (_why, plan) => {
    expect(beginPlan(plan, situation(resting))).toMatchObject({
      firstStep: 0,
      goBackTo: { old: 100 },
      givesUp: rest,
      note: 'the pause "look" is given up first, because its steps were changed: traffic goes back to old 100 %, and stop sync run to take back what was done',
    });
  });

  it("not when only later steps, or limits, were changed", () => {
    const plan = planOf("parallel", { ...options, steps: [...options.steps.slice(0, 6), setWeight(90)], holdMs: 1 });
    expect(beginPlan({ ...plan, deadlineMs: 1 }, situation(resting))).not.toHaveProperty("givesUp");
  });

  it("whose hooks left nothing says nothing of them", () => {
    const nothing = { ...resting, rest: { ...rest, undo: [] } };
    expect(beginPlan(whole, situation({ ...nothing, candidate: "newer" })).note).toBe(
      'the pause "look" is given up first, of new: traffic goes back to old 100 %',
    );
  });
});
