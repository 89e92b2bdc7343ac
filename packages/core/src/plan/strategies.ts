import { BasculeError } from "../errors.ts";
import type { Affinity, Plan, Strategy } from "./plan.ts";
import { isTimed, type Step } from "./step.ts";

/** What a user may say about a plan; a strategy has a default for each. */
export interface PlanOptions {
  /** The steps between the candidate's verification and its promotion. Progressive and parallel only. */
  readonly steps?: readonly Step[] | undefined;
  /** Steps after the last verification, when nothing can fail the release any more. Parallel only. */
  readonly closing?: readonly Step[] | undefined;
  /** `matchTraffic`: the candidate is as large as its weight asks for. Default `full`: as large as declared all the while. */
  readonly sizing?: "full" | "matchTraffic" | undefined;
  /** Names of the pauses that are approved. */
  readonly approved?: readonly string[] | undefined;
  /** Whether the candidate is promoted by itself, or waits for the approval of the pause `promote`. Default `automatic`. */
  readonly promotion?: "automatic" | "approved" | undefined;
  /** The candidate's Pods while it has no traffic. Default: full size. */
  readonly previewReplicas?: number | undefined;
  /** Default 5,000; none for `direct`. */
  readonly holdMs?: number | undefined;
  /** Default 600,000 plus all times that the steps name. */
  readonly deadlineMs?: number | undefined;
  /** Default 10,000. */
  readonly propagationLimitMs?: number | undefined;
  /** The most that the steps of one update may last on purpose. Default 3,600,000: pipelines end a job that goes on for long. */
  readonly runBudgetMs?: number | undefined;
  readonly scaleLimitMs?: number | undefined;
  readonly readOnlyLimitMs?: number | undefined;
  readonly background?: Plan["background"] | undefined;
  readonly fastTrackChanges?: number | undefined;
  readonly affinity?: Affinity | undefined;
  readonly window?: Plan["window"] | undefined;
}

const defaultHoldMs = 5_000;
const defaultDeadlineMs = 600_000;
const defaultPropagationLimitMs = 10_000;
const defaultRunBudgetMs = 3_600_000;

/** The pause before a promotion that waits for approval. */
export const promotionPause = "promote";

const verifyCandidate: Step = { kind: "verify", target: "candidate" };
const verifyService: Step = { kind: "verify", target: "service" };
const promote: Step = { kind: "shift", weightPercent: 100 };

/**
 * The plan of a strategy.
 * - `direct` moves at once and then verifies.
 * - `blueGreen` verifies the candidate, switches, verifies the service and holds.
 * - `progressive` verifies the candidate, takes its steps, each new weight verified, then gives the candidate everything and holds.
 * - `parallel` verifies the candidate, takes its steps (mirroring, keeping data in step), then switches and holds.
 *
 * @throws BasculeError `invalid-input` when the steps contradict each other, or last longer than the run budget
 */
export function planOf(strategy: Strategy, options: PlanOptions = {}): Plan {
  const steps = withApprovals(stepsOf(strategy, options), options.approved ?? []);
  const lastsMs = durationOf(steps);
  checkSteps(steps);
  checkBudget(lastsMs, options.runBudgetMs ?? defaultRunBudgetMs);
  const { scaleLimitMs, readOnlyLimitMs, background, fastTrackChanges, affinity, window } = options;
  return {
    strategy,
    steps,
    deadlineMs: options.deadlineMs ?? defaultDeadlineMs + lastsMs,
    propagationLimitMs: options.propagationLimitMs ?? defaultPropagationLimitMs,
    ...(scaleLimitMs === undefined ? {} : { scaleLimitMs }),
    ...(readOnlyLimitMs === undefined ? {} : { readOnlyLimitMs }),
    ...(background ? { background } : {}),
    ...(fastTrackChanges === undefined ? {} : { fastTrackChanges }),
    ...(affinity ? { affinity } : {}),
    ...(window ? { window } : {}),
  };
}

