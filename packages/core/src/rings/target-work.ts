import type { RingFact } from "./ring-fact.ts";
import type { RingAnswer, RingRun, TargetLook, TargetWork, WorkAction } from "./ring-state.ts";
import type { RingReason } from "./ring-reason.ts";
import type { TargetMarker, TargetObservation } from "./target-marker.ts";

/** Going back has more patience than going on. */
const attempts = { forward: 3, back: 5 };

/** What to do next with one target; without an action its change is over. */
export interface TargetStep {
  readonly facts: readonly RingFact[];
  readonly action?: WorkAction;
  /** Set once, as soon as the target counts as failed. */
  readonly failure?: string;
  /** Why no other target may begin. */
  readonly stopping?: RingReason;
  readonly end?: TargetEnd;
}

export type TargetEnd =
  | { readonly kind: "onCandidate"; readonly work: TargetWork }
  /** As it was, or nothing of ours was put on it. */
  | { readonly kind: "asBefore" }
  | { readonly kind: "unverified" | "stuck"; readonly message: string };

/** How long to wait after an attempt that failed, in milliseconds: 1 s, 4 s, 16 s, then 30 s. */
export function retryDelayMs(attempt: number): number {
  return Math.min(30_000, 1_000 * 4 ** (attempt - 1));
}

/** Whether what is tried for the so-manieth time, counted from 1, may be tried once more. */
export function mayRetry(attempt: number): boolean {
  return attempt < attempts.forward;
}

/** The marker of a run that stopped half-way, if there is one on the target. */
export function unfinishedMarker(run: RingRun, observation: TargetObservation | undefined): TargetMarker | undefined {
  const marker = observation?.marker;
  return marker && !run.completedRuns.includes(marker.run) ? marker : undefined;
}

/** The change of a target as it was found. */
export function workOn(run: RingRun, { target, ring }: TargetLook, observation: TargetObservation): TargetWork {
  const isThere = observation.version === run.candidate && !unfinishedMarker(run, observation);
  return {
    target,
    ring,
    marker: { run: run.id, candidate: run.candidate, origin: originOf(run, observation) },
    expects: observation,
    isTouched: !isThere,
    attempt: 1,
  };
}

/** What the target goes back to: with an unfinished run, what it had before that one. */
function originOf(run: RingRun, observation: TargetObservation): string | null {
  const { version, marker } = observation;
  if (unfinishedMarker(run, observation)) return marker?.origin ?? null;
  // A run that completed may have left single targets half-way, within its budget.
  return version ?? marker?.origin ?? null;
}

/** Begins with a target; one that has the candidate already is only verified. */
export function beginTarget(run: RingRun, work: TargetWork): TargetStep {
  if (!work.isTouched) return { facts: [], action: act("verifyCandidate", work) };
  const ring = run.plan.rings[work.ring]?.name ?? "";
  const begun: RingFact = { kind: "targetBegun", target: work.target, ring, origin: work.marker.origin };
  return { facts: [begun], action: act("apply", work) };
}

/** Verifies once more a target that has the candidate. */
export function checkTarget(work: TargetWork): WorkAction {
  return act("verifyCandidate", work);
}

/** Takes a target back to what it had. */
export function takeBack(work: TargetWork): WorkAction {
  return act("rollBack", work);
}

/** The whole way of one target as a pure function: what an answer means, and what comes next. */
export function nextForTarget(run: RingRun, { kind, work }: WorkAction, answer: RingAnswer): TargetStep {
  if (answer.kind === "notBegun") return { facts: [], stopping: answer.reason, end: { kind: "asBefore" } };
  switch (kind) {
    case "apply":
      if (answer.kind === "done") return { facts: [], action: act("verifyCandidate", work) };
      if (!mayRetry(work.attempt)) return failTarget(run, work, messageIn(answer));
      return again("reobserveToApply", work, work.attempt, messageIn(answer));
    case "reobserveToApply":
      if (answer.kind === "observed") return applyOnceMore(run, work, answer.observation);
      if (!mayRetry(work.attempt)) return failTarget(run, work, messageIn(answer));
      return again("reobserveToApply", work, work.attempt + 1, messageIn(answer));
    case "verifyCandidate":
      if (answer.kind === "verified") {
        if (!answer.passed) return failTarget(run, work, answer.message);
        const verified: RingFact = { kind: "targetVerified", target: work.target, message: answer.message };
        return { facts: [verified], end: { kind: "onCandidate", work } };
      }
      if (!mayRetry(work.attempt)) return failTarget(run, work, messageIn(answer));
      return again("verifyCandidate", work, work.attempt + 1, messageIn(answer));
    case "rollBack":
      if (answer.kind === "done") return verifyOrigin(work);
      if (work.attempt >= attempts.back) return stuck(work, messageIn(answer));
      return again("reobserveToRollBack", work, work.attempt, messageIn(answer));
    case "reobserveToRollBack":
      if (answer.kind === "observed") return rollBackOnceMore(work, answer.observation);
      if (work.attempt >= attempts.back) return stuck(work, messageIn(answer));
      return again("reobserveToRollBack", work, work.attempt + 1, messageIn(answer));
    case "verifyOrigin":
      if (answer.kind === "verified") return rolledBack(work, answer.passed, answer.message);
      if (work.attempt >= attempts.back) return rolledBack(work, false, messageIn(answer));
      return again("verifyOrigin", work, work.attempt + 1, messageIn(answer));
  }
}

