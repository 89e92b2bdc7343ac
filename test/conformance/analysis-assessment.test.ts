import {
  assess,
  assessRun,
  countMeasurement,
  decidingProbe,
  describeRun,
  evaluateConditions,
  isRunLost,
  noMeasurements,
  summarizeDryRuns,
  worstVerdict,
  type AnalysisCounters,
  type AnalysisLimits,
  type Conditions,
  type ProbeOutcome,
  type Verdict,
} from "../../packages/core/src/index.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accountFor } from "./case-accounting.ts";

/*
 * The meaning of our analysis is that of Argo Rollouts, so its own test cases are run against the functions that decide it here. Each
 * case of the file is accounted for: it agrees, it differs for a reason that is named here, or it is about something that Bascule
 * does not have.
 */

const phaseSchema = z.enum(["Successful", "Failed", "Error", "Inconclusive", "Running", "Pending"]);
const count = z.int().min(0).default(0);

const assessmentSchema = z.object({
  id: z.string(),
  input: z.strictObject({
    metric: z.strictObject({
      interval: z.string().optional(),
      count: z.int().optional(),
      failureLimit: z.int().optional(),
      inconclusiveLimit: z.int().optional(),
      consecutiveErrorLimit: z.int().optional(),
      consecutiveSuccessLimit: z.int().optional(),
    }),
    result: z.strictObject({
      successful: count,
      failed: count,
      inconclusive: count,
      error: count,
      consecutiveError: count,
      consecutiveSuccess: count,
      count,
    }),
    measurements: z.array(z.object({ phase: phaseSchema, completed: z.boolean() })),
    terminating: z.boolean(),
  }),
  expected: z.strictObject({ phase: phaseSchema }),
});

const countersSchema = z.strictObject({ consecutiveError: count, error: count, count });
const countingSchema = z.object({
  id: z.string(),
  input: z.strictObject({ before: countersSchema, measurement: phaseSchema }),
  expected: countersSchema,
});

const metricSchema = z.looseObject({ name: z.string(), interval: z.string().optional(), count: z.int().optional() });
const metricResultSchema = z.looseObject({
  name: z.string(),
  phase: phaseSchema,
  failed: count,
  inconclusive: count,
  measurements: z.array(z.object({ phase: phaseSchema })).default([]),
});
const runSchema = z.object({
  id: z.string(),
  input: z.looseObject({
    metrics: z.array(metricSchema),
    metricResults: z.array(metricResultSchema),
    dryRun: z.array(z.string()),
    terminateRequested: z.boolean(),
    providerReturns: z.record(z.string(), phaseSchema).default({}),
  }),
  expected: z.looseObject({
    phase: phaseSchema,
    message: z.string().default(""),
    metricPhases: z.record(z.string(), phaseSchema).default({}),
    dryRunSummary: z
      .strictObject({ count, successful: count, failed: count, inconclusive: count, error: count })
      .optional(),
  }),
});

const orderingSchema = z.union([
  z.object({
    id: z.string(),
    input: z.strictObject({ current: phaseSchema, new: phaseSchema }),
    expected: z.boolean(),
  }),
  z.object({ id: z.string(), input: z.strictObject({ left: phaseSchema, right: phaseSchema }), expected: phaseSchema }),
]);

const terminatingSchema = z.object({
  id: z.string(),
  input: z.strictObject({
    metricResults: z.array(z.strictObject({ name: z.string(), phase: phaseSchema, dryRun: z.boolean() })).nullable(),
  }),
  expected: z.boolean(),
});

const conditionsSchema = { successCondition: z.string(), failureCondition: z.string() };
const measurementSchema = z.object({
  id: z.string(),
  input: z.strictObject({ result: z.json(), ...conditionsSchema }),
  expected: z.strictObject({ phase: phaseSchema, errorContains: z.array(z.string()).default([]) }),
});
const webSchema = z.object({
  id: z.string(),
  input: z.looseObject({
    serverStatus: z.int().nullable(),
    serverBody: z.string(),
    jsonPath: z.string(),
    ...conditionsSchema,
  }),
  expected: z.looseObject({ phase: phaseSchema }),
});

