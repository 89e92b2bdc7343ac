import {
  beginCutover,
  messageOf,
  next,
  readOnlyTooLong,
  type Action,
  type CutoverEvent,
  type CutoverState,
  type JournalFact,
  type Marker,
  type Measurement,
  type Probe,
  type Reason,
  type Transaction,
} from "@bascule/core";
import {
  RouterConflict,
  type Clock,
  type Hooks,
  type Journal,
  type Ownership,
  type Prober,
  type Router,
  type Workload,
} from "./ports.ts";
import { runExperiment } from "./experiment.ts";
import { withinLimit } from "./time-limit.ts";
import { verify, watchInBackground } from "./verification.ts";

/** All that a cut-over needs from outside. */
export interface CutoverPorts {
  readonly router: Router;
  readonly prober: Prober;
  readonly workload: Workload;
  readonly hooks: Hooks;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly ownership: Ownership;
}

export interface CutoverRequest {
  readonly transaction: Transaction;
  readonly probes: readonly Probe[];
  /** What the journal says about the change, without secrets. */
  readonly change: Readonly<Record<string, string>>;
  /** Aborted when the process that asked for the cut-over is gone; the transaction then rolls back. */
  readonly ownerLost?: AbortSignal;
  /** A line for the user at each new step. */
  readonly onProgress?: (message: string) => void;
}

export type CutoverOutcome = Extract<
  CutoverState,
  { readonly phase: "committed" | "rolledBack" | "refused" | "unsettled" }
>;

/** The longest that one call may take, the adapter's own retries included. Going back gets far more patience than going on. */
const callLimitMs = { forward: 10_000, back: 300_000, journal: 10_000, scale: 300_000 };

/** Runs one cut-over from the first look at the router to its end. Never throws for what the world does: the outcome tells. */
export async function runCutover(request: CutoverRequest, ports: CutoverPorts): Promise<CutoverOutcome> {
  const { transaction, onProgress } = request;
  const interruption = watchForInterruptions(request, ports);
  const record = (fact: JournalFact) => appendOrInterrupt(fact, request, ports, interruption);
  const background = measureInBackground(request, ports, interruption, record);
  try {
    await record({
      kind: "cutoverStarted",
      candidate: transaction.candidate,
      plan: transaction.plan,
      change: request.change,
    });
    let state = beginCutover(transaction);
    let event: CutoverEvent = { kind: "started" };
    for (;;) {
      const transition = next(state, event, ports.clock.nowMs());
      state = transition.state;
      interruption.follow(state);
      for (const fact of transition.facts) {
        const progress = progressOf(fact);
        if (progress !== undefined) onProgress?.(progress);
        await record(fact);
      }
      background.follow(state);
      if (isOutcome(state)) return state;
      if (!transition.action)
        throw new Error(`The phase ${state.phase} has nothing left to do; this is a defect of the state machine.`);
      event = await perform(transition.action, request, ports, interruption, record);
    }
  } finally {
    interruption.stop();
    background.stop();
  }
}

/** What a user wants to know at once. */
function progressOf(fact: JournalFact): string | undefined {
  switch (fact.kind) {
    case "abandonedTransactionFound":
      return `settling what ${fact.owner} left behind`;
    case "planAdapted":
      return fact.note;
    case "stepStarted":
      return fact.description;
    case "rollbackStarted":
      return `rolling back: ${fact.reason.message}`;
    default:
      return undefined;
  }
}

/** The probes that go on during every step from the plan's starting step on; a bad verdict ends the step under way. */
function measureInBackground(
  request: CutoverRequest,
  ports: CutoverPorts,
  interruption: Interruption,
  record: (fact: JournalFact) => Promise<void>,
): { follow(state: CutoverState): void; stop(): void } {
  const stopped = new AbortController();
  let isRunning = false;
  return {
    follow: (state) => {
      if (isDecided(state)) stopped.abort();
      if (state.phase !== "stepping" || isRunning) return;
      const { plan, transaction } = state;
      if (plan.background === undefined || state.marker.step < plan.background.startingStep) return;
      isRunning = true;
      const versions = [...new Set([...Object.keys(state.marker.origin?.weights ?? {}), transaction.candidate])];
      void watchInBackground(
        {
          probes: request.probes,
          target: "service",
          // Who has how much changes with the steps; that it is one of these does not.
          expected: Object.fromEntries(versions.map((version) => [version, 100 / versions.length])),
          propagationLimitMs: plan.propagationLimitMs,
          names: plan.background.probes,
        },
        ports,
        (measurement) => record({ kind: "measured", measurement }),
        stopped.signal,
      ).then((message) => {
        if (message !== undefined) interruption.interrupt({ code: "verification-failed", message });
      });
    },
    stop: () => stopped.abort(),
  };
}

