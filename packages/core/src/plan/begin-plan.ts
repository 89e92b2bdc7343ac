import type { VersionId } from "../version.ts";
import { allTo, sameWeights, type Weights } from "../weights.ts";
import type { Plan } from "./plan.ts";
import { movesTraffic, trafficAfter } from "./traffic.ts";

/** What a plan meets when it begins. */
export interface PlanSituation {
  readonly candidate: VersionId;
  /** The version that a rollback goes back to, where the program declares it. */
  readonly stable?: VersionId | undefined;
  /** Who has the traffic now; empty when nobody is served. */
  readonly weights: Weights;
  /** Whether somebody answers for these weights. */
  readonly isServed: boolean;
  /** The versions that were promoted, the newest first. */
  readonly history: readonly VersionId[];
}

/** How a plan is taken up: from which step on, and where a rollback goes. */
export interface PlanBeginning {
  readonly plan: Plan;
  /** The index of the first step to take. */
  readonly firstStep: number;
  /** Where traffic goes on failure. */
  readonly goBackTo: Weights;
  /** Why steps are left out, for the record. */
  readonly note?: string;
}

/**
 * How the plan goes on from where the world is.
 * - Nobody served, or the candidate already serves alone: there is nothing to split, so weights, pauses and soaks are left out.
 * - Traffic rests where an earlier update of this plan paused: it goes on from that pause.
 * - The candidate was in service within the last changes: it goes back at once (fast track).
 */
export function beginPlan(plan: Plan, situation: PlanSituation): PlanBeginning {
  const { candidate, stable, weights, isServed, history } = situation;
  const others = Object.keys(weights).filter((version) => version !== candidate && (weights[version] ?? 0) > 0);
  const goBackTo = rollbackTarget(situation);
  if (!isServed || Object.keys(weights).length === 0) {
    return {
      plan: shortened(plan),
      firstStep: 0,
      goBackTo,
      ...noteFor(plan, "nobody is served yet, so there is nothing to split"),
    };
  }
  if (others.length === 0) {
    return { plan: shortened(plan), firstStep: 0, goBackTo, ...noteFor(plan, `${candidate} has all traffic already`) };
  }
  if (history[0] === candidate || (stable === candidate && (weights[candidate] ?? 0) > 0)) {
    return {
      plan: shortened(plan),
      firstStep: 0,
      goBackTo,
      ...noteFor(plan, `${candidate} is the version in service, and gets all traffic again`),
    };
  }
  const rest = restingAt(plan, situation, goBackTo);
  if (rest !== undefined)
    return { plan, firstStep: rest, goBackTo, note: `goes on from the pause where the last update ended` };

  const former = history.indexOf(candidate);
  if (former > 0 && former - 1 < (plan.fastTrackChanges ?? 0)) {
    return {
      plan: shortened(plan),
      firstStep: 0,
      goBackTo,
      ...noteFor(
        plan,
        `fast track: ${candidate} was in service ${former === 1 ? "before the present version" : `${former} versions ago`}`,
      ),
    };
  }
  return { plan, firstStep: 0, goBackTo };
}

/** A rollback goes to the stable version alone, also when a candidate was left with part of the traffic at a pause. */
function rollbackTarget({ candidate, stable, weights }: PlanSituation): Weights {
  if (stable === undefined || stable === candidate) return weights;
  const isRest = (weights[stable] ?? 0) > 0 && (weights[candidate] ?? 0) > 0 && Object.keys(weights).length === 2;
  return isRest ? allTo(stable) : weights;
}

/** The index of the first pause at which traffic would be as it is now. Before any traffic has moved, steps are simply taken again. */
function restingAt(plan: Plan, { candidate, weights }: PlanSituation, goBackTo: Weights): number | undefined {
  if ((weights[candidate] ?? 0) === 0) return undefined;
  const index = plan.steps.findIndex(
    (step, position) =>
      step.kind === "pause" && sameWeights(trafficAfter(plan, goBackTo, candidate, position).weights, weights),
  );
  return index < 0 ? undefined : index;
}

/** Only what proves and moves: no parts, no waiting. */
function shortened(plan: Plan): Plan {
  const { background: _background, ...rest } = plan;
  const candidateProbes = plan.steps.some((step) => step.kind === "verify" && step.target === "candidate");
  const isSized = plan.steps.some((step) => step.kind === "scale");
  return {
    ...rest,
    steps: [
      ...(isSized ? [{ kind: "scale", size: { percent: 100 } } as const] : []),
      ...(candidateProbes ? [{ kind: "verify", target: "candidate" } as const] : []),
      { kind: "shift", weightPercent: 100 },
      { kind: "verify", target: "service" },
    ],
  };
}

function noteFor(plan: Plan, note: string): { readonly note?: string } {
  return plan.steps.filter(({ kind }) => kind === "pause" || kind === "soak" || movesTraffic(kind)).length > 1
    ? { note }
    : {};
}

/** The pause at which an update of this plan ends. */
export function openPause(plan: Plan): string | undefined {
  const pause = plan.steps.find((step) => step.kind === "pause" && !step.isApproved);
  return pause?.kind === "pause" ? pause.name : undefined;
}

/** Whether an update that ended with these weights, at this pause, has nothing left to do for the plan. */
export function isDone(
  plan: Plan,
  { candidate, stable }: Pick<PlanSituation, "candidate" | "stable">,
  weights: Weights,
  restingAt: string | undefined,
): boolean {
  if (sameWeights(weights, allTo(candidate))) return true;
  const end = plan.steps.findIndex((step) => step.kind === "pause" && !step.isApproved);
  if (end < 0 || stable === undefined || restingAt !== openPause(plan)) return false;
  return sameWeights(weights, trafficAfter(plan, allTo(stable), candidate, end).weights);
}
