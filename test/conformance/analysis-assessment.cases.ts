import {
  assess,
  assessRun,
  countMeasurement,
  decidingProbe,
  describeRun,
  evaluateConditions,
  http,
  isRunLost,
  noMeasurements,
  probeSchema,
  summarizeDryRuns,
  tcp,
  worstVerdict,
  type AnalysisCounters,
  type AnalysisLimits,
  type Conditions,
  type Measurement,
  type ProbeOutcome,
  type Verdict,
} from "../../packages/core/src/index.ts";
import { createServer } from "node:http";
import { createFakeClock, systemClock, verify } from "../../packages/engine/src/index.ts";
import { measureHttp } from "../../packages/probes/src/index.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accountFor } from "./case-accounting.ts";
import { isUnreadable, measuredAt, measuredBefore, presentOf, scheduledRunSchema } from "./scheduled-run.ts";

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
    method: z.enum(["GET", "POST", "PUT"]),
    body: z.string().optional(),
    jsonBody: z.string().optional(),
    ...conditionsSchema,
  }),
  expected: z.looseObject({
    phase: phaseSchema,
    requestMethod: z.string().optional(),
    requestBody: z.string().optional(),
    requestJsonBody: z.string().optional(),
  }),
});

const stoppedEarly = "what was not measured to its end proves nothing, so a verification that is stopped is not a pass";

export const cases = accountFor("analysis-assessment.json", {
  "assessMetricStatus-051": { ours: "inconclusive", reason: stoppedEarly },
  "assessRunStatus-003": {
    ours: "fail",
    reason: "a candidate that is known to be bad loses its traffic at once, not when the other metrics have stopped",
  },
  "assessRunStatus-015": { ours: "inconclusive", reason: stoppedEarly },
  "nextReconcile-009": {
    ours: { nextReconcileInSeconds: 0.2 },
    reason:
      "after an error the probe is tried again after its own interval, so that five errors in a row are known within a second; Argo Rollouts waits 10 s each time, while users are with a version that nobody can measure",
  },
  "webProbe-019": {
    ours: "fail",
    reason:
      "a status outside 200 to 299 is a wrong answer of the target, so it is a failure at once; an error, of which four are borne, is what could not be measured",
  },
  "webProbe-023": {
    ours: "error",
    reason:
      "a path into a body that is not JSON leads nowhere; Argo Rollouts forgets the path and judges the whole body",
  },
});

