import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextReplicaCounts, type ObservedReplicaCounts, type ObservedReplicas } from "./next-replica-counts.ts";
import { planReplicaCounts, type ReplicaCounts } from "./plan-replica-counts.ts";
import { replicaLimitsOf, type ReplicaLimits } from "./replica-limits.ts";

const pods = (wanted: number, available = wanted): ObservedReplicas => ({ wanted, available });
const limits = (total: number, maxSurge: number, maxUnavailable: number) =>
  replicaLimitsOf(total, { maxSurge, maxUnavailable });

describe("the next sizes", () => {
  it.each<[string, ObservedReplicas, ObservedReplicas, ReplicaLimits, ReplicaCounts, ReplicaCounts]>([
    [
      "add the candidate's Pods first where there is a surge",
      pods(10),
      pods(0),
      limits(10, 2, 0),
      { stable: 7, candidate: 3 },
      { stable: 10, candidate: 2 },
    ],
    [
      "end stable Pods first where there is none",
      pods(10),
      pods(0),
      limits(10, 0, 2),
      { stable: 7, candidate: 3 },
      { stable: 8, candidate: 0 },
    ],
    [
      "do both where the limits allow it",
      pods(10),
      pods(0),
      limits(10, 1, 1),
      { stable: 5, candidate: 5 },
      { stable: 9, candidate: 1 },
    ],
    [
      "end no stable Pod for a candidate that is not available",
      pods(10),
      pods(2, 0),
      limits(10, 2, 0),
      { stable: 7, candidate: 3 },
      { stable: 10, candidate: 2 },
    ],
    [
      "end as many stable Pods as the candidate makes up for",
      pods(10),
      pods(2, 1),
      limits(10, 2, 0),
      { stable: 7, candidate: 3 },
      { stable: 9, candidate: 2 },
    ],
    [
      "give the room to the stable version before the candidate",
      pods(4),
      pods(2),
      limits(10, 0, 1),
      { stable: 7, candidate: 3 },
      { stable: 7, candidate: 3 },
    ],
    [
      "use the room that Pods leave which are still ending",
      pods(7, 9),
      pods(2),
      limits(10, 2, 0),
      { stable: 7, candidate: 3 },
      { stable: 7, candidate: 3 },
    ],
    [
      "wait while Pods that are ending leave no room",
      pods(7, 10),
      pods(2),
      limits(10, 2, 0),
      { stable: 7, candidate: 3 },
      { stable: 7, candidate: 2 },
    ],
    [
      "go back whatever the health of the candidate is",
      pods(10),
      pods(2, 0),
      limits(10, 2, 0),
      { stable: 10, candidate: 0 },
      { stable: 10, candidate: 0 },
    ],
    [
      "keep a candidate that serves until the stable version makes up for it",
      pods(5, 5),
      pods(5, 5),
      limits(10, 1, 0),
      { stable: 10, candidate: 0 },
      { stable: 6, candidate: 5 },
    ],
    [
      "end sick stable Pods where the candidate serves instead",
      pods(10, 2),
      pods(10, 8),
      limits(10, 1, 0),
      { stable: 0, candidate: 10 },
      { stable: 2, candidate: 9 },
    ],
    [
      "come back to the limits from Pods that are not available, and leave those that are",
      pods(10, 6),
      pods(10, 2),
      limits(10, 0, 5),
      { stable: 5, candidate: 5 },
      { stable: 5, candidate: 5 },
    ],
  ])("%s", (_name, stable, candidate, allowed, target, expected) => {
    expect(nextReplicaCounts({ stable, candidate }, target, allowed).sizes).toEqual(expected);
  });
});

