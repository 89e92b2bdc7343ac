import { describe, expect, it } from "vitest";
import { BasculeError } from "../errors.ts";
import { planRings } from "./plan-rings.ts";
import type { RingOptions, RingSpec, Target } from "./ring-options.ts";

function hosts(count: number, labelsOf: (place: number) => Readonly<Record<string, string>> = () => ({})): Target[] {
  return Array.from({ length: count }, (_, index) => ({ id: `host-${index + 1}`, labels: labelsOf(index + 1) }));
}

function ringsOf(targets: readonly Target[], rings: RingSpec[]): string[][] {
  return planRings(targets, { rings }).rings.map((ring) => ring.targets.map((id) => id.replace("host-", "")));
}

function refusal(targets: readonly Target[], options: RingOptions): string {
  try {
    planRings(targets, options);
  } catch (thrown) {
    if (thrown instanceof BasculeError && thrown.code === "invalid-input") return thrown.message;
    throw thrown;
  }
  throw new Error("it was accepted");
}

const bySite = (place: number) => ({ site: place % 2 === 1 ? "paris" : "lyon", kind: place <= 2 ? "core" : "edge" });

describe("who is in a ring", () => {
  it.each<[string, Target[], RingSpec[], string[][]]>([
    ["all targets, by the rest alone", hosts(3), [{ rest: true }], [["1", "2", "3"]]],
    [
      "the first ones in the order of ids, by count",
      hosts(4),
      [{ count: 1 }, { count: 2 }, { rest: true }],
      [["1"], ["2", "3"], ["4"]],
    ],
    [
      "an even share along the order of ids, by percentage",
      hosts(10),
      [{ percent: 20 }, { percent: 30 }, { rest: true }],
      [
        ["1", "6"],
        ["2", "4", "7"],
        ["3", "5", "8", "9", "10"],
      ],
    ],
    ["at least one target, by any percentage", hosts(3), [{ percent: 1 }, { rest: true }], [["1"], ["2", "3"]]],
    [
      "all targets, by percentages of 100 in sum",
      hosts(7),
      [{ percent: 33.3 }, { percent: 33.3 }, { percent: 33.4 }],
      [
        ["1", "4", "7"],
        ["2", "5"],
        ["3", "6"],
      ],
    ],
    [
      "those that have all the labels",
      hosts(5, bySite),
      [{ label: { site: "paris", kind: "core" } }, { label: { site: "lyon" } }, { rest: true }],
      [["1"], ["2", "4"], ["3", "5"]],
    ],
    ["those that are named", hosts(3), [{ targets: ["host-3"] }, { rest: true }], [["3"], ["1", "2"]]],
    [
      "named and labelled ones before any count, wherever their rings stand",
      hosts(7, bySite),
      [{ count: 2 }, { rest: true }, { targets: ["host-1"] }, { label: { site: "lyon" } }],
      [["3", "5"], ["7"], ["1"], ["2", "4", "6"]],
    ],
    ["the rest, also before the last ring", hosts(3), [{ rest: true }, { targets: ["host-1"] }], [["2", "3"], ["1"]]],
  ])("is %s", (_name, targets, specs, expected) => {
    expect(ringsOf(targets, specs)).toEqual(expected);
  });

  it("does not depend on the order in which the targets are listed", () => {
    const specs: RingSpec[] = [{ count: 2 }, { percent: 30 }, { rest: true }];
    expect(ringsOf(hosts(12).reverse(), specs)).toEqual(ringsOf(hosts(12), specs));
  });

  it("counts numbers in ids as numbers", () => {
    const targets = ["host-10", "host-9", "host-09", "host-1"].map((id) => ({ id }));
    expect(planRings(targets, { rings: [{ rest: true }] }).rings[0]?.targets).toEqual([
      "host-1",
      "host-09",
      "host-9",
      "host-10",
    ]);
  });

  it.each<[string, RingSpec[]]>([
    ["counts", [{ count: 2 }, { count: 3 }, { rest: true }]],
    ["percentages", [{ percent: 10 }, { percent: 25.5 }, { rest: true }]],
    ["percentages of 100 in sum", [{ percent: 15 }, { percent: 35 }, { percent: 50 }]],
    [
      "labels, names and a percentage",
      [{ label: { site: "lyon" } }, { targets: ["host-3"] }, { percent: 20 }, { rest: true }],
    ],
  ])("stays the same by %s when targets are added at the end", (_name, specs) => {
    for (let count = 10; count < 60; count++) {
      const before = ringsOf(hosts(count, bySite), specs);
      const after = ringsOf(hosts(count + 1, bySite), specs);
      expect(after.map((ring) => ring.filter((id) => id !== String(count + 1)))).toEqual(before);
    }
  });

  it("is close to the percentage whatever the number of targets", () => {
    for (let count = 10; count <= 200; count++) {
      const [tenth = [], third = []] = ringsOf(hosts(count), [{ percent: 10 }, { percent: 33 }, { rest: true }]);
      expect(tenth).toHaveLength(Math.ceil(count / 10));
      expect(Math.abs(third.length - count * 0.33)).toBeLessThan(1);
    }
  });
});

