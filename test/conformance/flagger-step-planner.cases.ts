import { createServer } from "node:http";
import {
  allTo,
  assess,
  conditionsOfThresholdRange,
  countMeasurement,
  defaultAffinitySeconds,
  evaluateConditions,
  http,
  isDone,
  noMeasurements,
  planOf,
  stepsFromFlagger,
  type Verdict,
} from "../../packages/core/src/index.ts";
import { systemClock } from "../../packages/engine/src/index.ts";
import { measureHttp } from "../../packages/probes/src/index.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accountFor } from "./case-accounting.ts";
import { simulateService } from "./simulated-service.ts";

/*
 * Whoever comes from Flagger finds the weights, the waits and the defaults that its own tests and documents state, or reads here why
 * they are others. Flagger promotes by copying the candidate over a second workload and moving the traffic back to that; here the
 * candidate itself gets all traffic, so that a plan is compared up to its promotion.
 */

const clampedWeight = "the last step does not go beyond maxWeight, which says how many users may meet the candidate";

export const cases = accountFor("flagger-step-planner.json", {
  "weightProgression-001": { ours: [20, 40, 50], reason: clampedWeight },
  "documentedExamples-001": { ours: [20, 40, 50], reason: clampedWeight },
  "phaseSequences-001": {
    ours: [100],
    reason:
      "the candidate keeps the traffic that it has proved itself with; there is no copy of it to move the traffic back to",
  },
  "phaseSequences-005": {
    ours: [],
    reason: "only the requests that match go to the candidate, and its weight stays 0; Flagger reports them as 100 %",
  },
});

cases.leaveOut({
  readiness:
    "the workload's own await logic says when it is ready, or has failed (the platform's standard Pulumi resources)",
});

const analysisSchema = z.looseObject({}).nullable();

/** The weights at which time is spent. */
function plannedWeights(analysis: unknown): number[] {
  const { steps = [] } = stepsFromFlagger(analysis).options;
  return steps.flatMap((step, index) =>
    step.kind === "shift" && steps[index + 1]?.kind === "soak" ? [step.weightPercent] : [],
  );
}

/** The time that passes before the candidate has everything: in soaks, and between the measurements of its probe. */
function plannedMs(analysis: unknown): number {
  const { options, probe } = stepsFromFlagger(analysis);
  const soaked = (options.steps ?? []).reduce((sum, step) => sum + (step.kind === "soak" ? step.durationMs : 0), 0);
  return soaked + (probe.count - 1) * probe.intervalMs;
}

describe("the weights before the promotion are those of weightProgression", () => {
  const schema = z.object({
    id: z.string(),
    input: z.object({ analysis: analysisSchema }),
    expected: z.object({ weightsAfterEachTick: z.array(z.object({ canary: z.number() })) }),
  });

  it.each(cases.casesOf("weightProgression", schema))("$id: $input.analysis", ({ id, input, expected }) => {
    const expectedWeights = expected.weightsAfterEachTick.map(({ canary }) => canary).filter((weight) => weight > 0);
    cases.compare(id, plannedWeights(input.analysis), expectedWeights);
  });
});

describe("the documented examples hold", () => {
  const schema = z.object({
    id: z.string(),
    input: z.object({ analysis: analysisSchema }),
    expected: z.union([
      z.strictObject({ canaryWeights: z.array(z.number()) }),
      z.strictObject({ minPromotionSeconds: z.number() }),
    ]),
  });

  it.each(cases.casesOf("documentedExamples", schema))("$id: $input.analysis", ({ id, input, expected }) => {
    if ("canaryWeights" in expected) cases.compare(id, plannedWeights(input.analysis), expected.canaryWeights);
    else cases.compare(id, plannedMs(input.analysis) / 1_000, expected.minPromotionSeconds);
  });
});

describe("the traces of phaseSequences", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({ analysis: z.looseObject({ skipAnalysis: z.boolean().optional() }) }),
    expected: z.object({
      ticks: z.array(
        z.looseObject({
          event: z.string(),
          canaryWeight: z.number().optional(),
          weights: z.looseObject({ canary: z.number() }).optional(),
        }),
      ),
    }),
  });
  const reasons: Readonly<Record<string, string>> = {
    "phaseSequences-009": "there is no second copy of the workload that could get sick while it is promoted",
    "phaseSequences-011": "each version is a workload of its own, with all its replicas before it has traffic",
  };

  /** What Flagger calls the primary. */
  const primary = "primary";

  /** A second version comes while the first one has 10 %: its update finds the other one in the middle, and no longer running. */
  async function weightsWithSecondRevision(analysis: unknown): Promise<number[]> {
    const { strategy, options } = stepsFromFlagger(analysis);
    const plan = planOf(strategy, options);
    const [first] = plan.steps.filter(({ kind }) => kind === "soak");
    const service = simulateService({ replicas: 1, weights: allTo(primary) });
    await service.update({ candidate: "first", plan, ...(first ? { dieAt: first } : {}) });
    const weights = [100 - (service.weights()[primary] ?? 0)];
    const second = await service.update({ candidate: "second", plan });
    const begun = second.moments.find(({ fact }) => fact.kind === "stepStarted");
    return [...weights, 100 - (begun?.weights[primary] ?? 0)];
  }

  it.each(cases.casesOf("phaseSequences", schema, ({ id }) => reasons[id]))("$id", async ({ id, input, expected }) => {
    const weights = expected.ticks.map(({ canaryWeight, weights: split }) => canaryWeight ?? split?.canary ?? 0);
    if (expected.ticks.some(({ event }) => event === "second revision")) {
      cases.compare(id, await weightsWithSecondRevision(input.analysis), weights);
      return;
    }
    const changes = weights.filter((weight, index) => weight > 0 && weight !== weights[index - 1]);
    cases.compare(id, plannedWeights(input.analysis), changes);
    if (input.analysis.skipAnalysis === true) expect(plannedMs(input.analysis)).toBe(0);
  });
});

