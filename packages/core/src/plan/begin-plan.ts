import { isWithinRollbackWindow } from "../fast-track.ts";
import type { VersionId } from "../version.ts";
import { describeWeights, withTraffic, type Weights } from "../weights.ts";
import { openPauseIndex } from "./pauses.ts";
import type { Plan } from "./plan.ts";
import { restingStep, type Rest } from "./rest.ts";
import type { Step } from "./step.ts";
import { movesTraffic } from "./traffic.ts";

/** What a plan meets when it begins. */
export interface PlanSituation {
  readonly candidate: VersionId;
  /** Who has the traffic now; empty when nobody is served. */
  readonly weights: Weights;
  /** Whether somebody answers for these weights. */
  readonly isServed: boolean;
  /** The versions that were promoted, the newest first. */
  readonly history: readonly VersionId[];
  /** Where an earlier update ended at a pause. */
  readonly rest?: Rest | undefined;
}

/** How a plan is taken up: from which step on, and where a rollback goes. */
export interface PlanBeginning {
  readonly plan: Plan;
  /** The index of the first step to take. */
  readonly firstStep: number;
  /** Where traffic goes on failure. */
  readonly goBackTo: Weights;
  /** A pause that is given up before anything else: traffic goes back to where it came from, and its hooks are taken back. */
  readonly givesUp?: Rest;
  /** Why the plan is not taken from its beginning to its end as it was written, for the record. */
  readonly note?: string;
}

const verifyCandidate: Step = { kind: "verify", target: "candidate" };
const verifyService: Step = { kind: "verify", target: "service" };
const promote: Step = { kind: "shift", weightPercent: 100 };

/**
 * How the plan goes on from where the world is.
 * - An earlier update of this plan ended at a pause: it goes on from there, after what rests there was written and verified again.
 *   A rollback goes further back than that, to where traffic came from.
 * - An earlier update of another candidate, or of other steps, ended at a pause: that is given up first.
 * - No version has the traffic, or the candidate has it all already: there is nothing to split and nothing to bring along, so only
 *   what proves and moves is left.
 * - Nobody answers, or the candidate was in service within the last changes (fast track), or it is the version in service and
 *   traffic was moved away by others: weights, pauses, soaks, rules, copies and experiments are left out. A pause that is not
 *   approved is only left out where the candidate was in service before.
 */
export function beginPlan(plan: Plan, situation: PlanSituation): PlanBeginning {
  const { candidate, rest } = situation;
  if (rest === undefined) return fromService(plan, situation);
  const pause = restingStep(plan, candidate, rest);
  if (pause !== undefined) return fromPause(plan, pause, rest);
  const beginning = fromService(plan, { ...situation, weights: rest.origin });
  const what = rest.candidate === candidate ? "because its steps were changed" : `of ${rest.candidate}`;
  const undo = rest.undo.length > 0 ? `, and ${rest.undo.join(", ")} run to take back what was done` : "";
  const note = `the pause ${JSON.stringify(rest.pause)} is given up first, ${what}: traffic goes back to ${describeWeights(rest.origin)}${undo}`;
  return {
    ...beginning,
    givesUp: rest,
    note: beginning.note === undefined ? note : `${note}; then ${beginning.note}`,
  };
}

function fromService(plan: Plan, situation: PlanSituation): PlanBeginning {
  const { candidate, weights, isServed, history } = situation;
  const begin = (isTaken: (step: Step) => boolean, note: string): PlanBeginning => ({
    plan: atOnce(plan, isTaken),
    firstStep: 0,
    goBackTo: weights,
    note,
  });
  const served = Object.keys(withTraffic(weights));
  if (served.length === 0) return begin(isProof, "no version has the traffic yet, so there is nothing to split");
  if (served.every((version) => version === candidate))
    return begin(({ kind }) => kind === "scale", `${candidate} has all traffic already`);
  if (history[0] === candidate) {
    const isKept = (step: Step) => isProof(step) || step.kind === "hold";
    return begin(isKept, `${candidate} is the version in service, and gets all traffic again`);
  }

  const versionsBack = history.indexOf(candidate);
  const isFormer = isWithinRollbackWindow({
    revisionsOldestFirst: history.toReversed(),
    stable: history[0],
    candidate,
    revisions: plan.fastTrackChanges ?? 0,
  });
  if (isFormer) {
    const when = versionsBack === 1 ? "before the present version" : `${versionsBack} versions ago`;
    return begin(isNeeded, `fast track: ${candidate} was in service ${when}`);
  }
  if (!isServed && openPauseIndex(plan.steps) === undefined)
    return begin(isNeeded, "nobody answers now, so there is nothing to split");
  return { plan: declaredAtPause(plan), firstStep: 0, goBackTo: weights };
}

