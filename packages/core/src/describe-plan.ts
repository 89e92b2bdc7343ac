import type { Plan, Step } from "./plan.ts";
import type { VersionId } from "./version.ts";
import { describeWeights, type Weights } from "./weights.ts";
import { describeWindow } from "./window.ts";

/** One step in plain words, such as `move 100 % of traffic to the candidate`. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case "shift":
      return `move ${step.weightPercent} % of traffic to the candidate`;
    case "verify":
      return step.target === "candidate"
        ? "verify the candidate, which has no traffic yet"
        : "verify the service as its clients see it";
    case "hold":
      return `hold for ${seconds(step.durationMs)} with the old version still there, and go on verifying`;
  }
}

/**
 * The plan in plain words, for the preview that a reviewer reads.
 *
 * @param from who has the traffic now; `null` when the service does not exist yet
 */
export function describePlan(
  plan: Plan,
  release: string,
  candidate: VersionId,
  from: Weights | null,
  probes: readonly string[],
): string {
  const origin = from === null ? "a new service" : describeWeights(from);
  const back = from === null ? "the service is removed again" : `traffic goes back to ${describeWeights(from)}`;
  return [
    `Cut-over of ${release} (${plan.strategy === "blueGreen" ? "blue/green" : "direct"}): ${origin} → ${candidate}`,
    ...(plan.window ? [`  allowed ${describeWindow(plan.window)}`] : []),
    ...plan.steps.map((step, index) => `  ${index + 1}. ${describeStep(step)}`),
    `  probes: ${probes.join("; ")}`,
    `  on any failure ${back}, verified, and the update fails; at the most ${seconds(plan.deadlineMs)} in all`,
  ].join("\n");
}

function seconds(durationMs: number): string {
  return `${durationMs / 1000} s`;
}
