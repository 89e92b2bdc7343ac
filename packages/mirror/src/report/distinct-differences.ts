import type { Difference } from "./report.ts";

/** Ways to differ of which a report gives an example. */
export const maximumDifferences = 50;

/** Counts each way to differ once; one that is new when there are enough of them is left out. */
export interface DistinctDifferences {
  add(difference: Difference): void;
  list(): Difference[];
}

export function distinctDifferences(): DistinctDifferences {
  const known = new Map<string, Difference>();
  return {
    add: (difference) => {
      const { method, path, what, at, primary, shadow, count } = difference;
      const key = JSON.stringify([method, path, what, at, primary, shadow]);
      const before = known.get(key);
      if (before === undefined && known.size >= maximumDifferences) return;
      known.set(key, { ...difference, count: count + (before?.count ?? 0) });
    },
    list: () => [...known.values()],
  };
}
