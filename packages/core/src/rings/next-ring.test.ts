import { describe, expect, it } from "vitest";
import { beginRings, nextRing } from "./next-ring.ts";
import { planRings } from "./plan-rings.ts";
import type { RingFact } from "./ring-fact.ts";
import type { RingOptions } from "./ring-options.ts";
import type { RingAction, RingAnswer, RingEvent, RingOutcome, RingRun, RingState } from "./ring-state.ts";
import type { TargetMarker, TargetObservation } from "./target-marker.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
const opensLater = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "UTC" };

const found: TargetObservation = { version: "v1", marker: null, revision: "1" };
const oldMarker: TargetMarker = { run: "earlier", candidate: "v2", origin: "v1" };

function runOf(rings: RingOptions["rings"], targets: number, more: Partial<RingRun & RingOptions> = {}): RingRun {
  const { completedRuns = [], window, deadlineMs } = more;
  const ids = Array.from({ length: targets }, (_, index) => ({ id: `t${index + 1}` }));
  const plan = planRings(ids, { rings, window, deadlineMs });
  return { id: "run", candidate: "v2", plan, completedRuns };
}

/** What an action says in a few words. */
function wordsOf(action: RingAction): string {
  if (action.kind === "soak") return `soak ${action.durationMs}`;
  const target = action.kind === "look" ? action.target : action.work.target;
  return `${action.kind} ${target}${action.delayMs > 0 ? ` after ${action.delayMs}` : ""}`;
}

/** A run that goes on by answering what is under way, in any order. */
interface Walk {
  readonly facts: RingFact[];
  readonly underWay: Map<string, RingAction>;
  /** Answers an action that is under way; gives what begins because of it. */
  answer(words: string, answer: RingAnswer): string[];
  interrupt(): string[];
  /** Brings targets to the candidate, one after the other. */
  pass(...targets: string[]): Walk;
  waiting(): string[];
  outcome(): string;
  kinds(): string[];
}

function startOf(run: RingRun): Walk {
  let state: RingState = beginRings(run);
  const facts: RingFact[] = [];
  const underWay = new Map<string, RingAction>();
  const take = (event: RingEvent): string[] => {
    const transition = nextRing(state, event, nowMs);
    state = transition.state;
    facts.push(...transition.facts);
    for (const action of transition.actions) underWay.set(wordsOf(action), action);
    return transition.actions.map(wordsOf);
  };
  const walk: Walk = {
    facts,
    underWay,
    answer: (words, answer) => {
      const action = underWay.get(words);
      if (!action) throw new Error(`${words} is not under way, but ${[...underWay.keys()].join(", ")}`);
      underWay.delete(words);
      return take({ kind: "answered", action, answer });
    },
    interrupt: () => take({ kind: "interrupted", reason: { code: "abort-requested", message: "stop" } }),
    pass: (...targets) => {
      for (const target of targets) {
        walk.answer(`apply ${target}`, done);
        walk.answer(`verifyCandidate ${target}`, works);
      }
      return walk;
    },
    waiting: () => [...underWay.keys()],
    outcome: () => describeOutcome(state),
    kinds: () => facts.map(({ kind }) => kind),
  };
  take({ kind: "started" });
  return walk;
}

/** The run once every target was looked at; what is not given is `found`. */
function lookedOf(run: RingRun, looks: Readonly<Record<string, TargetObservation | "unreachable">> = {}): Walk {
  const walk = startOf(run);
  for (;;) {
    const look = walk.waiting().find((words) => words.startsWith("look "));
    if (look === undefined) return walk;
    const seen = looks[look.split(" ")[1] ?? ""] ?? found;
    walk.answer(look, seen === "unreachable" ? { kind: "failed", message: "no route" } : observed(seen));
  }
}

function describeOutcome(state: RingState | RingOutcome): string {
  const reason = "reason" in state ? ` ${state.reason.code}` : "";
  if (!("report" in state)) return `${state.phase}${reason}`;
  const { failed, stuck, unverified } = state.report;
  const lists = Object.entries({ failed, stuck, unverified }).flatMap(([name, notes]) =>
    notes.length > 0 ? [` ${name}: ${notes.map(({ target }) => target).join()}`] : [],
  );
  return state.phase + reason + lists.join("");
}

