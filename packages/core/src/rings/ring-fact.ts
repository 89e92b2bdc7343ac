import type { VersionId } from "../version.ts";
import type { RingReason } from "./ring-reason.ts";

/** What a journal tells about one release by rings, one kind of fact a line. Durations in milliseconds. */
export type RingFact =
  | {
      readonly kind: "ringsStarted";
      readonly candidate: VersionId;
      readonly rings: readonly {
        readonly name: string;
        readonly targets: number;
        readonly isPilot: boolean;
        readonly concurrency: number;
        readonly failureBudget: number;
        readonly soakMs: number;
        readonly onFailure: string;
      }[];
      readonly deadlineMs: number;
      readonly change: Readonly<Record<string, string>>;
    }
  | { readonly kind: "targetUnreachable"; readonly target: string; readonly ring: string; readonly message: string }
  | {
      readonly kind: "targetsObserved";
      readonly targets: number;
      readonly onCandidate: number;
      readonly unreachable: number;
    }
  /** Another run stopped half-way; so many targets still carry its marker. */
  | {
      readonly kind: "unfinishedRunFound";
      readonly run: string;
      readonly candidate: VersionId;
      readonly targets: number;
    }
  | { readonly kind: "ringStarted"; readonly ring: string; readonly targets: number }
  | {
      readonly kind: "targetBegun";
      readonly target: string;
      readonly ring: string;
      /** What it goes back to if it fails. */
      readonly origin: VersionId | null;
    }
  | { readonly kind: "targetRetried"; readonly target: string; readonly attempt: number; readonly message: string }
  | { readonly kind: "targetVerified"; readonly target: string; readonly message: string }
  | { readonly kind: "targetFailed"; readonly target: string; readonly ring: string; readonly message: string }
  | {
      readonly kind: "targetRolledBack";
      readonly target: string;
      readonly version: VersionId | null;
      /** Whether it was seen to work again. */
      readonly isVerified: boolean;
      readonly message: string;
    }
  | { readonly kind: "targetStuck"; readonly target: string; readonly message: string }
  | { readonly kind: "ringSoaking"; readonly ring: string; readonly soakMs: number }
  | { readonly kind: "ringPassed"; readonly ring: string; readonly failed: number }
  | { readonly kind: "ringsStopping"; readonly ring: string; readonly reason: RingReason }
  | {
      readonly kind: "ringsGoingBack";
      readonly reason: RingReason;
      readonly scope: "rollBackRing" | "rollBackAll";
      readonly targets: number;
    }
  | { readonly kind: "ringsCompleted"; readonly failed: number; readonly stuck: readonly string[] }
  | { readonly kind: "ringsStopped"; readonly reason: RingReason; readonly stuck: readonly string[] }
  | { readonly kind: "ringsRolledBack"; readonly reason: RingReason }
  | { readonly kind: "ringsRefused"; readonly reason: RingReason }
  | { readonly kind: "ringsUnsettled"; readonly reason: RingReason; readonly stuck: readonly string[] };
