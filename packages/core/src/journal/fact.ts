import type { Measurement } from "../analysis/measurement.ts";
import type { Marker } from "../cutover/marker.ts";
import type { Reason } from "../cutover/state.ts";
import type { Plan } from "../plan/plan.ts";
import type { Traffic } from "../plan/traffic.ts";
import type { RingFact } from "../rings/ring-fact.ts";
import type { Weights } from "../weights.ts";

/** What a journal tells about one cut-over, one kind of fact a line. Durations in milliseconds. */
export type JournalFact =
  | RingFact
  | {
      readonly kind: "cutoverStarted";
      readonly candidate: string;
      readonly plan: Plan;
      readonly change: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "routerObserved";
      readonly exists: boolean;
      readonly weights: Weights;
      readonly marker: Marker | null;
    }
  | { readonly kind: "abandonedTransactionFound"; readonly transaction: string; readonly owner: string }
  | { readonly kind: "abandonedTransactionSettled"; readonly transaction: string; readonly weights: Weights | null }
  | { readonly kind: "routerClaimed"; readonly fencing: number; readonly originWeights: Weights | null }
  | { readonly kind: "stepStarted"; readonly step: number; readonly description: string }
  | { readonly kind: "stepPassed"; readonly step: number; readonly message: string }
  | ({ readonly kind: "trafficShifted" } & Traffic)
  /** Why the plan is not taken as it was written, and what is taken instead; the steps that follow are counted in this one. */
  | { readonly kind: "planAdapted"; readonly plan: Plan; readonly firstStep: number; readonly note: string }
  /** An earlier update ended at a pause, which is not gone on from. */
  | { readonly kind: "pauseGivenUp"; readonly pause: string; readonly candidate: string; readonly weights: Weights }
  | { readonly kind: "hookRan"; readonly hook: string; readonly message: string }
  /** How long nobody could write, in milliseconds. */
  | { readonly kind: "readOnlyMoment"; readonly durationMs: number }
  | { readonly kind: "measured"; readonly measurement: Measurement }
  | { readonly kind: "rollbackStarted"; readonly reason: Reason }
  | { readonly kind: "trafficRestored"; readonly weights: Weights | null }
  | { readonly kind: "stableVerified"; readonly passed: boolean; readonly message: string }
  | { readonly kind: "connectionsEnded"; readonly version: string; readonly message: string }
  | { readonly kind: "committed"; readonly weights: Weights; readonly restingAt?: string }
  | { readonly kind: "rolledBack"; readonly reason: Reason; readonly weights: Weights | null }
  | { readonly kind: "refused"; readonly reason: Reason }
  | { readonly kind: "rollbackFailed"; readonly reason: Reason; readonly cause: string }
  | {
      readonly kind: "snapshotTaken";
      readonly snapshot: string;
      readonly location: string;
      readonly sizeBytes: number;
      readonly sha256: string;
    }
  | { readonly kind: "snapshotFailed"; readonly message: string };
