import {
  beginCutover,
  messageOf,
  next,
  type Action,
  type CutoverEvent,
  type CutoverState,
  type Measurement,
  type Probe,
  type Reason,
  type Transaction,
} from "@bascule/core";
import { RouterConflict, type Clock, type Journal, type Ownership, type Prober, type Router, type Workload } from "./ports.ts";
import { verify } from "./verification.ts";

/** All that a cut-over needs from outside. */
export interface CutoverPorts {
  readonly router: Router;
  readonly prober: Prober;
  readonly workload: Workload;
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

export type CutoverOutcome = Extract<CutoverState, { readonly phase: "committed" | "rolledBack" | "refused" | "unsettled" }>;

/** The longest that one write to the router may take, retries included. Going back gets far more patience than going on. */
const writeLimitMs = { forward: 10_000, back: 300_000 };

/** Runs one cut-over from the first look at the router to its end. Never throws for what the world does: the outcome tells. */
export async function runCutover(request: CutoverRequest, ports: CutoverPorts): Promise<CutoverOutcome> {
  const { transaction, onProgress } = request;
  const interruption = watchForInterruptions(request, ports);
  try {
    await ports.journal.append(transaction.id, {
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
        if (fact.kind === "stepStarted") onProgress?.(fact.description);
        if (fact.kind === "rollbackStarted") onProgress?.(`rolling back: ${fact.reason.message}`);
        await ports.journal.append(transaction.id, fact);
      }
      if (isOutcome(state)) return state;
      if (!transition.action) throw new Error(`The phase ${state.phase} has nothing left to do; this is a defect of the state machine.`);
      event = await perform(transition.action, request, ports, interruption);
    }
  } finally {
    interruption.stop();
  }
}

async function perform(action: Action, request: CutoverRequest, ports: CutoverPorts, interruption: Interruption): Promise<CutoverEvent> {
  const signal = interruption.signal;
  try {
    const event = await attempt(action, request, ports, signal);
    // What was written while the interruption came stays written; the rollback that follows puts it back.
    return signal.aborted && action.kind !== "release" ? interruption.event() : event;
  } catch (thrown) {
    if (signal.aborted) return interruption.event();
    if (thrown instanceof RouterConflict) return { kind: "conflicted", message: thrown.message };
    return { kind: "failed", message: messageOf(thrown) };
  }
}

async function attempt(action: Action, request: CutoverRequest, ports: CutoverPorts, signal: AbortSignal): Promise<CutoverEvent> {
  const { router, workload, clock, ownership } = ports;
  const forward = () => AbortSignal.any([signal, AbortSignal.timeout(writeLimitMs.forward)]);
  const back = () => AbortSignal.any([signal, AbortSignal.timeout(writeLimitMs.back)]);
  switch (action.kind) {
    case "observe": {
      const observation = await router.observe(forward());
      const { marker } = observation;
      return { kind: "observed", observation, ownerGone: marker === null || ownership.isGone(marker, clock.nowMs()) };
    }
    case "claim":
      await router.claim(action.marker, action.expects, forward());
      return { kind: "done" };
    case "shift":
      await router.shift(action.weights, action.marker, forward());
      return { kind: "done" };
    case "restore":
      await router.restore(action.origin, action.marker, back());
      return { kind: "done" };
    case "release":
      await router.release(action.marker, back());
      return { kind: "done" };
    case "disconnect":
      await workload.disconnect(action.version, forward());
      return { kind: "done" };
    case "verify": {
      const result = await verify(
        {
          probes: request.probes,
          target: action.target,
          expected: action.expected,
          propagationLimitMs: request.transaction.plan.propagationLimitMs,
          holdMs: action.holdMs,
        },
        ports,
        (measurement) => journalMeasurement(request, ports, measurement),
        signal,
      );
      return { kind: "verified", passed: result.verdict === "pass", message: result.message };
    }
  }
}

async function journalMeasurement(request: CutoverRequest, ports: CutoverPorts, measurement: Measurement): Promise<void> {
  await ports.journal.append(request.transaction.id, { kind: "measured", measurement });
}

/** Ends the step under way when the owner is gone, an abort is asked for or time is up. Once the way back has begun nothing stops it. */
interface Interruption {
  readonly signal: AbortSignal;
  follow(state: CutoverState): void;
  event(): CutoverEvent;
  stop(): void;
}

function watchForInterruptions(request: CutoverRequest, { router, clock }: CutoverPorts): Interruption {
  const { transaction, ownerLost } = request;
  const stopped = new AbortController();
  const startedAtMs = clock.nowMs();
  let current = new AbortController();
  let reason: Reason | undefined;
  let latest: CutoverState = beginCutover(transaction);
  let goingBack = false;

  const interrupt = (found: Reason) => {
    if (goingBack || reason) return;
    reason = found;
    current.abort();
  };
  const onOwnerLost = () =>
    interrupt({ code: "owner-lost", message: "The pulumi process that asked for this cut-over is gone, so traffic goes back at once." });

  if (ownerLost?.aborted) onOwnerLost();
  ownerLost?.addEventListener("abort", onOwnerLost, { once: true });
  void keepLease();

  return {
    get signal() {
      return current.signal;
    },
    follow: (state) => {
      latest = state;
      if (goingBack || !isGoingBack(state)) return;
      goingBack = true;
      current = new AbortController();
    },
    event: () => ({ kind: "interrupted", reason: reason ?? { code: "owner-lost", message: "The step was interrupted." } }),
    stop: () => {
      stopped.abort();
      ownerLost?.removeEventListener("abort", onOwnerLost);
    },
  };

  async function keepLease(): Promise<void> {
    for (;;) {
      await clock.sleep(transaction.leaseMs / 4, stopped.signal);
      if (stopped.signal.aborted) return;
      if (clock.nowMs() - startedAtMs > transaction.plan.deadlineMs) {
        interrupt({
          code: "deadline-passed",
          message: `The cut-over took longer than its deadline of ${transaction.plan.deadlineMs / 1000} s. Raise deadlineMs if it needs that long.`,
        });
      }
      if (!("marker" in latest) || latest.phase === "claiming") continue;
      const lease = { ...latest.marker, leaseUntilMs: clock.nowMs() + transaction.leaseMs };
      try {
        const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(transaction.leaseMs / 4)]);
        const { abortRequested } = await router.renew(lease, signal);
        if (abortRequested) interrupt({ code: "abort-requested", message: "An abort was asked for on the router object." });
      } catch {
        // A renewal that fails is tried again in a moment; a step that needs the router reports its own failure.
      }
    }
  }
}

function isGoingBack(state: CutoverState): boolean {
  return ["restoring", "verifyingStable", "disconnecting", "releasing"].includes(state.phase);
}

function isOutcome(state: CutoverState): state is CutoverOutcome {
  return ["committed", "rolledBack", "refused", "unsettled"].includes(state.phase);
}
