import {
  beginRings,
  messageOf,
  nextRing,
  type RingAction,
  type RingAnswer,
  type RingEvent,
  type RingFact,
  type RingOutcome,
  type RingReason,
  type RingRun,
  type RingState,
} from "@bascule/core";
import type { Clock, Journal } from "../ports.ts";
import { withinLimit } from "../time-limit.ts";
import { createEventQueue, type EventQueue } from "./event-queue.ts";
import type { RingTarget } from "./ring-target.ts";

/** All that a release by rings needs from outside. */
export interface RingPorts {
  readonly target: RingTarget;
  readonly journal: Journal;
  readonly clock: Clock;
}

export interface RingRequest {
  readonly run: RingRun;
  /** What the journal says about the change, without secrets. */
  readonly change: Readonly<Record<string, string>>;
  /** Aborted when the process that asked for the release is gone. */
  readonly ownerLost?: AbortSignal;
  /** Aborted when somebody asks for an abort. */
  readonly abort?: AbortSignal;
  /** A line for the user at each new ring and each failure. */
  readonly onProgress?: (message: string) => void;
}

const journalLimitMs = 10_000;

/** A journal that failed so often in a row is not waited for again before the end: thousands of targets may be on their way back. */
const journalPatience = 3;

/**
 * Runs one release by rings from the first look at its targets to its end. Never throws for what the world does: the outcome tells.
 * The caller records a `completed` run under its id, and names it to the runs that come later in `completedRuns`.
 */
export async function runRings(request: RingRequest, ports: RingPorts): Promise<RingOutcome> {
  const { run } = request;
  const events = createEventQueue<RingEvent>();
  const interruption = watchForInterruptions(request, ports.clock, events);
  const record = recorderOf(request, ports, interruption);
  try {
    await record(startOf(request));
    let state: RingState = beginRings(run);
    events.push({ kind: "started" });
    for (;;) {
      for (const event of await events.take()) {
        const transition = nextRing(state, event, ports.clock.nowMs());
        state = transition.state;
        const outcome = isOutcome(state) ? state : undefined;
        for (const fact of transition.facts) await record(fact, outcome !== undefined);
        if (outcome) return outcome;
        for (const action of transition.actions) begin(action, run, ports, interruption, events);
      }
    }
  } finally {
    interruption.stop();
  }
}

function begin(
  action: RingAction,
  run: RingRun,
  ports: RingPorts,
  interruption: Interruption,
  events: EventQueue<RingEvent>,
): void {
  const reason = interruption.reason();
  if (reason && action.kind === "apply" && action.work.attempt === 1) {
    // It came between the decision to begin and the beginning.
    events.push({ kind: "answered", action, answer: { kind: "notBegun", reason } });
    return;
  }
  void perform(action, run, ports, interruption.signal)
    .catch((thrown: unknown): RingAnswer => ({ kind: "failed", message: messageOf(thrown) }))
    .then((answer) => events.push({ kind: "answered", action, answer }));
}

async function perform(
  action: RingAction,
  { plan: { limits } }: RingRun,
  { target, clock }: RingPorts,
  interrupted: AbortSignal,
): Promise<RingAnswer> {
  if (action.kind === "soak") {
    await clock.sleep(action.durationMs, interrupted);
    return { kind: "done" };
  }
  if (action.delayMs > 0) await clock.sleep(action.delayMs, action.kind === "look" ? interrupted : undefined);
  if (action.kind === "look") {
    const observation = await bounded("observe", limits.observeMs, clock, interrupted, (signal) =>
      target.observe(action.target, signal),
    );
    return { kind: "observed", observation };
  }
  // What is under way ends: a target is not left half-way because something else wants to stop.
  const never = new AbortController().signal;
  const { work } = action;
  switch (action.kind) {
    case "apply":
      await bounded("apply", limits.applyMs, clock, never, (signal) =>
        target.apply(work.target, work.marker, work.expects, signal),
      );
      return { kind: "done" };
    case "rollBack":
      await bounded("rollBack", limits.rollBackMs, clock, never, (signal) =>
        target.rollBack(work.target, work.marker, work.expects, signal),
      );
      return { kind: "done" };
    case "verifyCandidate":
    case "verifyOrigin": {
      const version = action.kind === "verifyCandidate" ? work.marker.candidate : work.marker.origin;
      if (version === null) throw new Error("there is no version to verify");
      const { passed, message } = await bounded("verify", limits.verifyMs, clock, never, (signal) =>
        target.verify(work.target, version, signal),
      );
      return { kind: "verified", passed, message };
    }
    case "reobserveToApply":
    case "reobserveToRollBack": {
      const observation = await bounded("observe", limits.observeMs, clock, never, (signal) =>
        target.observe(work.target, signal),
      );
      return { kind: "observed", observation };
    }
  }
}

