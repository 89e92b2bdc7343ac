import { tcp, type Measurement, type Verdict } from "../../packages/core/src/index.ts";
import { createFakeClock, verify, type ProbeRequest } from "../../packages/engine/src/index.ts";
import { z } from "zod";

const metricSchema = z.strictObject({
  name: z.string(),
  interval: z.string().optional(),
  initialDelay: z.string().optional(),
});
type Metric = z.infer<typeof metricSchema>;

/** An analysis run of Argo Rollouts, as its controller finds it at some moment. */
export const scheduledRunSchema = z.object({
  metrics: z.array(metricSchema),
  metricResults: z.array(
    z.looseObject({
      name: z.string(),
      phase: z.enum(["Running", "Successful", "Failed"]),
      measurements: z
        .array(
          z.looseObject({
            phase: z.enum(["Successful", "Failed", "Error"]),
            finishedSecondsAgo: z.number().nullable(),
          }),
        )
        .default([]),
    }),
  ),
  runStartedSecondsAgo: z.number().optional(),
});
type ScheduledRun = z.infer<typeof scheduledRunSchema>;

const verdicts = { Successful: "pass", Failed: "fail", Error: "error" } as const;

/** Time that is waited for a measurement that should not come, or for one that is due now. */
const momentSeconds = 0.5;

/** Whether Argo Rollouts cannot read when the metric is to begin. */
export function isUnreadable({ initialDelay }: Metric): boolean {
  return initialDelay !== undefined && !/^\d+s$/.test(initialDelay);
}

/** The moment at which the run is found, in seconds after it began. */
export function presentOf({ metricResults, runStartedSecondsAgo = 0 }: ScheduledRun): number {
  const ago = metricResults.flatMap(({ measurements }) => measurements.map((one) => one.finishedSecondsAgo ?? 0));
  return Math.max(runStartedSecondsAgo, ...ago);
}

/** How many measurements of a metric lie behind; one that is decided has had its own, whether the case lists it or not. */
export function measuredBefore({ metricResults }: ScheduledRun, name: string): number {
  const result = metricResults.find((candidate) => candidate.name === name);
  if (result === undefined) return 0;
  return Math.max(result.measurements.length, result.phase === "Running" ? 0 : 1);
}

/**
 * Runs probes with the intervals and delays of the metrics, and their first results, by the engine at a simulated time.
 *
 * @returns when each probe was measured, in seconds after the run began, until a moment after `untilSeconds`
 */
export async function measuredAt(
  run: ScheduledRun,
  untilSeconds: number,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const clock = createFakeClock();
  const beganAtMs = clock.nowMs();
  const times = new Map<string, number[]>();
  const prober = {
    measure: async ({ probe: { name } }: ProbeRequest): Promise<Measurement> => {
      const before = times.get(name) ?? [];
      times.set(name, [...before, (clock.nowMs() - beganAtMs) / 1_000]);
      const verdict = before.length === 0 ? firstVerdict(run, name) : "pass";
      return { probe: name, verdict, startedAtMs: clock.nowMs(), durationMs: 0, message: verdict };
    },
  };
  const probes = run.metrics.filter((metric) => !isUnreadable(metric)).map((metric) => probeOf(run, metric));
  const request = { probes, target: "candidate", expected: { new: 100 }, propagationLimitMs: 0 } as const;
  const stop = new AbortController();
  const verification = verify(request, { prober, clock }, async () => undefined, stop.signal);
  void clock.sleep((untilSeconds + momentSeconds) * 1_000).then(() => stop.abort());
  await clock.passUntilSettled(verification);
  return times;
}

function probeOf(run: ScheduledRun, metric: Metric) {
  const { name, interval } = metric;
  const isRunning = run.metricResults.find((result) => result.name === name)?.phase !== "Successful";
  return tcp({
    name,
    initialDelayMs: delaySeconds(run, metric) * 1_000,
    ...(interval === undefined ? {} : { intervalMs: secondsOf(interval) * 1_000 }),
    // Without an interval, Argo Rollouts measures once; with one, for ever.
    count: interval !== undefined && isRunning ? 1_000 : 1,
  });
}

/** When the first measurement is made: its own delay, or the moment at which it was made according to the case. */
function delaySeconds(run: ScheduledRun, { name, initialDelay }: Metric): number {
  if (initialDelay !== undefined) return secondsOf(initialDelay);
  const result = run.metricResults.find((candidate) => candidate.name === name);
  const ago = result?.measurements[0]?.finishedSecondsAgo;
  if (typeof ago === "number") return presentOf(run) - ago;
  // Others have their results already, and this one not yet.
  return result === undefined && run.metricResults.length > 0 ? momentSeconds / 2 : 0;
}

function firstVerdict({ metricResults }: ScheduledRun, name: string): Verdict {
  const result = metricResults.find((candidate) => candidate.name === name);
  const phase = result?.measurements[0]?.phase ?? (result?.phase === "Failed" ? "Failed" : "Successful");
  return verdicts[phase];
}

function secondsOf(duration: string): number {
  return Number(/^(\d+)s$/.exec(duration)?.[1]);
}
