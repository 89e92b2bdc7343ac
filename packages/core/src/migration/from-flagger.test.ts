import { describe, expect, it } from "vitest";
import { evaluateConditions } from "../analysis/condition.ts";
import { BasculeError } from "../errors.ts";
import { conditionsOfThresholdRange, stepsFromFlagger } from "./from-flagger.ts";
import type { MigratedStep } from "./migrated-plan.ts";

const candidate: MigratedStep = { kind: "verify", target: "candidate" };
const service: MigratedStep = { kind: "verify", target: "service" };
const soak = (durationMs: number): MigratedStep => ({ kind: "soak", durationMs });
const shift = (weightPercent: number): MigratedStep => ({ kind: "shift", weightPercent });
const weightsOf = (analysis: unknown) =>
  stepsFromFlagger(analysis).steps.flatMap((step) => (step.kind === "shift" ? [step.weightPercent] : []));

describe("a Canary of Flagger", () => {
  it("goes up by its step each interval, verified, and is then promoted", () => {
    expect(stepsFromFlagger({ interval: "30s", threshold: 5, stepWeight: 25, maxWeight: 50 })).toEqual({
      strategy: "progressive",
      steps: [
        candidate,
        ...[shift(25), soak(30_000), service],
        ...[shift(50), soak(30_000), service],
        ...[shift(100), service],
      ],
      intervalMs: 30_000,
      failureLimit: 4,
      notes: [],
    });
  });

  it.each<[object, number[]]>([
    [{ stepWeight: 20, maxWeight: 50 }, [20, 40, 50, 100]],
    [{ stepWeight: 60 }, [60, 100]],
    [{ stepWeight: 50, maxWeight: 100 }, [50, 100]],
    [{ stepWeights: [1, 2, 10, 80] }, [1, 2, 10, 80, 100]],
    [{ stepWeights: [1, 2, 10, 80], maxWeight: 50 }, [1, 2, 10, 50, 100]],
    [{ stepWeights: [50, 100] }, [50, 100]],
    [{ stepWeight: 20, maxWeight: 40, stepWeightPromotion: 25 }, [20, 40, 65, 90, 100]],
    [{ stepWeight: 100, stepWeightPromotion: 50 }, [100]],
    [{}, [100]],
  ])("with %j has the weights %j", (analysis, expected) => {
    expect(weightsOf(analysis)).toEqual(expected);
  });

  it("without analysis is verified all the same", () => {
    const expected = [candidate, shift(100), service];
    expect(stepsFromFlagger(null).steps).toEqual(expected);
    expect(stepsFromFlagger({ stepWeight: 10, skipAnalysis: true })).toMatchObject({
      steps: expected,
      notes: ["skipAnalysis: the candidate is verified all the same, before and after it has traffic"],
    });
  });

  it("with iterations is blue/green: looked at again and again before it has traffic", () => {
    expect(stepsFromFlagger({ interval: "1m", iterations: 2 })).toMatchObject({
      strategy: "blueGreen",
      steps: [candidate, soak(60_000), candidate, soak(60_000), candidate, shift(100), service],
    });
  });

  it("with iterations and a match sends the requests that match first", () => {
    const match = [
      { headers: { "x-user": { exact: "test" } } },
      { headers: { cookie: { regex: "^(.*?;)?(canary=always)(;.*)?$" } } },
    ];
    expect(stepsFromFlagger({ iterations: 1, match })).toMatchObject({
      strategy: "progressive",
      steps: [
        candidate,
        {
          kind: "route",
          name: "match",
          matches: [
            { header: "x-user", exact: "test" },
            { header: "cookie", regex: "^(.*?;)?(canary=always)(;.*)?$" },
          ],
        },
        soak(60_000),
        service,
        shift(100),
        service,
        { kind: "route", name: "match", matches: [] },
      ],
    });
  });

  it.each<[object, MigratedStep[]]>([
    [
      { stepWeight: 100, mirror: true },
      [
        { kind: "mirror", percent: 100 },
        soak(60_000),
        candidate,
        { kind: "mirror", percent: 0 },
        shift(100),
        soak(60_000),
        service,
      ],
    ],
    [
      { iterations: 1, mirror: true, mirrorWeight: 10 },
      [{ kind: "mirror", percent: 10 }, soak(60_000), candidate, { kind: "mirror", percent: 0 }, shift(100), service],
    ],
  ])("with %j is shown copies of requests first", (analysis, expected) => {
    expect(stepsFromFlagger(analysis).steps).toEqual([candidate, ...expected]);
  });

  it.each([
    [{}, 60_000],
    [{ interval: "" }, 60_000],
    [{ interval: "5s" }, 10_000],
    [{ interval: "90s" }, 90_000],
  ])("with %j has an interval of %i ms", (analysis, expected) => {
    expect(stepsFromFlagger(analysis).intervalMs).toBe(expected);
  });

  it.each([
    [{}, 0],
    [{ threshold: 0 }, 0],
    [{ threshold: 1 }, 0],
    [{ threshold: 5 }, 4],
  ])("with %j bears %i failures", (analysis, expected) => {
    expect(stepsFromFlagger(analysis).failureLimit).toBe(expected);
  });

  it("names what the steps do not say", () => {
    const analysis = {
      stepWeight: 10,
      metrics: [],
      webhooks: [],
      match: [{ headers: { a: { exact: "b" } } }],
      strange: 1,
    };
    expect(stepsFromFlagger(analysis).notes).toEqual([
      "match: has a meaning with iterations only",
      "metrics: write a probe for each metric; a thresholdRange becomes a successCondition",
      "webhooks: write a probe for a test, a hook for a task, a pause for a confirmation",
      "strange: not carried over",
    ]);
  });

  it.each([
    [{ interval: "1z" }, 'interval = "1z": must be a duration'],
    [{ stepWeight: 120 }, "stepWeight = 120"],
    [{ iterations: 1, match: [{ sourceLabels: { a: "b" } }] }, "match[0].sourceLabels"],
    [{ iterations: 1, match: [{ headers: { a: { exact: "b" }, c: { exact: "d" } } }] }, "must name one header"],
    [{ iterations: 1, match: [{ headers: { a: { suffix: "b" } } }] }, "must have one of exact, prefix and regex"],
  ])("is refused with %j, and told why", (analysis, reason) => {
    expect(() => stepsFromFlagger(analysis)).toThrow(BasculeError);
    expect(() => stepsFromFlagger(analysis)).toThrow(reason);
  });
});

describe("a thresholdRange of Flagger", () => {
  it.each([
    [{ min: 99 }, 99, "pass"],
    [{ min: 99 }, 98.9, "fail"],
    [{ max: 500 }, 500, "pass"],
    [{ max: 500 }, 500.1, "fail"],
    [{ min: 0, max: 100 }, 50, "pass"],
    [{ min: 0, max: 100 }, -1, "fail"],
    [{ min: -1.5e-7, max: 1e21 }, 0, "pass"],
    [{ min: 0 }, Number.NaN, "fail"],
    [{ min: 0 }, null, "error"],
    [{}, 1, "pass"],
  ])("%j finds %d: %s", (range, value, expected) => {
    expect(evaluateConditions(conditionsOfThresholdRange(range), value).verdict).toBe(expected);
  });
});
