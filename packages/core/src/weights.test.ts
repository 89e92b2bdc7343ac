import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allTo, describeWeights, sameWeights, shiftTowards } from "./weights.ts";

describe("a shift towards a candidate", () => {
  it.each([
    [{ old: 100 }, 0, { old: 100 }],
    [{ old: 100 }, 5, { new: 5, old: 95 }],
    [{ old: 100 }, 100, { new: 100 }],
    [{ old: 100 }, 150, { new: 100 }],
    [{ a: 75, b: 25 }, 20, { new: 20, a: 60, b: 20 }],
    [{ old: 90, new: 10 }, 50, { new: 50, old: 50 }],
    [{ old: 100, gone: 0 }, 50, { new: 50, old: 50 }],
    [{}, 5, { new: 100 }],
    [{ new: 100 }, 5, { new: 100 }],
  ])("from %j by %i %% gives %j", (origin, percent, expected) => {
    expect(shiftTowards(origin, "new", percent)).toEqual(expected);
  });

  it("always serves everybody", () => {
    const origin = fc.dictionary(fc.constantFrom("a", "b", "c", "new"), fc.integer({ min: 0, max: 100 }));
    fc.assert(
      fc.property(origin, fc.integer({ min: 0, max: 100 }), (weights, percent) => {
        const sum = Object.values(shiftTowards(weights, "new", percent)).reduce((total, weight) => total + weight, 0);
        expect(sum).toBeCloseTo(100);
      }),
    );
  });
});

describe("two splits of traffic", () => {
  it("mean the same when each version has the same share, an absent one being 0", () => {
    expect(sameWeights({ a: 100 }, { a: 100, b: 0 })).toBe(true);
    expect(sameWeights({ a: 0 }, {})).toBe(true);
    expect(sameWeights({ a: 60, b: 40 }, { b: 40, a: 60 })).toBe(true);
  });

  it("differ when a share differs, whichever side has it", () => {
    expect(sameWeights({ a: 100 }, { b: 100 })).toBe(false);
    expect(sameWeights({ a: 100 }, {})).toBe(false);
    expect(sameWeights({}, { a: 100 })).toBe(false);
  });
});

it("weights in words leave out who has none", () => {
  expect(describeWeights(allTo("web-1"))).toBe("web-1 100 %");
  expect(describeWeights({ "web-1": 95, "web-2": 5, "web-3": 0 })).toBe("web-1 95 %, web-2 5 %");
  expect(describeWeights({})).toBe("nobody");
});
