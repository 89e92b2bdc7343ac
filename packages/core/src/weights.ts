import type { VersionId } from "./version.ts";

/** The share of traffic of each version in per cent, 0 to 100. Versions without traffic are left out; an empty object means that nobody is served. */
export type Weights = Readonly<Record<VersionId, number>>;

/** All traffic to one version. */
export function allTo(version: VersionId): Weights {
  return { [version]: 100 };
}

/** Gives the candidate `weightPercent` and leaves what remains to the versions of the origin, in their proportions. */
export function shiftTowards(origin: Weights, candidate: VersionId, weightPercent: number): Weights {
  const rest = Object.entries(origin).filter(([version, weight]) => version !== candidate && weight > 0);
  const restTotal = rest.reduce((sum, [, weight]) => sum + weight, 0);
  if (restTotal === 0 || weightPercent >= 100) return allTo(candidate);
  const shares = rest.map(([version, weight]) => [version, (weight / restTotal) * (100 - weightPercent)] as const);
  return Object.fromEntries(weightPercent > 0 ? [[candidate, weightPercent], ...shares] : shares);
}

/** The versions that have traffic at all. */
export function withTraffic(weights: Weights): Weights {
  return Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight > 0));
}

/** Whether two splits of traffic mean the same; a weight of zero equals an absent one. */
export function sameWeights(left: Weights, right: Weights): boolean {
  const versions = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...versions].every((version) => (left[version] ?? 0) === (right[version] ?? 0));
}

/** Weights in words: `web-1a2b3c4d 100 %`, or `nobody` for the empty split. */
export function describeWeights(weights: Weights): string {
  const parts = Object.entries(withTraffic(weights)).map(([version, weight]) => `${version} ${weight} %`);
  return parts.length > 0 ? parts.join(", ") : "nobody";
}
