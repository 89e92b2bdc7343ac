import { describe, expect, it } from "vitest";
import type { PlanOptions } from "./plan-options.ts";
import type { Strategy } from "./plan.ts";
import type { Step } from "./step.ts";
import { analysis, experiment, mirror, pause, route, runHook, scale, setWeight, soak } from "./step-builders.ts";
import { planOf, promotionPause } from "./strategies.ts";

const window = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "Europe/Paris" };
const verifyCandidate: Step = { kind: "verify", target: "candidate" };
const verifyService = analysis();
const promote = setWeight(100);
const hold: Step = { kind: "hold", durationMs: 5_000 };
const full = scale({ percent: 100 });
const beta = route([{ header: "x-beta", exact: "yes" }]);
const stopWrites = runHook("stop writes", { limitMs: 2_000, undo: "allow writes", startsReadOnly: true });
const approvedPause = (name: string): Step => ({ kind: "pause", name, isApproved: true });

const stepsOf = (strategy: Strategy, options: PlanOptions = {}) => planOf(strategy, options).steps;

/** A title and what it leads to. */
type Example = readonly [string, PlanOptions, readonly Step[]];

describe("the plan of blue/green", () => {
  it("verifies the candidate, switches, verifies the service and holds", () => {
    expect(planOf("blueGreen")).toEqual({
      strategy: "blueGreen",
      steps: [verifyCandidate, promote, verifyService, hold],
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

  it.each<Example>([
    [
      "previews the candidate at a size of its own, which is full before it gets everything",
      { previewReplicas: 1 },
      [scale({ replicas: 1 }), verifyCandidate, full, promote, verifyService, hold],
    ],
    [
      "waits for its approval before the switch",
      { promotion: "approved" },
      [verifyCandidate, pause(promotionPause), promote, verifyService, hold],
    ],
    [
      "goes on when it is approved",
      { promotion: "approved", approved: [promotionPause] },
      [verifyCandidate, approvedPause(promotionPause), promote, verifyService, hold],
    ],
    [
      "stays at its preview size until it is approved",
      { promotion: "approved", previewReplicas: 1 },
      [scale({ replicas: 1 }), verifyCandidate, pause(promotionPause), full, promote, verifyService, hold],
    ],
    ["may be promoted by itself, as it is by default", { promotion: "automatic" }, stepsOf("blueGreen")],
  ])("%s", (_title, options, steps) => {
    expect(stepsOf("blueGreen", options)).toEqual(steps);
  });
});

it("the plan of direct switches and verifies; there is no old version to hold", () => {
  expect(planOf("direct", { holdMs: 60_000 })).toEqual({
    strategy: "direct",
    steps: [promote, verifyService],
    deadlineMs: 600_000,
    propagationLimitMs: 10_000,
  });
});

describe.each(["progressive", "parallel"] as const)("the plan of %s", (strategy) => {
  it.each<Example>([
    [
      "verifies each new weight as clients see it, then gives the candidate everything and holds",
      { steps: [setWeight(5), soak(1_000), setWeight(50)] },
      [
        verifyCandidate,
        setWeight(5),
        verifyService,
        soak(1_000),
        setWeight(50),
        verifyService,
        promote,
        verifyService,
        hold,
      ],
    ],
    ["without steps is one switch", {}, [verifyCandidate, promote, verifyService, hold]],
    [
      "verifies with the probes of the analysis that follows a weight, and not twice",
      { steps: [setWeight(5), analysis({ probes: ["a"] })] },
      [verifyCandidate, setWeight(5), analysis({ probes: ["a"] }), promote, verifyService, hold],
    ],
    [
      "verifies each new rule for requests, and its end",
      { steps: [beta, soak(5), route([])] },
      [verifyCandidate, beta, verifyService, soak(5), route([]), verifyService, promote, verifyService, hold],
    ],
    [
      "verifies that clients are served while requests are copied",
      { steps: [mirror(20), experiment(5), mirror(0)] },
      [
        verifyCandidate,
        mirror(20),
        verifyService,
        experiment(5),
        mirror(0),
        verifyService,
        promote,
        verifyService,
        hold,
      ],
    ],
    [
      "lets a soak verify what is copied",
      { steps: [mirror(20), soak(5)] },
      [verifyCandidate, mirror(20), soak(5), promote, verifyService, hold],
    ],
    [
      "may be promoted by its own steps",
      { steps: [setWeight(50), setWeight(100)] },
      [verifyCandidate, setWeight(50), verifyService, promote, verifyService, hold],
    ],
    [
      "waits for its approval before the promotion",
      { steps: [setWeight(50)], promotion: "approved" },
      [verifyCandidate, setWeight(50), verifyService, pause(promotionPause), promote, verifyService, hold],
    ],
    [
      "waits for its approval also where its own steps promote it",
      { steps: [setWeight(100), soak(5)], promotion: "approved" },
      [verifyCandidate, pause(promotionPause), promote, verifyService, soak(5), hold],
    ],
    [
      "closes after the hold",
      { closing: [runHook("end sync", { limitMs: 1_000 })], holdMs: 0 },
      [
        verifyCandidate,
        promote,
        verifyService,
        { kind: "hold", durationMs: 0 },
        runHook("end sync", { limitMs: 1_000 }),
      ],
    ],
    [
      "lets the candidate grow with its weight",
      { steps: [setWeight(5), setWeight(50)], sizing: "matchTraffic" },
      [
        scale({ percent: 5 }),
        verifyCandidate,
        setWeight(5),
        verifyService,
        scale({ percent: 50 }),
        setWeight(50),
        verifyService,
        full,
        promote,
        verifyService,
        hold,
      ],
    ],
    [
      "lets it grow with its weight up to everything once",
      { steps: [setWeight(100)], sizing: "matchTraffic" },
      [verifyCandidate, full, promote, verifyService, hold],
    ],
    [
      "keeps the candidate small only while it has no traffic",
      { steps: [soak(5), setWeight(5)], previewReplicas: 1 },
      [
        scale({ replicas: 1 }),
        verifyCandidate,
        soak(5),
        full,
        setWeight(5),
        verifyService,
        full,
        promote,
        verifyService,
        hold,
      ],
    ],
    [
      "counts matching requests and copies as traffic",
      { steps: [mirror(5), soak(5)], previewReplicas: 1 },
      [scale({ replicas: 1 }), verifyCandidate, full, mirror(5), soak(5), full, promote, verifyService, hold],
    ],
    [
      "sizes the candidate as its own steps say, and fully in the end",
      { steps: [scale({ replicas: 3 }), setWeight(5)], previewReplicas: 1 },
      [
        scale({ replicas: 1 }),
        verifyCandidate,
        scale({ replicas: 3 }),
        setWeight(5),
        verifyService,
        full,
        promote,
        verifyService,
        hold,
      ],
    ],
    [
      "sizes it fully also where its own steps promote it",
      { steps: [scale({ replicas: 1 }), setWeight(100)] },
      [verifyCandidate, scale({ replicas: 1 }), full, promote, verifyService, hold],
    ],
    [
      "passes the pauses that are approved",
      { steps: [setWeight(5), pause("a"), setWeight(50), pause("b")], approved: ["a"] },
      [
        verifyCandidate,
        setWeight(5),
        verifyService,
        approvedPause("a"),
        setWeight(50),
        verifyService,
        pause("b"),
        promote,
        verifyService,
        hold,
      ],
    ],
    [
      "may rest when the candidate has everything already",
      { steps: [setWeight(100), pause("keep the old one warm")] },
      [verifyCandidate, promote, verifyService, pause("keep the old one warm"), hold],
    ],
    [
      "lets nobody write for as long as it takes to move everything",
      { steps: [runHook("sync", { limitMs: 2_000, undo: "sync back" }), stopWrites] },
      [
        verifyCandidate,
        runHook("sync", { limitMs: 2_000, undo: "sync back" }),
        stopWrites,
        promote,
        verifyService,
        hold,
      ],
    ],
  ])("%s", (_title, options, steps) => {
    expect(stepsOf(strategy, options)).toEqual(steps);
  });
});

describe("the limits of a plan", () => {
  it("are those of the user", () => {
    const options = { scaleLimitMs: 1_000, readOnlyLimitMs: 2_000, fastTrackChanges: 3, affinity: { cookieName: "a" } };
    expect(planOf("progressive", options)).toMatchObject(options);
  });

  it("give the deadline all the time that steps and hooks of one update may take", () => {
    const steps = [
      soak(1_000),
      runHook("sync", { limitMs: 30_000 }),
      experiment(2_000),
      pause("look"),
      soak(9_000),
      stopWrites,
    ];
    expect(planOf("parallel", { steps }).deadlineMs).toBe(600_000 + 1_000 + 30_000 + 2_000);
    expect(planOf("parallel", { steps, approved: ["look"] }).deadlineMs).toBe(
      600_000 + 1_000 + 30_000 + 2_000 + 9_000 + 2_000 + 5_000,
    );
  });

  it("let nobody write for a minute at the most, unless the user says otherwise", () => {
    expect(planOf("parallel", { steps: [stopWrites] }).readOnlyLimitMs).toBe(60_000);
    expect(planOf("parallel", { steps: [stopWrites], readOnlyLimitMs: 5_000 }).readOnlyLimitMs).toBe(5_000);
    expect(planOf("parallel")).not.toHaveProperty("readOnlyLimitMs");
  });

  it("keep the run budget where pauses may make one update of several", () => {
    expect(planOf("progressive", { steps: [pause("a")] }).runBudgetMs).toBe(3_600_000);
    expect(planOf("progressive", { steps: [pause("a")], runBudgetMs: 5_000 }).runBudgetMs).toBe(5_000);
    expect(planOf("progressive")).not.toHaveProperty("runBudgetMs");
  });
});

describe("probes in the background", () => {
  it("begin with the user's step, wherever that is in the plan", () => {
    const steps = [setWeight(5), soak(5), setWeight(50)];
    const background = (startingStep: number) => {
      const plan = planOf("progressive", { steps, previewReplicas: 1, background: { startingStep } });
      return plan.steps[plan.background?.startingStep ?? -1];
    };
    expect([0, 1, 2].map(background)).toEqual(steps);
  });

  it("begin with the first step by default, and keep their names", () => {
    expect(planOf("progressive", { steps: [soak(5)], background: { probes: ["errors"] } }).background).toEqual({
      startingStep: 1,
      probes: ["errors"],
    });
  });

  it("tell two equal steps apart", () => {
    const wait = soak(5);
    expect(planOf("progressive", { steps: [wait, wait], background: { startingStep: 1 } }).background).toEqual({
      startingStep: 2,
    });
  });

  it("count the steps of the plan where the strategy takes none", () => {
    expect(planOf("blueGreen", { background: { startingStep: 2 } }).background).toEqual({ startingStep: 2 });
  });
});

describe("what is refused", () => {
  it.each<[string, Strategy, PlanOptions, string]>([
    [
      "a pause that a direct release would not make",
      "direct",
      { promotion: "approved" },
      "promotion has no meaning for a direct release, which moves everything at once: choose another strategy",
    ],
    [
      "a preview of a direct release",
      "direct",
      { previewReplicas: 1 },
      "previewReplicas has no meaning for a direct release, which moves everything at once: choose another strategy",
    ],
    [
      "steps of a direct release",
      "direct",
      { steps: [setWeight(5)] },
      "steps has no meaning for a direct release, which moves everything at once: choose another strategy",
    ],
    [
      "steps of a blue/green release",
      "blueGreen",
      { steps: [setWeight(5)] },
      "steps has no meaning for a blue/green release, which is one switch: choose a progressive or a parallel one",
    ],
    [
      "closing steps of a blue/green release",
      "blueGreen",
      { closing: [soak(5)] },
      "closing has no meaning for a blue/green release, which is one switch: choose a progressive or a parallel one",
    ],
    [
      "sizes that follow the traffic of a blue/green release",
      "blueGreen",
      { sizing: "matchTraffic" },
      "sizing has no meaning for a blue/green release, which is one switch: choose a progressive or a parallel one",
    ],
    [
      "two pauses of one name",
      "progressive",
      { steps: [pause("a"), pause("a")] },
      'two pauses are named "a": give each a name of its own',
    ],
    [
      "a pause of the user's that has the promotion's name",
      "progressive",
      { steps: [pause("promote")], promotion: "approved" },
      'two pauses are named "promote": give each a name of its own',
    ],
    [
      "the approval of a pause that is not there",
      "progressive",
      { steps: [pause("a"), pause("b")], approved: ["c"] },
      'approved = "c" names no pause: the pauses are a, b',
    ],
    [
      "an approval where there are no pauses",
      "blueGreen",
      { approved: ["promote"] },
      'approved = "promote" names no pause: there is no pause in this plan',
    ],
    [
      "the approval of a pause before the one that comes first",
      "progressive",
      { steps: [pause("a"), pause("b")], approved: ["b"] },
      'the pause "b" is approved, but "a" before it is not: approve pauses in their order',
    ],
    [
      "weights that shrink",
      "progressive",
      { steps: [setWeight(50), setWeight(20)] },
      "steps move from 50 % back to 20 %: weights only grow; a rollback is made by itself, or by declaring the former version",
    ],
    [
      "a rule for requests when the candidate has everything",
      "progressive",
      { steps: [setWeight(100), beta] },
      "a step of kind route comes after the candidate has all traffic: there is nothing left to split, so put it before",
    ],
    [
      "copies when the candidate has everything",
      "parallel",
      { closing: [mirror(5)] },
      "a step of kind mirror comes after the candidate has all traffic: there is nothing left to split, so put it before",
    ],
    [
      "a pause while nobody can write",
      "parallel",
      { steps: [stopWrites], promotion: "approved" },
      "a pause comes after the read-only moment has begun: nobody could write until somebody approves it",
    ],
    [
      "a soak while nobody can write",
      "parallel",
      { steps: [stopWrites, soak(5)] },
      'time passes on purpose after the hook "stop writes" has started a read-only moment: put soaks and experiments before it',
    ],
    [
      "an experiment while nobody can write",
      "parallel",
      { steps: [stopWrites, experiment(5)] },
      'time passes on purpose after the hook "stop writes" has started a read-only moment: put soaks and experiments before it',
    ],
    [
      "a read-only moment that ends for some",
      "parallel",
      { steps: [stopWrites, setWeight(50)] },
      'the read-only moment that the hook "stop writes" starts ends with 50 % of the traffic: those who stay with the old version still could not write, so move 100 %',
    ],
    [
      "a read-only moment that nothing ends",
      "parallel",
      { closing: [stopWrites] },
      'no weight follows the hook "stop writes", which starts a read-only moment: nothing would end it',
    ],
    [
      "a read-only moment that a rollback does not end",
      "parallel",
      { steps: [runHook("stop writes", { limitMs: 5, startsReadOnly: true })] },
      'the hook "stop writes" starts a read-only moment and has no undo: after a rollback nobody could write, so name the hook that lets people write again',
    ],
    [
      "an update that lasts longer than its budget",
      "progressive",
      { steps: [soak(3_000_000), setWeight(5), soak(600_001)] },
      "the steps of one update last 3600.001 s on purpose, more than runBudgetMs = 3600000: put a pause between them, so that a later commit goes on, or raise runBudgetMs if your pipeline runs that long",
    ],
    [
      "a later update that would last longer than its budget",
      "progressive",
      { steps: [pause("a"), soak(6_000)], runBudgetMs: 5_000, holdMs: 0 },
      "the steps of one update last 6 s on purpose, more than runBudgetMs = 5000: put a pause between them, so that a later commit goes on, or raise runBudgetMs if your pipeline runs that long",
    ],
    [
      "a background that begins after the last step",
      "progressive",
      { steps: [soak(5)], background: { startingStep: 1 } },
      "background.startingStep = 1 names no step: they are counted from 0, and there are 1",
    ],
  ])("%s", (_what, strategy, options, message) => {
    expect(() => planOf(strategy, options)).toThrow(expect.objectContaining({ code: "invalid-input", message }));
  });

  it("is not what lasts long in several updates: what was done before an approved pause is not done again", () => {
    const steps = [soak(4_000), pause("a"), soak(4_000), pause("b"), soak(4_000)];
    for (const approved of [[], ["a"], ["a", "b"]]) {
      expect(() => planOf("progressive", { steps, approved, runBudgetMs: 5_000, holdMs: 1_000 })).not.toThrow();
    }
  });

  it("is not a pause when the read-only moment is over", () => {
    expect(() => planOf("parallel", { steps: [stopWrites, setWeight(100), pause("look")] })).not.toThrow();
  });
});
