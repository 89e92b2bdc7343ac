import { canonicalJson } from "../canonical-json.ts";
import type { JournalFact } from "../journal/fact.ts";
import { beginPlan, type PlanBeginning } from "../plan/begin-plan.ts";
import { describeStep } from "../plan/describe-plan.ts";
import { openPauseIndex } from "../plan/pauses.ts";
import { planRefusal } from "../plan/plan-refusal.ts";
import { digestBefore, type Rest } from "../plan/rest.ts";
import type { Step } from "../plan/step.ts";
import { isKeptInStep, movesTraffic, trafficAfter, type Traffic } from "../plan/traffic.ts";
import type { VersionId } from "../version.ts";
import { allTo, sameWeights, withTraffic, type Weights } from "../weights.ts";
import { describeWindow, isOpen } from "../window.ts";
import type { Marker, Origin } from "./marker.ts";
import type {
  Action,
  Claimed,
  CutoverEvent,
  CutoverState,
  Doubt,
  Found,
  Reason,
  RouterMemory,
  RouterObservation,
  Settled,
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
      return fromUndoing(state, event, nowMs);
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
  const beginning = beginningOf(transaction, observation);
  // An abandoned transaction is settled at any hour, and whatever the plan: that is no reason to leave users where a crash left them.
  const stopped = found ? undefined : (windowReason(transaction, nowMs) ?? planRefusal(transaction, beginning));
  if (stopped) return withFacts([observed], refuse(transaction, stopped));

  const settles = settledBy(found, beginning);
  const facts: JournalFact[] = found
    ? [observed, { kind: "abandonedTransactionFound", transaction: found.transaction, owner: describeOwner(found) }]
    : [observed];
  const marker = markerFor(transaction, observation, beginning, nowMs);
  return {
    state: {
      phase: "claiming",
      transaction,
      plan: beginning.plan,
      marker,
      history: observation.memory?.history ?? [],
      firstStep: beginning.firstStep,
      ...(beginning.note === undefined ? {} : { note: beginning.note }),
      ...(settles ? { settles } : {}),
      found: foundIn(observation),
    },
    facts,
    action: {
      kind: "claim",
      marker,
      expects: {
        marker: found,
        weights: observation.exists ? observation.weights : null,
        ...(observation.memory?.rest ? { rest: observation.memory.rest } : {}),
      },
    },
  };
}

/** An abandoned transaction is settled first, so the plan begins from where that leaves the world. */
function beginningOf({ candidate, plan }: Transaction, observation: RouterObservation): PlanBeginning {
  const { marker, memory } = observation;
  const history = memory?.history ?? [];
  if (marker) {
    const { origin } = marker;
    return beginPlan(plan, { candidate, weights: origin?.weights ?? {}, isServed: origin?.served !== false, history });
  }
  const { weights, served } = observation;
  return beginPlan(plan, { candidate, weights, isServed: served !== false, history, rest: memory?.rest });
}

/** What has to be put right before the plan begins. */
function settledBy(found: Marker | null, { givesUp }: PlanBeginning): Settled | undefined {
  if (found) {
    const connected = new Set([...(found.givenUp === undefined ? [] : [found.givenUp]), found.candidate]);
    const isOther = (version: VersionId) => (found.origin?.weights[version] ?? 0) === 0;
    return { kind: "abandoned", transaction: found.transaction, connected: [...connected].filter(isOther) };
  }
  if (!givesUp) return undefined;
  const { pause, candidate } = givesUp;
  return { kind: "pause", pause, candidate, connected: [candidate] };
}

function foundIn({ exists, weights, memory }: RouterObservation): Found {
  const rest = memory?.rest;
  return { weights: exists ? weights : null, ...(rest ? { restingAt: rest.pause } : {}) };
}

function fromClaiming(state: Of<"claiming">, event: CutoverEvent, nowMs: number): Transition {
  const { settles, plan, marker, firstStep, note } = state;
  if (event.kind === "conflicted") return refuse(state.transaction, { code: "concurrent-run", message: event.message });
  if (event.kind !== "done") {
    const reason = reasonOf(event);
    // Traffic is where the abandoned transaction left it: whichever marker is on the object now, it has to stay.
    if (settles?.kind === "abandoned") return unsettled(state, reason, reason.message);
    // The claim may have been written all the same; without a shift behind it, releasing it is enough.
    return release(state, reason, true, state.found);
  }

  const claimed: JournalFact = {
    kind: "routerClaimed",
    fencing: marker.fencing,
    originWeights: marker.origin?.weights ?? null,
  };
  const adapted: JournalFact[] = note === undefined ? [] : [{ kind: "planAdapted", plan, firstStep, note }];
  const facts = [claimed, ...adapted];
  if (!settles) return withFacts(facts, beginStep(state, firstStep, nowMs));
  return {
    state: { ...claimedOf(state), phase: "settling", settles, stage: "restore", firstStep },
    facts,
    action: { kind: "restore", marker, origin: marker.origin },
  };
}

