import {
  assess,
  assessRun,
  countMeasurement,
  decidingProbe,
  describeWeights,
  messageOf,
  noMeasurements,
  type AnalysisCounters,
  type AnalysisLimits,
  type Measurement,
  type Probe,
  type ProbeOutcome,
  type Verdict,
  type VersionId,
  type Weights,
} from "@bascule/core";
import type { Clock, Prober, ProbeRequest } from "./ports.ts";
import { withinLimit } from "./time-limit.ts";

/** Defaults of what a probe leaves open. */
export const probeDefaults = {
  timeoutMs: 2_000,
  candidate: { intervalMs: 200, countPerPlace: 3 },
  service: { intervalMs: 100, count: 20 },
} as const;

/** A prober keeps to its probe's time-out by itself; one that does not is given up so much later. */
const proberGraceMs = 5_000;
const placesLimitMs = 10_000;

/**
 * How long a shift is given to reach clients when answers do not name their version: kube-proxy writes its rules at most once a
 * second by default, and this is twice that.
 */
const anonymousPropagationMs = 2_000;

export interface VerificationRequest {
  readonly probes: readonly Probe[];
  readonly target: ProbeRequest["target"];
  readonly expected: Weights;
  /** The most that a shift may take to reach clients; until then an answer of another version is only early, not wrong. */
  readonly propagationLimitMs: number;
  /** Set when no version had traffic before: until the first answer, silence is only early. */
  readonly nobodyServedBefore?: boolean | undefined;
  /** Set when the router's shape changes with its traffic: what clients ask for may be unknown there for a moment. */
  readonly isReshaped?: boolean | undefined;
  /** Keep measuring for so long, whatever the counts say. */
  readonly holdMs?: number | undefined;
  /** The names of the probes. Default: all that ask this target. */
  readonly names?: readonly string[] | undefined;
  /** Set while the candidate gets copies of requests; probes of differences measure only then. */
  readonly mirrored?: boolean | undefined;
  /** Set while the candidate's data is kept in step; probes of its lag measure only then. */
  readonly inStep?: boolean | undefined;
}

export interface VerificationResult {
  readonly verdict: Verdict;
  /** In the user's terms: which probe, what was measured. */
  readonly message: string;
}

/** Runs all probes at their intervals until each has a verdict; the first bad one ends them all. */
export async function verify(
  request: VerificationRequest,
  ports: { readonly prober: Prober; readonly clock: Clock },
  onMeasurement: (measurement: Measurement) => Promise<void>,
  signal: AbortSignal,
): Promise<VerificationResult> {
  const unknown = unknownProbe(request);
  if (unknown !== undefined) return unknown;
  const probes = probesFor(request);
  if (probes.length === 0) return { verdict: "pass", message: `no probe asks the ${request.target}` };

  if (request.nobodyServedBefore === true && request.target === "service" && request.holdMs === undefined) {
    // A connection to an address that the network does not know yet can spoil its port for minutes: the network remembers that it
    // led nowhere. As nobody is served, nobody waits.
    await ports.clock.sleep(Math.min(anonymousPropagationMs, request.propagationLimitMs), signal);
  }
  const places = await countPlaces(request, ports, signal);
  if (places === undefined) return { verdict: "inconclusive", message: "the verification was stopped" };
  const stop = new AbortController();
  const anySignal = AbortSignal.any([signal, stop.signal]);
  const outcomes = await Promise.all(
    probes.map(async (probe): Promise<ProbeOutcome & { readonly message: string }> => {
      const isDryRun = probe.dryRun === true;
      const { verdict, message } = await runProbe(probe, request, places, ports, onMeasurement, anySignal);
      if (!isDryRun && verdict !== "pass") stop.abort();
      return {
        probe: probe.name,
        verdict,
        isDryRun,
        message: isDryRun ? `${message} (dry run: ${verdict ?? "stopped"})` : message,
      };
    }),
  ).finally(() => stop.abort());
  const verdict = assessRun(outcomes);
  if (verdict === undefined) return { verdict: "inconclusive", message: "the verification was stopped" };
  const deciding = decidingProbe(outcomes);
  return { verdict, message: deciding?.message ?? outcomes.map(({ message }) => message).join("; ") };
}

/** Measures until the signal ends it; gives what was wrong as soon as a probe that decides has a bad verdict. */
export async function watchInBackground(
  request: VerificationRequest,
  ports: { readonly prober: Prober; readonly clock: Clock },
  onMeasurement: (measurement: Measurement) => Promise<void>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const endless = { ...request, holdMs: Number.POSITIVE_INFINITY };
  const { verdict, message } = await verify(endless, ports, onMeasurement, signal).catch(
    (thrown: unknown): VerificationResult => ({ verdict: "error", message: messageOf(thrown) }),
  );
  return verdict === "pass" || signal.aborted ? undefined : message;
}

