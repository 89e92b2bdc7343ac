import type { JournalEntry } from "@bascule/core";
import { z } from "zod";

const shiftedSchema = z.looseObject({ kind: z.literal("trafficShifted"), weights: z.record(z.string(), z.number()) });
const candidateSchema = z.looseObject({ kind: z.literal("cutoverStarted"), candidate: z.string() });

/** The share of a load that a bad version may answer in the worst case, added to what it was meant to get. */
const tolerancePercent = 5;

/**
 * How many answers of a failed candidate a load may have met at the most: weight × time to detect × rate, and 5 % of the requests of
 * that time. The time counts from the step that moved the traffic until it was back.
 */
export function mostBadAnswers(entries: readonly JournalEntry[], ratePerSecond: number): number {
  const candidate = entries.map(({ fact }) => candidateSchema.safeParse(fact).data?.candidate).find(Boolean) ?? "";
  let weightPercent = 0;
  let movedAtMs: number | undefined;
  let stepAtMs = 0;
  let requests = 0;
  for (const { fact, time } of entries) {
    const atMs = Date.parse(time);
    if (fact.kind === "stepStarted") stepAtMs = atMs;
    const shifted = shiftedSchema.safeParse(fact).data;
    if (shifted) {
      // Traffic moves somewhere between the step's beginning and its end.
      requests += share(weightPercent, movedAtMs, stepAtMs, ratePerSecond);
      weightPercent = shifted.weights[candidate] ?? 0;
      movedAtMs = stepAtMs;
    }
    if (fact.kind === "trafficRestored") {
      requests += share(weightPercent, movedAtMs, atMs, ratePerSecond);
      weightPercent = 0;
    }
  }
  return requests;
}

function share(weightPercent: number, fromMs: number | undefined, toMs: number, ratePerSecond: number): number {
  if (fromMs === undefined || weightPercent === 0) return 0;
  return (((toMs - fromMs) / 1000) * ratePerSecond * Math.min(100, weightPercent + tolerancePercent)) / 100;
}