function fromSettling(state: Of<"settling">, event: CutoverEvent, nowMs: number): Transition {
  const { settles, stage, transaction, plan, firstStep, marker } = state;
  if (event.kind === "conflicted") return unsettled(state, takenOver(event.message), event.message);
  if (stage === "restore" && event.kind === "done") {
    const settled = settledFact(settles, marker.origin);
    if (!marker.origin) return settledWithoutOrigin(state, settled, nowMs);
    return withFacts([settled], settleFurther(state, marker.origin));
  }
  if (stage === "disconnect" && event.kind !== "interrupted" && marker.origin) {
    const [version = "", ...connected] = settles.connected;
    const further = { ...state, settles: { ...settles, connected } };
    return withFacts([connectionsEnded(version, event)], settleFurther(further, marker.origin));
  }
  if (stage === "undo" && event.kind === "done" && marker.origin) {
    const { facts, claimed } = undone(state, nowMs);
    return withFacts(facts, settleFurther({ ...state, ...claimed }, marker.origin));
  }
  if (stage === "verify" && event.kind === "verified") {
    const facts: JournalFact[] = [{ kind: "stableVerified", passed: event.passed, message: event.message }];
    const goBackTo = marker.origin?.weights ?? {};
    const stopped = windowReason(transaction, nowMs) ?? planRefusal(transaction, { plan, firstStep, goBackTo });
    return withFacts(facts, stopped ? release(state, stopped, event.passed) : beginStep(state, firstStep, nowMs));
  }
  const reason = reasonOf(event);
  if (stage === "verify") return release(state, reason, false);
  return unsettled(state, reason, reason.message);
}

function settledFact(settles: Settled, origin: Origin | null): JournalFact {
  const weights = origin?.weights ?? null;
  if (settles.kind === "abandoned")
    return { kind: "abandonedTransactionSettled", transaction: settles.transaction, weights };
  return { kind: "pauseGivenUp", pause: settles.pause, candidate: settles.candidate, weights: weights ?? {} };
}

/** Takes back the hooks that were left, one after the other, once nobody is connected to whom they concern; then verifies what serves. */
function settleFurther(state: Of<"settling">, origin: Origin): Transition {
  const [hook] = state.marker.undo ?? [];
  const [version] = state.settles.connected;
  if (hook !== undefined && version !== undefined) {
    return { state: { ...state, stage: "disconnect" }, facts: [], action: { kind: "disconnect", version } };
  }
  if (hook !== undefined) {
    return { state: { ...state, stage: "undo" }, facts: [], action: undoAction(state.marker, hook) };
  }
  const { givenUp: _givenUp, readOnly: _readOnly, ...marker } = state.marker;
  return {
    state: { ...state, marker, stage: "verify" },
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
    const shifted: JournalFact = { kind: "trafficShifted", ...trafficOf(state, index) };
    if (step.kind !== "shift" || state.marker.readOnly === undefined)
      return withFacts([shifted], afterStep(state, index, nowMs));
    const tooLong = readOnlyReason(state, nowMs);
    const { facts, claimed } = writable(state, nowMs);
    return withFacts([shifted, ...facts], tooLong ? rollBack(claimed, tooLong) : afterStep(claimed, index, nowMs));
  }
  if (event.kind === "done" && step.kind === "hook") {
    const tooLong = readOnlyReason(state, nowMs);
    return withFacts([hookRan(step.name)], tooLong ? rollBack(state, tooLong) : afterStep(state, index, nowMs));
  }
  if (event.kind === "done" && step.kind === "scale") {
    return withFacts([passed(index, describeStep(step))], afterStep(state, index, nowMs));
  }
  if (event.kind === "verified" && event.passed && isMeasured(step)) {
    return withFacts([passed(index, event.message)], afterStep(state, index, nowMs));
  }
  return rollBack(state, failureOf(step, event));
}