describe("the target", () => {
  const target = { stable: 7, candidate: 3 };
  const back = { stable: 10, candidate: 0 };

  it.each<[string, ObservedReplicas, ObservedReplicas, ReplicaCounts, boolean]>([
    ["is reached once both have their sizes", pods(7), pods(3), target, true],
    ["is not while a Pod of the candidate is not available", pods(7), pods(3, 2), target, false],
    ["is not while a Pod of the candidate is ending", pods(7), pods(3, 4), target, false],
    ["is not while a stable Pod too many serves", pods(7, 8), pods(3), target, false],
    ["is not before the sizes are asked for", pods(8, 7), pods(3), target, false],
    ["is not held up by sick stable Pods", pods(7, 0), pods(3), target, true],
    ["is, without a candidate, reached with the Pods that the limits ask for", pods(10, 8), pods(0), back, true],
    ["is not with fewer", pods(10, 7), pods(0), back, false],
    ["is not while the candidate still serves", pods(10), pods(0, 1), back, false],
  ])("%s", (_name, stable, candidate, wanted, expected) => {
    expect(nextReplicaCounts({ stable, candidate }, wanted, limits(10, 0, 2)).isReached).toBe(expected);
  });

  it("is not reached with nobody who serves, even where the limits allow it", () => {
    const [one, nobody] = [pods(1), pods(1, 0)];
    const isReachedWith = (stable: ObservedReplicas) =>
      nextReplicaCounts({ stable, candidate: pods(0) }, { stable: 1, candidate: 0 }, limits(1, 0, 1)).isReached;
    expect([isReachedWith(one), isReachedWith(nobody)]).toEqual([true, false]);
  });

  it.each([
    [
      { stable: 10, candidate: 3 },
      "10 Pods of the stable version and 3 of the candidate are 13, but the limits allow 9 to 12",
    ],
    [
      { stable: 5, candidate: 3 },
      "5 Pods of the stable version and 3 of the candidate are 8, but the limits allow 9 to 12",
    ],
  ])("%j outside of the limits is refused, since it could never be reached", (wanted, message) => {
    const current = { stable: pods(10), candidate: pods(0) };
    expect(() => nextReplicaCounts(current, wanted, limits(10, 2, 1))).toThrow(message);
  });
});

/** The Pods of one version in a cluster that does what it is asked, late, and more. */
interface Simulated {
  readonly wanted: number;
  readonly available: number;
  readonly unavailable: number;
}

/** What happens to the Pods of one version between two looks: how many, at the most. */
interface Happening {
  readonly recover: number;
  readonly sicken: number;
  readonly end: number;
}

const start = (wanted: number, available: number): Simulated => ({
  wanted,
  available: Math.min(wanted, available),
  unavailable: wanted - Math.min(wanted, available),
});

const observed = ({ wanted, available }: Simulated): ObservedReplicas => ({ wanted, available });

function ask({ available, unavailable }: Simulated, wanted: number): Simulated {
  return { wanted, available, unavailable: Math.max(unavailable, wanted - available) };
}

/** As a ReplicaSet does it: of too many Pods, those end first that are not available. */
function happen({ wanted, available, unavailable }: Simulated, { recover, sicken, end }: Happening): Simulated {
  const excess = Math.min(end, Math.max(0, available + unavailable - wanted));
  const fromUnavailable = Math.min(excess, unavailable);
  const left = { available: available - (excess - fromUnavailable), unavailable: unavailable - fromUnavailable };
  const change = Math.min(recover, left.unavailable) - Math.min(sicken, left.available);
  return { wanted, available: left.available + change, unavailable: left.unavailable - change };
}

interface World {
  readonly stable: Simulated;
  readonly candidate: Simulated;
}
const everything: Happening = { recover: 1_000, sicken: 0, end: 1_000 };
const onlyEnding: Happening = { recover: 0, sicken: 0, end: 1_000 };
const presentIn = ({ wanted, available }: Simulated) => Math.max(wanted, available);
const remainingIn = ({ wanted, available }: Simulated) => Math.min(wanted, available);
const observe = ({ stable, candidate }: World): ObservedReplicaCounts => ({
  stable: observed(stable),
  candidate: observed(candidate),
});

