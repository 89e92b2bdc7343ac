import { checkOptions, checkSteps, invalid } from "./plan-rules.ts";
import { durationOf, openPauseIndex } from "./pauses.ts";
import type { Plan, Strategy } from "./plan.ts";
import type { PlanOptions } from "./plan-options.ts";
import { movesTraffic } from "./traffic.ts";
import type { Step } from "./step.ts";

const defaultHoldMs = 5_000;
const defaultDeadlineMs = 600_000;
const defaultPropagationLimitMs = 10_000;
const defaultRunBudgetMs = 3_600_000;
const defaultReadOnlyLimitMs = 60_000;

/** The pause before a promotion that waits for approval. */
export const promotionPause = "promote";

const verifyCandidate: Step = { kind: "verify", target: "candidate" };
const verifyService: Step = { kind: "verify", target: "service" };
const promote: Step = { kind: "shift", weightPercent: 100 };
const fullSize: Step = { kind: "scale", size: { percent: 100 } };

/**
 * The plan of a strategy.
 * - `direct` moves at once and then verifies.
 * - `blueGreen` verifies the candidate, switches, verifies the service and holds.
 * - `progressive` verifies the candidate, takes its steps, each change of traffic verified, then gives the candidate everything and
 *   holds.
 * - `parallel` verifies the candidate, takes its steps (mirroring, keeping data in step), then switches and holds.
 *
 * @throws BasculeError `invalid-input` when the options contradict each other or the strategy, or the steps of one update last
 * longer than the run budget
 */
export function planOf(strategy: Strategy, options: PlanOptions = {}): Plan {
  checkOptions(strategy, options);
  // Copies, so that a step which is named twice is told apart.
  const own = (options.steps ?? []).map((step) => ({ ...step }));
  const built = stepsOf(strategy, options, own);
  const steps = withApprovals(built, options.approved ?? []);
  checkSteps(steps);
  const runBudgetMs = options.runBudgetMs ?? defaultRunBudgetMs;
  checkBudget(steps, runBudgetMs);
  const { scaleLimitMs, fastTrackChanges, affinity, window } = options;
  const isPaused = steps.some(({ kind }) => kind === "pause");
  const isReadOnly = steps.some((step) => step.kind === "hook" && step.startsReadOnly);
  const readOnlyLimitMs = options.readOnlyLimitMs ?? (isReadOnly ? defaultReadOnlyLimitMs : undefined);
  const background = backgroundOf(options.background, own.length > 0 ? own : built, built);
  return {
    strategy,
    steps,
    deadlineMs: options.deadlineMs ?? defaultDeadlineMs + durationOf(steps) + hookLimitsOf(steps),
    propagationLimitMs: options.propagationLimitMs ?? defaultPropagationLimitMs,
    ...(isPaused ? { runBudgetMs } : {}),
    ...(scaleLimitMs === undefined ? {} : { scaleLimitMs }),
    ...(readOnlyLimitMs === undefined ? {} : { readOnlyLimitMs }),
    ...(background ? { background } : {}),
    ...(fastTrackChanges === undefined ? {} : { fastTrackChanges }),
    ...(affinity ? { affinity } : {}),
    ...(window ? { window } : {}),
  };
}

function stepsOf(strategy: Strategy, options: PlanOptions, own: readonly Step[]): Step[] {
  const { sizing } = options;
  const hold: Step = { kind: "hold", durationMs: options.holdMs ?? defaultHoldMs };
  const approval: Step[] =
    options.promotion === "approved" ? [{ kind: "pause", name: promotionPause, isApproved: false }] : [];
  const preview = previewOf(options, own);
  switch (strategy) {
    case "direct":
      return [promote, verifyService];
    case "blueGreen":
      return [...withPromotion([...preview, verifyCandidate, promote, verifyService], approval), hold];
    case "progressive":
    case "parallel": {
      const verified = withVerification(own);
      const sized = sizing === "matchTraffic" ? sizedByTraffic(verified, preview) : sizedForTraffic(verified, preview);
      const before = [...preview, verifyCandidate, ...sized];
      const isPromoted = before.some(isPromotion);
      return [
        ...withPromotion([...before, ...(isPromoted ? [] : [promote, verifyService])], approval),
        hold,
        ...(options.closing ?? []),
      ];
    }
  }
}

