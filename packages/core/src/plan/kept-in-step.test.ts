import { describe, expect, it } from "vitest";
import { beginCutover, next } from "../cutover/next.ts";
import type { Action, CutoverEvent, CutoverState } from "../cutover/state.ts";
import { mirror, runHook, soak } from "./step-builders.ts";
import { planOf } from "./strategies.ts";
import { isKeptInStep } from "./traffic.ts";

const plan = planOf("parallel", {
  steps: [
    runHook("start-sync", { limitMs: 1_000, undo: "stop-sync", keepsInStep: true }),
    mirror(100),
    soak(5_000),
    runHook("last-sync", { limitMs: 1_000, undo: "go-back", startsReadOnly: true }),
  ],
});

/** The actions of a cut-over in which nothing goes wrong. */
function actionsOf(): readonly Action[] {
  const owner = { host: "here", processId: 7, processStart: "boot/7" };
  const actions: Action[] = [];
  let state: CutoverState = beginCutover({ id: "ours", candidate: "new", plan, owner, leaseMs: 20_000 });
  let event: CutoverEvent = { kind: "started" };
  for (;;) {
    const transition = next(state, event, 0);
    state = transition.state;
    if (!transition.action) return actions;
    actions.push(transition.action);
    event = answerTo(transition.action);
  }
}

function answerTo(action: Action): CutoverEvent {
  if (action.kind === "verify") return { kind: "verified", passed: true, message: "all passed" };
  if (action.kind !== "observe") return { kind: "done" };
  const observation = { exists: true, weights: { old: 100 }, marker: null, shape: "former" };
  return { kind: "observed", ownerGone: true, observation };
}

describe("data that is kept in step", () => {
  it("is so from the hook that says it until the candidate has everything", () => {
    const kept = plan.steps.map((step, index) => [step.kind, isKeptInStep(plan, index)] as const);
    expect(kept).toEqual([
      ["verify", false],
      ["hook", true],
      ["mirror", true],
      ["soak", true],
      ["hook", true],
      ["shift", false],
      ["verify", false],
      ["hold", false],
    ]);
  });

  it("lets its lag be measured in that time, and answers be compared while requests are copied", () => {
    const measuring = actionsOf().flatMap((action) =>
      action.kind === "verify" ? [{ holdMs: action.holdMs, inStep: action.inStep, mirrored: action.mirrored }] : [],
    );
    expect(measuring).toEqual([
      { holdMs: undefined, inStep: undefined, mirrored: undefined },
      { holdMs: 5_000, inStep: true, mirrored: true },
      { holdMs: undefined, inStep: undefined, mirrored: undefined },
      { holdMs: 5_000, inStep: undefined, mirrored: undefined },
    ]);
  });
});