const done: RingAnswer = { kind: "done" };
const works: RingAnswer = { kind: "verified", passed: true, message: "works" };
const isBroken: RingAnswer = { kind: "verified", passed: false, message: "answers 500" };
const failed: RingAnswer = { kind: "failed", message: "connection lost" };
const observed = (observation: TargetObservation): RingAnswer => ({ kind: "observed", observation });

describe("before the first target is touched", () => {
  it("every target is looked at, fifty at once", () => {
    const walk = startOf(runOf([{ rest: true }], 51));
    expect(walk.waiting()).toHaveLength(50);
    expect(walk.answer("look t7", observed(found))).toEqual(["look t51"]);
  });

  it("a look that fails is repeated twice, each time later", () => {
    const walk = startOf(runOf([{ rest: true }], 1));
    expect(walk.answer("look t1", failed)).toEqual(["look t1 after 1000"]);
    expect(walk.answer("look t1 after 1000", failed)).toEqual(["look t1 after 4000"]);
    walk.answer("look t1 after 4000", failed);
    expect(walk.outcome()).toBe("refused targets-unreachable");
    expect(walk.facts).toContainEqual({
      kind: "targetUnreachable",
      target: "t1",
      ring: "ring 1",
      message: "connection lost",
    });
  });

  it("a ring that cannot pass for unreachable targets is a reason to begin with none", () => {
    const walk = lookedOf(runOf([{ count: 1 }, { rest: true, failureBudget: 1 }], 4), {
      t3: "unreachable",
      t4: "unreachable",
    });
    expect(walk.outcome()).toBe("refused targets-unreachable");
    expect(walk.facts.at(-1)).toMatchObject({
      reason: {
        message:
          "2 of the 3 targets of ring 2 cannot be reached (t3, t4), and failureBudget = 1. Make them reachable, take them out, or raise failureBudget.",
      },
    });
  });

  it("a closed window lets nothing begin", () => {
    expect(lookedOf(runOf([{ rest: true }], 1, { window: opensLater })).outcome()).toBe("refused window-closed");
  });

  it("an interruption ends the looking, and looks are not repeated any more", () => {
    const walk = startOf(runOf([{ rest: true }], 2));
    walk.interrupt();
    walk.answer("look t1", failed);
    expect(walk.answer("look t2", observed(found))).toEqual([]);
    expect(walk.outcome()).toBe("refused abort-requested");
    expect(walk.kinds()).toEqual(["ringsRefused"]);
  });

  it("what an unfinished run left is put back even if the window is closed", () => {
    const walk = lookedOf(runOf([{ rest: true, concurrency: 3 }], 3, { window: opensLater }), {
      t1: { version: "v2", marker: oldMarker, revision: "7" },
      t3: { version: null, marker: oldMarker, revision: "9" },
    });
    expect(walk.waiting()).toEqual(["rollBack t3", "rollBack t1"]);
    expect(walk.underWay.get("rollBack t3")).toMatchObject({
      work: { marker: { run: "run", candidate: "v2", origin: "v1" }, expects: { revision: "9" } },
    });
  });
});

