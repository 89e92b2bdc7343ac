import type { JournalFact } from "../journal/fact.ts";
import type { Step } from "../plan.ts";
import { describeStep } from "../describe-plan.ts";
import { allTo, sameWeights, shiftTowards, type Weights } from "../weights.ts";
import { describeWindow, isOpen } from "../window.ts";
import type { Marker, Origin } from "./marker.ts";
import type {
  Action,
  Claimed,
  CutoverEvent,
  CutoverState,
  Doubt,
  Reason,
  RouterObservation,
  Transaction,
} from "./state.ts";

/** The state after an event, what to write down, and the one thing to do next; without an action the transaction is over. */
export interface Transition {
  readonly state: CutoverState;
  readonly facts: readonly JournalFact[];
  readonly action?: Action;
}

/** The state before anything happened. */
export function beginCutover(transaction: Transaction): CutoverState {
  return { phase: "observing", transaction };
}

/**
 * The whole cut-over transaction as a pure function. Every path ends in `committed` (the candidate serves, verified), in
 * `rolledBack` or `refused` (everything is as it was), or in `unsettled` (the marker stays for the next run to settle).
 */
export function next(state: CutoverState, event: CutoverEvent, nowMs: number): Transition {
  switch (state.phase) {
    case "observing":
      return fromObserving(state, event, nowMs);
    case "claiming":
      return fromClaiming(state, event, nowMs);
    case "settling":
      return fromSettling(state, event, nowMs);
    case "stepping":
      return fromStepping(state, event, nowMs);
    case "committing":
      return fromCommitting(state, event);
    case "restoring":
      return fromRestoring(state, event);
    case "verifyingStable":
      return fromVerifyingStable(state, event);
    case "disconnecting":
      return fromDisconnecting(state, event);
    case "releasing":
      return fromReleasing(state, event);
    case "committed":
    case "rolledBack":
    case "refused":
    case "unsettled":
      return { state, facts: [] };
  }
}

function fromObserving(state: Of<"observing">, event: CutoverEvent, nowMs: number): Transition {
  const { transaction } = state;
  if (event.kind === "started") return { state, facts: [], action: { kind: "observe" } };
  if (event.kind !== "observed") return refuse(transaction, reasonOf(event));

  const { observation } = event;
  const observed = factOf(observation);
  const found = observation.marker;
  if (found && !event.ownerGone) {
    return withFacts([observed], refuse(transaction, concurrentRun(found)));
  }
  const closed = windowReason(transaction, nowMs);
  // An abandoned transaction is settled at any hour: a closed window is no reason to leave users where a crash left them.
  if (closed && !found) return withFacts([observed], refuse(transaction, closed));

  const marker = markerFor(transaction, found ? found.origin : originOf(observation), (found?.fencing ?? 0) + 1, nowMs);
  const facts: JournalFact[] = found
    ? [observed, { kind: "abandonedTransactionFound", transaction: found.transaction, owner: describeOwner(found) }]
    : [observed];
  return {
    state: { phase: "claiming", transaction, marker, ...(found ? { abandoned: found } : {}) },
    facts,
    action: { kind: "claim", marker, expects: found },
  };
}

function fromClaiming(state: Of<"claiming">, event: CutoverEvent, nowMs: number): Transition {
  if (event.kind === "conflicted") return refuse(state.transaction, { code: "concurrent-run", message: event.message });
  if (event.kind !== "done") {
    const reason = reasonOf(event);
    // Traffic is where the abandoned transaction left it: whichever marker is on the object now, it has to stay.
    if (state.abandoned) return unsettled(state, reason, reason.message);
    // The claim may have been written all the same; without a shift behind it, releasing it is enough.
    return release(state, reason, true);
  }

  const claimed: JournalFact = {
    kind: "routerClaimed",
    fencing: state.marker.fencing,
    originWeights: state.marker.origin?.weights ?? null,
  };
  if (state.abandoned) {
    return {
      state: {
        phase: "settling",
        transaction: state.transaction,
        marker: state.marker,
        abandoned: state.abandoned,
        stage: "restore",
      },
      facts: [claimed],
      action: { kind: "restore", marker: state.marker, origin: state.marker.origin },
    };
  }
  return withFacts([claimed], beginStep(state, 0, nowMs));
}

