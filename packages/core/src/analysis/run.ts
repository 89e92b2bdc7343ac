import type { Verdict } from "./measurement.ts";

/** How one probe of a run stands. */
export interface ProbeOutcome {
  /** The probe's name. */
  readonly probe: string;
  /** Absent while it still measures, or when it was stopped because another one was bad. */
  readonly verdict: Verdict | undefined;
  /** A dry run is measured and reported, and never decides. */
  readonly isDryRun: boolean;
  /** What was measured, in one sentence. */
  readonly message?: string;
}

/** How many dry runs there were, and how they ended; those without a verdict are counted in `probes` only. */
export interface DryRunSummary {
  readonly probes: number;
  readonly pass: number;
  readonly fail: number;
  readonly inconclusive: number;
  readonly error: number;
}

/** From the best to the worst, as Argo Rollouts orders them (utils/analysis/helpers.go). */
const fromBestToWorst: readonly Verdict[] = ["pass", "inconclusive", "error", "fail"];

/** The worst of some verdicts, or `undefined` when there is none. */
export function worstVerdict(verdicts: readonly Verdict[]): Verdict | undefined {
  return fromBestToWorst.findLast((verdict) => verdicts.includes(verdict));
}

/** Whether the run is lost already, so that nothing more has to be measured: a probe that counts was bad. */
export function isRunLost(outcomes: readonly ProbeOutcome[]): boolean {
  return outcomes.some(({ verdict, isDryRun }) => !isDryRun && verdict !== undefined && verdict !== "pass");
}

/**
 * The verdict of several probes together: the worst of those that are not dry runs. A bad one decides at once, whatever the others
 * still measure; a good end waits for all, dry runs too, so that they can be reported. `undefined` while more has to be measured.
 */
export function assessRun(outcomes: readonly ProbeOutcome[]): Verdict | undefined {
  if (!isRunLost(outcomes) && outcomes.some(({ verdict }) => verdict === undefined)) return undefined;
  const counting = outcomes.filter(({ isDryRun }) => !isDryRun);
  return worstVerdict(counting.flatMap(({ verdict }) => verdict ?? [])) ?? "pass";
}

/** The first probe that has the run's verdict, when that is a bad one. */
export function decidingProbe(outcomes: readonly ProbeOutcome[]): ProbeOutcome | undefined {
  const verdict = isRunLost(outcomes) ? assessRun(outcomes) : undefined;
  return verdict && outcomes.find((outcome) => !outcome.isDryRun && outcome.verdict === verdict);
}

/** The run in one sentence: the probe that decided, or all that passed; and the dry runs that would have decided otherwise. */
export function describeRun(outcomes: readonly ProbeOutcome[]): string {
  const deciding = decidingProbe(outcomes);
  const counting = outcomes.filter(({ isDryRun }) => !isDryRun);
  const decided = deciding ? [describeOutcome(deciding)] : counting.map(describeOutcome);
  const badDryRuns = outcomes
    .filter(({ isDryRun, verdict }) => isDryRun && verdict !== undefined && verdict !== "pass")
    .map((outcome) => `dry run of ${describeOutcome(outcome)}`);
  return [...(decided.length > 0 ? decided : ["no probe counts"]), ...badDryRuns].join("; ");
}

/** What the dry runs would have said. */
export function summarizeDryRuns(outcomes: readonly ProbeOutcome[]): DryRunSummary {
  const dry = outcomes.filter(({ isDryRun }) => isDryRun);
  const of = (wanted: Verdict) => dry.filter(({ verdict }) => verdict === wanted).length;
  return {
    probes: dry.length,
    pass: of("pass"),
    fail: of("fail"),
    inconclusive: of("inconclusive"),
    error: of("error"),
  };
}

function describeOutcome({ probe, verdict, message }: ProbeOutcome): string {
  const standing = verdict ?? "no verdict yet";
  return message === undefined ? `${probe}: ${standing}` : `${probe}: ${standing}: ${message}`;
}