describe("a ring", () => {
  it("has so many targets under way at once, and the next ring begins when it is over", () => {
    const walk = lookedOf(runOf([{ count: 3, concurrency: 2 }, { rest: true }], 4));
    expect(walk.waiting()).toEqual(["apply t1", "apply t2"]);
    expect(walk.answer("apply t2", done)).toEqual(["verifyCandidate t2"]);
    expect(walk.answer("verifyCandidate t2", works)).toEqual(["apply t3"]);
    walk.pass("t3");
    expect(walk.answer("apply t1", done)).toEqual(["verifyCandidate t1"]);
    expect(walk.answer("verifyCandidate t1", works)).toEqual(["apply t4"]);
    walk.pass("t4");
    expect(walk.outcome()).toBe("completed");
    expect(walk.kinds().filter((kind) => kind.startsWith("ring"))).toEqual([
      "ringStarted",
      "ringPassed",
      "ringStarted",
      "ringPassed",
      "ringsCompleted",
    ]);
  });

  it("is left alone after its last target, and then verified once more", () => {
    const walk = lookedOf(runOf([{ rest: true, soakMs: 5_000, concurrency: 2 }], 3)).pass("t1", "t2", "t3");
    expect(walk.waiting()).toEqual(["soak 5000"]);
    expect(walk.answer("soak 5000", done)).toEqual(["verifyCandidate t1", "verifyCandidate t2"]);
    expect(walk.answer("verifyCandidate t1", works)).toEqual(["verifyCandidate t3"]);
    walk.answer("verifyCandidate t2", works);
    walk.answer("verifyCandidate t3", works);
    expect(walk.outcome()).toBe("completed");
  });

  it("only verifies a target that has the candidate already, and never rolls it back", () => {
    const walk = lookedOf(runOf([{ rest: true }], 2), { t1: { ...found, version: "v2" } });
    expect(walk.waiting()).toEqual(["verifyCandidate t1"]);
    expect(walk.answer("verifyCandidate t1", works)).toEqual(["apply t2"]);
    walk.answer("apply t2", done);
    expect(walk.answer("verifyCandidate t2", isBroken)).toEqual(["rollBack t2"]);
    walk.answer("rollBack t2", done);
    walk.answer("verifyOrigin t2", works);
    expect(walk.outcome()).toBe("rolledBack budget-exceeded failed: t2");
  });

  it("counts a target that had the candidate already and does not work, and leaves it alone", () => {
    const walk = lookedOf(runOf([{ rest: true }], 1), { t1: { ...found, version: "v2" } });
    walk.answer("verifyCandidate t1", isBroken);
    expect(walk.outcome()).toBe("rolledBack budget-exceeded failed: t1");
    expect(walk.kinds()).not.toContain("targetRolledBack");
  });

  it("goes on within its budget; the target that failed is as before, verified", () => {
    const walk = lookedOf(runOf([{ rest: true, failureBudget: 1 }], 2));
    walk.answer("apply t1", done);
    expect(walk.answer("verifyCandidate t1", isBroken)).toEqual(["rollBack t1"]);
    expect(walk.answer("rollBack t1", done)).toEqual(["verifyOrigin t1"]);
    expect(walk.answer("verifyOrigin t1", works)).toEqual(["apply t2"]);
    walk.pass("t2");
    expect(walk.outcome()).toBe("completed failed: t1");
  });

  it("counts an unreachable target at its turn, and goes on within its budget", () => {
    const walk = lookedOf(runOf([{ rest: true, failureBudget: 1 }], 2), { t1: "unreachable" });
    walk.pass("t2");
    expect(walk.outcome()).toBe("completed failed: t1");
  });

  it("lets no new target begin once its budget is exceeded, and waits for those under way", () => {
    const walk = lookedOf(runOf([{ rest: true, concurrency: 2, onFailure: "stop" }], 4));
    walk.answer("apply t1", done);
    expect(walk.answer("verifyCandidate t1", isBroken)).toEqual(["rollBack t1"]);
    expect(walk.answer("apply t2", done)).toEqual(["verifyCandidate t2"]);
    expect(walk.answer("verifyCandidate t2", works)).toEqual([]);
    walk.answer("rollBack t1", done);
    walk.answer("verifyOrigin t1", works);
    expect(walk.outcome()).toBe("stopped budget-exceeded failed: t1");
  });

  it("counts failures before and after its soak together", () => {
    const walk = lookedOf(runOf([{ rest: true, soakMs: 1, failureBudget: 1, concurrency: 3 }], 3), {
      t1: "unreachable",
    });
    walk.pass("t2", "t3").answer("soak 1", done);
    expect(walk.answer("verifyCandidate t2", isBroken)).toEqual(["rollBack t2"]);
    walk.answer("verifyCandidate t3", works);
    walk.answer("rollBack t2", done);
    walk.answer("verifyOrigin t2", works);
    walk.answer("rollBack t3", done);
    walk.answer("verifyOrigin t3", works);
    expect(walk.outcome()).toBe("rolledBack budget-exceeded failed: t1,t2");
  });
});

