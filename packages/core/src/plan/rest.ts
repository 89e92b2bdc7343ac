import { createHash } from "node:crypto";
import { z } from "zod";
import { canonicalJson } from "../canonical-json.ts";
import type { VersionId } from "../version.ts";
import { allTo, sameWeights, type Weights } from "../weights.ts";
import { openPauseIndex } from "./pauses.ts";
import type { Plan } from "./plan.ts";
import { trafficAfter } from "./traffic.ts";

/**
 * An update that ended at a pause, as the router object keeps it: what a later update goes on from, or gives up. Nothing else
 * knows which hooks were run on the way.
 */
export const restSchema = z.strictObject({
  candidate: z.string(),
  /** The name of the pause. */
  pause: z.string(),
  /** Where a rollback goes: who had the traffic before the candidate came, in per cent. */
  origin: z.record(z.string(), z.number().min(0).max(100)),
  /** A digest of the steps that were taken; another plan is not gone on with. */
  taken: z.string(),
  /** The hooks that take back what was done, in the order in which they have to run. */
  undo: z.array(z.string()),
});
export type Rest = z.infer<typeof restSchema>;

/** The digest of what a plan does before a step; whether a pause was approved makes no difference. */
export function digestBefore({ steps, affinity }: Plan, index: number): string {
  const taken = steps.slice(0, index).map((step) => (step.kind === "pause" ? { ...step, isApproved: false } : step));
  return createHash("sha256")
    .update(canonicalJson({ steps: taken, affinity: affinity ?? null }))
    .digest("hex")
    .slice(0, 16);
}

/** The index of the pause at which this candidate rests, unless what leads there was changed. */
export function restingStep(plan: Plan, candidate: VersionId, rest: Rest): number | undefined {
  const index = plan.steps.findIndex((step) => step.kind === "pause" && step.name === rest.pause);
  const isSame = rest.candidate === candidate && index >= 0 && digestBefore(plan, index) === rest.taken;
  return isSame ? index : undefined;
}

/** The versions that a program declares. */
export interface DeclaredVersions {
  /** The version that is to have the traffic. */
  readonly candidate: VersionId;
  /** The version that is declared beside it. */
  readonly stable?: VersionId | undefined;
}

/** Whether a plan has nothing left to do where an earlier update left the traffic. */
export function isDone(plan: Plan, declared: DeclaredVersions, weights: Weights, rest: Rest | undefined): boolean {
  const { candidate, stable } = declared;
  if (rest === undefined) return sameWeights(weights, allTo(candidate));
  const end = restingStep(plan, candidate, rest);
  if (end === undefined || end !== openPauseIndex(plan.steps)) return false;
  const isDeclared = Object.keys(rest.origin).every((version) => version === candidate || version === stable);
  return isDeclared && sameWeights(weights, trafficAfter(plan, rest.origin, candidate, end).weights);
}
