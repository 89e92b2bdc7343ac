import type { VersionId } from "../version.ts";

/**
 * The outcome of one sample.
 * - `pass`, `fail`: the target answered rightly or wrongly (no answer at all is a `fail`).
 * - `inconclusive`: measured, but it proves neither.
 * - `error`: it could not be measured for a reason that is not the target's.
 */
export type Verdict = "pass" | "fail" | "inconclusive" | "error";

/** One sample of one probe. */
export interface Measurement {
  readonly probe: string;
  readonly verdict: Verdict;
  /** Milliseconds since 1970, from the clock of the machine that measured. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** What was found, in one sentence, without secrets. */
  readonly message: string;
  /** The version that gave the answer, where the answer tells. */
  readonly answeredBy?: VersionId;
  /** The address that was asked, for example `http://10.96.0.7:80/health`. */
  readonly address?: string;
}
