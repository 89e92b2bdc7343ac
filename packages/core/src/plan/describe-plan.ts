import type { VersionId } from "../version.ts";
import { describeWeights, type Weights } from "../weights.ts";
import { describeWindow } from "../window.ts";
import { openPause, openPauseIndex } from "./pauses.ts";
import type { Plan, Strategy } from "./plan.ts";
import type { CandidateSize, RequestMatch, Step } from "./step.ts";

const strategyNames: Readonly<Record<Strategy, string>> = {
  direct: "direct",
  progressive: "progressive",
  parallel: "parallel",
  blueGreen: "blue/green",
};

/** One step in plain words, such as `move 100 % of traffic to the candidate`. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case "shift":
      if (step.weightPercent === 0) return "leave the traffic where it was before the candidate came";
      return `move ${step.weightPercent} % of traffic to the candidate`;
    case "verify": {
      const what =
        step.target === "candidate"
          ? "verify the candidate, which has no traffic yet"
          : "verify the service as its clients see it";
      return step.probes ? `${what}: ${step.probes.join("; ")}` : what;
    }
    case "soak":
      return `stay there for ${seconds(step.durationMs)}, and go on verifying`;
    case "hold":
      return `hold for ${seconds(step.durationMs)} with the old version still there, and go on verifying`;
    case "pause":
      return step.isApproved
        ? `the pause ${JSON.stringify(step.name)} is approved: go on`
        : `end this update here, with both versions in service, until a later commit approves ${JSON.stringify(step.name)}`;
    case "scale":
      return `scale the candidate to ${describeSize(step.size)}`;
    case "route":
      return step.matches.length === 0
        ? "send requests by weight alone again"
        : `send requests with ${step.matches.map(describeMatch).join(", or ")} to the candidate`;
    case "mirror":
      return step.percent === 0
        ? "stop copying requests"
        : `copy ${step.percent} % of the requests to the candidate, whose answers nobody sees`;
    case "experiment":
      return `measure the candidate beside the stable version for ${seconds(step.durationMs)}, and compare them`;
    case "hook":
      return `run ${step.name}${step.startsReadOnly ? ": nobody can write from here until traffic has moved" : ""}${step.undo === undefined ? "" : ` (a rollback runs ${step.undo})`}`;
  }
}

function describeSize(size: CandidateSize): string {
  if ("percent" in size) return `${size.percent} % of its replicas`;
  return size.replicas === 1 ? "1 Pod" : `${size.replicas} Pods`;
}

function describeMatch({ header, cookie, exact, prefix, regex }: RequestMatch): string {
  const what = header === undefined ? `the cookie ${cookie}` : `the header ${header}`;
  if (exact !== undefined) return `${what} = ${exact}`;
  return prefix === undefined ? `${what} matching ${regex}` : `${what} beginning with ${prefix}`;
}

/** What a reviewer is told about a plan. */
export interface PlanDescription {
  readonly plan: Plan;
  readonly release: string;
  readonly candidate: VersionId;
  /** Who has the traffic now; `null` when the service does not exist yet. */
  readonly from: Weights | null;
  /** Where traffic goes on failure. Default: where it is now. */
  readonly goBackTo?: Weights;
  /** The names of the probes. */
  readonly probes: readonly string[];
  /** The index of the first step that is left to do. Default 0. */
  readonly firstStep?: number;
  /** Why the plan is not taken from its beginning to its end. */
  readonly note?: string | undefined;
}

/** The plan in plain words, for the preview that a reviewer reads. */
export function describePlan(description: PlanDescription): string {
  const { plan, release, candidate, from, probes, firstStep = 0, note } = description;
  const origin = from === null ? "a new service" : describeWeights(from);
  const goBackTo = description.goBackTo ?? from;
  const back = goBackTo === null ? "the service is removed again" : `traffic goes back to ${describeWeights(goBackTo)}`;
  const end = openPauseIndex(plan.steps) ?? plan.steps.length;
  const lineOf = (step: Step, index: number) => {
    const when = index < firstStep ? " (done before)" : index > end ? " (in a later update)" : "";
    return `  ${index + 1}. ${describeStep(step)}${when}`;
  };
  const { background } = plan;
  const pause = openPause(plan.steps);
  const names = background?.probes?.join("; ") ?? "all probes of the service";
  return [
    `Cut-over of ${release} (${strategyNames[plan.strategy]}): ${origin} → ${candidate}`,
    ...(note === undefined ? [] : [`  ${note}`]),
    ...(plan.window ? [`  allowed ${describeWindow(plan.window)}`] : []),
    ...plan.steps.map(lineOf),
    ...(pause === undefined
      ? []
      : [
          `  a later commit goes on from there with approved: { ${JSON.stringify(pause)}: ${JSON.stringify(candidate)} }`,
        ]),
    ...(background && background.startingStep < end
      ? [`  from step ${background.startingStep + 1} on, in the background: ${names}`]
      : []),
    `  probes: ${probes.join("; ")}`,
    `  on any failure ${back}, verified, and the update fails; at the most ${seconds(plan.deadlineMs)} in all`,
  ].join("\n");
}

function seconds(durationMs: number): string {
  return `${durationMs / 1000} s`;
}