/**
 * A plan that pauses before it has moved anything still gives the router its declared shape: what the program declares is true
 * when an update has ended.
 */
function declaredAtPause(plan: Plan): Plan {
  const end = openPauseIndex(plan.steps);
  if (end === undefined || plan.steps.slice(0, end).some(({ kind }) => movesTraffic(kind))) return plan;
  return withSteps(plan, end, [{ kind: "shift", weightPercent: 0 }, verifyService]);
}

/** Days may have passed, and the declaration may have changed: what rests at the pause is written once more, and verified. */
function fromPause(plan: Plan, pause: number, rest: Rest): PlanBeginning {
  const before = plan.steps.slice(0, pause);
  const size = before.findLast((step) => step.kind === "scale");
  const weightPercent = before.findLast((step) => step.kind === "shift")?.weightPercent ?? 0;
  const again: readonly Step[] = [
    ...(size ? [size] : []),
    // A candidate with traffic is proved by the service.
    ...(weightPercent === 0 && before.some(isCandidateProof) ? [verifyCandidate] : []),
    { kind: "shift", weightPercent },
    verifyService,
  ];
  const isOpen = openPauseIndex(plan.steps) === pause;
  return {
    plan: withSteps(plan, pause, again),
    firstStep: pause,
    goBackTo: rest.origin,
    note: `${isOpen ? "stays at" : "goes on from"} the pause ${JSON.stringify(rest.pause)}, where the last update ended`,
  };
}

/** The plan with more steps before one of its own. */
function withSteps(plan: Plan, index: number, more: readonly Step[]): Plan {
  const { background } = plan;
  const startingStep = background?.startingStep ?? 0;
  return {
    ...plan,
    steps: plan.steps.toSpliced(index, 0, ...more),
    ...(background && startingStep > index
      ? { background: { ...background, startingStep: startingStep + more.length } }
      : {}),
  };
}

/** Moves everything in one step, and takes of the plan's other steps only some. */
function atOnce(plan: Plan, isTaken: (step: Step) => boolean): Plan {
  const { background: _background, ...rest } = plan;
  const promotion = plan.steps.findIndex((step) => step.kind === "shift" && step.weightPercent === 100);
  const end = promotion < 0 ? plan.steps.length : promotion;
  const before = plan.steps.slice(0, end).filter((step) => isTaken(step) && !isServiceProof(step));
  const after = plan.steps.slice(end + 1).filter((step) => isTaken(step) && !isServiceProof(step));
  const isSized = before.some((step) => step.kind === "scale");
  return {
    ...rest,
    steps: [
      ...(isSized ? [{ kind: "scale", size: { percent: 100 } } as const] : []),
      ...before.filter((step) => step.kind !== "scale"),
      promote,
      verifyService,
      ...after,
    ],
  };
}

function isCandidateProof(step: Step): boolean {
  return step.kind === "verify" && step.target === "candidate";
}

function isServiceProof(step: Step): boolean {
  return step.kind === "verify" && step.target === "service";
}

/** What is left where there is nobody to bring along. */
function isProof(step: Step): boolean {
  return isCandidateProof(step) || step.kind === "scale";
}

/** What is left where another version has data and clients. */
function isNeeded(step: Step): boolean {
  return isProof(step) || step.kind === "hook" || step.kind === "hold";
}
