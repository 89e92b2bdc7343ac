import type { TargetMarker, TargetObservation, VersionId } from "@bascule/core";

/**
 * What changes targets: one adapter for all hosts, or all switches. Each call does one thing once, bounded by its signal; the engine
 * repeats. A call that failed, or was given up, may still have written: so every write says what it believes the target to be, and
 * is refused with an error where that is no longer so.
 */
export interface RingTarget {
  /** How the target is now. Changes nothing. */
  observe(target: string, signal: AbortSignal): Promise<TargetObservation>;
  /**
   * Puts the marker on the target and then its candidate, or finishes what was begun; comes back when the candidate runs. Until then
   * an observation names no version. The marker is there from the first write on.
   *
   * @throws Error also when the target's revision is not the expected one: then nothing was written
   */
  apply(target: string, marker: TargetMarker, expects: TargetObservation, signal: AbortSignal): Promise<void>;
  /**
   * Puts the marker's origin back (`null`: removes the candidate) and, at the very end, removes the marker. Changes the revision also
   * where there is nothing to put back, so that an earlier write that is still on its way is refused. Depends on nothing but the
   * target: never on the health of the candidate.
   *
   * @throws Error also when the target carries neither a marker of the same run nor the expected revision: then nothing was written
   */
  rollBack(target: string, marker: TargetMarker, expects: TargetObservation, signal: AbortSignal): Promise<void>;
  /**
   * Whether this version runs on the target and does its work. Changes nothing.
   *
   * @throws Error when it could not be found out
   */
  verify(target: string, version: VersionId, signal: AbortSignal): Promise<TargetVerification>;
}

export interface TargetVerification {
  readonly passed: boolean;
  /** In the user's terms: what was measured. Without secrets. */
  readonly message: string;
}
