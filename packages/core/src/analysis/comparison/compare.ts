import type { Verdict } from "../measurement.ts";
import type { ComparisonOptions } from "./comparison-options.ts";
import { commonLanguageEffectSize, meanRatio } from "./effect-size.ts";
import { mannWhitney, type Interval, type MannWhitneyResult } from "./mann-whitney.ts";

/** Two samples of one quantity, taken over the same time, and how to compare them. */
export interface ComparisonRequest extends ComparisonOptions {
  readonly candidate: readonly number[];
  readonly baseline: readonly number[];
}

/** What the comparison shows, in the words of Kayenta: the candidate is higher, lower, neither, or nothing is known. */
export type Classification = "pass" | "high" | "low" | "noData";

export interface ComparisonResult {
  /** `pass` and `fail` for what was shown; `inconclusive` where the samples show nothing. */
  readonly verdict: Verdict;
  readonly classification: Classification;
  /** Whether this outcome alone decides where several comparisons are judged together. */
  readonly critical: boolean;
  /** What was compared and found, in one sentence. */
  readonly message: string;
  /** Of the two-sided Mann-Whitney U test. The interval decides, except where ties make both its bound and the estimate 0. */
  readonly pValue?: number;
  /** By how much the candidate's values are shifted from the baseline's, in their unit. */
  readonly estimate?: number;
  /** Where that shift lies with the asked confidence. */
  readonly interval?: Interval;
  /** In the asked measure. Absent where it has no meaning, such as a ratio to zero; then the interval alone decides. */
  readonly effectSize?: number;
}

type Complete<Options> = { readonly [Field in keyof Options]-?: NonNullable<Options[Field]> };
type Settings = Complete<Omit<ComparisonOptions, "effectSize">> & {
  readonly effectSize: Complete<NonNullable<ComparisonOptions["effectSize"]>>;
};

interface Samples {
  readonly candidate: readonly number[];
  readonly baseline: readonly number[];
}

/**
 * Whether the candidate differs from the baseline in the direction that is bad, by the method of Kayenta's NetflixACAJudge: a
 * Mann-Whitney U test, and an effect size that has to be reached. Values that prove nothing never pass: too few of them, or
 * infinite ones, are inconclusive.
 */
export function compareSamples(request: ComparisonRequest): ComparisonResult {
  const settings = settingsOf(request);
  const samples = {
    candidate: withoutNaN(request.candidate, settings),
    baseline: withoutNaN(request.baseline, settings),
  };
  return withoutEnoughData(samples, settings) ?? compareEnough(samples, settings);
}

function settingsOf({ effectSize, ...options }: ComparisonOptions): Settings {
  const measure = effectSize?.measure ?? "meanRatio";
  const noChange = measure === "cles" ? 0.5 : 1;
  return {
    direction: options.direction ?? "either",
    tolerance: options.tolerance ?? 0.25,
    confidenceLevel: options.confidenceLevel ?? 0.98,
    minimumSamples: options.minimumSamples ?? 50,
    nanStrategy: options.nanStrategy ?? "remove",
    mustHaveData: options.mustHaveData ?? false,
    critical: options.critical ?? false,
    effectSize: {
      measure,
      allowedIncrease: effectSize?.allowedIncrease ?? noChange,
      allowedDecrease: effectSize?.allowedDecrease ?? noChange,
      criticalIncrease: effectSize?.criticalIncrease ?? noChange,
      criticalDecrease: effectSize?.criticalDecrease ?? noChange,
    },
  };
}

function withoutNaN(values: readonly number[], { nanStrategy }: Settings): readonly number[] {
  return nanStrategy === "remove"
    ? values.filter((value) => !Number.isNaN(value))
    : values.map((value) => (Number.isNaN(value) ? 0 : value));
}

/** The outcome where the samples cannot be compared. */
function withoutEnoughData(samples: Samples, settings: Settings): ComparisonResult | undefined {
  const { candidate, baseline } = samples;
  const { minimumSamples, nanStrategy, mustHaveData } = settings;
  const isEmpty = candidate.length === 0 || baseline.length === 0;
  if (isEmpty && nanStrategy === "replace" && minimumSamples === 0) {
    const message = `There is nothing to compare (${describeSizes(samples)}), and no value stands for zero, which is a pass.`;
    return { verdict: "pass", classification: "pass", critical: false, message };
  }
  if (isEmpty || Math.min(candidate.length, baseline.length) < minimumSamples) {
    const remedy = "Measure for longer or more often, or lower minimumSamples.";
    const wanted = Math.max(1, minimumSamples);
    const message = `Too few values to compare (${describeSizes(samples)}): ${wanted} of each are wanted. ${remedy}`;
    return noData(isEmpty && mustHaveData ? "fail" : "inconclusive", message, settings);
  }
  const infinite = [...candidate, ...baseline].filter((value) => !Number.isFinite(value)).length;
  if (infinite > 0) {
    const message = `Values that are infinite cannot be compared, and there are ${infinite} (${describeSizes(samples)}). Correct what is measured, for example a division by zero.`;
    return noData("inconclusive", message, settings);
  }
  return undefined;
}