describe("sizes asked for again and again", () => {
  const happening = fc.record({ recover: fc.nat(4), sicken: fc.nat(2), end: fc.nat(4) });
  const history = fc.record({
    total: fc.integer({ min: 0, max: 20 }),
    maxSurge: fc.constantFrom(0, 1, 3, "25%", "100%"),
    maxUnavailable: fc.constantFrom(0, 1, 3, "25%", "100%"),
    weights: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 4 }),
    rounds: fc.array(fc.tuple(happening, happening), { maxLength: 8 }),
  });
  const anyVersion = fc.tuple(fc.nat(25), fc.nat(25)).map(([wanted, available]) => start(wanted, available));

  /** Asks for the next sizes, and holds them to the limits. */
  function step(world: World, target: ReplicaCounts, allowed: ReplicaLimits): World {
    const { sizes } = nextReplicaCounts(observe(world), target, allowed);
    const next = { stable: ask(world.stable, sizes.stable), candidate: ask(world.candidate, sizes.candidate) };
    const most = allowed.total + allowed.surge;
    const least = allowed.total - allowed.unavailable;
    const present = ({ stable, candidate }: World) => presentIn(stable) + presentIn(candidate);
    const remaining = ({ stable, candidate }: World) => remainingIn(stable) + remainingIn(candidate);
    expect(present(next)).toBeLessThanOrEqual(Math.max(most, present(world)));
    expect(sizes.stable + sizes.candidate).toBeLessThanOrEqual(most);
    expect(remaining(next)).toBeGreaterThanOrEqual(Math.min(least, remaining(world)));
    return next;
  }

  function settle(world: World, target: ReplicaCounts, allowed: ReplicaLimits): World {
    const rounds = 4 * (allowed.total + 30);
    let now = world;
    for (let round = 0; round < rounds; round += 1) {
      if (nextReplicaCounts(observe(now), target, allowed).isReached) return now;
      now = step(now, target, allowed);
      now = { stable: happen(now.stable, everything), candidate: happen(now.candidate, everything) };
    }
    throw new Error(`The target is not reached after ${rounds} rounds: ${JSON.stringify({ now, target, allowed })}`);
  }

  it("stay within the limits at every moment, and reach each target once Pods become available", () => {
    fc.assert(
      fc.property(history, ({ total, maxSurge, maxUnavailable, weights, rounds }) => {
        const allowed = replicaLimitsOf(total, { maxSurge, maxUnavailable });
        let world: World = { stable: start(total, total), candidate: start(0, 0) };
        for (const weightPercent of [...weights, 0]) {
          const target = planReplicaCounts({ total, weightPercent, maxSurge, maxUnavailable });
          for (const [stable, candidate] of rounds) {
            world = step(world, target, allowed);
            world = { stable: happen(world.stable, stable), candidate: happen(world.candidate, candidate) };
          }
          world = settle(world, target, allowed);
          expect(world.stable).toMatchObject({ wanted: target.stable });
          expect(observed(world.candidate)).toEqual(pods(target.candidate));
          if (target.candidate === 0) expect(world.stable.available).toBeGreaterThanOrEqual(Math.min(1, total));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("come back within the limits from anywhere", () => {
    fc.assert(
      fc.property(
        history,
        anyVersion,
        anyVersion,
        ({ total, maxSurge, maxUnavailable, weights }, stable, candidate) => {
          const allowed = replicaLimitsOf(total, { maxSurge, maxUnavailable });
          const target = planReplicaCounts({ total, weightPercent: weights[0] ?? 0, maxSurge, maxUnavailable });
          settle({ stable, candidate }, target, allowed);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("leave the stable version serving when the candidate never becomes available, and go back from there", () => {
    fc.assert(
      fc.property(history, ({ total, maxSurge, maxUnavailable }) => {
        fc.pre(total > 0);
        const allowed = replicaLimitsOf(total, { maxSurge, maxUnavailable });
        let world: World = { stable: start(total, total), candidate: start(0, 0) };
        for (let round = 0; round < 2 * total; round += 1) {
          world = step(world, { stable: 0, candidate: total }, allowed);
          world = { stable: happen(world.stable, everything), candidate: happen(world.candidate, onlyEnding) };
        }
        expect(world.stable.available).toBeGreaterThanOrEqual(total - allowed.unavailable);
        const back = { stable: total, candidate: 0 };
        for (let round = 0; round < 2; round += 1) {
          world = step(world, back, allowed);
          world = { stable: happen(world.stable, everything), candidate: happen(world.candidate, onlyEnding) };
        }
        expect(observe(world)).toEqual({ stable: pods(total), candidate: pods(0) });
        expect(nextReplicaCounts(observe(world), back, allowed).isReached).toBe(true);
      }),
    );
  });
});
