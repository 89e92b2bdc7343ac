import type { Difference, MirrorReport } from "./report.ts";

const shownDifferences = 5;

/** How often the candidate answered otherwise: an answer that it owed counts as one that differs. */
export interface DifferenceRate {
  /** Answers judged: pairs compared, and answers that the shadow failed to give. */
  readonly judged: number;
  readonly different: number;
  /** 0 to 100; undefined when nothing was judged, which proves nothing. */
  readonly percent: number | undefined;
}

/** The rate by which a candidate is judged, of one mirror's report or of several added up. */
export function differenceRate({
  compared,
  differed,
  shadowFailed,
}: Pick<MirrorReport, "compared" | "differed" | "shadowFailed">): DifferenceRate {
  const judged = compared + shadowFailed;
  const different = differed + shadowFailed;
  return { judged, different, percent: judged === 0 ? undefined : (different / judged) * 100 };
}

/** One sentence for people: how many answers differed, and the most frequent ways in which they did. No content is in it. */
export function describeDifferences(report: MirrorReport): string {
  const { judged, different, percent } = differenceRate(report);
  if (percent === undefined)
    return `no answers were compared (${report.seen} requests seen, ${report.mirrored} chosen)`;
  const total = `${different} of ${judged} answers differed (${round(percent)} %)`;
  const frequent = report.differences.toSorted((left, right) => right.count - left.count);
  if (frequent.length === 0) return total;
  const shown = frequent.slice(0, shownDifferences).map(describeDifference);
  const others = frequent.length - shown.length;
  return `${total}: ${shown.join("; ")}${others > 0 ? `; and ${others} more` : ""}`;
}

function describeDifference({ method, path, what, at, primary, shadow, count }: Difference): string {
  const place = `${method} ${path}`;
  const times = count === 1 ? "once" : `${count} times`;
  switch (what) {
    case "missing":
      return `${place} was not answered (${shadow ?? "unknown why"}), ${times}`;
    case "status":
      return `${place} answered ${shadow ?? "?"} instead of ${primary ?? "?"}, ${times}`;
    case "header":
      return `${place} differs in header ${at ?? "?"}${kinds(primary, shadow)}, ${times}`;
    case "body":
      return `${place} differs in its body${at === undefined ? "" : ` at ${at}`}${kinds(primary, shadow)}, ${times}`;
  }
}

function kinds(primary: string | undefined, shadow: string | undefined): string {
  return primary === shadow ? "" : ` (${shadow ?? "?"} instead of ${primary ?? "?"})`;
}

function round(percent: number): number {
  return Math.round(percent * 100) / 100;
}
