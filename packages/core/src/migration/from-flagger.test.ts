import { describe, expect, it } from "vitest";
import { evaluateConditions } from "../analysis/condition.ts";
import { BasculeError } from "../errors.ts";
import type { Step } from "../plan/step.ts";
import { planOf } from "../plan/strategies.ts";
import { conditionsOfThresholdRange, stepsFromFlagger } from "./from-flagger.ts";

const candidate: Step = { kind: "verify", target: "candidate" };
const service: Step = { kind: "verify", target: "service" };
const soak = (durationMs: number): Step => ({ kind: "soak", durationMs });
const shift = (weightPercent: number): Step => ({ kind: "shift", weightPercent });
const planFrom = (analysis: unknown) => {
  const { strategy, options } = stepsFromFlagger(analysis);
  return planOf(strategy, options);
};
const weightsOf = (analysis: unknown) =>
  planFrom(analysis).steps.flatMap((step) => (step.kind === "shift" ? [step.weightPercent] : []));

describe("a Canary of Flagger", () => {
  it("goes up by its step each interval", () => {
    expect(stepsFromFlagger({ interval: "30s", threshold: 5, stepWeight: 25, maxWeight: 50 })).toEqual({
      strategy: "progressive",
      options: { steps: [shift(25), soak(30_000), shift(50), soak(30_000)] },
      probe: { intervalMs: 30_000, count: 1, failureLimit: 4 },
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
  ])("with %j has a plan of the weights %j", (analysis, expected) => {
    expect(weightsOf(analysis)).toEqual(expected);
  });

  it("without analysis is verified all the same", () => {
    const expected = [candidate, shift(100), service, { kind: "hold", durationMs: 5_000 }];
    expect(planFrom(null).steps).toEqual(expected);
    expect(planFrom({ stepWeight: 10, skipAnalysis: true }).steps).toEqual(expected);
    expect(stepsFromFlagger({ stepWeight: 10, skipAnalysis: true }).notes).toEqual([
      "skipAnalysis: the candidate is verified all the same, before and after it has traffic",
    ]);
  });

  it("with iterations is blue/green, and its probes look again and again before there is traffic", () => {
    expect(stepsFromFlagger({ interval: "1m", iterations: 2 })).toEqual({
      strategy: "blueGreen",
      options: {},
      probe: { targets: ["candidate"], intervalMs: 60_000, count: 3, failureLimit: 0 },
      notes: [],
    });
  });

  it("with iterations and a match sends the requests that match first", () => {
    const match = [
      { headers: { "x-user": { exact: "test" } } },
      { headers: { cookie: { regex: "^(.*?;)?(canary=always)(;.*)?$" } } },
    ];
    expect(stepsFromFlagger({ iterations: 1, match })).toMatchObject({
      strategy: "progressive",
      options: {
        steps: [
          {
            kind: "route",
            matches: [
              { header: "x-user", exact: "test" },
              { header: "cookie", regex: "^(.*?;)?(canary=always)(;.*)?$" },
            ],
          },
          soak(60_000),
          service,
        ],
      },
    });
  });

  it.each<[object, Step[]]>([
    [
      { stepWeight: 100, mirror: true },
      [
        { kind: "mirror", percent: 100 },
        soak(60_000),
        candidate,
        { kind: "mirror", percent: 0 },
        shift(100),
        soak(60_000),
      ],
    ],
    [
      { iterations: 1, mirror: true, mirrorWeight: 10 },
      [{ kind: "mirror", percent: 10 }, soak(60_000), candidate, { kind: "mirror", percent: 0 }],
    ],
  ])("with %j is shown copies of requests first", (analysis, steps) => {
    expect(stepsFromFlagger(analysis)).toMatchObject({ strategy: "progressive", options: { steps } });
  });

  it.each([
    [{}, 60_000],
    [{ interval: "" }, 60_000],
    [{ interval: "5s" }, 10_000],
    [{ interval: "90s" }, 90_000],
  ])("with %j has an interval of %i ms", (analysis, expected) => {
    expect(stepsFromFlagger(analysis).probe.intervalMs).toBe(expected);
  });

  it.each([
    [{}, 0],
    [{ threshold: 0 }, 0],
    [{ threshold: 1 }, 0],
    [{ threshold: 5 }, 4],
  ])("with %j bears %i failures", (analysis, expected) => {
    expect(stepsFromFlagger(analysis).probe.failureLimit).toBe(expected);
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