function fromSettling(state: Of<"settling">, event: CutoverEvent, nowMs: number): Transition {
  const { abandoned } = state;
  if (event.kind === "conflicted") return unsettled(state, takenOver(event.message), event.message);
  if (state.stage === "restore" && event.kind === "done") {
    const settled: JournalFact = {
      kind: "abandonedTransactionSettled",
      transaction: abandoned.transaction,
      weights: abandoned.origin?.weights ?? null,
    };
    if (!abandoned.origin) return settledWithoutOrigin(state, settled, nowMs);
    return {
      state: { ...state, stage: "verify" },
      facts: [settled],
      action: { kind: "verify", target: "stable", expected: abandoned.origin.weights },
    };
  }
  if (state.stage === "verify" && event.kind === "verified") {
    const facts: JournalFact[] = [{ kind: "stableVerified", passed: event.passed, message: event.message }];
    const closed = windowReason(state.transaction, nowMs);
    return withFacts(facts, closed ? release(state, closed, event.passed) : beginStep(state, 0, nowMs));
  }
  const reason = reasonOf(event);
  if (state.stage === "verify") return release(state, reason, false);
  return unsettled(state, reason, reason.message);
}

/** Restoring "there was nothing" deleted the object, and the marker with it: start again from the observation. */
function settledWithoutOrigin(state: Of<"settling">, settled: JournalFact, nowMs: number): Transition {
  const closed = windowReason(state.transaction, nowMs);
  if (closed) return withFacts([settled], refuse(state.transaction, closed));
  return { state: beginCutover(state.transaction), facts: [settled], action: { kind: "observe" } };
}

function fromStepping(state: Of<"stepping">, event: CutoverEvent, nowMs: number): Transition {
  const index = state.marker.step;
  if (event.kind === "conflicted") return unsettled(state, takenOver(event.message), event.message);
  const step = stepAt(state, index);
  if (event.kind === "done" && step.kind === "shift") {
    const weights = weightsAfter(state, index);
    return withFacts([{ kind: "trafficShifted", weights }], afterStep(state, index, nowMs));
  }
  if (event.kind === "verified" && event.passed && step.kind !== "shift") {
    return withFacts([{ kind: "stepPassed", step: index, message: event.message }], afterStep(state, index, nowMs));
  }
  return rollBack(state, reasonOf(event));
}

function afterStep(claimed: Claimed, index: number, nowMs: number): Transition {
  const { transaction, marker } = claimed;
  if (index + 1 < transaction.plan.steps.length) return beginStep(claimed, index + 1, nowMs);
  return { state: { phase: "committing", transaction, marker }, facts: [], action: { kind: "release", marker } };
}

function beginStep(claimed: Claimed, index: number, nowMs: number): Transition {
  const { transaction } = claimed;
  const marker: Marker = { ...claimed.marker, step: index };
  const step = stepAt(claimed, index);
  const state = { phase: "stepping", transaction, marker } as const;
  const started: JournalFact = { kind: "stepStarted", step: index, description: describeStep(step) };
  switch (step.kind) {
    case "shift": {
      const closed = windowReason(transaction, nowMs);
      if (closed) return rollBack(state, closed);
      return { state, facts: [started], action: { kind: "shift", marker, weights: weightsAfter(state, index) } };
    }
    case "verify":
      return {
        state,
        facts: [started],
        action: {
          kind: "verify",
          target: step.target,
          expected: step.target === "candidate" ? allTo(transaction.candidate) : weightsAfter(state, index),
          nobodyServedBefore: nobodyServed(marker.origin),
        },
      };
    case "hold":
      return {
        state,
        facts: [started],
        action: { kind: "verify", target: "service", expected: weightsAfter(state, index), holdMs: step.durationMs },
      };
  }
}

