import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planReplicaCounts } from "./plan-replica-counts.ts";

describe("the sizes for a weight", () => {
  it.each([
    ["the ratio itself where it is whole", 10, 30, 0, 7, 3],
    ["the nearer of two", 10, 14, 0, 9, 1],
    ["the larger candidate of two that are equally near", 10, 25, 0, 7, 3],
    ["one Pod more where that is nearer", 10, 25, 1, 8, 3],
    ["the larger candidate, whatever rounding makes of thirds", 3, 50, 0, 1, 2],
    ["no Pod more where that is no nearer", 10, 50, 3, 5, 5],
    ["a candidate for the smallest weight", 10, 1, 0, 9, 1],
    ["a stable version for the largest", 10, 99, 0, 1, 9],
    ["both beside one declared Pod if there is a surge", 1, 10, 1, 1, 1],
    ["only one of them if there is none", 1, 49, 0, 1, 0],
    ["the other from one half on", 1, 50, 0, 0, 1],
    ["nobody where nobody is declared", 0, 50, 1, 0, 0],
    ["the stable version alone at 0 %", 10, 0, 3, 10, 0],
    ["the candidate alone at 100 %", 10, 100, 3, 0, 10],
  ])("are %s", (_name, total, weightPercent, maxSurge, stable, candidate) => {
    expect(planReplicaCounts({ total, weightPercent, maxSurge, maxUnavailable: 1 })).toEqual({ stable, candidate });
  });

  const share = fc.record({
    total: fc.integer({ min: 0, max: 60 }),
    weightPercent: fc.integer({ min: 0, max: 100 }),
    maxSurge: fc.integer({ min: 0, max: 3 }),
  });

  it("sum to the declared replicas, or one more if there is a surge, and leave nobody out", () => {
    fc.assert(
      fc.property(share, ({ total, weightPercent, maxSurge }) => {
        const { stable, candidate } = planReplicaCounts({ total, weightPercent, maxSurge });
        expect([total, total + Math.min(maxSurge, 1)]).toContain(stable + candidate);
        if (total > 0 && total + maxSurge > 1 && weightPercent > 0 && weightPercent < 100) {
          expect(stable).toBeGreaterThan(0);
          expect(candidate).toBeGreaterThan(0);
        }
      }),
    );
  });

  it("are nearer to the weight than any others with as many Pods", () => {
    fc.assert(
      fc.property(share, ({ total, weightPercent, maxSurge }) => {
        fc.pre(total > 1 && weightPercent > 0 && weightPercent < 100);
        const found = planReplicaCounts({ total, weightPercent, maxSurge });
        const sum = found.stable + found.candidate;
        // Without a division, so that two sizes that are equally near compare as equal.
        const errorOf = (candidate: number) => Math.abs(100 * candidate - weightPercent * sum);
        for (let candidate = 1; candidate < sum; candidate += 1)
          expect(errorOf(found.candidate)).toBeLessThanOrEqual(errorOf(candidate));
      }),
    );
  });

  it("never have a smaller candidate for a larger weight", () => {
    fc.assert(
      fc.property(share, fc.integer({ min: 0, max: 100 }), ({ total, weightPercent, maxSurge }, other) => {
        const [less, more] = [weightPercent, other].toSorted((one, two) => one - two);
        const candidateAt = (weight = 0) => planReplicaCounts({ total, weightPercent: weight, maxSurge }).candidate;
        expect(candidateAt(less)).toBeLessThanOrEqual(candidateAt(more));
      }),
    );
  });

  it("are refused for what is no weight", () => {
    expect(() => planReplicaCounts({ total: 10, weightPercent: 101 })).toThrow("Replicas: weightPercent = 101");
    expect(() => planReplicaCounts({ total: 10, weightPercent: 5, maxSurge: "oops" })).toThrow('maxSurge = "oops"');
  });
});
