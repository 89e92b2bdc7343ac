import type { JournalFact } from "../journal/fact.ts";
import { beginPlan, type PlanBeginning } from "../plan/begin-plan.ts";
import { describeStep } from "../plan/describe-plan.ts";
import type { Step } from "../plan/step.ts";
import { movesTraffic, trafficAfter } from "../plan/traffic.ts";
import type { VersionId } from "../version.ts";
import { allTo, describeWeights, sameWeights, type Weights } from "../weights.ts";
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

/** How many promoted versions the router object names. */
const keptHistory = 10;

/** Going back has far more patience than going on. */
const undoLimitMs = 300_000;

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
    case "undoing":
      return fromUndoing(state, event);
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

  const beginning = beginningOf(transaction, observation);
  const undeclared = undeclaredStable(transaction, beginning, observation);
  if (undeclared && !found) return withFacts([observed], refuse(transaction, undeclared));

  const origin = found ? found.origin : originOf(observation, beginning.goBackTo);
  const marker: Marker = {
    ...markerFor(transaction, origin, (found?.fencing ?? 0) + 1, nowMs),
    ...(found?.undo ? { undo: found.undo } : {}),
  };
  const facts: JournalFact[] = found
    ? [observed, { kind: "abandonedTransactionFound", transaction: found.transaction, owner: describeOwner(found) }]
    : [observed];
  return {
    state: {
      phase: "claiming",
      transaction: { ...transaction, plan: beginning.plan },
      marker,
      history: observation.history ?? [],
      firstStep: beginning.firstStep,
      ...(beginning.note === undefined ? {} : { note: beginning.note }),
      ...(found ? { abandoned: found } : {}),
    },
    facts,
    action: {
      kind: "claim",
      marker,
      expects: { marker: found, weights: observation.exists ? observation.weights : null },
    },
  };
}

/** An abandoned transaction is settled first, so the plan begins from where that leaves the world. */
function beginningOf(transaction: Transaction, observation: RouterObservation): PlanBeginning {
  const { candidate, stable, plan } = transaction;
  const { marker, history = [] } = observation;
  const weights = (marker ? marker.origin?.weights : observation.weights) ?? {};
  const isServed = marker ? marker.origin?.served !== false : observation.served !== false;
  return beginPlan(plan, { candidate, stable, weights, isServed, history });
}

/** Whatever the program does not declare is deleted when the update ends well; at a pause, it would still have traffic. */
function undeclaredStable(
  { candidate, stable }: Transaction,
  { plan, goBackTo }: PlanBeginning,
  { served }: RouterObservation,
): Reason | undefined {
  const pause = plan.steps.find((step) => step.kind === "pause" && !step.isApproved);
  const others = Object.keys(goBackTo).filter((version) => version !== candidate && version !== stable);
  if (pause?.kind !== "pause" || others.length === 0 || served === false) return undefined;
  return {
    code: "stable-not-declared",
    message: `The plan pauses at ${JSON.stringify(pause.name)}, and ${describeWeights(goBackTo)} is in service but not declared as stable, so it would be deleted with traffic on it. Declare it as stable, or approve the pause.`,
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
        ...claimedOf(state),
        phase: "settling",
        abandoned: state.abandoned,
        stage: "restore",
        firstStep: state.firstStep,
      },
      facts: [claimed],
      action: { kind: "restore", marker: state.marker, origin: state.marker.origin },
    };
  }
  const adapted: JournalFact[] =
    state.note === undefined ? [] : [{ kind: "planAdapted", firstStep: state.firstStep, note: state.note }];
  return withFacts([claimed, ...adapted], beginStep(state, state.firstStep, nowMs));
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
    return withFacts([settled], settleFurther(state, abandoned.origin));
  }
  if (state.stage === "undo" && event.kind === "done" && abandoned.origin) {
    const { hook, claimed } = undone(state);
    return withFacts([hookRan(hook)], settleFurther({ ...state, ...claimed }, abandoned.origin));
  }
  if (state.stage === "verify" && event.kind === "verified") {
    const facts: JournalFact[] = [{ kind: "stableVerified", passed: event.passed, message: event.message }];
    const closed = windowReason(state.transaction, nowMs);
    return withFacts(facts, closed ? release(state, closed, event.passed) : beginStep(state, state.firstStep, nowMs));
  }
  const reason = reasonOf(event);
  if (state.stage === "verify") return release(state, reason, false);
  return unsettled(state, reason, reason.message);
}

