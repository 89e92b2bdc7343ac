import { expect, it } from "vitest";
import { difference, http, lag, tcp } from "../probe.ts";
import { planProblems } from "./plan-problems.ts";
import { analysis, experiment, mirror, runHook, setWeight } from "./step-builders.ts";
import { planOf } from "./strategies.ts";
import type { PlanOptions } from "./plan-options.ts";

const surroundings = {
  probes: [
    http("/", { name: "home" }),
    tcp({ name: "port", targets: ["candidate"] }),
    tcp({ name: "outside", targets: ["service"] }),
    difference(),
    lag({ hook: "tell lag", maximumMs: 100 }),
  ],
  hooks: ["sync", "stop sync", "tell lag"],
};

const problemsOf = (options: PlanOptions) => planProblems(planOf("parallel", options), surroundings);

it("a plan whose names are all declared has none", () => {
  const hook = runHook("sync", { limitMs: 1, undo: "stop sync", keepsInStep: true });
  const steps = [
    hook,
    mirror(10),
    analysis({ probes: ["difference", "lag", "home"] }),
    experiment(1, { probes: ["port"] }),
    setWeight(5),
    analysis({ probes: ["outside"] }),
  ];
  expect(problemsOf({ steps, background: { probes: ["home"] } })).toEqual([]);
});

it("a plan that names nothing has none, whatever is declared", () => {
  expect(planProblems(planOf("blueGreen"), { probes: [], hooks: [] })).toEqual([]);
});

it.each<[string, PlanOptions, string]>([
  [
    "a verification",
    { steps: [analysis({ probes: ["hmoe"] })] },
    'step 2 names the probe "hmoe", which is not declared: those declared are home, port, outside, difference, lag',
  ],
  [
    "an experiment",
    { steps: [experiment(1, { probes: ["hmoe"] })] },
    'step 2 names the probe "hmoe", which is not declared: those declared are home, port, outside, difference, lag',
  ],
  [
    "the background",
    { background: { probes: ["hmoe"] } },
    'background names the probe "hmoe", which is not declared: those declared are home, port, outside, difference, lag',
  ],
  [
    "a verification of the service by a probe of the candidate",
    { steps: [analysis({ probes: ["port"] })] },
    'step 2 names the probe "port", which does not measure the service',
  ],
  [
    "an experiment by a probe of the service",
    { steps: [experiment(1, { probes: ["outside"] })] },
    'step 2 names the probe "outside", which does not measure the candidate',
  ],
  [
    "the background by a probe of the candidate",
    { background: { probes: ["port"] } },
    'background names the probe "port", which does not measure the service',
  ],
  [
    "differences where nothing is copied",
    { steps: [mirror(10), mirror(0), analysis({ probes: ["difference"] })] },
    'step 5 names the probe "difference", which measures the service only while requests are copied: put it after a mirror step',
  ],
  [
    "differences once the candidate has everything",
    { steps: [mirror(10), setWeight(100), analysis({ probes: ["difference"] })] },
    'step 5 names the probe "difference", which measures the service only while requests are copied: put it after a mirror step',
  ],
  [
    "differences in the background",
    { steps: [mirror(10)], background: { probes: ["difference"] } },
    'background names the probe "difference", which measures the service only while requests are copied: put it after a mirror step',
  ],
  [
    "a lag of data that is not kept in step",
    { steps: [runHook("sync", { limitMs: 1 }), analysis({ probes: ["lag"] })] },
    'step 3 names the probe "lag", which measures the service only while data is kept in step: put it after the hook that does so',
  ],
  [
    "a lag in an experiment",
    { steps: [runHook("sync", { limitMs: 1, keepsInStep: true }), experiment(1, { probes: ["lag"] })] },
    'step 3 names the probe "lag", which measures the service only while data is kept in step: put it after the hook that does so',
  ],
  [
    "a hook",
    { steps: [runHook("snyc", { limitMs: 1 })] },
    'step 2 names the hook "snyc", which is not declared: those declared are sync, stop sync, tell lag',
  ],
  [
    "an undo",
    { steps: [runHook("sync", { limitMs: 1, undo: "stop snyc" })] },
    'step 2 names the hook "stop snyc", which is not declared: those declared are sync, stop sync, tell lag',
  ],
])("a name that would not be got is a problem: %s", (_name, options, problem) => {
  expect(problemsOf(options)).toEqual([problem]);
});

it("a probe whose hook is not declared is a problem", () => {
  expect(planProblems(planOf("blueGreen"), { ...surroundings, hooks: [] })).toEqual([
    'the probe "lag" names the hook "tell lag", which is not declared: none is',
  ]);
});

it("a hook that an earlier update left to be run has to be declared still", () => {
  const left = { probes: [], hooks: [], undo: ["stop sync"] };
  expect(planProblems(planOf("blueGreen"), left)).toEqual([
    'the pause where the last update ended names the hook "stop sync", which is not declared: none is',
  ]);
});