describe("what a ring is like", () => {
  it("is careful by default", () => {
    expect(planRings(hosts(2), { rings: [{ rest: true }] })).toEqual({
      rings: [
        {
          name: "ring 1",
          isPilot: false,
          targets: ["host-1", "host-2"],
          concurrency: 1,
          failureBudget: 0,
          soakMs: 0,
          onFailure: "rollBackAll",
        },
      ],
      limits: { observeMs: 10_000, applyMs: 600_000, rollBackMs: 600_000, verifyMs: 60_000 },
      deadlineMs: 3_600_000,
    });
  });

  it("is what the user says", () => {
    const window = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "Europe/Paris" };
    const plan = planRings(hosts(6), {
      rings: [
        { count: 1, pilot: true, soakMs: 60_000 },
        { rest: true, name: "everybody", concurrency: 3, failureBudget: 2, onFailure: "rollBackRing", soakMs: 30_000 },
      ],
      limits: { applyMs: 5_000 },
      window,
    });
    expect(plan).toMatchObject({
      rings: [
        { name: "pilot", isPilot: true, concurrency: 1, failureBudget: 0, soakMs: 60_000, onFailure: "rollBackAll" },
        {
          name: "everybody",
          isPilot: false,
          concurrency: 3,
          failureBudget: 2,
          soakMs: 30_000,
          onFailure: "rollBackRing",
        },
      ],
      limits: { observeMs: 10_000, applyMs: 5_000 },
      deadlineMs: 3_690_000,
      window,
    });
  });

  it.each([
    [10, 30, 3],
    [5, 30, 1],
    [3, 30, 0],
  ])("of %i targets may lose %i per cent, which is %i", (size, percent, budget) => {
    expect(
      planRings(hosts(size), { rings: [{ rest: true, failureBudget: { percent } }] }).rings[0]?.failureBudget,
    ).toBe(budget);
  });
});