/** The candidate's size before it has traffic. One that is to match its traffic is no larger than its first weight asks for. */
function previewOf({ previewReplicas, sizing }: PlanOptions, own: readonly Step[]): Step[] {
  if (previewReplicas !== undefined) return [{ kind: "scale", size: { replicas: previewReplicas } }];
  const first = own.find((step) => step.kind === "shift");
  if (sizing !== "matchTraffic" || first?.kind !== "shift") return [];
  if (first.weightPercent === 0 || first.weightPercent === 100) return [];
  return [{ kind: "scale", size: { percent: first.weightPercent } }];
}

function isPromotion(step: Step): boolean {
  return step.kind === "shift" && step.weightPercent === 100;
}

/** Before the candidate gets everything it waits for its approval, and is never smaller than declared. */
function withPromotion(steps: readonly Step[], approval: readonly Step[]): Step[] {
  const index = steps.findIndex(isPromotion);
  const before = steps.slice(0, index);
  const last = before.at(-1);
  const isFull = last?.kind === "scale" && "percent" in last.size && last.size.percent === 100;
  const isSized = before.some(({ kind }) => kind === "scale");
  return [
    ...before,
    ...approval,
    ...(isSized && (!isFull || approval.length > 0) ? [fullSize] : []),
    ...steps.slice(index),
  ];
}

/** The candidate grows before each new weight, unless it has that size already. */
function sizedByTraffic(steps: readonly Step[], preview: readonly Step[]): Step[] {
  let size = preview.find((step) => step.kind === "scale")?.size;
  return steps.flatMap((step): Step[] => {
    if (step.kind !== "shift") return [step];
    const isGrown = size !== undefined && "percent" in size && size.percent === step.weightPercent;
    size = { percent: step.weightPercent };
    return isGrown ? [step] : [{ kind: "scale", size }, step];
  });
}

/** The size of the preview is for a candidate without traffic, unless the steps say themselves how large it is. */
function sizedForTraffic(steps: readonly Step[], preview: readonly Step[]): readonly Step[] {
  const first = steps.findIndex(givesTraffic);
  const isOwn = steps.some(({ kind }) => kind === "scale");
  return preview.length === 0 || first < 0 || isOwn ? steps : steps.toSpliced(first, 0, fullSize);
}

function givesTraffic(step: Step): boolean {
  return (
    (step.kind === "shift" && step.weightPercent > 0 && step.weightPercent < 100) ||
    (step.kind === "route" && step.matches.length > 0) ||
    (step.kind === "mirror" && step.percent > 0)
  );
}

/** Each change of where requests go is verified as clients see it, before anything else happens. */
function withVerification(steps: readonly Step[]): Step[] {
  return steps.flatMap((step, index) => {
    const following = steps[index + 1];
    const isVerified =
      (following?.kind === "verify" && following.target === "service") ||
      // Copies prove nothing about weights, and what follows measures at once.
      (step.kind === "mirror" && following?.kind === "soak");
    return movesTraffic(step.kind) && !isVerified ? [step, verifyService] : [step];
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

/** Each stretch between two pauses is an update of its own; approving several at once makes a longer one, which is refused then. */
function checkBudget(steps: readonly Step[], runBudgetMs: number): void {
  let stretch: Step[] = [];
  for (const step of steps) {
    stretch = step.kind === "pause" ? [] : [...stretch, step];
    const lastsMs = durationOf(stretch);
    if (lastsMs <= runBudgetMs) continue;
    throw invalid(
      `the steps of one update last ${lastsMs / 1000} s on purpose, more than runBudgetMs = ${runBudgetMs}: put a pause between them, so that a later commit goes on, or raise runBudgetMs if your pipeline runs that long`,
    );
  }
}

/** How long the hooks of one update may take, in milliseconds. */
function hookLimitsOf(steps: readonly Step[]): number {
  return steps
    .slice(0, openPauseIndex(steps) ?? steps.length)
    .reduce((sum, step) => sum + (step.kind === "hook" ? step.limitMs : 0), 0);
}

function backgroundOf(
  background: PlanOptions["background"],
  counted: readonly Step[],
  steps: readonly Step[],
): Plan["background"] {
  if (background === undefined) return undefined;
  const { startingStep = 0, probes } = background;
  const first = counted[startingStep];
  if (first === undefined) {
    throw invalid(
      `background.startingStep = ${startingStep} names no step: they are counted from 0, and there are ${counted.length}`,
    );
  }
  return { startingStep: steps.indexOf(first), ...(probes ? { probes: [...probes] } : {}) };
}
