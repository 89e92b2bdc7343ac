import { z } from "zod";
import type { Verdict } from "../measurement.ts";
import type { ComparisonResult } from "./compare.ts";

const percentage = z.number().min(0).max(100);

/** How several comparisons become one verdict. */
export const judgementSchema = z
  .strictObject({
    /** The part of a group in the score, in percent. Groups without one share what is left of 100. */
    groupWeights: z
      .record(z.string(), percentage)
      .refine((weights) => sumOf(Object.values(weights)) <= 100, { error: "must add up to 100 at most" })
      .optional(),
    /** The score from which on the verdict is `pass`. Default 95. */
    passScore: percentage.optional(),
    /** The score below which the verdict is `fail`; between the two it is `inconclusive`. Default 75. */
    marginalScore: percentage.optional(),
  })
  .refine(
    ({ passScore, marginalScore }) => (marginalScore ?? defaultMarginalScore) <= (passScore ?? defaultPassScore),
    {
      path: ["marginalScore"],
      error: `must not be above passScore; their defaults are 75 and 95`,
    },
  );
export type JudgementOptions = z.infer<typeof judgementSchema>;

const defaultPassScore = 95;
const defaultMarginalScore = 75;

/** One comparison and the groups that it counts in. */
export interface JudgedComparison {
  readonly name: string;
  readonly groups: readonly [string, ...string[]];
  readonly result: Pick<ComparisonResult, "verdict" | "classification" | "critical" | "message">;
}

/** One group's part of a judgement. */
export interface GroupScore {
  readonly group: string;
  /** Passes in percent of the group's comparisons. Absent where none of them has data. */
  readonly score?: number;
}

export interface Judgement {
  readonly verdict: Verdict;
  /** 0 to 100, to two decimals. */
  readonly score: number;
  readonly groups: readonly GroupScore[];
  readonly message: string;
}

/**
 * Judges several comparisons together, by the score of Kayenta's WeightedSumScorer: the weighted mean of the groups' parts that
 * passed; 0 where a critical one did not pass, or where half of them or more have no data. In the score, a group without data
 * counts as passed, as it does there; but the verdict is then never `pass`, for nothing is known about that group.
 */
export function judgeComparisons(
  comparisons: readonly JudgedComparison[],
  { groupWeights = {}, passScore = defaultPassScore, marginalScore = defaultMarginalScore }: JudgementOptions = {},
): Judgement {
  const groups = scoreGroups(comparisons);
  const critical = comparisons.filter(({ result }) => result.critical && result.classification !== "pass");
  const known = critical.find(({ result }) => result.verdict === "fail");
  const decisive = known ?? critical[0];
  if (decisive) {
    const message = `${decisive.name} is critical and did not pass: ${decisive.result.message}`;
    return { verdict: known ? "fail" : "inconclusive", score: 0, groups, message };
  }
  const withoutData = comparisons.filter((comparison) => isUnknown(comparison));
  if (withoutData.length * 2 >= comparisons.length) {
    const message = `Nothing can be judged: ${withoutData.length} of ${comparisons.length} comparisons have no data.`;
    return { verdict: "inconclusive", score: 0, groups, message };
  }
  const score = weighted(groups, groupWeights);
  const empty = groups.find((group) => group.score === undefined);
  const message = `The score is ${score}; ${passScore} is a pass, less than ${marginalScore} a failure.`;
  if (score < marginalScore) return { verdict: "fail", score, groups, message };
  if (score < passScore) return { verdict: "inconclusive", score, groups, message };
  if (empty) {
    return { verdict: "inconclusive", score, groups, message: `${message} But group ${empty.group} has no data.` };
  }
  return { verdict: "pass", score, groups, message };
}

function scoreGroups(comparisons: readonly JudgedComparison[]): readonly GroupScore[] {
  const names = [...new Set(comparisons.flatMap(({ groups }) => groups))];
  return names.map((group) => {
    const known = comparisons.filter(({ groups, ...comparison }) => groups.includes(group) && !isUnknown(comparison));
    const passed = known.filter(({ result }) => result.classification === "pass");
    return known.length === 0 ? { group } : { group, score: (passed.length / known.length) * 100 };
  });
}

/** A comparison that must have data and has none is known to be bad. */
function isUnknown({ result }: Pick<JudgedComparison, "result">): boolean {
  return result.classification === "noData" && result.verdict !== "fail";
}

function weighted(groups: readonly GroupScore[], weights: Readonly<Record<string, number>>): number {
  const weightOf = new Map(Object.entries(weights));
  const unweighted = groups.filter(({ group }) => !weightOf.has(group)).length;
  const shared = (100 - sumOf(Object.values(weights))) / unweighted;
  const score = sumOf(groups.map(({ group, score: own = 100 }) => (own * (weightOf.get(group) ?? shared)) / 100));
  return Math.round(score * 100) / 100;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