/** The probes that have something to ask this target. */
export function probesFor({
  probes,
  target,
  names,
  mirrored,
  inStep,
}: Pick<VerificationRequest, "probes" | "target" | "names" | "mirrored" | "inStep">): Probe[] {
  const side = target === "candidate" || target === "baseline" ? "candidate" : "service";
  return probes.filter((probe) => {
    if (probe.kind === "difference" && (mirrored !== true || target !== "service")) return false;
    if (probe.kind === "lag" && (inStep !== true || target !== "service")) return false;
    return (!probe.targets || probe.targets.includes(side)) && (!names || names.includes(probe.name));
  });
}

/** What is asked for by name has to be measured: a verification without its probe would pass. */
export function unknownProbe({
  probes,
  names,
}: Pick<VerificationRequest, "probes" | "names">): VerificationResult | undefined {
  const unknown = names?.find((name) => !probes.some((probe) => probe.name === name));
  return unknown === undefined
    ? undefined
    : { verdict: "error", message: `there is no probe ${JSON.stringify(unknown)} to measure with` };
}

/** How one probe ended; without a verdict when it was stopped. */
interface ProbeResult {
  readonly verdict: Verdict | undefined;
  readonly message: string;
}

function stopped({ name }: Probe): ProbeResult {
  return { verdict: undefined, message: `${name} was stopped` };
}

async function runProbe(
  probe: Probe,
  request: VerificationRequest,
  places: number,
  { prober, clock }: { readonly prober: Prober; readonly clock: Clock },
  onMeasurement: (measurement: Measurement) => Promise<void>,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const limits = limitsOf(probe, request, places);
  const startedAtMs = clock.nowMs();
  let counters: AnalysisCounters = noMeasurements;
  let reached = request.target === "candidate";
  const answered = new Set<VersionId>();
  let isAnonymous = false;
  await clock.sleep(probe.initialDelayMs ?? 0, signal);
  if (signal.aborted) return stopped(probe);

  for (let sequence = 0; ; sequence++) {
    const beganAtMs = clock.nowMs();
    const measurement = await measureOnce(
      { probe, target: request.target, expected: request.expected, sequence },
      { prober, clock },
      signal,
    );
    if (signal.aborted) return stopped(probe);

    const waitedMs = clock.nowMs() - startedAtMs;
    const isElsewhere = isFromElsewhere(measurement, request.expected);
    const judged = isElsewhere ? answeredByWrongVersion(measurement, request.expected) : measurement;
    const isStillOld = isElsewhere && mayBeOld(request, reached, waitedMs);
    const counts = isElsewhere ? !isStillOld : !asksService(probe) || !isEarly(measurement, request, reached, waitedMs);
    if (isStillOld) {
      reached = false;
      counters = withoutPasses(counters);
      answered.clear();
    }
    if (counts) {
      if (judged.verdict === "pass") reached = true;
      if (judged.verdict === "pass" && judged.answeredBy !== undefined) answered.add(judged.answeredBy);
      if (judged.verdict === "pass" && judged.answeredBy === undefined) isAnonymous = true;
      await onMeasurement(judged);
      const isStillComing = waitedMs < (request.holdMs ?? 0) && isOnItsWay(probe, judged);
      if (!isStillComing) counters = countMeasurement(counters, judged.verdict);
    }

    const verdict = assess(limits, counters);
    const heldLongEnough = clock.nowMs() - startedAtMs >= (request.holdMs ?? 0);
    // An answer without a name may be the silent version's.
    const silent = isAnonymous ? undefined : silentVersion(request, answered);
    if (verdict === "pass" && silent && totalOf(counters) > silent.afterMeasurements) {
      const message = `${silent.version} should answer ${silent.weightPercent} % of the requests, and gave the right answer to none of ${totalOf(counters)}`;
      return { verdict: "fail", message: `${probe.name}: ${message}` };
    }
    if (verdict !== undefined && (verdict !== "pass" || (heldLongEnough && !silent))) {
      return { verdict, message: describeResult(probe, verdict, counters, judged) };
    }
    await clock.sleep(Math.max(0, beganAtMs + (limits.intervalMs ?? 0) - clock.nowMs()), signal);
    if (signal.aborted) return stopped(probe);
  }
}

/** What failed stays counted. */
function withoutPasses(counters: AnalysisCounters): AnalysisCounters {
  return { ...counters, passed: 0, consecutivePasses: 0 };
}

/** So many times the measurements that one answer of a version takes on average: that none came by chance has odds of 1 to 22,000. */
const patience = 10;

/**
 * A version that should answer part of the requests, and has not answered any yet: as long as that is so, the split of traffic is
 * not proved. Only where answers name their version, and not while holding, because a verification came before.
 */
function silentVersion(
  { target, expected, holdMs }: VerificationRequest,
  answered: ReadonlySet<VersionId>,
): { readonly version: VersionId; readonly weightPercent: number; readonly afterMeasurements: number } | undefined {
  if (target !== "service" || holdMs !== undefined || answered.size === 0) return undefined;
  const silent = Object.entries(expected).find(([version, weight]) => weight > 0 && !answered.has(version));
  if (!silent) return undefined;
  const [version, weightPercent] = silent;
  return { version, weightPercent, afterMeasurements: Math.ceil((patience * 100) / weightPercent) };
}

function totalOf({ passed, failed, inconclusive, errors }: AnalysisCounters): number {
  return passed + failed + inconclusive + errors;
}