function fromCommitting(state: Of<"committing">, event: CutoverEvent): Transition {
  const { transaction, marker, doubt } = state;
  const weights = weightsAfter(state, transaction.plan.steps.length - 1);
  const committed: Transition = {
    state: { phase: "committed", transaction, weights },
    facts: [{ kind: "committed", weights }],
  };
  if (event.kind === "done") return committed;
  if (doubt === undefined)
    return { state: { ...state, doubt: doubtOf(event) }, facts: [], action: { kind: "observe" } };
  if (event.kind !== "observed") {
    return doubt.isConflict ? unsettled(state, doubt.reason, reasonOf(event).message) : rollBack(state, doubt.reason);
  }
  const { observation } = event;
  const facts = [factOf(observation)];
  if (isOurs(observation.marker, marker)) return withFacts(facts, rollBack(state, doubt.reason));
  const isDone = observation.exists && observation.marker === null && sameWeights(observation.weights, weights);
  return withFacts(facts, isDone ? committed : unsettled(state, doubt.reason, doubt.reason.message));
}

function rollBack(claimed: Claimed, reason: Reason): Transition {
  const { transaction, marker } = claimed;
  const started: JournalFact = { kind: "rollbackStarted", reason };
  // Restoring is done even when no shift was confirmed: a write that timed out may have arrived.
  return {
    state: { phase: "restoring", transaction, marker, reason },
    facts: [started],
    action: { kind: "restore", marker, origin: marker.origin },
  };
}

function fromRestoring(state: Of<"restoring">, event: CutoverEvent): Transition {
  if (event.kind !== "done") return unsettled(state, state.reason, reasonOf(event).message);
  const { transaction, marker, reason } = state;
  const weights = marker.origin?.weights ?? null;
  const restored: JournalFact = { kind: "trafficRestored", weights };
  if (weights === null) {
    return withFacts([restored], finishRollback(transaction, reason, null, true));
  }
  return {
    state: { phase: "verifyingStable", transaction, marker, reason },
    facts: [restored],
    action: { kind: "verify", target: "stable", expected: weights },
  };
}

function fromVerifyingStable(state: Of<"verifyingStable">, event: CutoverEvent): Transition {
  if (event.kind === "conflicted") return unsettled(state, state.reason, event.message);
  const passed = event.kind === "verified" && event.passed;
  const message = event.kind === "verified" ? event.message : reasonOf(event).message;
  const verified: JournalFact = { kind: "stableVerified", passed, message };
  const { transaction, marker, reason } = state;
  const served = marker.origin && (marker.origin.weights[transaction.candidate] ?? 0) > 0;
  if (served || !shiftBegun(state)) return withFacts([verified], release(state, reason, passed));
  return {
    state: { phase: "disconnecting", transaction, marker, reason, stableVerified: passed },
    facts: [verified],
    action: { kind: "disconnect", version: transaction.candidate },
  };
}

function fromDisconnecting(state: Of<"disconnecting">, event: CutoverEvent): Transition {
  const message = event.kind === "done" ? "ended" : reasonOf(event).message;
  const ended: JournalFact = { kind: "connectionsEnded", version: state.transaction.candidate, message };
  return withFacts([ended], release(state, state.reason, state.stableVerified));
}

function fromReleasing(state: Of<"releasing">, event: CutoverEvent): Transition {
  const { transaction, marker, reason, stableVerified, doubt } = state;
  const finished = finishRollback(transaction, reason, marker.origin?.weights ?? null, stableVerified);
  // In a conflict another run took over: it found our marker, so it is the one that settles now.
  if (event.kind === "done" || event.kind === "conflicted") return finished;
  if (doubt === undefined)
    return { state: { ...state, doubt: doubtOf(event) }, facts: [], action: { kind: "observe" } };
  if (event.kind !== "observed") return unsettled(state, reason, doubt.reason.message);
  const { observation } = event;
  const isLeft = isOurs(observation.marker, marker);
  return withFacts([factOf(observation)], isLeft ? unsettled(state, reason, doubt.reason.message) : finished);
}

function doubtOf(event: CutoverEvent): Doubt {
  return event.kind === "conflicted"
    ? { reason: takenOver(event.message), isConflict: true }
    : { reason: reasonOf(event), isConflict: false };
}

function isOurs(found: Marker | null, ours: Marker): boolean {
  return found !== null && found.transaction === ours.transaction && found.fencing === ours.fencing;
}