async function perform(
  action: Action,
  request: CutoverRequest,
  ports: CutoverPorts,
  interruption: Interruption,
  record: (fact: JournalFact) => Promise<void>,
): Promise<CutoverEvent> {
  const signal = interruption.signal;
  if (signal.aborted) return interruption.event();
  try {
    const event = await attempt(action, request, ports, signal, record);
    // What was written while the interruption came stays written; the rollback that follows puts it back.
    return signal.aborted ? interruption.event() : event;
  } catch (thrown) {
    if (signal.aborted) return interruption.event();
    if (thrown instanceof RouterConflict) return { kind: "conflicted", message: thrown.message };
    return { kind: "failed", message: messageOf(thrown) };
  }
}

async function attempt(
  action: Action,
  request: CutoverRequest,
  ports: CutoverPorts,
  signal: AbortSignal,
  record: (fact: JournalFact) => Promise<void>,
): Promise<CutoverEvent> {
  const { router, workload, hooks, clock, ownership } = ports;
  const { plan, leaseMs } = request.transaction;
  // Each write prolongs the lease; a marker from the beginning of a long run would end it.
  const leased = (marker: Marker): Marker => ({ ...marker, leaseUntilMs: clock.nowMs() + leaseMs });
  const measured = (measurement: Measurement) => record({ kind: "measured", measurement });
  const forward = <Result>(call: (signal: AbortSignal) => Promise<Result>) =>
    bounded(callLimitMs.forward, action.kind, clock, signal, call);
  const scaling = <Result>(call: (signal: AbortSignal) => Promise<Result>) =>
    bounded(plan.scaleLimitMs ?? callLimitMs.scale, action.kind, clock, signal, call);
  const back = <Result>(call: (signal: AbortSignal) => Promise<Result>) =>
    bounded(callLimitMs.back, action.kind, clock, signal, call);
  switch (action.kind) {
    case "observe": {
      const observation = await forward((either) => router.observe(either));
      const { marker } = observation;
      return { kind: "observed", observation, ownerGone: marker === null || ownership.isGone(marker, clock.nowMs()) };
    }
    case "claim":
      await forward((either) => router.claim(leased(action.marker), action.expects, either));
      return { kind: "done" };
    case "shift":
      // A router that splits by sizes has to scale for each shift.
      await (plan.scaleLimitMs === undefined ? forward : scaling)((either) =>
        router.shift(action.traffic, leased(action.marker), either),
      );
      return { kind: "done" };
    case "scale":
      // Sizes and hooks know nothing of fencing: a run that has lost the router learns so from the marker.
      await forward((either) => router.renew(leased(action.marker), either));
      await scaling((either) => workload.scale(action.version, action.size, either));
      return { kind: "done" };
    case "hook":
      await forward((either) => router.renew(leased(action.marker), either));
      await bounded(action.limitMs, `the hook ${action.name}`, clock, signal, (either) =>
        hooks.run(action.name, either),
      );
      return { kind: "done" };
    case "restore":
      await back((either) => router.restore(action.origin, leased(action.marker), either));
      return { kind: "done" };
    case "release":
      await back((either) => router.release(action.marker, action.memory, either));
      return { kind: "done" };
    case "disconnect":
      await forward((either) => workload.disconnect(action.version, either));
      return { kind: "done" };
    case "verify": {
      const result = await verify(
        {
          probes: request.probes,
          target: action.target,
          expected: action.expected,
          propagationLimitMs: plan.propagationLimitMs,
          holdMs: action.holdMs,
          nobodyServedBefore: action.nobodyServedBefore,
          isReshaped: request.transaction.isReshaped,
          names: action.probes,
          mirrored: action.mirrored,
          inStep: action.inStep,
        },
        ports,
        measured,
        signal,
      );
      return { kind: "verified", passed: result.verdict === "pass", message: result.message };
    }
    case "experiment": {
      const { stable, durationMs, probes: names } = action;
      const sides = { candidate: request.transaction.candidate, stable };
      const result = await runExperiment({ probes: request.probes, names, sides, durationMs }, ports, measured, signal);
      return { kind: "verified", passed: result.verdict === "pass", message: result.message };
    }
  }
}

/** A call that is given up when it takes too long: a write that still lands afterwards is told by its fencing number. */
async function bounded<Result>(
  limitMs: number,
  what: string,
  clock: Clock,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const limited = await withinLimit(limitMs, clock, signal, call);
  if (limited.kind === "ended") return limited.result;
  throw new Error(
    limited.kind === "stopped" ? `${what} was stopped` : `${what} was not done within ${limitMs / 1000} s`,
  );
}

/**
 * A step that cannot be recorded is not taken. On the way back the service matters more than its record: going back goes on, and
 * the user is told.
 */