/** A write whose fate is not known is repeated only when nobody else was there. */
function applyOnceMore(run: RingRun, work: TargetWork, found: TargetObservation): TargetStep {
  if (isOurs(work, found) || isUnchanged(work, found)) {
    return { facts: [], action: act("apply", { ...work, expects: found }, work.attempt + 1) };
  }
  if (isSameMarker(work.expects.marker, found.marker)) {
    return leaveAlone(run, work, "it was changed by somebody else since it was first looked at; nothing was put on it");
  }
  return { ...leaveAlone(run, work, describeTakeover(found)), stopping: takenOver(work, found) };
}

function rollBackOnceMore(work: TargetWork, found: TargetObservation): TargetStep {
  // An unchanged target is written to all the same: only that keeps a late write of ours from landing on it.
  if (isOurs(work, found) || isUnchanged(work, found)) {
    return { facts: [], action: act("rollBack", { ...work, expects: found }, work.attempt + 1) };
  }
  if (found.marker === null && found.version === work.marker.origin) return verifyOrigin(work);
  return { ...stuck(work, describeTakeover(found)), stopping: takenOver(work, found) };
}

function verifyOrigin(work: TargetWork): TargetStep {
  if (work.marker.origin === null) return rolledBack(work, true, "there was no version before");
  return { facts: [], action: act("verifyOrigin", work) };
}

function failTarget(run: RingRun, work: TargetWork, message: string): TargetStep {
  if (!work.isTouched) return leaveAlone(run, work, message);
  return { facts: [failed(run, work, message)], failure: message, action: act("rollBack", work) };
}

function leaveAlone(run: RingRun, work: TargetWork, message: string): TargetStep {
  return { facts: [failed(run, work, message)], failure: message, end: { kind: "asBefore" } };
}

function rolledBack(work: TargetWork, isVerified: boolean, message: string): TargetStep {
  const { target, marker } = work;
  return {
    facts: [{ kind: "targetRolledBack", target, version: marker.origin, isVerified, message }],
    end: isVerified ? { kind: "asBefore" } : { kind: "unverified", message },
  };
}

function stuck({ target }: TargetWork, message: string): TargetStep {
  return { facts: [{ kind: "targetStuck", target, message }], end: { kind: "stuck", message } };
}

function again(kind: WorkAction["kind"], work: TargetWork, attempt: number, message: string): TargetStep {
  const { target } = work;
  return {
    facts: [{ kind: "targetRetried", target, attempt, message }],
    action: act(kind, work, attempt, retryDelayMs(attempt)),
  };
}

function act(kind: WorkAction["kind"], work: TargetWork, attempt = 1, delayMs = 0): WorkAction {
  return { kind, work: work.attempt === attempt ? work : { ...work, attempt }, delayMs };
}

function failed(run: RingRun, { target, ring }: TargetWork, message: string): RingFact {
  return { kind: "targetFailed", target, ring: run.plan.rings[ring]?.name ?? "", message };
}

function isOurs({ marker }: TargetWork, found: TargetObservation): boolean {
  return found.marker?.run === marker.run;
}

function isUnchanged({ expects }: TargetWork, found: TargetObservation): boolean {
  return found.revision === expects.revision;
}

function isSameMarker(one: TargetMarker | null, other: TargetMarker | null): boolean {
  return one?.run === other?.run;
}

function describeTakeover({ marker, version }: TargetObservation): string {
  if (marker) return `another run has it: ${marker.run}, towards ${marker.candidate}`;
  return `somebody else changed it: ${version ?? "no version"} is on it`;
}

function takenOver({ target }: TargetWork, found: TargetObservation): RingReason {
  return { code: "taken-over", message: `${target}: ${describeTakeover(found)}` };
}

function messageIn(answer: RingAnswer): string {
  switch (answer.kind) {
    case "failed":
    case "verified":
      return answer.message;
    case "notBegun":
      return answer.reason.message;
    case "done":
    case "observed":
      return `unexpected answer: ${answer.kind}`;
  }
}
