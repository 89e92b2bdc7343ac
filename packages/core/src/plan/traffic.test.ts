import { describe, expect, it } from "vitest";
import type { Plan } from "./plan.ts";
import type { Step } from "./step.ts";
import { mirror, pause, route, runHook, setWeight, soak } from "./step-builders.ts";
import { movesTraffic, trafficAfter } from "./traffic.ts";

const planWith = (steps: readonly Step[], change: Partial<Plan> = {}): Plan => ({
  strategy: "progressive",
  steps: [...steps],
  deadlineMs: 1,
  propagationLimitMs: 1,
  ...change,
});
const beta = [{ header: "x-beta", exact: "yes" }];
const after = (steps: readonly Step[], change: Partial<Plan> = {}, origin = { old: 100 }) =>
  trafficAfter(planWith(steps, change), origin, "new", steps.length - 1);

describe("the traffic after some steps", () => {
  it.each<[string, readonly Step[], object]>([
    ["none that moves any", [soak(5), pause("look")], { weights: { old: 100 } }],
    ["a weight", [setWeight(5), soak(5)], { weights: { new: 5, old: 95 } }],
    ["the last weight", [setWeight(5), setWeight(25)], { weights: { new: 25, old: 75 } }],
    ["a weight of nothing", [setWeight(0)], { weights: { old: 100 } }],
    ["a rule", [route(beta)], { weights: { old: 100 }, matches: beta }],
    ["a rule and a weight", [route(beta), setWeight(5)], { weights: { new: 5, old: 95 }, matches: beta }],
    ["the end of a rule", [route(beta), setWeight(5), route([])], { weights: { new: 5, old: 95 } }],
    ["copies", [mirror(20)], { weights: { old: 100 }, mirrorPercent: 20 }],
    ["the end of copies", [mirror(20), mirror(0)], { weights: { old: 100 } }],
    ["everything, which needs no rules", [route(beta), mirror(20), setWeight(100)], { weights: { new: 100 } }],
  ])("%s", (_name, steps, traffic) => {
    expect(after(steps)).toEqual(traffic);
  });

  it("counts the steps up to and with the given one", () => {
    const plan = planWith([setWeight(5), setWeight(50), setWeight(100)]);
    expect(trafficAfter(plan, { old: 100 }, "new", 0).weights).toEqual({ new: 5, old: 95 });
    expect(trafficAfter(plan, { old: 100 }, "new", 1).weights).toEqual({ new: 50, old: 50 });
    expect(trafficAfter(plan, { old: 100 }, "new", -1).weights).toEqual({ old: 100 });
  });

  it("keeps users at their version while two have traffic, and at no other time", () => {
    const affinity = { cookieName: "met" };
    expect(after([setWeight(5)], { affinity })).toEqual({ weights: { new: 5, old: 95 }, affinity });
    expect(after([route(beta)], { affinity })).toEqual({ weights: { old: 100 }, matches: beta });
    expect(after([setWeight(100)], { affinity })).toEqual({ weights: { new: 100 } });
  });

  it("gives the candidate everything where nobody had any", () => {
    expect(trafficAfter(planWith([setWeight(5)]), {}, "new", 0)).toEqual({ weights: { new: 100 } });
  });
});

it("weights, rules and copies move traffic, and nothing else does", () => {
  const steps = [setWeight(0), route([]), mirror(0), soak(1), pause("look"), runHook("sync", { limitMs: 1 })];
  expect(steps.map(({ kind }) => movesTraffic(kind))).toEqual([true, true, true, false, false, false]);
});