const verdictOf: Readonly<Record<z.infer<typeof phaseSchema>, Verdict | undefined>> = {
  Successful: "pass",
  Failed: "fail",
  Error: "error",
  Inconclusive: "inconclusive",
  // Both mean that more has to be measured.
  Running: undefined,
  Pending: undefined,
};

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
  const meaningful = cases.casesOf("assessMetricStatus", assessmentSchema, ({ input }) =>
    input.measurements.some(({ completed }) => !completed)
      ? "a probe is assessed between measurements, never during one"
      : undefined,
  );

  it.each(meaningful)("$id: $expected.phase", async ({ id, input, expected }) => {
    const verdict = assess(limitsOf(input), countersOf(input));
    const answer = verdict ?? (input.terminating ? await verdictOfStopped(limitsOf(input)) : undefined);
    cases.compare(id, answer, verdictOf[expected.phase]);
  });
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
    if ("measurementRetention" in input)
      return "there is no measurementRetention: the journal keeps every measurement that counts";
    return expected.phase === "Error"
      ? "a probe that cannot be made is refused by its schema, before anything is changed"
      : undefined;
  });
  it.each(meaningful)("$id: $expected.phase", async ({ id, input, expected }) => {
    if (input.terminateRequested) {
      cases.compare(id, await verdictOfStopped({ intervalMs: 20_000 }), verdictOf[expected.phase]);
      return;
    }
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

describe("the engine measures when measurementScheduling and nextReconcile say so", () => {
  const dueSchema = z.object({
    id: z.string(),
    input: scheduledRunSchema,
    expected: z.object({ due: z.array(z.string()) }),
  });
  const nextSchema = z.object({
    id: z.string(),
    input: scheduledRunSchema,
    expected: z.strictObject({ nextReconcileInSeconds: z.number().nullable() }),
  });

  const due = cases.casesOf("measurementScheduling", dueSchema, ({ input }) =>
    input.metricResults.some(({ measurements }) =>
      measurements.some(({ finishedSecondsAgo }) => finishedSecondsAgo === null),
    )
      ? "a measurement is waited for where it was begun; none is taken up again from a stored state"
      : undefined,
  );
  it.each(due)("$id: $expected.due", async ({ id, input, expected }) => {
    const times = await measuredAt(input, presentOf(input));
    const isMeasuredAgain = (name: string) => (times.get(name)?.length ?? 0) > measuredBefore(input, name);
    const names = input.metrics.map(({ name }) => name);
    cases.compare(id, { due: names.filter(isMeasuredAgain) }, { due: expected.due });
  });

  const next = cases.casesOf("nextReconcile", nextSchema, ({ input }) =>
    input.metrics.some(isUnreadable)
      ? "a probe whose delay cannot be read is refused by its schema, before anything is changed"
      : undefined,
  );
  it.each(next)("$id: $expected.nextReconcileInSeconds", async ({ id, input, expected }) => {
    const present = presentOf(input);
    const later = [...(await measuredAt(input, present + 120)).values()].flat().filter((second) => second > present);
    const seconds = later.length > 0 ? Math.round((Math.min(...later) - present) * 1_000) / 1_000 : null;
    cases.compare(id, { nextReconcileInSeconds: seconds }, expected);
  });

  it("and refuses a delay that cannot be read", () => {
    expect(probeSchema.safeParse({ ...tcp(), initialDelayMs: "not-valid-start-delay" }).success).toBe(false);
  });
});

/** What the engine says of a verification that is stopped before its probe has a verdict. */
async function verdictOfStopped(limits: AnalysisLimits): Promise<Verdict> {
  const clock = createFakeClock();
  const stop = new AbortController();
  const probe = tcp({ intervalMs: limits.intervalMs ?? 1_000, count: 1_000 });
  const prober = {
    measure: async (): Promise<Measurement> => ({
      probe: probe.name,
      verdict: "error",
      startedAtMs: clock.nowMs(),
      durationMs: 0,
      message: "not measured",
    }),
  };
  const request = { probes: [probe], target: "candidate", expected: { new: 100 }, propagationLimitMs: 0 } as const;
  const verification = verify(request, { prober, clock }, async () => undefined, stop.signal);
  void clock.sleep(1_000).then(() => stop.abort());
  return (await clock.passUntilSettled(verification)).verdict;
}

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

describe("an http probe gives the verdict of webProbe", () => {
  /** A web metric's JSON path picks the result; here the condition names it. */
  function variableOf(jsonPath: string): string {
    return `result.body${/^\{\$(.*)\}$/.exec(jsonPath)?.[1] ?? ""}`;
  }

  async function measure(input: z.output<typeof webSchema>["input"]) {
    const asked: { method?: string | undefined; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (part: Buffer) => (body += part.toString()));
      request.on("end", () => {
        asked.push({ method: request.method, body });
        response.writeHead(input.serverStatus ?? 200).end(input.serverBody);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const address = server.address();
      if (address === null || typeof address === "string") throw new Error("The server has no port.");
      const body = input.jsonBody ?? input.body;
      const probe = http("/", {
        method: input.method,
        ...(body === undefined ? {} : { body }),
        ...conditionsOf(input, variableOf(input.jsonPath)),
      });
      const place = { url: `http://127.0.0.1:${address.port}` };
      const { verdict } = await measureHttp(probe, place, systemClock, AbortSignal.timeout(5_000));
      return { verdict, asked };
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }

  const meaningful = cases.casesOf("webProbe", webSchema, ({ input }) => {
    if (input.serverStatus === null)
      return "a GET with a body, or two bodies: Argo Rollouts refuses to ask so; here a probe has one body, whatever its method";
    if (input.jsonPath.endsWith(".novalue}"))
      return "no path stands beside the conditions; a condition that names what is missing is an error";
    return undefined;
  });
  it.each(meaningful)("$id: $expected.phase", async ({ id, input, expected }) => {
    const { verdict, asked } = await measure(input);
    const body = expected.requestJsonBody ?? expected.requestBody ?? "";
    expect(asked).toEqual([{ method: expected.requestMethod ?? "GET", body }]);
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