function passed(step: number, message: string): JournalFact {
  return { kind: "stepPassed", step, message };
}

/** Why a step did not do what it should. */
function failureOf({ kind }: Step, event: CutoverEvent): Reason {
  const reason = reasonOf(event);
  if (event.kind !== "failed" || (kind !== "scale" && kind !== "hook")) return reason;
  return { code: kind === "scale" ? "scale-failed" : "hook-failed", message: event.message };
}

function isMeasured({ kind }: Step): boolean {
  return kind === "verify" || kind === "soak" || kind === "hold" || kind === "experiment";
}

function afterStep(claimed: Claimed, index: number, nowMs: number): Transition {
  if (index + 1 < claimed.plan.steps.length) return beginStep(claimed, index + 1, nowMs);
  const { history, transaction } = claimed;
  const promoted = [transaction.candidate, ...history.filter((version) => version !== transaction.candidate)];
  return commit(claimed, { history: promoted.slice(0, keptHistory) });
}

/** Ends well: with everything at the candidate, or at a pause with both versions in service. */
function commit(claimed: Claimed, memory: RouterMemory): Transition {
  const { marker } = claimed;
  return {
    state: { ...claimedOf(claimed), phase: "committing", memory },
    facts: [],
    action: { kind: "release", marker, memory },
  };
}

/** What a later update has to know of a pause. */
function restOf({ transaction, marker }: Claimed, pause: string): Rest {
  const { plan, candidate } = transaction;
  return {
    candidate,
    pause,
    origin: { ...marker.origin?.weights },
    taken: digestBefore(plan, openPauseIndex(plan.steps) ?? plan.steps.length),
    undo: [...(marker.undo ?? [])],
  };
}

