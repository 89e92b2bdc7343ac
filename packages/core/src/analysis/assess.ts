import type { Verdict } from "./measurement.ts";

/**
 * How often a probe measures, and how many bad measurements it bears. The meaning is that of Argo Rollouts' analysis
 * (analysis/analysis.go, assessMetricStatus); only the defaults are ours.
 */
export interface AnalysisLimits {
  /** Measurements wanted; errors do not count towards it. Absent: one without an interval, endless with one. */
  readonly count?: number;
  /** Time between the starts of two measurements. */
  readonly intervalMs?: number;
  /** Failed measurements borne; one more is a failure. Below 0: no limit. Default 0. */
  readonly failureLimit?: number;
  /** Inconclusive measurements borne; one more is inconclusive. Default 0. */
  readonly inconclusiveLimit?: number;
  /** Errors in a row borne; one more is an error. Default 4. */
  readonly consecutiveErrorLimit?: number;
  /** Passes in a row that are enough, whatever the count. 0: off. Default 0. */
  readonly consecutiveSuccessLimit?: number;
}

/** What was counted so far. */
export interface AnalysisCounters {
  readonly passed: number;
  readonly failed: number;
  readonly inconclusive: number;
  readonly errors: number;
  readonly consecutiveErrors: number;
  readonly consecutivePasses: number;
}

export const noMeasurements: AnalysisCounters = {
  passed: 0,
  failed: 0,
  inconclusive: 0,
  errors: 0,
  consecutiveErrors: 0,
  consecutivePasses: 0,
};

/** The counters after one more measurement. */
export function countMeasurement(counters: AnalysisCounters, verdict: Verdict): AnalysisCounters {
  return {
    passed: counters.passed + (verdict === "pass" ? 1 : 0),
    failed: counters.failed + (verdict === "fail" ? 1 : 0),
    inconclusive: counters.inconclusive + (verdict === "inconclusive" ? 1 : 0),
    errors: counters.errors + (verdict === "error" ? 1 : 0),
    consecutiveErrors: verdict === "error" ? counters.consecutiveErrors + 1 : 0,
    consecutivePasses: verdict === "pass" ? counters.consecutivePasses + 1 : 0,
  };
}

/** The verdict that the counters give under these limits, or `undefined` while more has to be measured. */
export function assess(limits: AnalysisLimits, counters: AnalysisCounters): Verdict | undefined {
  const failureLimit = limits.failureLimit ?? 0;
  const successLimit = limits.consecutiveSuccessLimit ?? 0;
  const failureLimitApplies = failureLimit >= 0;
  const successLimitApplies = successLimit > 0;

  if (counters.consecutiveErrors > (limits.consecutiveErrorLimit ?? 4)) return "error";
  if (counters.inconclusive > (limits.inconclusiveLimit ?? 0)) return "inconclusive";
  if (failureLimitApplies && counters.failed > failureLimit) return "fail";
  if (successLimitApplies && counters.consecutivePasses >= successLimit) return "pass";

  const wanted = limits.count ?? (limits.intervalMs === undefined ? 1 : Number.POSITIVE_INFINITY);
  const counted = counters.passed + counters.failed + counters.inconclusive;
  if (counted < wanted) return undefined;
  if (!successLimitApplies) return "pass";
  return failureLimitApplies ? "inconclusive" : "fail";
}
