import type { Plan } from "../plan/plan.ts";
import type { Rest } from "../plan/rest.ts";
import type { CandidateSize } from "../plan/step.ts";
import type { Traffic } from "../plan/traffic.ts";
import type { VersionId } from "../version.ts";
import type { Weights } from "../weights.ts";
import type { Marker, Origin, Owner } from "./marker.ts";

/** What the transaction is about; fixed from its start. */
export interface Transaction {
  readonly id: string;
  readonly candidate: VersionId;
  /** The version that the program declares beside the candidate. */
  readonly stable?: VersionId;
  /** The plan as it was declared; what becomes of it depends on where the world is. */
  readonly plan: Plan;
  /** Set when the router's declared shape changes as well, such as a host name: until that reaches clients, they may find nobody. */
  readonly isReshaped?: boolean;
  readonly owner: Owner;
  readonly leaseMs: number;
}

/** Why a transaction did not commit. */
export interface Reason {
  readonly code:
    | "verification-failed"
    | "router-failed"
    | "scale-failed"
    | "hook-failed"
    | "owner-lost"
    | "abort-requested"
    | "deadline-passed"
    | "window-closed"
    | "concurrent-run"
    | "taken-over"
    | "stable-not-declared"
    | "budget-exceeded"
    | "read-only-too-long"
    | "journal-failed";
  readonly message: string;
}

/**
 * Where a transaction stands, and what a crash there means for the next run:
 *
 * | phase | a crash here means |
 * |---|---|
 * | `observing` | nothing was touched |
 * | `claiming` | at most the marker was written; traffic is as it was |
 * | `claiming` what an earlier run abandoned | as `settling` |
 * | `settling` | the marker names the origin; traffic may be anywhere between; the next run restores the origin |
 * | `stepping` | as `settling`; the marker names the hooks that have to be taken back |
 * | `committing` | as `settling`, or the marker is gone and the candidate serves, or rests at its pause, verified |
 * | `restoring`, `undoing`, `verifyingStable`, `disconnecting` | as `settling`; the marker names the hooks that are left to be taken back |
 * | `releasing` | the origin serves; a marker may be left, which the next run removes |
 * | `committed`, `rolledBack`, `refused`, `unsettled` | the transaction is over |
 */
export type CutoverState =
  | { readonly phase: "observing"; readonly transaction: Transaction }
  | (Claimed & {
      readonly phase: "claiming";
      /** The index of the first step to take. */
      readonly firstStep: number;
      /** Why the plan is not taken as it was written. */
      readonly note?: string;
      readonly settles?: Settled;
      readonly found: Found;
    })
  | (Claimed & {
      readonly phase: "settling";
      readonly firstStep: number;
      readonly settles: Settled;
      readonly stage: "restore" | "disconnect" | "undo" | "verify";
    })
  | (Claimed & { readonly phase: "stepping" })
  /** `doubt`: the marker's removal failed, which does not tell whether it was written; the router is looked at once more. */
  | (Claimed & { readonly phase: "committing"; readonly memory: RouterMemory; readonly doubt?: Doubt })
  | (Claimed & { readonly phase: "restoring"; readonly reason: Reason })
  /** Traffic is back; the hooks that were run are taken back in reverse order, once nobody is connected to the candidate. */
  | (Claimed & { readonly phase: "undoing"; readonly reason: Reason; readonly stage: "disconnect" | "hooks" })
  | (Claimed & { readonly phase: "verifyingStable"; readonly reason: Reason; readonly isDisconnected: boolean })
  | (Claimed & { readonly phase: "disconnecting"; readonly reason: Reason; readonly stableVerified: boolean })
  /** `doubt`: as in `committing`. */
  | (Claimed & {
      readonly phase: "releasing";
      readonly reason: Reason;
      readonly stableVerified: boolean;
      readonly left: Found;
      readonly doubt?: Doubt;
    })
  | {
      readonly phase: "committed";
      readonly transaction: Transaction;
      readonly weights: Weights;
      /** With a `rest`, both versions stay until a later commit approves its pause. */
      readonly memory: RouterMemory;
    }
  | {
      readonly phase: "rolledBack";
      readonly transaction: Transaction;
      readonly reason: Reason;
      /** `null`: there was no router object before, and there is none now. */
      readonly weights: Weights | null;
      /** The pause at which traffic still rests, because nothing was moved yet. */
      readonly restingAt?: string;
      readonly stableVerified: boolean;
    }
  | { readonly phase: "refused"; readonly transaction: Transaction; readonly reason: Reason }
  /** The rollback itself failed: the marker stays, and the next run goes on from it. */
  | { readonly phase: "unsettled"; readonly transaction: Transaction; readonly reason: Reason; readonly cause: string };