/** A call that is given up when it takes too long: a write that still lands afterwards is told by the marker and the revision. */
async function bounded<Result>(
  what: string,
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const limited = await withinLimit(limitMs, clock, signal, call);
  if (limited.kind === "ended") return limited.result;
  if (limited.kind === "stopped") throw new Error(`${what} was stopped`);
  throw new Error(`${what} was not done within ${limitMs / 1000} s`);
}

/** Writes facts down. Without a record no new target begins; on the way back the targets matter more than their record. */
function recorderOf(
  { run, onProgress }: RingRequest,
  { journal, clock }: RingPorts,
  interruption: Interruption,
): (fact: RingFact, isLast?: boolean) => Promise<void> {
  let failedInARow = 0;
  const never = new AbortController().signal;
  return async (fact, isLast = false) => {
    const line = describeProgress(fact);
    if (line !== undefined) onProgress?.(line);
    if (failedInARow >= journalPatience && !isLast) return;
    try {
      await bounded("append", journalLimitMs, clock, never, () => journal.append(run.id, fact));
      failedInARow = 0;
    } catch (thrown) {
      failedInARow++;
      const message = `The journal could not be written: ${messageOf(thrown)}`;
      onProgress?.(message);
      interruption.interrupt({ code: "journal-failed", message });
    }
  };
}

/** Lets no new target begin when the owner is gone, an abort is asked for, time is up or the journal fails. */
interface Interruption {
  /** Aborted by the first reason. */
  readonly signal: AbortSignal;
  reason(): RingReason | undefined;
  interrupt(reason: RingReason): void;
  stop(): void;
}

function watchForInterruptions(
  { run, ownerLost, abort }: RingRequest,
  clock: Clock,
  events: EventQueue<RingEvent>,
): Interruption {
  const { deadlineMs } = run.plan;
  const stopped = new AbortController();
  const interrupted = new AbortController();
  let first: RingReason | undefined;
  const interrupt = (reason: RingReason) => {
    if (first) return;
    first = reason;
    events.push({ kind: "interrupted", reason });
    interrupted.abort();
  };
  const onAbort = (signal: AbortSignal | undefined, reason: RingReason) => {
    if (signal?.aborted) interrupt(reason);
    signal?.addEventListener("abort", () => interrupt(reason), { once: true, signal: stopped.signal });
  };
  onAbort(ownerLost, { code: "owner-lost", message: "The process that asked for this release is gone." });
  onAbort(abort, { code: "abort-requested", message: "An abort was asked for." });
  void clock.sleep(deadlineMs, stopped.signal).then(() => {
    if (stopped.signal.aborted) return;
    interrupt({
      code: "deadline-passed",
      message: `The release took longer than its deadline of ${deadlineMs / 1000} s. Raise deadlineMs if it needs that long.`,
    });
  });
  return {
    signal: interrupted.signal,
    reason: () => first,
    interrupt,
    stop: () => stopped.abort(),
  };
}

function startOf({ run: { candidate, plan }, change }: RingRequest): RingFact {
  const rings = plan.rings.map(({ targets, ...ring }) => ({ ...ring, targets: targets.length }));
  return { kind: "ringsStarted", candidate, rings, deadlineMs: plan.deadlineMs, change };
}

function describeProgress(fact: RingFact): string | undefined {
  switch (fact.kind) {
    case "unfinishedRunFound":
      return `run ${fact.run} towards ${fact.candidate} stopped half-way on ${countOf(fact.targets)}`;
    case "ringStarted":
      return `${fact.ring}: ${countOf(fact.targets)}`;
    case "ringSoaking":
      return `${fact.ring}: left alone for ${fact.soakMs / 1000} s, then verified`;
    case "ringPassed":
      return `${fact.ring}: passed${fact.failed > 0 ? `, ${fact.failed} failed within the budget` : ""}`;
    case "targetFailed":
      return `${fact.ring}: ${fact.target} failed: ${fact.message}`;
    case "targetStuck":
      return `${fact.target} could not be put back: ${fact.message}`;
    case "ringsStopping":
      return `no other target begins: ${fact.reason.message}`;
    case "ringsGoingBack":
      return `rolling back ${countOf(fact.targets)}`;
    case "ringsStarted":
    case "targetUnreachable":
    case "targetsObserved":
    case "targetBegun":
    case "targetRetried":
    case "targetVerified":
    case "targetRolledBack":
    case "ringsCompleted":
    case "ringsStopped":
    case "ringsRolledBack":
    case "ringsRefused":
    case "ringsUnsettled":
      return undefined;
  }
}

function countOf(targets: number): string {
  return targets === 1 ? "1 target" : `${targets} targets`;
}

function isOutcome(state: RingState): state is RingOutcome {
  return ["completed", "stopped", "rolledBack", "refused", "unsettled"].includes(state.phase);
}