function factOf(observation: RouterObservation): JournalFact {
  return {
    kind: "routerObserved",
    exists: observation.exists,
    weights: observation.weights,
    marker: observation.marker,
  };
}

function release(claimed: Claimed, reason: Reason, stableVerified: boolean): Transition {
  const { transaction, marker } = claimed;
  return {
    state: { phase: "releasing", transaction, marker, reason, stableVerified },
    facts: [],
    action: marker.origin ? { kind: "release", marker } : { kind: "restore", marker, origin: null },
  };
}

function finishRollback(
  transaction: Transaction,
  reason: Reason,
  weights: Weights | null,
  stableVerified: boolean,
): Transition {
  return {
    state: { phase: "rolledBack", transaction, reason, weights, stableVerified },
    facts: [{ kind: "rolledBack", reason, weights }],
  };
}

function refuse(transaction: Transaction, reason: Reason): Transition {
  return { state: { phase: "refused", transaction, reason }, facts: [{ kind: "refused", reason }] };
}

function unsettled(claimed: Claimed, reason: Reason, cause: string): Transition {
  return {
    state: { phase: "unsettled", transaction: claimed.transaction, reason, cause },
    facts: [{ kind: "rollbackFailed", reason, cause }],
  };
}

function withFacts(facts: readonly JournalFact[], transition: Transition): Transition {
  return { ...transition, facts: [...facts, ...transition.facts] };
}

function stepAt({ transaction }: Claimed, index: number): Step {
  const step = transaction.plan.steps[index];
  if (!step) throw new RangeError(`The plan has no step ${index}; it has ${transaction.plan.steps.length}.`);
  return step;
}

/** The split of traffic once the steps up to this one are done. */
function weightsAfter({ transaction, marker }: Claimed, index: number): Weights {
  const origin = marker.origin?.weights ?? {};
  const shift = transaction.plan.steps.slice(0, index + 1).findLast((step) => step.kind === "shift");
  return shift ? shiftTowards(origin, transaction.candidate, shift.weightPercent) : origin;
}

function shiftBegun({ transaction, marker }: Claimed): boolean {
  const weights = weightsAfter({ transaction, marker }, marker.step);
  return !sameWeights(weights, marker.origin?.weights ?? {});
}

function markerFor(transaction: Transaction, origin: Origin | null, fencing: number, nowMs: number): Marker {
  return {
    transaction: transaction.id,
    candidate: transaction.candidate,
    origin,
    step: 0,
    fencing,
    owner: transaction.owner,
    leaseUntilMs: nowMs + transaction.leaseMs,
  };
}

function originOf({ exists, weights, shape, served }: RouterObservation): Origin | null {
  return exists ? { weights, shape, ...(served === false ? { served } : {}) } : null;
}

function nobodyServed(origin: Origin | null): boolean {
  return origin === null || origin.served === false || Object.keys(origin.weights).length === 0;
}

function windowReason(transaction: Transaction, nowMs: number): Reason | undefined {
  const { window } = transaction.plan;
  if (!window || isOpen(window, nowMs)) return undefined;
  return {
    code: "window-closed",
    message: `The change window is closed: it is open ${describeWindow(window)}. Deploy within it, or have another window approved.`,
  };
}

function concurrentRun(found: Marker): Reason {
  return {
    code: "concurrent-run",
    message: `Another run is moving traffic: transaction ${found.transaction} of ${describeOwner(found)}, towards ${found.candidate}. Wait for it to end, then deploy again.`,
  };
}

function takenOver(message: string): Reason {
  return { code: "taken-over", message };
}

function describeOwner({ owner }: Marker): string {
  return `process ${owner.processId} on ${owner.host}`;
}

function reasonOf(event: CutoverEvent): Reason {
  switch (event.kind) {
    case "interrupted":
      return event.reason;
    case "verified":
      return { code: "verification-failed", message: event.message };
    case "conflicted":
      return { code: "concurrent-run", message: event.message };
    case "failed":
      return { code: "router-failed", message: event.message };
    case "started":
    case "observed":
    case "done":
      return { code: "router-failed", message: `Unexpected answer: ${event.kind}.` };
  }
}

type Of<Phase extends CutoverState["phase"]> = Extract<CutoverState, { readonly phase: Phase }>;
