import {
  beginRings,
  nextRing,
  planRings,
  type RingAction,
  type RingAnswer,
  type RingEvent,
  type RingOptions,
  type RingPlan,
  type RingState,
  type TargetObservation,
} from "../../packages/core/src/index.ts";

/** A release by rings as a page tells it. */
export interface RingScene {
  readonly targets: number;
  readonly options: RingOptions;
  /** The targets on which the candidate does not work, by their place from 1. */
  readonly broken: readonly number[];
}

/** Something that takes time: at one target, or at all targets of a ring that rest. */
export interface Stretch {
  readonly kind: "apply" | "verify" | "failed" | "rollBack" | "soak";
  /** The target, or the name of the ring. */
  readonly at: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface RingRecording {
  readonly plan: RingPlan;
  readonly stretches: readonly Stretch[];
  readonly endMs: number;
  readonly outcome: RingState["phase"];
}

/** How long things take in the pictures, in milliseconds. */
const takesMs = { apply: 60_000, rollBack: 60_000, verify: 10_000 } as const;

/** Lets the run by rings itself go through the scene, and writes down what it does when. */
export function recordRings(scene: RingScene): RingRecording {
  const ids = Array.from({ length: scene.targets }, (_, index) => `host-${index + 1}`);
  const broken = new Set(scene.broken.map((place) => ids[place - 1]));
  const plan = planRings(
    ids.map((id) => ({ id })),
    scene.options,
  );
  const stretches: Stretch[] = [];
  const underWay: { readonly action: RingAction; readonly endMs: number }[] = [];
  let nowMs = 0;
  let state: RingState = beginRings({ id: "run", candidate: "v2", plan, completedRuns: [] });
  let event: RingEvent = { kind: "started" };
  for (;;) {
    const transition = nextRing(state, event, nowMs);
    state = transition.state;
    for (const action of transition.actions) {
      const stretch = stretchOf(action, nowMs, state, plan, broken);
      if (stretch) stretches.push(stretch);
      underWay.push({ action, endMs: stretch?.toMs ?? nowMs });
    }
    underWay.sort((one, other) => one.endMs - other.endMs);
    const ended = underWay.shift();
    if (!ended) return { plan, stretches, endMs: nowMs, outcome: state.phase };
    nowMs = ended.endMs;
    event = { kind: "answered", action: ended.action, answer: answerTo(ended.action, broken) };
  }
}

function stretchOf(
  action: RingAction,
  fromMs: number,
  state: RingState,
  plan: RingPlan,
  broken: ReadonlySet<string | undefined>,
): Stretch | undefined {
  switch (action.kind) {
    case "look":
    case "reobserveToApply":
    case "reobserveToRollBack":
      return undefined;
    case "soak": {
      const ring = state.phase === "soaking" ? plan.rings[state.ring] : undefined;
      return { kind: "soak", at: ring?.name ?? "", fromMs, toMs: fromMs + action.durationMs };
    }
    case "apply":
    case "rollBack":
      return { kind: action.kind, at: action.work.target, fromMs, toMs: fromMs + takesMs[action.kind] };
    case "verifyCandidate":
    case "verifyOrigin": {
      const { target } = action.work;
      const kind = action.kind === "verifyCandidate" && broken.has(target) ? "failed" : "verify";
      return { kind, at: target, fromMs, toMs: fromMs + takesMs.verify };
    }
  }
}

function answerTo(action: RingAction, broken: ReadonlySet<string | undefined>): RingAnswer {
  const before: TargetObservation = { version: "v1", marker: null, revision: "1" };
  switch (action.kind) {
    case "look":
    case "reobserveToApply":
    case "reobserveToRollBack":
      return { kind: "observed", observation: before };
    case "apply":
    case "rollBack":
    case "soak":
      return { kind: "done" };
    case "verifyCandidate":
      return { kind: "verified", passed: !broken.has(action.work.target), message: "it was measured" };
    case "verifyOrigin":
      return { kind: "verified", passed: true, message: "it was measured" };
  }
}
