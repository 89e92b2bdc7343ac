import { readFileSync } from "node:fs";
import {
  assess,
  countMeasurement,
  type AnalysisCounters,
  type AnalysisLimits,
  type Verdict,
} from "../../packages/core/src/index.ts";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";

/*
 * The meaning of our analysis limits is that of Argo Rollouts, so its own test cases are run against `assess` and
 * `countMeasurement`. Each case of the file is accounted for: it agrees, it differs for a reason that is named here, or it is
 * about something that Bascule does not have.
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

const fileSchema = z.object({
  source: z.object({ project: z.string(), commit: z.string() }),
  groups: z.array(z.object({ group: z.string(), cases: z.array(z.looseObject({ id: z.string() })) })),
});
const file = fileSchema.parse(
  JSON.parse(readFileSync(new URL("cases/analysis-assessment.json", import.meta.url), "utf8")),
);

/** Cases that Bascule answers otherwise on purpose, each with the reason. One that agrees after all may not stay listed. */
const knownDifferences: Readonly<Record<string, string>> = {};

/** Groups about what Bascule does not have. */
const groupsWithoutMeaning: Readonly<Record<string, string>> = {
  assessRunStatus: "a verification has no phase of its own: its first bad probe ends it, and there is no dry run",
  measurementScheduling: "each probe runs in a loop of its own; nothing is scheduled from a stored state",
  nextReconcile: "each probe runs in a loop of its own; nothing wakes up to reconcile",
  phaseOrdering: "verdicts are not ordered: the first bad one is the result",
  isTerminating: "the first bad probe aborts the others; there is no terminating phase and no dry run",
  evaluateMeasurement: "a probe's expectations are data; there is no language of conditions",
  webProbe: "a probe's expectations are data; there is no language of conditions",
};

const verdictOf: Readonly<Record<z.infer<typeof phaseSchema>, Verdict | undefined>> = {
  Successful: "pass",
  Failed: "fail",
  Error: "error",
  Inconclusive: "inconclusive",
  // Both mean that more has to be measured.
  Running: undefined,
  Pending: undefined,
};

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

/** Holds the answer against the expected one, and accounts for the case. */
function compare(group: string, id: string, answer: unknown, expected: unknown): void {
  const reason = knownDifferences[id];
  if (reason === undefined) {
    expect(answer).toEqual(expected);
    rows.push({ group, id, standing: "agreed", reason: "" });
  } else {
    expect(answer, `${id} is listed as a difference, but agrees`).not.toEqual(expected);
    rows.push({ group, id, standing: "differs", reason });
  }
}

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
  for (const raw of casesOf("assessMetricStatus")) {
    const read = assessmentSchema.parse(raw);
    const reason = reasonWithoutMeaning(read);
    if (reason !== undefined) {
      rows.push({ group: "assessMetricStatus", id: read.id, standing: "not applicable", reason });
      continue;
    }
    it(`${read.id}: ${read.expected.phase}`, () => {
      compare(
        "assessMetricStatus",
        read.id,
        assess(limitsOf(read.input), countersOf(read.input)),
        verdictOf[read.expected.phase],
      );
    });
  }
});

describe("countMeasurement counts as the counters of a metric do", () => {
  it.each(casesOf("measurementCounters").map((raw) => countingSchema.parse(raw)))(
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
      compare("measurementCounters", id, answer, expected);
    },
  );
});

describe("every case of the file", () => {
  for (const [group, reason] of Object.entries(groupsWithoutMeaning)) {
    rows.push(...casesOf(group).map(({ id }) => ({ group, id, standing: "not applicable" as const, reason })));
  }

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