const cases = accountFor("analysis-assessment.json", {
  "assessRunStatus-003": {
    ours: "fail",
    reason: "a candidate that is known to be bad loses its traffic at once, not when the other metrics have stopped",
  },
  "webProbe-023": {
    ours: "error",
    reason:
      "a path into a body that is not JSON leads nowhere; Argo Rollouts forgets the path and judges the whole body",
  },
});

cases.leaveOut(
  {
    measurementScheduling:
      "each probe measures in a loop of its own, within one update; nothing is due from a stored state (verification.ts of the engine)",
    nextReconcile:
      "each probe sleeps for the rest of its interval; no controller wakes up to reconcile (verification.ts of the engine)",
  },
  "not applicable",
);

const verdictOf: Readonly<Record<z.infer<typeof phaseSchema>, Verdict | undefined>> = {
  Successful: "pass",
  Failed: "fail",
  Error: "error",
  Inconclusive: "inconclusive",
  // Both mean that more has to be measured.
  Running: undefined,
  Pending: undefined,
};

function reasonWithoutMeaning({ input, expected }: z.infer<typeof assessmentSchema>): string | undefined {
  if (input.measurements.some(({ completed }) => !completed))
    return "a probe is assessed between measurements, never during one";
  if (input.terminating && expected.phase === "Successful")
    return "a verification that is stopped early has no verdict";
  return undefined;
}

function limitsOf({ metric }: z.infer<typeof assessmentSchema>["input"]): AnalysisLimits {
  const { interval, count: wanted, ...limits } = metric;
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  return {
    ...given,
    ...(wanted === undefined ? {} : { count: wanted }),
    ...(interval === undefined ? {} : { intervalMs: Number(/^(\d+)s$/.exec(interval)?.[1]) * 1_000 }),
  };
}

function countersOf({ result }: z.infer<typeof assessmentSchema>["input"]): AnalysisCounters {
  return {
    passed: result.successful,
    failed: result.failed,
    inconclusive: result.inconclusive,
    errors: result.error,
    consecutiveErrors: result.consecutiveError,
    consecutivePasses: result.consecutiveSuccess,
  };
}

describe("assess gives the verdict of assessMetricStatus", () => {
  it.each(cases.casesOf("assessMetricStatus", assessmentSchema, reasonWithoutMeaning))(
    "$id: $expected.phase",
    ({ id, input, expected }) => {
      cases.compare(id, assess(limitsOf(input), countersOf(input)), verdictOf[expected.phase]);
    },
  );
});

describe("countMeasurement counts as the counters of a metric do", () => {
  it.each(cases.casesOf("measurementCounters", countingSchema))(
    "$id: $input.measurement",
    ({ id, input, expected }) => {
      const verdict = verdictOf[input.measurement];
      if (verdict === undefined)
        throw new Error(`${id}: ${input.measurement} is not the phase of a finished measurement.`);
      const before: AnalysisCounters = {
        passed: input.before.count,
        failed: 0,
        inconclusive: 0,
        errors: input.before.error,
        consecutiveErrors: input.before.consecutiveError,
        consecutivePasses: 0,
      };
      const after = countMeasurement(before, verdict);
      const answer = {
        consecutiveError: after.consecutiveErrors,
        error: after.errors,
        count: after.passed + after.failed + after.inconclusive,
      };
      cases.compare(id, answer, expected);
    },
  );
});

