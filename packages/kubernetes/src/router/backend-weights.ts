import type { VersionId, Weights } from "@bascule/core";

/** Parts of a per cent that are kept where a router takes whole numbers only. */
const precision = 1_000;

/** Weights in whole numbers that have the proportions of the percentages. */
export function integerWeights(weights: Weights): Readonly<Record<VersionId, number>> {
  const entries = Object.entries(weights);
  const factor = entries.every(([, weight]) => Number.isInteger(weight)) ? 1 : precision;
  return Object.fromEntries(entries.map(([version, weight]) => [version, Math.round(weight * factor)]));
}

/** Weights of any sum in per cent; without any, nobody has traffic. */
export function percentWeights(backends: readonly (readonly [VersionId, number])[]): Weights {
  const total = backends.reduce((sum, [, weight]) => sum + weight, 0);
  const served = backends.filter(([, weight]) => weight > 0);
  return Object.fromEntries(
    served.map(([version, weight]) => [version, Math.round((weight / total) * 100 * precision) / precision]),
  );
}