describe("after a failure", () => {
  const twoRings = (onFailure: "stop" | "rollBackRing" | "rollBackAll"): RingRun =>
    runOf([{ count: 2 }, { rest: true, concurrency: 2, onFailure }], 5);
  /** Ring 1 has passed, t3 has the candidate, t4 fails, t5 has not begun. */
  const failing = (onFailure: "stop" | "rollBackRing" | "rollBackAll"): Walk => {
    const walk = lookedOf(twoRings(onFailure)).pass("t1", "t2");
    walk.answer("apply t4", done);
    walk.answer("verifyCandidate t4", isBroken);
    walk.pass("t3").answer("rollBack t4", done);
    walk.answer("verifyOrigin t4", works);
    return walk;
  };

  it("stop leaves everything else as it is", () => {
    const walk = failing("stop");
    expect(walk.waiting()).toEqual([]);
    expect(walk.outcome()).toBe("stopped budget-exceeded failed: t4");
  });

  it("rollBackRing takes back the ring, not the rings before", () => {
    const walk = failing("rollBackRing");
    expect(walk.waiting()).toEqual(["rollBack t3"]);
    walk.answer("rollBack t3", done);
    walk.answer("verifyOrigin t3", works);
    expect(walk.outcome()).toBe("stopped budget-exceeded failed: t4");
  });

  it("rollBackAll takes back everything, the last ring and its last target first, with each ring's concurrency", () => {
    const walk = failing("rollBackAll");
    expect(walk.waiting()).toEqual(["rollBack t3"]);
    walk.answer("rollBack t3", done);
    expect(walk.answer("verifyOrigin t3", works)).toEqual(["rollBack t2"]);
    walk.answer("rollBack t2", done);
    expect(walk.answer("verifyOrigin t2", works)).toEqual(["rollBack t1"]);
    walk.answer("rollBack t1", done);
    walk.answer("verifyOrigin t1", works);
    expect(walk.outcome()).toBe("rolledBack budget-exceeded failed: t4");
  });

  it("of the pilot, everything goes back", () => {
    const walk = lookedOf(
      runOf(
        [
          { count: 1, pilot: true },
          { rest: true, failureBudget: 1 },
        ],
        3,
      ),
    );
    walk.answer("apply t1", done);
    walk.answer("verifyCandidate t1", isBroken);
    walk.answer("rollBack t1", done);
    walk.answer("verifyOrigin t1", works);
    expect(walk.outcome()).toBe("rolledBack pilot-failed failed: t1");
  });

  it("takes back what an unfinished run left in rings that never began", () => {
    const walk = lookedOf(runOf([{ count: 1 }, { rest: true }], 3), {
      t3: { version: "v2", marker: oldMarker, revision: "4" },
    });
    walk.answer("apply t1", done);
    walk.answer("verifyCandidate t1", isBroken);
    walk.answer("rollBack t1", done);
    expect(walk.answer("verifyOrigin t1", works)).toEqual(["rollBack t3"]);
    walk.answer("rollBack t3", done);
    walk.answer("verifyOrigin t3", works);
    expect(walk.outcome()).toBe("rolledBack budget-exceeded failed: t1");
  });

  it("a target that cannot be put back after five attempts leaves the release unsettled", () => {
    const walk = lookedOf(runOf([{ rest: true }], 1));
    walk.answer("apply t1", done);
    let [action = ""] = walk.answer("verifyCandidate t1", isBroken);
    let rollBacks = 0;
    while (action) {
      if (action.startsWith("rollBack ")) rollBacks++;
      const isLook = action.startsWith("reobserve");
      const half: TargetObservation = {
        version: null,
        marker: { run: "run", candidate: "v2", origin: "v1" },
        revision: "5",
      };
      [action = ""] = walk.answer(action, isLook ? observed(half) : failed);
    }
    expect(rollBacks).toBe(5);
    expect(walk.outcome()).toBe("unsettled budget-exceeded failed: t1 stuck: t1");
  });

  it("a target that is back and cannot be seen to work is named", () => {
    const walk = lookedOf(runOf([{ rest: true }], 1));
    walk.answer("apply t1", done);
    walk.answer("verifyCandidate t1", isBroken);
    walk.answer("rollBack t1", done);
    walk.answer("verifyOrigin t1", isBroken);
    expect(walk.outcome()).toBe("rolledBack budget-exceeded failed: t1 unverified: t1");
  });

  it("a target that had nothing before is not verified once it is back", () => {
    const walk = lookedOf(runOf([{ rest: true }], 1), { t1: { ...found, version: null } });
    walk.answer("apply t1", done);
    walk.answer("verifyCandidate t1", isBroken);
    expect(walk.answer("rollBack t1", done)).toEqual([]);
    expect(walk.outcome()).toBe("rolledBack budget-exceeded failed: t1");
  });
});

