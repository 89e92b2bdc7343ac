import { compareSamples, type DifferenceProbe, type Measurement, type Verdict } from "@bascule/core";
import type { Clock } from "@bascule/engine";
import { describeDifferences, differenceRate, type MirrorReport } from "@bascule/mirror";
import type { MirrorReports } from "./mirror-reports.ts";

/** How many compared answers are wanted where the probe does not say. */
const defaultMinimum = 20;

/** What a mirror's report says of a candidate. */
export interface DifferenceJudgement {
  readonly verdict: Verdict;
  /** In the user's terms, without content. */
  readonly message: string;
}

/**
 * Judges how the candidate answered otherwise than the stable version: by the share of answers that differ, and where the probe asks
 * for it by the statistics of the times to the beginning of each answer. What proves too little is inconclusive.
 */
export function judgeDifference(probe: DifferenceProbe, report: MirrorReport): DifferenceJudgement {
  const judgements = [judgeRate(probe, report), ...(probe.compare ? [judgeLatency(probe, report)] : [])];
  const verdict = (["fail", "inconclusive"] as const).find((bad) => judgements.some((each) => each.verdict === bad));
  return {
    verdict: verdict ?? "pass",
    message: judgements.map(({ message }) => message).join("; "),
  };
}

function judgeRate({ maximumPercent = 0, minimumCompared = defaultMinimum }: DifferenceProbe, report: MirrorReport) {
  const { judged, percent } = differenceRate(report);
  const found = describeDifferences(report);
  if (percent === undefined || judged < minimumCompared) {
    const message = `${found}; fewer than ${minimumCompared} prove nothing: copy requests for longer, or lower minimumCompared`;
    return { verdict: "inconclusive" as const, message };
  }
  if (percent <= maximumPercent) return { verdict: "pass" as const, message: found };
  return { verdict: "fail" as const, message: `${found}; at most ${maximumPercent} % may` };
}

function judgeLatency({ compare }: DifferenceProbe, { samples }: MirrorReport) {
  const { verdict, message } = compareSamples({
    direction: "increase",
    ...compare,
    candidate: samples.map(({ shadowMs }) => shadowMs),
    baseline: samples.map(({ primaryMs }) => primaryMs),
  });
  return { verdict, message: `latency in ms: ${message}` };
}

/** Measures a probe of differences by what all Pods of the mirror tell. */
export function differenceMeasurement(reports: MirrorReports, clock: Clock) {
  return async (probe: DifferenceProbe, signal: AbortSignal): Promise<Measurement> => {
    const startedAtMs = clock.nowMs();
    const report = await reports.read(signal);
    const { verdict, message } = report
      ? judgeDifference(probe, report)
      : { verdict: "error" as const, message: "no Pod copies requests to the candidate, so nothing is compared" };
    return { probe: probe.name, verdict, startedAtMs, durationMs: clock.nowMs() - startedAtMs, message };
  };
}
