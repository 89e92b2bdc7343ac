import { z } from "zod";
import type { Conditions } from "../analysis/condition.ts";
import { parseInput } from "../parse-input.ts";
import type { RequestMatch, Step } from "../plan/step.ts";
import { readDurationMs } from "./duration.ts";
import { notesOn, type MigratedPlan } from "./migrated-plan.ts";

/** What a Canary of Flagger means here. */
export interface MigratedCanary extends MigratedPlan {
  /**
   * How often its metrics were checked, for the probes that take their place: the time between two checks in milliseconds, how many
   * checks each verification has, and how many of them may fail. Flagger counts the failed checks of all metrics together.
   */
  readonly probe: {
    readonly targets?: ["candidate"];
    readonly intervalMs: number;
    readonly count: number;
    readonly failureLimit: number;
  };
}

const defaultIntervalMs = 60_000;
const shortestIntervalMs = 10_000;

const percent = z.number().min(0).max(100);
const count = z.int().min(0);
const duration = z.string().transform((text, context) => {
  if (text === "") return defaultIntervalMs;
  const read = readDurationMs(text);
  if (read === undefined)
    context.addIssue({ code: "custom", message: "must be a duration, for example 30s, 1m or 1h" });
  return read ?? 0;
});
const headerValueSchema = z.union(
  [
    z.strictObject({ exact: z.string().min(1) }),
    z.strictObject({ prefix: z.string().min(1) }),
    z.strictObject({ regex: z.string().min(1) }),
  ],
  { error: "must have one of exact, prefix and regex" },
);
const matchSchema = z.strictObject({
  headers: z.record(z.string(), headerValueSchema).refine((headers) => Object.keys(headers).length === 1, {
    error: "must name one header: requests are matched by one header at a time",
  }),
});
const analysisSchema = z.looseObject({
  interval: duration.default(defaultIntervalMs),
  threshold: z.int().default(0),
  maxWeight: percent.default(0),
  stepWeight: percent.default(0),
  stepWeights: z.array(percent).default([]),
  stepWeightPromotion: percent.default(0),
  iterations: count.default(0),
  mirror: z.boolean().default(false),
  mirrorWeight: percent.default(0),
  match: z.array(matchSchema).default([]),
  skipAnalysis: z.boolean().default(false),
});
type Analysis = z.output<typeof analysisSchema>;

const explanations = {
  metrics: "write a probe for each metric; a thresholdRange becomes a successCondition",
  webhooks: "write a probe for a test, a hook for a task, a pause for a confirmation",
  sessionAffinity: "set the affinity of the plan",
  alerts: "notices are made from the journal",
  primaryReadyThreshold: "there is no second copy of the stable version to wait for",
  canaryReadyThreshold: "all of the candidate's replicas have to be ready",
};

/**
 * Turns the fields of a Canary's `spec.analysis` (Flagger, flagger.app/v1beta1) into options of ours. Two things differ on purpose: a
 * weight never goes beyond `maxWeight`, which Flagger's last step may; and promotion moves traffic to the candidate itself, so that
 * `stepWeightPromotion` goes on upwards from the last weight instead of back to a copy.
 *
 * @throws BasculeError `invalid-input` for a field that cannot mean what it says here
 */
export function stepsFromFlagger(analysis: unknown): MigratedCanary {
  const read = parseInput(analysisSchema, analysis ?? {}, "the analysis of a Canary");
  const { iterations, match, mirror, skipAnalysis } = read;
  const intervalMs = Math.max(read.interval, shortestIntervalMs);
  // Flagger rolls back when so many checks have failed, and takes less than one for one.
  const failureLimit = Math.max(1, read.threshold) - 1;
  const isLookedAtBefore = iterations > 0 && match.length === 0 && !mirror && !skipAnalysis;
  const isBlueGreen = iterations > 0 && match.length === 0 && (!mirror || skipAnalysis);
  return {
    strategy: isBlueGreen ? "blueGreen" : "progressive",
    options: isBlueGreen ? {} : { steps: stepsOf(read, intervalMs) },
    probe: isLookedAtBefore
      ? // The first look is at once, and each iteration is one more.
        { targets: ["candidate"], intervalMs, count: iterations + 1, failureLimit }
      : { intervalMs, count: 1, failureLimit },
    notes: notesFor(read),
  };
}