describe("wrong rings are refused with field, value and remedy", () => {
  it.each<[string, RingOptions, string]>([
    ["no ring", { rings: [] }, "rings = []: must have a ring: { rest: true } takes all targets"],
    [
      "a ring of nobody",
      { rings: [{ concurrency: 2 }] },
      'rings[0] = {"concurrency":2}: must say who is in it by exactly one of count, percent, label, targets, rest; it has none of them',
    ],
    ["a ring of two kinds", { rings: [{ count: 1, rest: true }] }, "it has count and rest"],
    ["no target at all by count", { rings: [{ count: 0 }] }, "rings[0].count = 0: must be 1 or more"],
    ["more than all", { rings: [{ percent: 101 }] }, "rings[0].percent = 101: must be 100 at the most"],
    ["an empty label", { rings: [{ label: {} }] }, "rings[0].label = {}: must name a label"],
    ["no concurrency", { rings: [{ rest: true, concurrency: 0 }] }, "rings[0].concurrency = 0: must be 1 or more"],
    ["a negative soak", { rings: [{ rest: true, soakMs: -1 }] }, "rings[0].soakMs = -1: must not be negative"],
    ["a soak of days", { rings: [{ rest: true, soakMs: 86_400_001 }] }, "rings[0].soakMs = 86400001: must be a day"],
    [
      "an unknown name",
      { rings: [{ targets: ["host-1", "hots-2"] }, { rest: true }] },
      'rings[0].targets[1] = "hots-2": there is no such target: correct the name, or add it to targets',
    ],
    [
      "a name in two rings",
      { rings: [{ targets: ["host-1"] }, { targets: ["host-1"] }, { rest: true }] },
      'rings[1].targets[0] = "host-1": rings[0] names it already: keep it in one place',
    ],
    [
      "a label that nobody has",
      { rings: [{ label: { site: "nice" } }, { rest: true }] },
      'rings[0].label = {"site":"nice"}: no target has this label: correct it, or remove the ring',
    ],
    [
      "labels that overlap",
      { rings: [{ label: { site: "paris" } }, { label: { kind: "core" } }, { rest: true }] },
      'rings[1].label = {"kind":"core"}: "host-1" has it, and is in rings[0] already: choose labels and names that do not overlap',
    ],
    [
      "a count that is too high",
      { rings: [{ count: 3 }, { count: 2 }] },
      "rings[1].count = 2: only 1 of the 4 targets are left for it: lower it, or remove the ring",
    ],
    [
      "percentages of more than all",
      { rings: [{ percent: 60 }, { percent: 60 }] },
      "rings[0].percent + rings[1].percent = 120: this is more than all: lower them to 100 in sum",
    ],
    [
      "targets that are left over",
      { rings: [{ count: 1 }, { percent: 25 }] },
      'targets = ["host-3","host-4"]: 2 of the 4 targets are in no ring: add a ring { rest: true }, or name them in one',
    ],
    ["two rests", { rings: [{ rest: true }, { rest: true }] }, "rings[1].rest = true: rings[0] takes the rest already"],
    [
      "an empty rest",
      { rings: [{ count: 4 }, { rest: true }] },
      "rings[1].rest = true: no target is left for this ring: remove it, or make the others smaller",
    ],
    [
      "an empty percentage",
      { rings: [{ count: 4 }, { percent: 50 }] },
      "rings[1].percent = 50: no target is left for this ring",
    ],
    [
      "a name twice",
      { rings: [{ count: 1, name: "ring 2" }, { rest: true }] },
      'rings[0].name = "ring 2": rings[1] has this name too: give each ring a name of its own',
    ],
    [
      "a pilot that is not first",
      { rings: [{ count: 1 }, { rest: true, pilot: true }] },
      "rings[1].pilot = true: only the first ring can be the pilot: put this ring first, or remove pilot",
    ],
    [
      "a pilot that is let off",
      { rings: [{ rest: true, pilot: true, failureBudget: 1 }] },
      "rings[0].failureBudget = 1: a pilot's first failure stops the release: remove failureBudget, or pilot",
    ],
    [
      "a pilot that goes back alone",
      { rings: [{ rest: true, pilot: true, onFailure: "stop" }] },
      'rings[0].onFailure = "stop": a pilot\'s failure rolls back everything: remove onFailure, or pilot',
    ],
    [
      "a budget for all",
      { rings: [{ rest: true, failureBudget: 4 }] },
      "rings[0].failureBudget = 4: the ring has 4 targets, so all of them could fail: set it to 3 at the most, or to { percent }",
    ],
    [
      "a deadline that its soaks exceed",
      { rings: [{ rest: true, soakMs: 5_000 }], deadlineMs: 5_000 },
      "deadlineMs = 5000: the soaks alone take 5000 ms: raise deadlineMs above that, or make the soaks shorter",
    ],
  ])("%s", (_name, options, message) => {
    const found = refusal(hosts(4, bySite), options);
    expect(found).toContain(message);
    expect(found).toMatch(/^Rings: .*\. Nothing was changed\.$/);
  });

  it("a target that is listed twice", () => {
    expect(refusal([{ id: "a" }, { id: "a" }], { rings: [{ rest: true }] })).toContain(
      'targets[1].id = "a": targets[0] has this id too: list it once',
    );
  });

  it("no target at all", () => {
    expect(refusal([], { rings: [{ rest: true }] })).toContain("targets = []: must have a target");
  });

  it("soaks that exceed a week in all", () => {
    const rings: RingSpec[] = hosts(8).map(() => ({ count: 1, soakMs: 86_400_000 }));
    expect(refusal(hosts(8), { rings })).toContain("no release may take longer than a week");
  });

  it("names the first problems and counts the others", () => {
    const twice = [...hosts(30), ...hosts(30)];
    const message = refusal(twice, { rings: [{ rest: true }] });
    expect(message).toContain("; and 20 more of the kind. Nothing was changed.");
  });
});
