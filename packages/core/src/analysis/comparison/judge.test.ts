import { describe, expect, it } from "vitest";
import { parseInput } from "../../parse-input.ts";
import { judgeComparisons, judgementSchema, type JudgedComparison } from "./judge.ts";

type Outcome = "pass" | "high" | "low" | "noData" | "missing";

function judged(
  outcome: Outcome,
  groups: readonly [string, ...string[]] = ["all"],
  critical = false,
): JudgedComparison {
  const verdicts = { pass: "pass", high: "fail", low: "fail", noData: "inconclusive", missing: "fail" } as const;
  const classification = outcome === "missing" ? "noData" : outcome;
  const result = { verdict: verdicts[outcome], classification, critical, message: `It is ${outcome}.` };
  return { name: `the ${outcome} one`, groups, result };
}

const passes = (count: number) => Array.from({ length: count }, () => judged("pass"));

describe("a judgement of several comparisons", () => {
  it.each([
    ["all pass", [judged("pass")], {}, 100, "pass"],
    ["one of twenty fails", [...passes(19), judged("high")], {}, 95, "pass"],
    ["one of ten fails", [...passes(9), judged("low")], {}, 90, "inconclusive"],
    ["one of two fails", [judged("pass"), judged("high")], {}, 50, "fail"],
    ["one of three passes", [judged("pass"), judged("high"), judged("low")], {}, 33.33, "fail"],
    ["with thresholds of its own", [judged("pass"), judged("high")], { passScore: 50, marginalScore: 20 }, 50, "pass"],
    ["one lacks data", [judged("pass"), judged("pass"), judged("noData")], {}, 100, "pass"],
    ["one lacks data that it must have", [judged("pass"), judged("pass"), judged("missing")], {}, 66.67, "fail"],
    ["half lack data", [judged("pass"), judged("noData")], {}, 0, "inconclusive"],
    ["there are none", [], {}, 0, "inconclusive"],
  ] as const)("where %s", (_, comparisons, options, score, verdict) => {
    expect(judgeComparisons(comparisons, options)).toMatchObject({ score, verdict });
  });

  it.each([
    ["as weighted", { slow: 75, wrong: 25 }, 75],
    ["by halves where none has a weight", {}, 50],
    ["with what is left to those without", { wrong: 10 }, 90],
  ])("counts groups %s", (_, groupWeights, score) => {
    const comparisons = [judged("pass", ["slow"]), judged("pass", ["slow"]), judged("high", ["wrong"])];
    const judgement = judgeComparisons(comparisons, { groupWeights });
    expect(judgement.score).toBe(score);
    expect(judgement.groups).toEqual([
      { group: "slow", score: 100 },
      { group: "wrong", score: 0 },
    ]);
  });

  it("counts one comparison in each of its groups", () => {
    const comparisons = [judged("high", ["a", "b"]), judged("pass", ["a"])];
    expect(judgeComparisons(comparisons).groups).toEqual([
      { group: "a", score: 50 },
      { group: "b", score: 0 },
    ]);
  });

  it("never passes while nothing is known about a group", () => {
    const comparisons = [judged("pass", ["known"]), judged("pass", ["known"]), judged("noData", ["unknown"])];
    const { score, verdict, groups, message } = judgeComparisons(comparisons);
    expect({ score, verdict }).toEqual({ score: 100, verdict: "inconclusive" });
    expect(groups).toEqual([{ group: "known", score: 100 }, { group: "unknown" }]);
    expect(message).toContain("group unknown has no data");
  });

  it("loses the weight of a group that no comparison is in", () => {
    expect(judgeComparisons([judged("pass", ["a"])], { groupWeights: { a: 50, b: 50 } }).score).toBe(50);
  });

  it.each([
    ["high", "fail"],
    ["noData", "inconclusive"],
  ] as const)("is decided by one critical comparison alone: %s", (outcome, verdict) => {
    const judgement = judgeComparisons([...passes(50), judged(outcome, ["all"], true)]);
    expect(judgement).toMatchObject({ score: 0, verdict });
    expect(judgement.message).toBe(`the ${outcome} one is critical and did not pass: It is ${outcome}.`);
  });

  it("names the critical comparison that failed rather than one without data", () => {
    const comparisons = [judged("noData", ["all"], true), judged("low", ["all"], true)];
    expect(judgeComparisons(comparisons).message).toContain("the low one is critical");
  });

  it("is not decided by a critical comparison that passed", () => {
    expect(judgeComparisons([judged("pass", ["all"], true)]).verdict).toBe("pass");
  });
});

describe("the options of a judgement", () => {
  it.each([
    [{ groupWeights: { a: 60, b: 50 } }, "must add up to 100 at most"],
    [{ passScore: 50, marginalScore: 60 }, "must not be above passScore"],
    [{ passScore: 50 }, "must not be above passScore"],
    [{ passScore: 101 }, "passScore"],
  ])("are refused when they are wrong: %j", (options, message) => {
    expect(() => parseInput(judgementSchema, options, "judgement")).toThrow(message);
  });
});