async function countPlaces(
  { target }: VerificationRequest,
  { prober, clock }: { readonly prober: Prober; readonly clock: Clock },
  signal: AbortSignal,
): Promise<number | undefined> {
  const limited = await withinLimit(
    placesLimitMs,
    clock,
    signal,
    async (either) => (await prober.places?.(target, either)) ?? 1,
  );
  if (limited.kind === "ended") return limited.result;
  if (limited.kind === "stopped") return undefined;
  throw new Error(`where to measure the ${target} was not known within ${placesLimitMs / 1000} s`);
}

/** What the prober measured, or an `error` where it could not even do that. */
export async function measureOnce(
  request: ProbeRequest,
  { prober, clock }: { readonly prober: Prober; readonly clock: Clock },
  signal: AbortSignal,
): Promise<Measurement> {
  const startedAtMs = clock.nowMs();
  const notMeasured = (message: string): Measurement => ({
    probe: request.probe.name,
    verdict: "error",
    startedAtMs,
    durationMs: clock.nowMs() - startedAtMs,
    message: `not measured: ${message}`,
  });
  const limitMs = (request.probe.timeoutMs ?? probeDefaults.timeoutMs) + proberGraceMs;
  try {
    const limited = await withinLimit(limitMs, clock, signal, (either) => prober.measure(request, either));
    return limited.kind === "ended" ? limited.result : notMeasured(`no result within ${limitMs / 1000} s`);
  } catch (thrown) {
    return notMeasured(messageOf(thrown));
  }
}

function limitsOf(probe: Probe, request: VerificationRequest, places: number): AnalysisLimits {
  const isCandidate = request.target === "candidate";
  return {
    count:
      request.holdMs !== undefined
        ? 1
        : (probe.count ??
          (isCandidate ? probeDefaults.candidate.countPerPlace * Math.max(1, places) : probeDefaults.service.count)),
    intervalMs:
      probe.intervalMs ?? (isCandidate ? probeDefaults.candidate.intervalMs : probeDefaults.service.intervalMs),
    failureLimit: probe.failureLimit ?? 0,
    inconclusiveLimit: probe.inconclusiveLimit ?? 0,
    consecutiveErrorLimit: probe.consecutiveErrorLimit ?? 4,
    ...(probe.consecutiveSuccessLimit !== undefined && request.holdMs === undefined
      ? { consecutiveSuccessLimit: probe.consecutiveSuccessLimit }
      : {}),
  };
}

/** Whether a measurement was made before the shift can have reached clients, so that it proves nothing yet. */
function isEarly(
  { answeredBy, verdict }: Measurement,
  { target, nobodyServedBefore, isReshaped, propagationLimitMs, holdMs }: VerificationRequest,
  reached: boolean,
  waitedMs: number,
): boolean {
  if (target === "candidate" || reached || holdMs !== undefined || answeredBy !== undefined) return false;
  // An answer that does not say whose it is may still be the old version's, or the router's own.
  const isSoon = waitedMs < Math.min(anonymousPropagationMs, propagationLimitMs);
  if (verdict === "pass" || (isReshaped === true && isSoon)) return isSoon;
  // Where nobody answered before, silence is what the old state looks like; anywhere else it is an outage.
  return (target === "stable" || nobodyServedBefore === true) && waitedMs <= propagationLimitMs;
}

/**
 * Whether an answer of a version that should have no traffic may still be the old state's. A version that had part of the traffic
 * before proves nothing by answering, and a data plane of several places learns of a shift at several moments; so what has passed
 * until then is counted anew. While holding, the shift was proved before.
 */
function mayBeOld(
  { target, propagationLimitMs, holdMs }: VerificationRequest,
  reached: boolean,
  waitedMs: number,
): boolean {
  return target !== "candidate" && waitedMs <= propagationLimitMs && (holdMs === undefined || !reached);
}

/** What is compared or copied beside the service's own answers does not wait for a shift to reach clients. */
function asksService({ kind }: Probe): boolean {
  return kind === "http" || kind === "tcp";
}

/** Whether time alone can make it good: answers are compared one by one, and data that is behind catches up. */
function isOnItsWay({ kind }: Probe, { verdict }: Measurement): boolean {
  return (kind === "difference" && verdict === "inconclusive") || (kind === "lag" && verdict === "fail");
}

function isFromElsewhere({ answeredBy }: Measurement, expected: Weights): boolean {
  // A version of weight 0 may answer: it gets the requests that match a rule.
  return answeredBy !== undefined && !(answeredBy in expected);
}

function answeredByWrongVersion(measurement: Measurement, expected: Weights): Measurement {
  const message = `${measurement.answeredBy} answered instead of ${describeWeights(expected)}`;
  return { ...measurement, verdict: "fail", message };
}

function describeResult(probe: Probe, verdict: Verdict, counters: AnalysisCounters, last: Measurement): string {
  const total = totalOf(counters);
  if (verdict === "pass") return `${probe.name}: ${counters.passed} of ${total} measurements passed`;
  return `${probe.name}: ${last.message} (${counters.passed} of ${total} measurements passed)`;
}
