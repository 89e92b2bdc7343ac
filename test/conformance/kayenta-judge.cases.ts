import {
  compareSamples,
  comparisonSchema,
  judgeComparisons,
  judgementSchema,
  type Classification,
  type ComparisonRequest,
  type JudgedComparison,
} from "../../packages/core/src/index.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accountFor } from "./case-accounting.ts";

/*
 * The comparison of a candidate with a baseline has its method from Kayenta's judge, so the judge's own test cases are run
 * against `compareSamples` and `judgeComparisons`. Each case of the file is accounted for: it agrees, it differs for a reason that
 * is named here, or it is about something that Bascule does not have. Where Kayenta asks for no number of samples, none is asked
 * for here.
 */

const kayentaClassification = z.enum(["Pass", "High", "Low", "Nodata", "NodataFailMetric"]);
const samples = z.array(z.number());
const thresholds = z.tuple([z.number(), z.number()]);

const classifySchema = z.object({
  id: z.string(),
  input: z.discriminatedUnion("classifier", [
    z.strictObject({
      classifier: z.literal("mannWhitney"),
      direction: z.enum(["Increase", "Decrease", "Either"]),
      nanStrategy: z.enum(["Remove", "Replace"]),
      critical: z.boolean(),
      mustHaveData: z.boolean(),
      tolerance: z.number(),
      confLevel: z.number(),
      effectSizeThresholds: thresholds,
      criticalThresholds: thresholds,
      effectSizeMeasure: z.enum(["meanRatio", "cles"]),
      experiment: samples,
      control: samples,
    }),
    z.looseObject({ classifier: z.literal("meanInequality") }),
  ]),
  expected: z.strictObject({
    classification: kayentaClassification.optional(),
    critical: z.boolean().optional(),
    deviation: z.union([z.number(), z.literal("NaN")]).optional(),
    reasonNotEmpty: z.boolean().optional(),
  }),
});
type MannWhitneyInput = Extract<z.infer<typeof classifySchema>["input"], { classifier: "mannWhitney" }>;

const scoreSchema = z.object({
  id: z.string(),
  input: z.strictObject({
    groupWeights: z.record(z.string(), z.number()),
    metrics: z.array(
      z.strictObject({
        classification: kayentaClassification,
        groups: z.tuple([z.string()], z.string()),
        critical: z.boolean(),
      }),
    ),
  }),
  expected: z.strictObject({ summaryScore: z.number() }),
});

const intervalSchema = z.object({
  id: z.string(),
  input: z.strictObject({ experiment: samples, control: samples, confLevel: z.number() }),
  expected: z.strictObject({
    ciLow: z.number(),
    ciHigh: z.number(),
    estimate: z.number(),
    tolerance: z.number(),
    estimateTolerance: z.number(),
  }),
});

export const cases = accountFor("kayenta-judge.json", {
  "mannWhitneyCI-003": {
    ours: { ciLow: -0.5, ciHigh: 0, estimate: -0.5 },
    reason:
      "the bounds are the very steps of the statistic, which R gives too with tol.root = 1e-12; Kayenta stops its search up to 0.0001 away from them",
  },
});

const classificationOf: Readonly<Record<z.infer<typeof kayentaClassification>, Classification>> = {
  Pass: "pass",
  High: "high",
  Low: "low",
  Nodata: "noData",
  NodataFailMetric: "noData",
};

const directionOf = { Increase: "increase", Decrease: "decrease", Either: "either" } as const;
const nanStrategyOf = { Remove: "remove", Replace: "replace" } as const;

function requestOf(input: MannWhitneyInput): ComparisonRequest {
  const [allowedDecrease, allowedIncrease] = input.effectSizeThresholds;
  const [criticalDecrease, criticalIncrease] = input.criticalThresholds;
  const options = comparisonSchema.parse({
    direction: directionOf[input.direction],
    nanStrategy: nanStrategyOf[input.nanStrategy],
    critical: input.critical,
    mustHaveData: input.mustHaveData,
    tolerance: input.tolerance,
    confidenceLevel: input.confLevel,
    effectSize: {
      measure: input.effectSizeMeasure,
      allowedIncrease,
      allowedDecrease,
      criticalIncrease,
      criticalDecrease,
    },
    minimumSamples: 0,
  });
  return { ...options, candidate: input.experiment, baseline: input.control };
}