describe("assessRun gives the verdict of assessRunStatus", () => {
  /** What a provider gave for a measurement that was not finished, which the cases write as `resume(name)`. */
  function outcomeOf(metric: z.output<typeof metricSchema>, input: z.output<typeof runSchema>["input"]): ProbeOutcome {
    const probe = { probe: metric.name, isDryRun: input.dryRun.includes(metric.name) };
    const result = input.metricResults.find(({ name }) => name === metric.name);
    const finished = result && verdictOf[result.phase];
    if (finished !== undefined) return { ...probe, verdict: finished };

    const { providerReturns } = input;
    const returned =
      providerReturns[`resume(${metric.name})`] ??
      providerReturns[`terminate(${metric.name})`] ??
      providerReturns["run"];
    const measured = returned && verdictOf[returned];
    const before = { ...noMeasurements, failed: result?.failed ?? 0, inconclusive: result?.inconclusive ?? 0 };
    const counters = measured === undefined ? before : countMeasurement(before, measured);
    const limits = metric.count === undefined ? {} : { count: metric.count };
    return { ...probe, verdict: assess(limits, counters) };
  }

  const meaningful = cases.casesOf("assessRunStatus", runSchema, ({ input, expected }) => {
    if (expected.phase === "Error")
      return "a probe that cannot be made is refused by its schema, before anything is changed";
    if (input.terminateRequested) return "a verification that is stopped early has no verdict";
    return undefined;
  });
  it.each(meaningful)("$id: $expected.phase", ({ id, input, expected }) => {
    const outcomes = input.metrics.map((metric) => outcomeOf(metric, input));
    for (const [name, phase] of Object.entries(expected.metricPhases))
      expect(outcomes.find(({ probe }) => probe === name)?.verdict).toBe(verdictOf[phase]);
    if (expected.dryRunSummary) {
      const { count: probes, successful: pass, failed: fail, inconclusive, error } = expected.dryRunSummary;
      expect(summarizeDryRuns(outcomes)).toEqual({ probes, pass, fail, inconclusive, error });
    }
    const named = /^Metric "(.+?)"/.exec(expected.message)?.[1];
    if (named !== undefined) {
      expect(decidingProbe(outcomes)?.probe).toBe(named);
      expect(describeRun(outcomes)).toContain(named);
    }
    cases.compare(id, assessRun(outcomes), verdictOf[expected.phase]);
  });
});

describe("worstVerdict orders as phaseOrdering does", () => {
  it.each(cases.casesOf("phaseOrdering", orderingSchema))("$id", ({ id, input, expected }) => {
    const verdict = (phase: z.output<typeof phaseSchema>): Verdict => {
      const found = verdictOf[phase];
      if (found === undefined) throw new Error(`${id}: ${phase} is not the phase of a finished metric.`);
      return found;
    };
    if ("left" in input) {
      const worst = worstVerdict([verdict(input.left), verdict(input.right)]);
      cases.compare(id, worst, typeof expected === "string" ? verdictOf[expected] : expected);
    } else {
      const [current, next] = [verdict(input.current), verdict(input.new)];
      cases.compare(id, next !== current && worstVerdict([current, next]) === next, expected);
    }
  });
});

describe("isRunLost stops measuring where isTerminating does", () => {
  it.each(cases.casesOf("isTerminating", terminatingSchema))("$id", ({ id, input, expected }) => {
    const outcomes = (input.metricResults ?? []).map(({ name, phase, dryRun }) => ({
      probe: name,
      verdict: verdictOf[phase],
      isDryRun: dryRun,
    }));
    cases.compare(id, isRunLost(outcomes), expected);
  });
});