function beginStep(claimed: Claimed, index: number, nowMs: number): Transition {
  const { transaction } = claimed;
  const step = stepAt(claimed, index);
  const marker = markerAt(claimed.marker, step, index, nowMs);
  const state = { ...claimedOf(claimed), phase: "stepping", marker } as const;
  const traffic = trafficOf(state, index);
  const started: JournalFact = { kind: "stepStarted", step: index, description: describeStep(step) };
  const begin = (action: Action): Transition => ({ state, facts: [started], action });
  const measurable = {
    ...(traffic.mirrorPercent === undefined ? {} : { mirrored: true }),
    ...(isKeptInStep(state.plan, index) ? { inStep: true } : {}),
  };
  switch (step.kind) {
    case "shift":
    case "route":
    case "mirror": {
      // What is not begun has nothing to take back.
      const stopped = windowReason(transaction, nowMs) ?? readOnlyReason(state, nowMs);
      return stopped ? rollBack(claimed, stopped) : begin({ kind: "shift", marker, traffic });
    }
    case "verify": {
      const expected =
        step.target === "candidate" ? allTo(transaction.candidate) : answering(traffic, transaction.candidate);
      const nobodyServedBefore = nobodyServed(marker.origin);
      return begin({
        kind: "verify",
        target: step.target,
        expected,
        nobodyServedBefore,
        ...measurable,
        ...namesOf(step),
      });
    }
    case "soak":
    case "hold": {
      const expected = answering(traffic, transaction.candidate);
      return begin({ kind: "verify", target: "service", expected, holdMs: step.durationMs, ...measurable });
    }
    case "pause":
      return withFacts(
        [started],
        step.isApproved
          ? afterStep(state, index, nowMs)
          : commit(state, { history: state.history, rest: restOf(state, step.name) }),
      );
    case "scale":
      return begin({ kind: "scale", marker, version: transaction.candidate, size: step.size });
    case "experiment": {
      const stable = stableOf(state);
      if (stable === undefined) {
        const message = "There is no stable version to compare the candidate with.";
        return rollBack(state, { code: "verification-failed", message });
      }
      return begin({ kind: "experiment", stable, durationMs: step.durationMs, ...namesOf(step) });
    }
    case "hook": {
      const closed = windowReason(transaction, nowMs);
      if (closed) return rollBack(claimed, closed);
      return begin({ kind: "hook", marker, name: step.name, limitMs: step.limitMs });
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
    ...(step.startsReadOnly && !marker.readOnly
      ? { readOnly: { sinceMs: nowMs, undoBefore: marker.undo?.length ?? 0 } }
      : {}),
  };
}

function namesOf({ probes }: { readonly probes?: readonly string[] | undefined }): {
  readonly probes?: readonly string[];
} {
  return probes ? { probes } : {};
}

/** Who may answer a client: also a candidate that gets only the requests that match. */
function answering({ weights, matches }: Traffic, candidate: VersionId): Weights {
  return matches && !(candidate in weights) ? { ...weights, [candidate]: 0 } : weights;
}

/** The version with the most traffic that is not the candidate. */
function stableOf({ transaction, marker }: Claimed): VersionId | undefined {
  const others = Object.entries(marker.origin?.weights ?? {}).filter(([version]) => version !== transaction.candidate);
  return others.sort(([, left], [, right]) => right - left)[0]?.[0];
}

function readOnlyReason({ plan, marker }: Claimed, nowMs: number): Reason | undefined {
  const { readOnlyLimitMs } = plan;
  if (marker.readOnly === undefined || readOnlyLimitMs === undefined) return undefined;
  const lastedMs = nowMs - marker.readOnly.sinceMs;
  return lastedMs <= readOnlyLimitMs ? undefined : readOnlyTooLong(lastedMs, readOnlyLimitMs);
}

/** The reason of a transaction that goes back because nobody could write for too long, both in milliseconds. */
export function readOnlyTooLong(lastedMs: number, readOnlyLimitMs: number): Reason {
  return {
    code: "read-only-too-long",
    message: `Nobody could write for ${lastedMs} ms, more than readOnlyLimitMs = ${readOnlyLimitMs}. Make the last synchronisation shorter, or raise the limit`,
  };
}

/** Writes are possible again, and how long they were not is written down. */
function writable(
  claimed: Claimed,
  nowMs: number,
): { readonly facts: readonly JournalFact[]; readonly claimed: Claimed } {
  const { readOnly, ...marker } = claimed.marker;
  if (readOnly === undefined) return { facts: [], claimed };
  return {
    facts: [{ kind: "readOnlyMoment", durationMs: nowMs - readOnly.sinceMs }],
    claimed: { ...claimedOf(claimed), marker },
  };
}

function fromCommitting(state: Of<"committing">, event: CutoverEvent): Transition {
  const { transaction, marker, doubt, memory } = state;
  const weights = trafficOf(state, marker.step).weights;
  const { rest } = memory;
  const committed: Transition = {
    state: { phase: "committed", transaction, weights, memory },
    facts: [{ kind: "committed", weights, ...(rest ? { restingAt: rest.pause } : {}) }],
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
  const isWritten =
    observation.exists &&
    observation.marker === null &&
    sameWeights(observation.weights, weights) &&
    remembers(observation, memory);
  return withFacts(facts, isWritten ? committed : unsettled(state, doubt.reason, doubt.reason.message));
}

/** Whether the object keeps what was to be kept: before traffic has moved, weights alone do not tell a pause from a rollback. */
function remembers({ memory }: RouterObservation, wanted: RouterMemory): boolean {
  if (memory === undefined) return wanted.rest === undefined;
  return canonicalJson(memory) === canonicalJson(wanted);
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
    return withFacts([restored], finishRollback(transaction, reason, { weights: null }, true));
  }
  if (marker.undo === undefined) return withFacts([restored], verifyStable(state, weights, false));
  const undoing = { ...claimedOf(state), phase: "undoing", reason } as const;
  if (isInOrigin(state)) return withFacts([restored], undoFurther({ ...undoing, stage: "hooks" }));
  return {
    state: { ...undoing, stage: "disconnect" },
    facts: [restored],
    action: { kind: "disconnect", version: transaction.candidate },
  };
}

/** Whether the candidate has traffic after a rollback as well, so that its connections are right. */
function isInOrigin({ transaction, marker }: Claimed): boolean {
  return (marker.origin?.weights[transaction.candidate] ?? 0) > 0;
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

function fromUndoing(state: Of<"undoing">, event: CutoverEvent, nowMs: number): Transition {
  if (event.kind === "conflicted") return unsettled(state, state.reason, event.message);
  if (state.stage === "disconnect") {
    const ended = connectionsEnded(state.transaction.candidate, event);
    return withFacts([ended], undoFurther({ ...state, stage: "hooks" }));
  }
  if (event.kind !== "done") return unsettled(state, state.reason, reasonOf(event).message);
  const { facts, claimed } = undone(state, nowMs);
  return withFacts(facts, undoFurther({ ...state, ...claimed }));
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
function undone(
  claimed: Claimed,
  nowMs: number,
): { readonly facts: readonly JournalFact[]; readonly claimed: Claimed } {
  const { undo: [hook = "", ...left] = [], ...marker } = claimed.marker;
  const after = { ...claimedOf(claimed), marker: left.length > 0 ? { ...marker, undo: left } : marker };
  const isWritable = marker.readOnly !== undefined && left.length <= marker.readOnly.undoBefore;
  const freed = isWritable ? writable(after, nowMs) : { facts: [], claimed: after };
  return { facts: [hookRan(hook), ...freed.facts], claimed: freed.claimed };
}

function hookRan(hook: string): JournalFact {
  return { kind: "hookRan", hook, message: "done" };
}

function fromVerifyingStable(state: Of<"verifyingStable">, event: CutoverEvent): Transition {
  if (event.kind === "conflicted") return unsettled(state, state.reason, event.message);
  const isWell = event.kind === "verified" && event.passed;
  const message = event.kind === "verified" ? event.message : reasonOf(event).message;
  const verified: JournalFact = { kind: "stableVerified", passed: isWell, message };
  const { transaction, reason } = state;
  if (isInOrigin(state) || state.isDisconnected || !mayHaveClients(state))
    return withFacts([verified], release(state, reason, isWell));
  return {
    state: { ...claimedOf(state), phase: "disconnecting", reason, stableVerified: isWell },
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
  const { transaction, marker, reason, stableVerified, left, doubt } = state;
  const finished = finishRollback(transaction, reason, left, stableVerified);
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

/** Takes the marker away without a promotion; what is left is the origin, unless it was never moved to. */
function release(
  claimed: Claimed,
  reason: Reason,
  stableVerified: boolean,
  left: Found = { weights: claimed.marker.origin?.weights ?? null },
): Transition {
  const { marker } = claimed;
  return {
    state: { ...claimedOf(claimed), phase: "releasing", reason, stableVerified, left },
    facts: [],
    action: marker.origin ? { kind: "release", marker } : { kind: "restore", marker, origin: null },
  };
}

function finishRollback(transaction: Transaction, reason: Reason, left: Found, stableVerified: boolean): Transition {
  return {
    state: { phase: "rolledBack", transaction, reason, stableVerified, ...left },
    facts: [{ kind: "rolledBack", reason, weights: left.weights }],
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

function stepAt({ plan }: Claimed, index: number): Step {
  const step = plan.steps[index];
  if (!step) throw new RangeError(`The plan has no step ${index}; it has ${plan.steps.length}.`);
  return step;
}

/** Where requests go once the steps up to this one are done. */
function trafficOf({ transaction, plan, marker }: Claimed, index: number): Traffic {
  return trafficAfter(plan, marker.origin?.weights ?? {}, transaction.candidate, index);
}

/** Whether clients may be connected to the candidate: traffic was about to move, or did so in an earlier update. */
function mayHaveClients({ plan, marker }: Claimed): boolean {
  return plan.steps.slice(0, marker.step + 1).some(({ kind }) => movesTraffic(kind));
}

/** What all states after the claim carry on. */
function claimedOf({ transaction, plan, marker, history }: Claimed): Claimed {
  return { transaction, plan, marker, history };
}

/** The marker of a claim: where a rollback goes, and what it has to take back that others did. */
function markerFor(
  transaction: Transaction,
  { exists, shape, served, marker: found, memory }: RouterObservation,
  { firstStep, goBackTo, givesUp }: PlanBeginning,
  nowMs: number,
): Marker {
  const rest = found ? undefined : memory?.rest;
  const undo = found ? found.undo : rest?.undo;
  const givenUp = found ? found.givenUp : givesUp?.candidate;
  const seen: Origin | null = exists
    ? {
        // A version without traffic is not expected to answer.
        weights: withTraffic(goBackTo),
        shape,
        ...(served === false ? { served } : {}),
        ...(rest ? { leavesRest: true as const } : {}),
      }
    : null;
  return {
    transaction: transaction.id,
    candidate: transaction.candidate,
    origin: found ? found.origin : seen,
    step: firstStep,
    ...(undo && undo.length > 0 ? { undo } : {}),
    ...(givenUp === undefined ? {} : { givenUp }),
    ...(found?.readOnly ? { readOnly: found.readOnly } : {}),
    fencing: (found?.fencing ?? 0) + 1,
    owner: transaction.owner,
    leaseUntilMs: nowMs + transaction.leaseMs,
  };
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