describe("an update has something to do where revisionChange says so", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({ current: z.string(), lastApplied: z.string(), lastPromoted: z.string() }),
    expected: z.boolean(),
  });

  it.each(cases.casesOf("revisionChange", schema))("$id: $expected", ({ id, input, expected }) => {
    // What was applied last and did not get promoted went back: the traffic is with the one before.
    const plan = planOf("progressive", stepsFromFlagger({ stepWeight: 10 }).options);
    const isDue = !isDone(plan, { candidate: input.current }, allTo(input.lastPromoted), undefined);
    cases.compare(id, isDue, expected);
  });

  it("and nothing where the version has all traffic", () => {
    expect(isDone(planOf("blueGreen"), { candidate: "same" }, allTo("same"), undefined)).toBe(true);
  });
});

describe("the strategy is that of strategySelection", () => {
  const schema = z.object({
    id: z.string(),
    input: z.object({ analysis: analysisSchema }),
    expected: z.enum(["canary", "blue-green"]),
  });
  const names = { canary: "progressive", "blue-green": "blueGreen" } as const;

  it.each(cases.casesOf("strategySelection", schema))("$id: $expected", ({ id, input, expected }) => {
    cases.compare(id, stepsFromFlagger(input.analysis).strategy, names[expected]);
  });
});

describe("a thresholdRange judges as metricChecks does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.object({
      metric: z.looseObject({ thresholdRange: z.strictObject({ min: z.number(), max: z.number() }) }),
      providerValue: z.number(),
    }),
    expected: z.strictObject({ pass: z.boolean() }),
  });

  it.each(cases.casesOf("metricChecks", schema))("$id", ({ id, input, expected }) => {
    const conditions = conditionsOfThresholdRange(input.metric.thresholdRange);
    cases.compare(id, evaluateConditions(conditions, input.providerValue).verdict, expected.pass ? "pass" : "fail");
  });
});

describe("the defaults are those of the API", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({}),
    expected: z.looseObject({
      intervalSeconds: z.number().optional(),
      threshold: z.number().optional(),
      maxAge: z.number().optional(),
    }),
  });
  const reasons: Readonly<Record<string, string>> = {
    primaryReadyThreshold: "there is no second copy of the stable version to wait for",
    progressDeadlineSeconds: "two limits take its place: of the candidate's readiness, and of the whole cut-over",
  };
  const reasonOf = ({ expected }: z.output<typeof schema>) =>
    Object.keys(expected).flatMap((field) => reasons[field] ?? [])[0];

  it.each(cases.casesOf("defaults", schema, reasonOf))("$id: $input", ({ id, input, expected }) => {
    const { intervalMs, failureLimit } = stepsFromFlagger(input).probe;
    // Flagger names the failed checks that are too many; we name those that are borne.
    if (expected.threshold !== undefined) cases.compare(id, failureLimit + 1, expected.threshold);
    else if (expected.maxAge !== undefined) cases.compare(id, defaultAffinitySeconds, expected.maxAge);
    else cases.compare(id, intervalMs / 1_000, expected.intervalSeconds);
  });
});

describe("an http probe passes where webhooks do", () => {
  const schema = z.object({
    id: z.string(),
    input: z.union([
      z.strictObject({ statusCode: z.int() }),
      z.strictObject({ statusCodes: z.array(z.int()), retries: z.int() }),
    ]),
    expected: z.strictObject({ pass: z.boolean() }),
  });

  async function measureAnswer(status: number): Promise<Verdict> {
    const server = createServer((_request, response) => response.writeHead(status).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const address = server.address();
      if (address === null || typeof address === "string") throw new Error("The server has no port.");
      const place = { url: `http://127.0.0.1:${address.port}` };
      return (await measureHttp(http("/"), place, systemClock, AbortSignal.timeout(5_000))).verdict;
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }

  it.each(cases.casesOf("webhooks", schema))("$id: $input", async ({ id, input, expected }) => {
    const statuses = "statusCode" in input ? [input.statusCode] : input.statusCodes;
    // A retry is one more failure borne until the first success.
    const limits = { failureLimit: "retries" in input ? input.retries : 0, consecutiveSuccessLimit: 1, intervalMs: 10 };
    const verdicts = await Promise.all(statuses.map(measureAnswer));
    const verdict = assess(limits, verdicts.reduce(countMeasurement, noMeasurements));
    cases.compare(id, verdict, expected.pass ? "pass" : "fail");
  });

  it("and where Flagger refuses 203 and 204, which its documents call passing", async () => {
    expect(await Promise.all([203, 204, 299].map(measureAnswer))).toEqual(["pass", "pass", "pass"]);
  });
});

cases.close();
