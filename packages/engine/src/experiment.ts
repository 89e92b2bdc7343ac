import {
  allTo,
  compareSamples,
  describeWeights,
  type ComparisonOptions,
  type Measurement,
  type Probe,
  type VersionId,
  type Weights,
} from "@bascule/core";
import type { Clock, Prober } from "./ports.ts";
import { measureOnce, probesFor, unknownProbe, type VerificationResult } from "./verification.ts";

/** Two versions measured side by side. */
export interface ExperimentRequest {
  readonly probes: readonly Probe[];
  /** The names of the probes. Default: all that ask a candidate. */
  readonly names: readonly string[] | undefined;
  readonly sides: { readonly candidate: VersionId; readonly stable: VersionId };
  readonly durationMs: number;
}

type Side = "candidate" | "baseline";

/** What one probe measured of both sides. */
interface Samples {
  readonly candidate: readonly Measurement[];
  readonly baseline: readonly Measurement[];
  /** Why measuring was given up before its time. */
  readonly unmeasured?: Measurement;
}

/** How often each side is measured unless the probe says otherwise: an experiment wants many samples. */
const defaultIntervalMs = 100;

/**
 * Measures the candidate and the stable version in turn for so long, at the versions themselves, so that both meet the same
 * moments. A probe passes when the candidate fails no more of it than the stable version, and its latency is not worse by the
 * statistics of its `compare` options. What could not be measured says nothing about either; too much of that is an error.
 */
export async function runExperiment(
  request: ExperimentRequest,
  ports: { readonly prober: Prober; readonly clock: Clock },
  onMeasurement: (measurement: Measurement) => Promise<void>,
  signal: AbortSignal,
): Promise<VerificationResult> {
  const unknown = unknownProbe(request);
  if (unknown !== undefined) return unknown;
  const probes = probesFor({ probes: request.probes, target: "candidate", names: request.names });
  if (probes.length === 0) return { verdict: "inconclusive", message: "no probe can compare the versions" };
  const results = await Promise.all(
    probes.map(async (probe) => judge(probe, await sample(probe, request, ports, onMeasurement, signal))),
  );
  if (signal.aborted) return { verdict: "inconclusive", message: "the experiment was stopped" };
  const bad = results.find(({ verdict }, index) => verdict !== "pass" && probes[index]?.dryRun !== true);
  if (bad) return bad;
  const messages = results.map(({ verdict, message }, index) =>
    probes[index]?.dryRun === true ? `${message} (dry run: ${verdict})` : message,
  );
  return { verdict: "pass", message: messages.join("; ") };
}

async function sample(
  probe: Probe,
  { sides, durationMs }: ExperimentRequest,
  { prober, clock }: { readonly prober: Prober; readonly clock: Clock },
  onMeasurement: (measurement: Measurement) => Promise<void>,
  signal: AbortSignal,
): Promise<Samples> {
  const samples: Record<Side, Measurement[]> = { candidate: [], baseline: [] };
  const errorsInARow: Record<Side, number> = { candidate: 0, baseline: 0 };
  const turns = [
    { target: "candidate", expected: allTo(sides.candidate) },
    { target: "baseline", expected: allTo(sides.stable) },
  ] as const;
  await clock.sleep(probe.initialDelayMs ?? 0, signal);
  const endMs = clock.nowMs() + durationMs;
  for (let sequence = 0; clock.nowMs() < endMs && !signal.aborted; sequence++) {
    const beganAtMs = clock.nowMs();
    for (const { target, expected } of turns) {
      const measured = await measureOnce({ probe, target, expected, sequence }, { prober, clock }, signal);
      if (signal.aborted) return samples;
      const measurement = ofItsVersion(measured, expected);
      await onMeasurement(measurement);
      if (measurement.verdict !== "error") samples[target].push(measurement);
      errorsInARow[target] = measurement.verdict === "error" ? errorsInARow[target] + 1 : 0;
      if (errorsInARow[target] > (probe.consecutiveErrorLimit ?? 4)) return { ...samples, unmeasured: measurement };
    }
    await clock.sleep(Math.max(1, beganAtMs + (probe.intervalMs ?? defaultIntervalMs) - clock.nowMs()), signal);
  }
  return samples;
}

/** Each version is asked for itself, so an answer of another one is no sample of it. */
function ofItsVersion(measurement: Measurement, expected: Weights): Measurement {
  const { answeredBy } = measurement;
  if (answeredBy === undefined || answeredBy in expected) return measurement;
  return { ...measurement, verdict: "fail", message: `${answeredBy} answered instead of ${describeWeights(expected)}` };
}

function judge(probe: Probe, { candidate, baseline, unmeasured }: Samples): VerificationResult {
  if (unmeasured) return { verdict: "error", message: `${probe.name}: ${unmeasured.message}` };
  const failed = (side: readonly Measurement[]) => side.filter(({ verdict }) => verdict !== "pass").length;
  const counts = `the candidate failed ${failed(candidate)} of ${candidate.length} measurements, the stable version ${failed(baseline)} of ${baseline.length}`;
  const borne = (probe.failureLimit ?? 0) * baseline.length;
  if (failed(candidate) * baseline.length > failed(baseline) * candidate.length + borne) {
    return { verdict: "fail", message: `${probe.name}: ${counts}` };
  }
  const options: ComparisonOptions = probe.kind === "http" ? (probe.compare ?? {}) : {};
  const latencies = (side: readonly Measurement[]) =>
    side.filter(({ verdict }) => verdict === "pass").map(({ durationMs }) => durationMs);
  const compared = compareSamples({
    direction: "increase",
    ...options,
    candidate: latencies(candidate),
    baseline: latencies(baseline),
  });
  return { verdict: compared.verdict, message: `${probe.name}: ${counts}; latency: ${compared.message}` };
}
