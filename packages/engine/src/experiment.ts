import {
  allTo,
  compareSamples,
  type ComparisonOptions,
  type Measurement,
  type Probe,
  type Verdict,
  type VersionId,
} from "@bascule/core";
import type { Clock, Prober } from "./ports.ts";
import { measureOnce, probesFor, type VerificationResult } from "./verification.ts";

/** Two versions measured side by side. */
export interface ExperimentRequest {
  readonly probes: readonly Probe[];
  /** The names of the probes. Default: all that ask a candidate. */
  readonly names: readonly string[] | undefined;
  readonly sides: { readonly candidate: VersionId; readonly stable: VersionId };
  readonly durationMs: number;
}

type Side = "candidate" | "baseline";
type Samples = Record<Side, Measurement[]>;

/** How often each side is measured unless the probe says otherwise: an experiment wants many samples. */
const defaultIntervalMs = 100;

/**
 * Measures the candidate and the stable version in turn for so long, at the versions themselves, so that both meet the same
 * moments. A probe passes when the candidate fails no more of it than the stable version, and its latency is not worse by the
 * statistics of its `compare` options.
 */
export async function runExperiment(
  request: ExperimentRequest,
  ports: { readonly prober: Prober; readonly clock: Clock },
  onMeasurement: (measurement: Measurement) => Promise<void>,
  signal: AbortSignal,
): Promise<VerificationResult> {
  const probes = probesFor({ probes: request.probes, target: "candidate", names: request.names });
  if (probes.length === 0) return { verdict: "inconclusive", message: "no probe can compare the versions" };
  const results = await Promise.all(
    probes.map(async (probe) => {
      const samples = await sample(probe, request, ports, onMeasurement, signal);
      return judge(probe, samples);
    }),
  );
  if (signal.aborted) return { verdict: "inconclusive", message: "the experiment was stopped" };
  const wet = results.filter((_result, index) => probes[index]?.dryRun !== true);
  return (
    wet.find(({ verdict }) => verdict !== "pass") ?? {
      verdict: "pass",
      message: results.map(({ message }) => message).join("; "),
    }
  );
}

async function sample(
  probe: Probe,
  { sides, durationMs }: ExperimentRequest,
  { prober, clock }: { readonly prober: Prober; readonly clock: Clock },
  onMeasurement: (measurement: Measurement) => Promise<void>,
  signal: AbortSignal,
): Promise<Samples> {
  const samples: Samples = { candidate: [], baseline: [] };
  const endMs = clock.nowMs() + durationMs;
  const turns = [
    { target: "candidate", expected: allTo(sides.candidate) },
    { target: "baseline", expected: allTo(sides.stable) },
  ] as const;
  for (let sequence = 0; clock.nowMs() < endMs && !signal.aborted; sequence++) {
    const beganAtMs = clock.nowMs();
    for (const { target, expected } of turns) {
      const measurement = await measureOnce({ probe, target, expected, sequence }, { prober, clock }, signal);
      if (signal.aborted) return samples;
      samples[target].push(measurement);
      await onMeasurement(measurement);
    }
    await clock.sleep(Math.max(1, beganAtMs + (probe.intervalMs ?? defaultIntervalMs) - clock.nowMs()), signal);
  }
  return samples;
}

function judge(
  probe: Probe,
  { candidate, baseline }: Samples,
): { readonly verdict: Verdict; readonly message: string } {
  const failed = (side: readonly Measurement[]) => side.filter(({ verdict }) => verdict !== "pass").length;
  const counts = `the candidate failed ${failed(candidate)} of ${candidate.length} measurements, the stable version ${failed(baseline)} of ${baseline.length}`;
  if (
    failed(candidate) * baseline.length >
    failed(baseline) * candidate.length + (probe.failureLimit ?? 0) * baseline.length
  ) {
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