/** Where the language of Argo Rollouts (expr-lang) says in other words what CEL says. */
const translations: readonly { readonly from: RegExp; readonly to: string; readonly reason: string }[] = [
  {
    from: /\ball\(([\w.]+), \{# (.+?)\}\)/g,
    to: "$1.all(x, x $2)",
    reason: "a loop is a macro of its list, and names its variable",
  },
  { from: /\bany\(([\w.]+), \{# (.+?)\}\)/g, to: "$1.exists(x, x $2)", reason: "the macro has another name" },
  { from: /\bnil\b/g, to: "null", reason: "the literal of JSON" },
  { from: /\blen\(/g, to: "size(", reason: "the function has another name" },
];

function translate(condition: string, variable = "result"): string {
  const named = condition.replace(/\bresult\b/g, () => variable);
  return translations.reduce((text, { from, to }) => text.replace(from, to), named);
}

/** Argo Rollouts takes an empty condition for none. */
function conditionsOf(
  { successCondition, failureCondition }: { readonly successCondition: string; readonly failureCondition: string },
  variable?: string,
): Conditions {
  return {
    ...(successCondition === "" ? {} : { successCondition: translate(successCondition, variable) }),
    ...(failureCondition === "" ? {} : { failureCondition: translate(failureCondition, variable) }),
  };
}

describe("evaluateConditions gives the verdict of evaluateMeasurement", () => {
  /** Numbers that JSON cannot write. */
  const numbers: Readonly<Record<string, number>> = { NaN: Number.NaN, "+Inf": Number.POSITIVE_INFINITY };
  /** What our messages say in other words. */
  const wordings: Readonly<Record<string, string>> = {
    "metric result is nil or empty": "the result is null",
    "could not evaluate successCondition": "successCondition a == true cannot be evaluated",
  };

  it.each(cases.casesOf("evaluateMeasurement", measurementSchema))(
    "$id: $expected.phase",
    ({ id, input, expected }) => {
      const result = typeof input.result === "string" ? (numbers[input.result] ?? input.result) : input.result;
      const { verdict, message } = evaluateConditions(conditionsOf(input), result);
      for (const part of expected.errorContains) expect(message).toContain(wordings[part] ?? part);
      cases.compare(id, verdict, verdictOf[expected.phase]);
    },
  );
});

describe("evaluateConditions gives the verdict of webProbe", () => {
  /** A web metric's JSON path picks the result; here the condition names it. */
  function variableOf(jsonPath: string): string {
    return `result.body${/^\{\$(.*)\}$/.exec(jsonPath)?.[1] ?? ""}`;
  }
  function bodyOf(serverBody: string): unknown {
    try {
      return JSON.parse(serverBody);
    } catch {
      return serverBody;
    }
  }

  const meaningful = cases.casesOf("webProbe", webSchema, ({ input }) => {
    if (input.serverStatus === null)
      return "a GET with a body, or two bodies: Argo Rollouts refuses to ask so; here a probe has one body, whatever its method";
    if (input.serverStatus !== 200)
      return "the http probe decides before the conditions: an answer outside 200 to 299 is a failed measurement";
    if (input.jsonPath.endsWith(".novalue}"))
      return "no path stands beside the conditions; a condition that names what is missing is an error";
    return undefined;
  });
  it.each(meaningful)("$id: $expected.phase", ({ id, input, expected }) => {
    const result = { status: input.serverStatus, body: bodyOf(input.serverBody) };
    const { verdict } = evaluateConditions(conditionsOf(input, variableOf(input.jsonPath)), result);
    cases.compare(id, verdict, verdictOf[expected.phase]);
  });

  it("and an error where a condition names a field that is missing", () => {
    const successCondition = `${variableOf("{$.key[0].key2.novalue}")} == 'true'`;
    const body = { key: [{ key2: { value: "true" } }] };
    expect(evaluateConditions({ successCondition }, { status: 200, body }).verdict).toBe("error");
  });
});

describe("each translation", () => {
  const conditions = ["evaluateMeasurement", "webProbe"].flatMap((group) =>
    cases
      .casesOf(group, z.object({ id: z.string(), input: z.object(conditionsSchema) }))
      .flatMap(({ input }) => [input.successCondition, input.failureCondition]),
  );

  it.each(translations)("to $to is needed: $reason", ({ from }) => {
    expect(conditions.some((condition) => condition.search(from) >= 0)).toBe(true);
  });
});

cases.close();