async function appendOrInterrupt(
  fact: JournalFact,
  request: CutoverRequest,
  { journal, clock }: CutoverPorts,
  interruption: Interruption,
): Promise<void> {
  try {
    const never = new AbortController().signal;
    await bounded(callLimitMs.journal, "the entry", clock, never, () => journal.append(request.transaction.id, fact));
  } catch (thrown) {
    const message = `The journal could not be written: ${messageOf(thrown)}`;
    request.onProgress?.(message);
    interruption.interrupt({ code: "journal-failed", message });
  }
}

/**
 * Ends the step under way when the owner is gone, an abort is asked for, time is up, nobody could write for too long or the journal
 * fails. Once the way back has begun, or the candidate is accepted, nothing stops what remains.
 */
interface Interruption {
  readonly signal: AbortSignal;
  interrupt(reason: Reason): void;
  follow(state: CutoverState): void;
  event(): CutoverEvent;
  stop(): void;
}

function watchForInterruptions(request: CutoverRequest, { router, clock }: CutoverPorts): Interruption {
  const { transaction, ownerLost } = request;
  const stopped = new AbortController();
  let current = new AbortController();
  let reason: Reason | undefined;
  let latest: CutoverState = beginCutover(transaction);
  let decided = false;
  let readOnlyMoment: { readonly sinceMs: number; readonly over: AbortController } | undefined;

  const interrupt = (found: Reason) => {
    if (decided || reason) return;
    reason = found;
    current.abort();
  };
  const onOwnerLost = () =>
    interrupt({
      code: "owner-lost",
      message: "The pulumi process that asked for this cut-over is gone, so traffic goes back at once.",
    });

  if (ownerLost?.aborted) onOwnerLost();
  ownerLost?.addEventListener("abort", onOwnerLost, { once: true });
  void watchDeadline();
  void keepLease();

  return {
    interrupt,
    get signal() {
      return current.signal;
    },
    follow: (state) => {
      latest = state;
      watchReadOnlyMoment(state);
      if (decided || !isDecided(state)) return;
      decided = true;
      current = new AbortController();
    },
    event: () => ({
      kind: "interrupted",
      reason: reason ?? { code: "owner-lost", message: "The step was interrupted." },
    }),
    stop: () => {
      stopped.abort();
      readOnlyMoment?.over.abort();
      ownerLost?.removeEventListener("abort", onOwnerLost);
    },
  };

  async function watchDeadline(): Promise<void> {
    await clock.sleep(transaction.plan.deadlineMs, stopped.signal);
    if (stopped.signal.aborted) return;
    interrupt({
      code: "deadline-passed",
      message: `The cut-over took longer than its deadline of ${transaction.plan.deadlineMs / 1000} s. Raise deadlineMs if it needs that long.`,
    });
  }

  function watchReadOnlyMoment(state: CutoverState): void {
    const sinceMs = state.phase === "stepping" ? state.marker.readOnly?.sinceMs : undefined;
    if (sinceMs === readOnlyMoment?.sinceMs) return;
    readOnlyMoment?.over.abort();
    readOnlyMoment = undefined;
    const limitMs = state.phase === "stepping" ? state.plan.readOnlyLimitMs : undefined;
    if (sinceMs === undefined || limitMs === undefined) return;
    const over = new AbortController();
    readOnlyMoment = { sinceMs, over };
    void clock.sleep(sinceMs + limitMs + 1 - clock.nowMs(), over.signal).then(() => {
      if (!over.signal.aborted) interrupt(readOnlyTooLong(clock.nowMs() - sinceMs, limitMs));
    });
  }

  async function keepLease(): Promise<void> {
    for (;;) {
      await clock.sleep(transaction.leaseMs / 4, stopped.signal);
      if (stopped.signal.aborted) return;
      if (!("marker" in latest) || latest.phase === "claiming") continue;
      const lease = { ...latest.marker, leaseUntilMs: clock.nowMs() + transaction.leaseMs };
      try {
        const { abortRequested } = await bounded(transaction.leaseMs / 4, "renew", clock, stopped.signal, (signal) =>
          router.renew(lease, signal),
        );
        if (abortRequested)
          interrupt({ code: "abort-requested", message: "An abort was asked for on the router object." });
      } catch {
        // A renewal that fails is tried again in a moment; a step that needs the router reports its own failure.
      }
    }
  }
}

function isDecided(state: CutoverState): boolean {
  return ["committing", "restoring", "undoing", "verifyingStable", "disconnecting", "releasing"].includes(state.phase);
}

function isOutcome(state: CutoverState): state is CutoverOutcome {
  return ["committed", "rolledBack", "refused", "unsettled"].includes(state.phase);
}
