import type { Plan, Step } from "@bascule/core";
import { describe, expect, it } from "vitest";
import { planProblem, routerAbilities } from "./router-abilities.ts";
import type { RouterShape } from "./router-shape.ts";

const planOf = (steps: readonly Step[], affinity?: Plan["affinity"]): Plan => ({
  strategy: "progressive",
  steps: [...steps],
  deadlineMs: 60_000,
  propagationLimitMs: 10_000,
  ...(affinity ? { affinity } : {}),
});
const toHalf: Step = { kind: "shift", weightPercent: 50 };
const toAll: Step = { kind: "shift", weightPercent: 100 };
const byHeader: Step = { kind: "route", matches: [{ header: "X-Canary", exact: "yes" }] };
const byTwoHeaders: Step = {
  kind: "route",
  matches: [
    { header: "X-Canary", exact: "yes" },
    { header: "X-Team", exact: "ours" },
  ],
};
const copies: Step = { kind: "mirror", percent: 10 };

const plans: Readonly<Record<string, Plan>> = {
  "all at once": planOf([toAll]),
  weights: planOf([toHalf, toAll]),
  "a header": planOf([byHeader, toAll]),
  "two headers": planOf([byTwoHeaders, toAll]),
  copies: planOf([copies, toAll]),
  affinity: planOf([toHalf, toAll], {}),
};

describe("what a kind of router can do", () => {
  it.each<[RouterShape["kind"], readonly string[]]>([
    ["service", ["all at once", "copies"]],
    ["replicas", ["all at once", "weights"]],
    ["httpRoute", ["all at once", "weights", "a header", "two headers", "copies", "affinity"]],
    ["ingressNginx", ["all at once", "weights", "a header"]],
    ["istio", ["all at once", "weights", "a header", "two headers", "copies", "affinity"]],
    ["smi", ["all at once", "weights"]],
  ])("is known of %s before there is any: it can follow plans with %j", (kind, possible) => {
    const found = Object.keys(plans).filter((name) => planProblem(kind, plans[name] ?? planOf([])) === undefined);
    expect(found).toEqual(possible);
  });

  it("is said in words, with the step that it fails at and a way out", () => {
    const problem = planProblem("smi", planOf([toHalf, copies, toAll])) ?? "";
    expect(problem).toContain("requests are copied to the candidate, which a TrafficSplit of SMI cannot do.");
    expect(problem).toContain(routerAbilities("smi").sentence);
    expect(problem).toMatch(/^at ".*10 %.*", .* leave it out of the plan$/);
  });

  it("says everything that is asked for and cannot be done", () => {
    expect(planProblem("service", planOf([toHalf, toAll], {}))).toMatch(
      /traffic is split by weight, and users are kept at the version that they met, which a Service cannot do/,
    );
  });
});