/** How traffic is without any doing of this transaction. */
export interface Found {
  /** `null`: there is no router object. */
  readonly weights: Weights | null;
  readonly restingAt?: string;
}

/** What others left, which is put right before the plan begins. */
export type Settled = (
  | { readonly kind: "abandoned"; readonly transaction: string }
  | { readonly kind: "pause"; readonly pause: string; readonly candidate: VersionId }
) & {
  /** Whose connections have to be ended before hooks are taken back. */
  readonly connected: readonly VersionId[];
};

/** What the router object keeps between two transactions. */
export interface RouterMemory {
  /** The versions that were promoted, the newest first. */
  readonly history: readonly VersionId[];
  /** Set while traffic rests at a pause. */
  readonly rest?: Rest;
}

/** A write that failed, or was refused because the marker is not ours (any more). */
export interface Doubt {
  readonly reason: Reason;
  readonly isConflict: boolean;
}

/** What is known once the router is ours. */
export interface Claimed {
  readonly transaction: Transaction;
  /** The plan as it is taken from where the world was found. */
  readonly plan: Plan;
  readonly marker: Marker;
  /** The versions that were promoted so far, the newest first. */
  readonly history: readonly VersionId[];
}

/** What a claim believes the router object to be. */
export interface Expected {
  readonly marker: Marker | null;
  /** `null`: there is no object. */
  readonly weights: Weights | null;
  /** Where traffic rests at a pause; another run may have gone on from there and left the weights as they were. */
  readonly rest?: Rest;
}

/** What the router object says. */
export interface RouterObservation {
  readonly exists: boolean;
  readonly weights: Weights;
  readonly marker: Marker | null;
  /** `false` when it is known that nobody answers for these weights, for example because no such version runs. */
  readonly served?: boolean;
  /** What the last transaction left on the object. Default: nothing is known. */
  readonly memory?: RouterMemory;
  /** The adapter's notes on the object's present shape; see {@link Origin.shape}. */
  readonly shape: string;
}

/** One thing that the interpreter does. It answers with one {@link CutoverEvent}. */
export type Action =
  | { readonly kind: "observe" }
  /** Write the marker if the object is still as expected. */
  | { readonly kind: "claim"; readonly marker: Marker; readonly expects: Expected }
  | { readonly kind: "shift"; readonly marker: Marker; readonly traffic: Traffic }
  /** Keep the marker up to date, then give the version this size. */
  | { readonly kind: "scale"; readonly marker: Marker; readonly version: VersionId; readonly size: CandidateSize }
  /** Keep the marker up to date, then run the hook. */
  | { readonly kind: "hook"; readonly marker: Marker; readonly name: string; readonly limitMs: number }
  /** Measure both versions side by side and compare them. */
  | {
      readonly kind: "experiment";
      readonly stable: VersionId;
      readonly durationMs: number;
      readonly probes?: readonly string[];
    }
  | {
      readonly kind: "verify";
      readonly target: "candidate" | "service" | "stable";
      /** Who should answer. */
      readonly expected: Weights;
      /** Set when no version had traffic before, so that nothing answers until the shift has reached clients. */
      readonly nobodyServedBefore?: boolean;
      /** Set while soaking and holding: keep measuring for so long. */
      readonly holdMs?: number;
      /** The names of the probes. Default: all that ask this target. */
      readonly probes?: readonly string[];
      /** Set while the candidate gets copies of requests, so that answers can be compared. */
      readonly mirrored?: boolean;
      /** Set while the candidate's data is kept in step, so that its lag can be measured. */
      readonly inStep?: boolean;
    }
  | { readonly kind: "restore"; readonly marker: Marker; readonly origin: Origin | null }
  /** End the connections that clients still hold to a version that has no traffic any more. */
  | { readonly kind: "disconnect"; readonly version: VersionId }
  /** Remove the marker; a memory replaces the one on the object. */
  | { readonly kind: "release"; readonly marker: Marker; readonly memory?: RouterMemory };

/** What happened. */
export type CutoverEvent =
  | { readonly kind: "started" }
  /** `ownerGone`: whether the owner that the marker names is known to be gone. */
  | { readonly kind: "observed"; readonly observation: RouterObservation; readonly ownerGone: boolean }
  | { readonly kind: "done" }
  | { readonly kind: "verified"; readonly passed: boolean; readonly message: string }
  /** The action failed for good, after its own retries. */
  | { readonly kind: "failed"; readonly message: string }
  /** The marker on the object is not ours (any more). */
  | { readonly kind: "conflicted"; readonly message: string }
  /** Something from outside ends the step under way. */
  | { readonly kind: "interrupted"; readonly reason: Reason };
