import { z } from "zod";
import type { VersionId } from "../version.ts";

/**
 * The note that a run leaves on a target with its first write there. It stays when the run ends well: that a run has ended well is
 * for the caller's records to say, in one place, and not for thousands of targets. Rolling a target back removes it.
 */
export const targetMarkerSchema = z.strictObject({
  /** The run that wrote it. A writer that is late finds another one here, and is refused. */
  run: z.string(),
  candidate: z.string(),
  /** The version to go back to; `null`: there was none. An unfinished run that is gone on with keeps it. */
  origin: z.string().nullable(),
});
export type TargetMarker = z.infer<typeof targetMarkerSchema>;

/** What is found on a target. */
export interface TargetObservation {
  /** The version that is wholly there; `null`: none is, or one is half-way. */
  readonly version: VersionId | null;
  readonly marker: TargetMarker | null;
  /** Changes with every change of the version or the marker, whoever makes it, and never comes back; opaque to everyone else. */
  readonly revision: string;
}