function stepsOf(strategy: Strategy, options: PlanOptions): Step[] {
  const { previewReplicas } = options;
  const hold: Step = { kind: "hold", durationMs: options.holdMs ?? defaultHoldMs };
  const approval: Step[] =
    options.promotion === "approved" ? [{ kind: "pause", name: promotionPause, isApproved: false }] : [];
  const preview: Step[] = previewReplicas === undefined ? [] : [{ kind: "scale", size: { replicas: previewReplicas } }];
  switch (strategy) {
    case "direct":
      return [promote, verifyService];
    case "blueGreen":
      return [...preview, verifyCandidate, ...approval, ...toFullSize(preview), promote, verifyService, hold];
    case "progressive":
    case "parallel": {
      const steps = withVerification(options.steps ?? []);
      const before = [
        ...preview,
        verifyCandidate,
        ...(options.sizing === "matchTraffic" ? sizedByTraffic(steps) : steps),
      ];
      const isPromoted = before.some((step) => step.kind === "shift" && step.weightPercent === 100);
      const promotion = isPromoted ? [] : [...approval, ...toFullSize(before), promote, verifyService];
      return [...before, ...promotion, hold, ...(options.closing ?? [])];
    }
  }
}

/** The candidate grows before each new weight. */
function sizedByTraffic(steps: readonly Step[]): Step[] {
  return steps.flatMap((step): Step[] =>
    step.kind === "shift" ? [{ kind: "scale", size: { percent: step.weightPercent } }, step] : [step],
  );
}

/** A version that has everything is never smaller than declared. */
function toFullSize(before: readonly Step[]): Step[] {
  return before.some((step) => step.kind === "scale") ? [{ kind: "scale", size: { percent: 100 } }] : [];
}

/** Each new weight, and each new rule for requests, is verified as clients see it, before anything else happens at it. */
function withVerification(steps: readonly Step[]): Step[] {
  return steps.flatMap((step, index) => {
    const isNew = step.kind === "shift" || (step.kind === "route" && step.matches.length > 0);
    return isNew && steps[index + 1]?.kind !== "verify" ? [step, verifyService] : [step];
  });
}

function withApprovals(steps: readonly Step[], approved: readonly string[]): Step[] {
  const names = steps.flatMap((step) => (step.kind === "pause" ? [step.name] : []));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`two pauses are named ${JSON.stringify(twice)}: give each a name of its own`);
  const unknown = approved.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const known = names.length > 0 ? `the pauses are ${names.join(", ")}` : "there is no pause in this plan";
    throw invalid(`approved = ${JSON.stringify(unknown)} names no pause: ${known}`);
  }
  const firstOpen = names.findIndex((name) => !approved.includes(name));
  const early = firstOpen < 0 ? undefined : names.slice(firstOpen).find((name) => approved.includes(name));
  if (early !== undefined) {
    throw invalid(
      `the pause ${JSON.stringify(early)} is approved, but ${JSON.stringify(names[firstOpen])} before it is not: approve pauses in their order`,
    );
  }
  return steps.map((step) => (step.kind === "pause" ? { ...step, isApproved: approved.includes(step.name) } : step));
}

function checkSteps(steps: readonly Step[]): void {
  let weightPercent = 0;
  for (const step of steps) {
    if (step.kind !== "shift") continue;
    if (step.weightPercent < weightPercent) {
      throw invalid(
        `steps move from ${weightPercent} % back to ${step.weightPercent} %: weights only grow; a rollback is made by itself, or by declaring the former version`,
      );
    }
    weightPercent = step.weightPercent;
  }
  const hooks = steps.findIndex((step) => step.kind === "hook" && step.startsReadOnly);
  if (hooks >= 0 && steps.slice(hooks).some((step) => step.kind === "pause" && !step.isApproved)) {
    throw invalid("a pause comes after the read-only moment has begun: nobody could write until somebody approves it");
  }
}

/** How long the steps of this update last on purpose, in milliseconds: to the first pause that is not approved. */
export function durationOf(steps: readonly Step[]): number {
  const end = steps.findIndex((step) => step.kind === "pause" && !step.isApproved);
  return (end < 0 ? steps : steps.slice(0, end)).reduce((sum, step) => sum + (isTimed(step) ? step.durationMs : 0), 0);
}

function checkBudget(lastsMs: number, runBudgetMs: number): void {
  if (lastsMs <= runBudgetMs) return;
  throw invalid(
    `the steps of one update last ${lastsMs / 1000} s on purpose, more than runBudgetMs = ${runBudgetMs}: put a pause between them, so that a later commit goes on, or raise runBudgetMs if your pipeline runs that long`,
  );
}

function invalid(message: string): BasculeError {
  return new BasculeError("invalid-input", message);
}