describe("an interruption", () => {
  it("lets what is under way end, begins nothing, and follows the ring's policy", () => {
    const walk = lookedOf(runOf([{ rest: true, concurrency: 2, onFailure: "stop" }], 4));
    expect(walk.interrupt()).toEqual([]);
    expect(walk.pass("t1", "t2").waiting()).toEqual([]);
    expect(walk.outcome()).toBe("stopped abort-requested");
  });

  it("takes back what has the candidate by default", () => {
    const walk = lookedOf(runOf([{ rest: true, concurrency: 2 }], 4));
    walk.interrupt();
    expect(walk.pass("t1", "t2").waiting()).toEqual(["rollBack t2", "rollBack t1"]);
  });

  it("of a soak ends the ring when the soak has ended", () => {
    const walk = lookedOf(runOf([{ rest: true, soakMs: 1 }], 1)).pass("t1");
    walk.interrupt();
    expect(walk.answer("soak 1", done)).toEqual(["rollBack t1"]);
  });

  it("of the verification after a soak takes back also what was not verified yet", () => {
    const walk = lookedOf(runOf([{ rest: true, soakMs: 1, concurrency: 2 }], 3)).pass("t1", "t2", "t3");
    walk.answer("soak 1", done);
    walk.answer("verifyCandidate t1", works);
    walk.interrupt();
    walk.answer("verifyCandidate t2", works);
    expect(walk.answer("verifyCandidate t3", works)).toEqual(["rollBack t3", "rollBack t2"]);
  });

  it("does not stop the way back", () => {
    const walk = lookedOf(runOf([{ rest: true, concurrency: 2 }], 2));
    walk.interrupt();
    walk.pass("t1", "t2");
    expect(walk.interrupt()).toEqual([]);
    expect(walk.waiting()).toEqual(["rollBack t2", "rollBack t1"]);
  });

  it("that comes before a target was begun leaves it untouched", () => {
    const walk = lookedOf(runOf([{ rest: true }], 2));
    const reason = { code: "journal-failed", message: "disk full" } as const;
    expect(walk.answer("apply t1", { kind: "notBegun", reason })).toEqual([]);
    expect(walk.outcome()).toBe("rolledBack journal-failed");
  });
});

