import { readFileSync } from "node:fs";
import {
  compareSamples,
  comparisonSchema,
  judgeComparisons,
  judgementSchema,
  type Classification,
  type ComparisonRequest,
  type JudgedComparison,
} from "../../packages/core/src/index.ts";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";

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

const fileSchema = z.object({
  source: z.object({ project: z.string(), commit: z.string() }),
  groups: z.array(z.object({ group: z.string(), cases: z.array(z.looseObject({ id: z.string() })) })),
});
const file = fileSchema.parse(JSON.parse(readFileSync(new URL("cases/kayenta-judge.json", import.meta.url), "utf8")));

/** Where Bascule answers otherwise on purpose. A case that agrees is never counted as a difference. */
const exactSteps =
  "the bounds are the very steps of the statistic, which R gives too with tol.root = 1e-12; Kayenta stops its search up to 0.0001 away from them";
const searchTolerance = 1e-4;

type Standing = "agreed" | "differs" | "not applicable";
interface Row {
  readonly group: string;
  readonly id: string;
  readonly standing: Standing;
  readonly reason: string;
}
const rows: Row[] = [];

function casesOf(group: string): readonly { readonly id: string }[] {
  const found = file.groups.find((candidate) => candidate.group === group);
  if (!found) throw new Error(`The file has no group ${group}.`);
  return found.cases;
}

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
  for (const { id, input, expected } of casesOf("classify").map((raw) => classifySchema.parse(raw))) {
    if (input.classifier === "meanInequality") {
      const reason =
        "a comparison of the means alone, which Kayenta has to hold its test against: it calls any difference bad";
      rows.push({ group: "classify", id, standing: "not applicable", reason });
      continue;
    }
    it(`${id}: ${expected.classification ?? "a reason"}`, () => {
      const { classification, ...others } = expected;
      expect(answerTo(requestOf(input), expected)).toEqual({
        ...others,
        ...(classification && { classification: classificationOf[classification] }),
      });
      rows.push({ group: "classify", id, standing: "agreed", reason: "" });
    });
  }
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
  it.each(casesOf("score").map((raw) => scoreSchema.parse(raw)))(
    "$id: $expected.summaryScore",
    ({ id, input, expected }) => {
      const options = judgementSchema.parse({ groupWeights: input.groupWeights });
      expect(judgeComparisons(input.metrics.map(judgedOf), options).score).toBe(expected.summaryScore);
      rows.push({ group: "score", id, standing: "agreed", reason: "" });
    },
  );
});

describe("compareSamples gives the interval of MannWhitney", () => {
  it.each(casesOf("mannWhitneyCI").map((raw) => intervalSchema.parse(raw)))("$id", ({ id, input, expected }) => {
    const found = compareSamples({
      candidate: input.experiment,
      baseline: input.control,
      confidenceLevel: input.confLevel,
      minimumSamples: 0,
    });
    const { interval, estimate } = found;
    if (!interval || estimate === undefined) throw new Error("There is no interval.");
    const distances = [interval.low - expected.ciLow, interval.high - expected.ciHigh].map(Math.abs);
    const distance = Math.max(...distances, Math.abs(estimate - expected.estimate));
    const agrees =
      Math.max(...distances) <= expected.tolerance &&
      Math.abs(estimate - expected.estimate) <= expected.estimateTolerance;
    if (agrees) {
      rows.push({ group: "mannWhitneyCI", id, standing: "agreed", reason: "" });
    } else {
      const steps = input.experiment.flatMap((one) => input.control.map((other) => one - other));
      expect(steps).toContain(interval.low);
      expect(steps).toContain(interval.high);
      expect(distance).toBeLessThanOrEqual(searchTolerance);
      rows.push({ group: "mannWhitneyCI", id, standing: "differs", reason: exactSteps });
    }
  });
});

describe("every case of the file", () => {
  it("is accounted for, each once", () => {
    const all = file.groups.flatMap(({ cases }) => cases.map(({ id }) => id));
    expect(all.length).toBeGreaterThan(0);
    expect(rows.map(({ id }) => id).toSorted()).toEqual(all.toSorted());
  });
});

afterAll(() => {
  const groups = file.groups.map(({ group, cases }) => {
    const of = (standing: Standing) => rows.filter((row) => row.group === group && row.standing === standing).length;
    return {
      group,
      cases: cases.length,
      agreed: of("agreed"),
      differs: of("differs"),
      "not applicable": of("not applicable"),
    };
  });
  console.log(`${file.source.project} at ${file.source.commit.slice(0, 8)}`);
  console.table(groups);
  const byReason = Map.groupBy(
    rows.filter(({ reason }) => reason !== ""),
    ({ standing, reason }) => `${standing}: ${reason}`,
  );
  for (const [reason, of] of byReason) console.log(`${reason}\n  ${of.map(({ id }) => id).join(", ")}`);
});