/** Takes back the hooks of the abandoned transaction, one after the other, then verifies what serves. */
function settleFurther(state: Of<"settling">, origin: Origin): Transition {
  const hook = state.marker.undo?.[0];
  if (hook !== undefined) {
    return { state: { ...state, stage: "undo" }, facts: [], action: undoAction(state.marker, hook) };
  }
  return {
    state: { ...state, stage: "verify" },
    facts: [],
    action: { kind: "verify", target: "stable", expected: origin.weights },
  };
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
  if (event.kind === "done" && movesTraffic(step.kind)) {
    const { readOnlySinceMs, ...marker } = state.marker;
    const shifted: JournalFact[] = [{ kind: "trafficShifted", ...trafficOf(state, index) }];
    if (readOnlySinceMs === undefined) return withFacts(shifted, afterStep(state, index, nowMs));
    shifted.push({ kind: "readOnlyMoment", durationMs: nowMs - readOnlySinceMs });
    const tooLong = readOnlyReason(state, nowMs);
    return withFacts(shifted, tooLong ? rollBack(state, tooLong) : afterStep({ ...state, marker }, index, nowMs));
  }
  if (event.kind === "done" && step.kind === "hook") {
    const tooLong = readOnlyReason(state, nowMs);
    return withFacts([hookRan(step.name)], tooLong ? rollBack(state, tooLong) : afterStep(state, index, nowMs));
  }
  if (event.kind === "done" && step.kind === "scale") {
    return withFacts(
      [{ kind: "stepPassed", step: index, message: describeStep(step) }],
      afterStep(state, index, nowMs),
    );
  }
  if (event.kind === "verified" && event.passed && isMeasured(step)) {
    return withFacts([{ kind: "stepPassed", step: index, message: event.message }], afterStep(state, index, nowMs));
  }
  return rollBack(state, reasonOf(event));
}

function isMeasured({ kind }: Step): boolean {
  return kind === "verify" || kind === "soak" || kind === "hold" || kind === "experiment";
}

function afterStep(claimed: Claimed, index: number, nowMs: number): Transition {
  if (index + 1 < claimed.transaction.plan.steps.length) return beginStep(claimed, index + 1, nowMs);
  return commit(claimed);
}

/** Ends well: with everything at the candidate, or at a pause with both versions in service. */
function commit(claimed: Claimed, restingAt?: string): Transition {
  const { marker, history, transaction } = claimed;
  const promoted = [transaction.candidate, ...history.filter((version) => version !== transaction.candidate)];
  return {
    state: { ...claimedOf(claimed), phase: "committing", ...(restingAt === undefined ? {} : { restingAt }) },
    facts: [],
    action: {
      kind: "release",
      marker,
      history: restingAt === undefined ? promoted.slice(0, keptHistory) : history,
    },
  };
}

function beginStep(claimed: Claimed, index: number, nowMs: number): Transition {
  const { transaction } = claimed;
  const step = stepAt(claimed, index);
  const marker = markerAt(claimed.marker, step, index, nowMs);
  const state = { ...claimedOf(claimed), phase: "stepping", marker } as const;
  const traffic = trafficOf(state, index);
  const begin = (action: Action): Transition => ({
    state,
    facts: [{ kind: "stepStarted", step: index, description: describeStep(step) }],
    action,
  });
  const mirrored = traffic.mirrorPercent === undefined ? {} : { mirrored: true };
  switch (step.kind) {
    case "shift":
    case "route":
    case "mirror": {
      const stopped = windowReason(transaction, nowMs) ?? readOnlyReason(state, nowMs);
      return stopped ? rollBack(state, stopped) : begin({ kind: "shift", marker, traffic });
    }
    case "verify": {
      const expected =
        step.target === "candidate" ? allTo(transaction.candidate) : answering(traffic.weights, state, index);
      const nobodyServedBefore = nobodyServed(marker.origin);
      return begin({
        kind: "verify",
        target: step.target,
        expected,
        nobodyServedBefore,
        ...mirrored,
        ...namesOf(step),
      });
    }
    case "soak":
    case "hold": {
      const expected = answering(traffic.weights, state, index);
      return begin({ kind: "verify", target: "service", expected, holdMs: step.durationMs, ...mirrored });
    }
    case "pause":
      return step.isApproved ? afterStep(state, index, nowMs) : commit(state, step.name);
    case "scale":
      return begin({ kind: "scale", version: transaction.candidate, size: step.size });
    case "experiment": {
      const stable = stableOf(state);
      if (stable === undefined) return afterStep(state, index, nowMs);
      return begin({ kind: "experiment", stable, durationMs: step.durationMs, ...namesOf(step) });
    }
    case "hook": {
      const closed = windowReason(transaction, nowMs);
      if (closed) return rollBack(state, closed);
      const limitMs = Math.min(step.limitMs, readOnlyLeftMs(state, nowMs));
      return begin({ kind: "hook", marker, name: step.name, limitMs });
    }
  }
}