function stepsOf(analysis: Analysis, intervalMs: number): Step[] {
  if (analysis.skipAnalysis) return [];
  return analysis.iterations > 0 ? iterate(analysis, intervalMs) : progress(analysis, intervalMs);
}

/** What a metric's `thresholdRange` of Flagger means: a measured number that lies between the two, both included. */
export function conditionsOfThresholdRange({
  min,
  max,
}: {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}): Conditions {
  const parts = [
    ...(min === undefined ? [] : [`result >= ${min}`]),
    ...(max === undefined ? [] : [`result <= ${max}`]),
  ];
  return parts.length === 0 ? {} : { successCondition: parts.join(" && ") };
}

/** Weights that rise with each interval. */
function progress(analysis: Analysis, intervalMs: number): Step[] {
  const weights = weightsOf(analysis);
  const { stepWeightPromotion } = analysis;
  const promotion = stepWeightPromotion > 0 ? weightsUpTo(100, stepWeightPromotion, weights.at(-1) ?? 0) : [];
  return [
    ...(analysis.mirror ? mirrored(analysis, look(verifyCandidate, intervalMs)) : []),
    // The last of these is the promotion itself.
    ...[...weights, ...promotion.filter((weight) => weight < 100)].flatMap((weightPercent): Step[] => [
      { kind: "shift", weightPercent },
      { kind: "soak", durationMs: intervalMs },
    ]),
  ];
}

/** The same look again and again: at the candidate that gets copies of requests, or at the requests that match. */
function iterate(analysis: Analysis, intervalMs: number): Step[] {
  const { iterations, match, mirror } = analysis;
  const isMatching = match.length > 0;
  const looks = Array.from({ length: iterations }, () =>
    look(isMatching ? verifyService : verifyCandidate, intervalMs),
  ).flat();
  return [
    ...(isMatching ? [{ kind: "route", matches: match.flatMap(({ headers }) => matchesOf(headers)) } as const] : []),
    ...(mirror ? mirrored(analysis, looks) : looks),
  ];
}

const verifyCandidate: Step = { kind: "verify", target: "candidate" };
const verifyService: Step = { kind: "verify", target: "service" };

function look(verify: Step, intervalMs: number): Step[] {
  return [{ kind: "soak", durationMs: intervalMs }, verify];
}

function mirrored({ mirrorWeight }: Analysis, looks: readonly Step[]): Step[] {
  return [{ kind: "mirror", percent: mirrorWeight > 0 ? mirrorWeight : 100 }, ...looks, { kind: "mirror", percent: 0 }];
}

function weightsOf({ stepWeights, stepWeight, maxWeight }: Analysis): number[] {
  if (stepWeights.length > 0) {
    const most = maxWeight > 0 ? maxWeight : (stepWeights.at(-1) ?? 0);
    const below = stepWeights.filter((weight, index) => weight > (stepWeights[index - 1] ?? 0) && weight < most);
    return [...below, most];
  }
  return stepWeight > 0 ? weightsUpTo(maxWeight > 0 ? maxWeight : 100, stepWeight, 0) : [];
}

/** The weights from one (left out) to another (the last one) in equal steps, of which the last may be smaller. */
function weightsUpTo(most: number, step: number, from: number): number[] {
  const length = Math.max(0, Math.ceil((most - from) / step));
  return Array.from({ length }, (_, index) => Math.min(from + (index + 1) * step, most));
}

function matchesOf(headers: z.output<typeof matchSchema>["headers"]): RequestMatch[] {
  return Object.entries(headers).map(([header, value]) => ({ header, ...value }));
}

function notesFor(analysis: Analysis): string[] {
  return [
    ...(analysis.skipAnalysis
      ? ["skipAnalysis: the candidate is verified all the same, before and after it has traffic"]
      : []),
    ...(analysis.match.length > 0 && analysis.iterations === 0 ? ["match: has a meaning with iterations only"] : []),
    ...notesOn(analysis, Object.keys(analysisSchema.shape), explanations),
  ];
}
