import { describe, expect, it } from "vitest";
import { beginPlan } from "./begin-plan.ts";
import { describePlan, describeStep } from "./describe-plan.ts";
import { digestBefore } from "./rest.ts";
import type { Step } from "./step.ts";
import { analysis, experiment, mirror, pause, route, runHook, scale, setWeight, soak } from "./step-builders.ts";
import { planOf } from "./strategies.ts";

const window = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "Europe/Paris" };

describe("a step in plain words", () => {
  it.each<[Step, string]>([
    [setWeight(5), "move 5 % of traffic to the candidate"],
    [setWeight(0), "leave the traffic where it was before the candidate came"],
    [{ kind: "verify", target: "candidate" }, "verify the candidate, which has no traffic yet"],
    [analysis(), "verify the service as its clients see it"],
    [analysis({ probes: ["a", "b"] }), "verify the service as its clients see it: a; b"],
    [soak(60_000), "stay there for 60 s, and go on verifying"],
    [{ kind: "hold", durationMs: 500 }, "hold for 0.5 s with the old version still there, and go on verifying"],
    [pause("look"), 'end this update here, with both versions in service, until a later commit approves "look"'],
    [{ kind: "pause", name: "look", isApproved: true }, 'the pause "look" is approved: go on'],
    [scale({ replicas: 3 }), "scale the candidate to 3 Pods"],
    [scale({ replicas: 1 }), "scale the candidate to 1 Pod"],
    [scale({ percent: 25 }), "scale the candidate to 25 % of its replicas"],
    [
      route([
        { header: "x-beta", exact: "yes" },
        { cookie: "user", prefix: "b" },
        { header: "x-team", regex: "a|b" },
      ]),
      "send requests with the header x-beta = yes, or the cookie user beginning with b, or the header x-team matching a|b to the candidate",
    ],
    [route([]), "send requests by weight alone again"],
    [mirror(20), "copy 20 % of the requests to the candidate, whose answers nobody sees"],
    [mirror(0), "stop copying requests"],
    [experiment(60_000), "measure the candidate beside the stable version for 60 s, and compare them"],
    [runHook("sync", { limitMs: 1 }), "run sync"],
    [runHook("start sync", { limitMs: 1, undo: "stop sync" }), "run start sync (a rollback runs stop sync)"],
    [
      runHook("stop writes", { limitMs: 1, undo: "allow writes", startsReadOnly: true }),
      "run stop writes: nobody can write from here until traffic has moved (a rollback runs allow writes)",
    ],
  ])("%j", (step, words) => {
    expect(describeStep(step)).toBe(words);
  });
});

describe("a plan in plain words", () => {
  it("tells each step, the probes, and what happens on failure", () => {
    const text = describePlan({
      plan: planOf("blueGreen", { window }),
      release: "web",
      candidate: "web-2",
      from: { "web-1": 100 },
      probes: ["http /health", "tcp connect"],
    });
    expect(text.split("\n")).toEqual([
      "Cut-over of web (blue/green): web-1 100 % → web-2",
      "  allowed from 2026-11-24T22:00 to 2026-11-25T02:00 (Europe/Paris)",
      "  1. verify the candidate, which has no traffic yet",
      "  2. move 100 % of traffic to the candidate",
      "  3. verify the service as its clients see it",
      "  4. hold for 5 s with the old version still there, and go on verifying",
      "  probes: http /health; tcp connect",
      "  on any failure traffic goes back to web-1 100 %, verified, and the update fails; at the most 605 s in all",
    ]);
  });

  it("of a first release says that the service is removed again", () => {
    const text = describePlan({
      plan: planOf("direct"),
      release: "web",
      candidate: "web-1",
      from: null,
      probes: ["tcp connect"],
    });
    expect(text).toContain("Cut-over of web (direct): a new service → web-1");
    expect(text).toContain("on any failure the service is removed again, verified");
  });

  const options = { steps: [setWeight(20), pause("look"), setWeight(50)], background: { probes: ["errors"] } };
  const about = { release: "web", candidate: "web-2", probes: ["http /", "errors"] };

  it("says where the update ends, and what is left for a later one", () => {
    const text = describePlan({ plan: planOf("progressive", options), from: { "web-1": 100 }, ...about });
    expect(text.split("\n")).toEqual([
      "Cut-over of web (progressive): web-1 100 % → web-2",
      "  1. verify the candidate, which has no traffic yet",
      "  2. move 20 % of traffic to the candidate",
      "  3. verify the service as its clients see it",
      '  4. end this update here, with both versions in service, until a later commit approves "look"',
      "  5. move 50 % of traffic to the candidate (in a later update)",
      "  6. verify the service as its clients see it (in a later update)",
      "  7. move 100 % of traffic to the candidate (in a later update)",
      "  8. verify the service as its clients see it (in a later update)",
      "  9. hold for 5 s with the old version still there, and go on verifying (in a later update)",
      '  a later commit goes on from there with approved: { "look": "web-2" }',
      "  from step 2 on, in the background: errors",
      "  probes: http /; errors",
      "  on any failure traffic goes back to web-1 100 %, verified, and the update fails; at the most 600 s in all",
    ]);
  });

  it("that goes on from a pause says what was done before, and that a rollback goes further back", () => {
    const open = planOf("progressive", options);
    const plan = planOf("progressive", { ...options, approved: ["look"] });
    const rest = {
      candidate: "web-2",
      pause: "look",
      origin: { "web-1": 100 },
      taken: digestBefore(open, 3),
      undo: [],
    };
    const weights = { "web-2": 20, "web-1": 80 };
    const beginning = beginPlan(plan, { candidate: "web-2", weights, isServed: true, history: ["web-1"], rest });
    expect(describePlan({ ...beginning, from: weights, ...about }).split("\n")).toEqual([
      "Cut-over of web (progressive): web-2 20 %, web-1 80 % → web-2",
      '  goes on from the pause "look", where the last update ended',
      "  1. verify the candidate, which has no traffic yet (done before)",
      "  2. move 20 % of traffic to the candidate (done before)",
      "  3. verify the service as its clients see it (done before)",
      "  4. move 20 % of traffic to the candidate",
      "  5. verify the service as its clients see it",
      '  6. the pause "look" is approved: go on',
      "  7. move 50 % of traffic to the candidate",
      "  8. verify the service as its clients see it",
      "  9. move 100 % of traffic to the candidate",
      "  10. verify the service as its clients see it",
      "  11. hold for 5 s with the old version still there, and go on verifying",
      "  from step 2 on, in the background: errors",
      "  probes: http /; errors",
      "  on any failure traffic goes back to web-1 100 %, verified, and the update fails; at the most 605 s in all",
    ]);
  });

  it("leaves out probes in the background that only a later update begins with", () => {
    const plan = planOf("progressive", { ...options, background: { startingStep: 2 } });
    expect(describePlan({ plan, from: { "web-1": 100 }, ...about })).not.toContain("in the background");
    const all = planOf("progressive", { ...options, background: {} });
    expect(describePlan({ plan: all, from: { "web-1": 100 }, ...about })).toContain(
      "from step 2 on, in the background: all probes of the service",
    );
  });
});