/** The marker as the step begins: what takes a hook back is written down before the hook runs. */
function markerAt(marker: Marker, step: Step, index: number, nowMs: number): Marker {
  if (step.kind !== "hook") return { ...marker, step: index };
  return {
    ...marker,
    step: index,
    ...(step.undo === undefined ? {} : { undo: [step.undo, ...(marker.undo ?? [])] }),
    ...(step.startsReadOnly ? { readOnlySinceMs: nowMs } : {}),
  };
}

function namesOf({ probes }: { readonly probes?: readonly string[] | undefined }): {
  readonly probes?: readonly string[];
} {
  return probes ? { probes } : {};
}

/** Who may answer a client: also a candidate that gets only the requests that match. */
function answering(weights: Weights, claimed: Claimed, index: number): Weights {
  const { candidate } = claimed.transaction;
  return trafficOf(claimed, index).matches && !(candidate in weights) ? { ...weights, [candidate]: 0 } : weights;
}

/** The version with the most traffic that is not the candidate. */
function stableOf({ transaction, marker }: Claimed): VersionId | undefined {
  const others = Object.entries(marker.origin?.weights ?? {}).filter(([version]) => version !== transaction.candidate);
  return others.sort(([, left], [, right]) => right - left)[0]?.[0];
}

function readOnlyLeftMs({ transaction, marker }: Claimed, nowMs: number): number {
  const { readOnlyLimitMs } = transaction.plan;
  if (marker.readOnlySinceMs === undefined || readOnlyLimitMs === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(1, marker.readOnlySinceMs + readOnlyLimitMs - nowMs);
}

function readOnlyReason({ transaction, marker }: Claimed, nowMs: number): Reason | undefined {
  const { readOnlyLimitMs } = transaction.plan;
  if (marker.readOnlySinceMs === undefined || readOnlyLimitMs === undefined) return undefined;
  const lastedMs = nowMs - marker.readOnlySinceMs;
  if (lastedMs <= readOnlyLimitMs) return undefined;
  return {
    code: "read-only-too-long",
    message: `Nobody could write for ${lastedMs} ms, more than readOnlyLimitMs = ${readOnlyLimitMs}. Make the last synchronisation shorter, or raise the limit`,
  };
}

function fromCommitting(state: Of<"committing">, event: CutoverEvent): Transition {
  const { transaction, marker, doubt, restingAt } = state;
  const weights = trafficOf(state, marker.step).weights;
  const rest = restingAt === undefined ? {} : { restingAt };
  const committed: Transition = {
    state: { phase: "committed", transaction, weights, ...rest },
    facts: [{ kind: "committed", weights, ...rest }],
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
  const isWritten = observation.exists && observation.marker === null && sameWeights(observation.weights, weights);
  return withFacts(facts, isWritten ? committed : unsettled(state, doubt.reason, doubt.reason.message));
}

function rollBack(claimed: Claimed, reason: Reason): Transition {
  const { marker } = claimed;
  const started: JournalFact = { kind: "rollbackStarted", reason };
  // Restoring is done even when no shift was confirmed: a write that timed out may have arrived.
  return {
    state: { ...claimedOf(claimed), phase: "restoring", reason },
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
  if (marker.undo === undefined) return withFacts([restored], verifyStable(state, weights, false));
  return {
    state: { ...claimedOf(state), phase: "undoing", reason, stage: "disconnect" },
    facts: [restored],
    action: { kind: "disconnect", version: transaction.candidate },
  };
}

function verifyStable(
  state: Claimed & { readonly reason: Reason },
  weights: Weights,
  isDisconnected: boolean,
): Transition {
  return {
    state: { ...claimedOf(state), phase: "verifyingStable", reason: state.reason, isDisconnected },
    facts: [],
    action: { kind: "verify", target: "stable", expected: weights },
  };
}

function fromUndoing(state: Of<"undoing">, event: CutoverEvent): Transition {
  if (event.kind === "conflicted") return unsettled(state, state.reason, event.message);
  if (state.stage === "disconnect") {
    const ended = connectionsEnded(state.transaction.candidate, event);
    return withFacts([ended], undoFurther({ ...state, stage: "hooks" }));
  }
  if (event.kind !== "done") return unsettled(state, state.reason, reasonOf(event).message);
  const { hook, claimed } = undone(state);
  return withFacts([hookRan(hook)], undoFurther({ ...state, ...claimed }));
}

function undoFurther(state: Of<"undoing">): Transition {
  const hook = state.marker.undo?.[0];
  if (hook === undefined) return verifyStable(state, state.marker.origin?.weights ?? {}, true);
  return { state, facts: [], action: undoAction(state.marker, hook) };
}

function undoAction(marker: Marker, name: string): Action {
  return { kind: "hook", marker, name, limitMs: undoLimitMs };
}

/** The hook that has just run, and the marker without it. */
function undone(claimed: Claimed): { readonly hook: string; readonly claimed: Claimed } {
  const { undo: [hook = "", ...left] = [], ...marker } = claimed.marker;
  return { hook, claimed: { ...claimedOf(claimed), marker: left.length > 0 ? { ...marker, undo: left } : marker } };
}

function hookRan(hook: string): JournalFact {
  return { kind: "hookRan", hook, message: "done" };
}

function fromVerifyingStable(state: Of<"verifyingStable">, event: CutoverEvent): Transition {
  if (event.kind === "conflicted") return unsettled(state, state.reason, event.message);
  const passed = event.kind === "verified" && event.passed;
  const message = event.kind === "verified" ? event.message : reasonOf(event).message;
  const verified: JournalFact = { kind: "stableVerified", passed, message };
  const { transaction, marker, reason } = state;
  const served = marker.origin && (marker.origin.weights[transaction.candidate] ?? 0) > 0;
  if (served || state.isDisconnected || !shiftBegun(state))
    return withFacts([verified], release(state, reason, passed));
  return {
    state: { ...claimedOf(state), phase: "disconnecting", reason, stableVerified: passed },
    facts: [verified],
    action: { kind: "disconnect", version: transaction.candidate },
  };
}

function fromDisconnecting(state: Of<"disconnecting">, event: CutoverEvent): Transition {
  const ended = connectionsEnded(state.transaction.candidate, event);
  return withFacts([ended], release(state, state.reason, state.stableVerified));
}

function connectionsEnded(version: VersionId, event: CutoverEvent): JournalFact {
  return { kind: "connectionsEnded", version, message: event.kind === "done" ? "ended" : reasonOf(event).message };
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
  const { marker } = claimed;
  return {
    state: { ...claimedOf(claimed), phase: "releasing", reason, stableVerified },
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

/** Where requests go once the steps up to this one are done. */
function trafficOf({ transaction, marker }: Claimed, index: number) {
  return trafficAfter(transaction.plan, marker.origin?.weights ?? {}, transaction.candidate, index);
}

function shiftBegun({ transaction, marker }: Claimed): boolean {
  return transaction.plan.steps.slice(0, marker.step + 1).some(({ kind }) => movesTraffic(kind));
}

/** What all states after the claim carry on. */
function claimedOf({ transaction, marker, history }: Claimed): Claimed {
  return { transaction, marker, history };
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

function originOf({ exists, shape, served }: RouterObservation, weights: Weights): Origin | null {
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