function noData(verdict: "fail" | "inconclusive", message: string, { critical }: Settings): ComparisonResult {
  return { verdict, classification: "noData", critical, message };
}

function compareEnough(samples: Samples, settings: Settings): ComparisonResult {
  const { candidate, baseline } = samples;
  const { measure } = settings.effectSize;
  const test = mannWhitney(candidate, baseline, settings.confidenceLevel);
  const effect = measure === "cles" ? commonLanguageEffectSize(test) : meanRatio(candidate, baseline);
  const found = {
    pValue: test.pValue,
    estimate: test.estimate,
    ...(test.interval && { interval: test.interval }),
    ...(effect !== undefined && { effectSize: effect }),
  };
  const { interval } = test;
  if (!interval) {
    const remedy = "Measure for longer or more often, or lower confidenceLevel.";
    const message = `Too few values for a confidence of ${percent(settings.confidenceLevel)} (${describeSizes(samples)}). ${remedy}`;
    return { ...noData("inconclusive", message, settings), ...found };
  }
  const classification = classify(test, interval, effect, settings);
  const evidence = describeEvidence(test, interval, effect, samples, settings);
  return {
    verdict: classification === "pass" ? "pass" : "fail",
    classification,
    critical: settings.critical && isCritical(classification, effect, settings),
    message: `${describeOutcome(classification, settings)}: ${evidence}.`,
    ...found,
  };
}

function classify(
  { u, pairs, pValue, estimate }: MannWhitneyResult,
  { low, high }: Interval,
  effect: number | undefined,
  { direction, tolerance, confidenceLevel, effectSize }: Settings,
): "pass" | "high" | "low" {
  const borne = tolerance * Math.abs(estimate);
  // Where most values are equal, as in an error rate that is mostly 0, the shift of a real change is 0 too. The test tells then
  // whether the interval holds its bound 0 or stops short of it.
  const beyondZero = borne === 0 && pValue <= 1 - confidenceLevel ? Math.sign(u - pairs / 2) : 0;
  const isHigher = low > borne || (low === 0 && beyondZero > 0);
  const isLower = high < -borne || (high === 0 && beyondZero < 0);
  if (direction !== "decrease" && isHigher && isAtLeast(effect, effectSize.allowedIncrease)) return "high";
  if (direction !== "increase" && isLower && isAtMost(effect, effectSize.allowedDecrease)) return "low";
  return "pass";
}

function isCritical(
  classification: "pass" | "high" | "low",
  effect: number | undefined,
  { effectSize }: Settings,
): boolean {
  if (classification === "high") return isAtLeast(effect, effectSize.criticalIncrease);
  return classification === "low" && isAtMost(effect, effectSize.criticalDecrease);
}

/** An effect size without meaning excuses nothing. */
function isAtLeast(effect: number | undefined, threshold: number): boolean {
  return effect === undefined || effect >= threshold;
}

function isAtMost(effect: number | undefined, threshold: number): boolean {
  return effect === undefined || effect <= threshold;
}

function describeOutcome(classification: "pass" | "high" | "low", { direction }: Settings): string {
  if (classification === "high") return "The candidate is higher than the baseline";
  if (classification === "low") return "The candidate is lower than the baseline";
  const change = { increase: "be higher than", decrease: "be lower than", either: "differ from" }[direction];
  return `The candidate is not shown to ${change} the baseline`;
}

function describeEvidence(
  { estimate, pValue }: MannWhitneyResult,
  { low, high }: Interval,
  effect: number | undefined,
  samples: Samples,
  { confidenceLevel, effectSize }: Settings,
): string {
  const bounds = `${rounded(low)} to ${rounded(high)} with a confidence of ${percent(confidenceLevel)}`;
  const size = `${effectSize.measure} ${effect === undefined ? "without meaning here" : rounded(effect)}`;
  return `shifted by ${rounded(estimate)} (${bounds}), ${size}, p = ${rounded(pValue)}, ${describeSizes(samples)}`;
}

function describeSizes({ candidate, baseline }: Samples): string {
  return `${candidate.length} of the candidate, ${baseline.length} of the baseline`;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function percent(part: number): string {
  return `${rounded(part * 100)} %`;
}