/** What the case expects, of our answer. */
function answerTo(request: ComparisonRequest, expected: z.infer<typeof classifySchema>["expected"]) {
  const result = compareSamples(request);
  const ratio = compareSamples({ ...request, effectSize: { measure: "meanRatio" } }).effectSize ?? "NaN";
  return {
    ...("classification" in expected && { classification: result.classification }),
    ...("critical" in expected && { critical: result.critical }),
    ...("deviation" in expected && { deviation: ratio }),
    ...("reasonNotEmpty" in expected && { reasonNotEmpty: result.message !== "" }),
  };
}

describe("compareSamples classifies as MannWhitneyClassifier does", () => {
  const meaningful = cases.casesOf("classify", classifySchema, ({ input }) =>
    input.classifier === "meanInequality"
      ? "a comparison of the means alone, which Kayenta has to hold its test against: it calls any difference bad"
      : undefined,
  );

  it.each(meaningful)("$id: $expected.classification", ({ id, input, expected }) => {
    if (input.classifier !== "mannWhitney") throw new Error(`${id} is of another classifier.`);
    const { classification, ...others } = expected;
    cases.compare(id, answerTo(requestOf(input), expected), {
      ...others,
      ...(classification && { classification: classificationOf[classification] }),
    });
  });
});

function judgedOf(metric: z.infer<typeof scoreSchema>["input"]["metrics"][number], index: number): JudgedComparison {
  const verdictOf = {
    Pass: "pass",
    High: "fail",
    Low: "fail",
    Nodata: "inconclusive",
    NodataFailMetric: "fail",
  } as const;
  const result: JudgedComparison["result"] = {
    verdict: verdictOf[metric.classification],
    classification: classificationOf[metric.classification],
    critical: metric.critical,
    message: metric.classification,
  };
  return { name: `metric ${index}`, groups: metric.groups, result };
}

describe("judgeComparisons scores as WeightedSumScorer does", () => {
  it.each(cases.casesOf("score", scoreSchema))("$id: $expected.summaryScore", ({ id, input, expected }) => {
    const options = judgementSchema.parse({ groupWeights: input.groupWeights });
    cases.compare(id, judgeComparisons(input.metrics.map(judgedOf), options).score, expected.summaryScore);
  });
});

describe("compareSamples gives the interval of MannWhitney", () => {
  /** How far Kayenta's search may stop from the bound that it looks for. */
  const searchTolerance = 1e-4;

  it.each(cases.casesOf("mannWhitneyCI", intervalSchema))("$id", ({ id, input, expected }) => {
    const { interval, estimate } = compareSamples({
      candidate: input.experiment,
      baseline: input.control,
      confidenceLevel: input.confLevel,
      minimumSamples: 0,
    });
    if (!interval || estimate === undefined) throw new Error("There is no interval.");
    const { tolerance, estimateTolerance, ...theirs } = expected;
    const ours = { ciLow: interval.low, ciHigh: interval.high, estimate };
    const isNear =
      Math.abs(ours.ciLow - theirs.ciLow) <= tolerance &&
      Math.abs(ours.ciHigh - theirs.ciHigh) <= tolerance &&
      Math.abs(ours.estimate - theirs.estimate) <= estimateTolerance;
    cases.compare(id, isNear ? theirs : ours, theirs);
    // Also where they differ: it is by no more than what Kayenta's search leaves, and towards a step of the statistic.
    const steps = input.experiment.flatMap((one) => input.control.map((other) => one - other));
    for (const [bound, theirBound] of [
      [ours.ciLow, theirs.ciLow],
      [ours.ciHigh, theirs.ciHigh],
    ] as const) {
      expect(steps).toContain(bound);
      expect(Math.abs(bound - theirBound)).toBeLessThanOrEqual(searchTolerance);
    }
  });
});

cases.close();
