import type { VersionId } from "../version.ts";
import { shiftTowards, type Weights } from "../weights.ts";
import type { Affinity, Plan } from "./plan.ts";
import type { RequestMatch } from "./step.ts";

/** Where requests go: by weight, by what they carry, and as copies. */
export interface Traffic {
  readonly weights: Weights;
  /** Requests that go to the candidate whatever the weights are. */
  readonly matches?: readonly RequestMatch[];
  /** The share of requests, in per cent, of which the candidate gets a copy that nobody sees the answer of. */
  readonly mirrorPercent?: number;
  /** Users stay with the version that they met. */
  readonly affinity?: Affinity;
}

/** The traffic once the plan's steps up to and with this one are done. Whoever has everything needs no rules. */
export function trafficAfter(plan: Plan, origin: Weights, candidate: VersionId, index: number): Traffic {
  const done = plan.steps.slice(0, index + 1);
  const shift = done.findLast((step) => step.kind === "shift");
  const weights = shift ? shiftTowards(origin, candidate, shift.weightPercent) : origin;
  if (weights[candidate] === 100) return { weights };
  const matches = done.findLast((step) => step.kind === "route")?.matches ?? [];
  const mirrorPercent = done.findLast((step) => step.kind === "mirror")?.percent ?? 0;
  return {
    weights,
    ...(matches.length > 0 ? { matches } : {}),
    ...(mirrorPercent > 0 ? { mirrorPercent } : {}),
    ...(plan.affinity && Object.keys(weights).length > 1 ? { affinity: plan.affinity } : {}),
  };
}

/** Whether the candidate's data is kept in step once the steps up to and with this one are done. */
export function isKeptInStep({ steps }: Plan, index: number): boolean {
  const done = steps.slice(0, index + 1);
  const promoted = done.findLastIndex((step) => step.kind === "shift" && step.weightPercent === 100);
  return done.findLastIndex((step) => step.kind === "hook" && step.keepsInStep === true) > promoted;
}

/** Whether a step changes where requests go. */
export function movesTraffic(kind: Plan["steps"][number]["kind"]): boolean {
  return kind === "shift" || kind === "route" || kind === "mirror";
}