describe("a write whose fate is not known", () => {
  const ours: TargetMarker = { run: "run", candidate: "v2", origin: "v1" };
  const begun = (): Walk => {
    const walk = lookedOf(runOf([{ rest: true }], 1));
    expect(walk.answer("apply t1", failed)).toEqual(["reobserveToApply t1 after 1000"]);
    return walk;
  };

  it.each<[string, TargetObservation]>([
    ["it was not written", found],
    ["it was written by half", { version: null, marker: ours, revision: "2" }],
    ["it was written", { version: "v2", marker: ours, revision: "3" }],
  ])("is repeated when %s", (_name, seen) => {
    const walk = begun();
    expect(walk.answer("reobserveToApply t1 after 1000", observed(seen))).toEqual(["apply t1"]);
    expect(walk.underWay.get("apply t1")).toMatchObject({ work: { expects: seen, marker: ours, attempt: 2 } });
  });

  it("is given up after three attempts, and taken back", () => {
    const walk = begun();
    walk.answer("reobserveToApply t1 after 1000", observed(found));
    walk.answer("apply t1", failed);
    walk.answer("reobserveToApply t1 after 4000", observed(found));
    expect(walk.answer("apply t1", failed)).toEqual(["rollBack t1"]);
  });

  it("stops the release when another run has the target, which is left to that run", () => {
    const walk = lookedOf(runOf([{ rest: true, failureBudget: 1 }], 2));
    walk.answer("apply t1", failed);
    const theirs = { version: "v3", marker: { run: "later", candidate: "v3", origin: "v1" }, revision: "8" };
    expect(walk.answer("reobserveToApply t1 after 1000", observed(theirs))).toEqual([]);
    expect(walk.outcome()).toBe("rolledBack taken-over failed: t1");
  });

  it("is a failure of the target alone when somebody changed it by hand", () => {
    const walk = lookedOf(runOf([{ rest: true, failureBudget: 1 }], 2));
    walk.answer("apply t1", failed);
    const changed = { version: "v9", marker: null, revision: "8" };
    expect(walk.answer("reobserveToApply t1 after 1000", observed(changed))).toEqual(["apply t2"]);
  });

  const goingBack = (): Walk => {
    const walk = lookedOf(runOf([{ rest: true }], 1));
    walk.answer("apply t1", done);
    walk.answer("verifyCandidate t1", isBroken);
    expect(walk.answer("rollBack t1", failed)).toEqual(["reobserveToRollBack t1 after 1000"]);
    return walk;
  };

  it.each<[string, TargetObservation, string]>([
    ["repeated while our marker is there", { version: null, marker: ours, revision: "3" }, "rollBack t1"],
    ["repeated while nothing has changed at all", found, "rollBack t1"],
    ["taken for done when the origin is there and the marker is gone", { ...found, revision: "4" }, "verifyOrigin t1"],
  ])("on the way back is %s", (_name, seen, next) => {
    expect(goingBack().answer("reobserveToRollBack t1 after 1000", observed(seen))).toEqual([next]);
  });

  it("on the way back is left to another run that has the target", () => {
    const walk = goingBack();
    const theirs = { version: "v3", marker: { run: "later", candidate: "v3", origin: "v1" }, revision: "8" };
    walk.answer("reobserveToRollBack t1 after 1000", observed(theirs));
    expect(walk.outcome()).toBe("unsettled budget-exceeded failed: t1 stuck: t1");
  });
});

describe("what a target goes back to", () => {
  it.each<[string, TargetObservation, readonly string[], string | null]>([
    ["its version, when there is no marker", found, [], "v1"],
    ["nothing, when there was nothing", { ...found, version: null }, [], null],
    ["what it had before an unfinished run", { version: "v0", marker: oldMarker, revision: "2" }, [], "v1"],
    ["what a completed run put there", { version: "v0", marker: oldMarker, revision: "2" }, ["earlier"], "v0"],
    [
      "what it had before a completed run that left it half-way",
      { version: null, marker: oldMarker, revision: "2" },
      ["earlier"],
      "v1",
    ],
  ])("is %s", (_name, seen, completedRuns, origin) => {
    const walk = lookedOf(runOf([{ rest: true }], 1, { completedRuns }), { t1: seen });
    expect(walk.facts).toContainEqual({ kind: "targetBegun", target: "t1", ring: "ring 1", origin });
  });

  it("is told by an unfinished run also where the candidate is already there", () => {
    const walk = lookedOf(runOf([{ rest: true }], 1), { t1: { version: "v2", marker: oldMarker, revision: "2" } });
    expect(walk.facts).toContainEqual({
      kind: "unfinishedRunFound",
      run: "earlier",
      candidate: "v2",
      targets: 1,
    });
    expect(walk.waiting()).toEqual(["apply t1"]);
  });
});
