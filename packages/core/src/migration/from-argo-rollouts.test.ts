import { describe, expect, it } from "vitest";
import { BasculeError } from "../errors.ts";
import type { Step } from "../plan/step.ts";
import { planOf } from "../plan/strategies.ts";
import { stepsFromArgoRollouts } from "./from-argo-rollouts.ts";
import type { MigratedPlan } from "./migrated-plan.ts";

const canary = (...steps: unknown[]) => ({ strategy: { canary: { steps } } });
const routed = (...steps: unknown[]) => ({ strategy: { canary: { trafficRouting: { nginx: {} }, steps } } });
const blueGreen = (fields: object) => ({ strategy: { blueGreen: { activeService: "web", ...fields } } });
const stepsOf = (spec: unknown) => stepsFromArgoRollouts(spec).options.steps;

describe("a canary of Argo Rollouts", () => {
  it.each<[string, object, Step]>([
    ["setWeight", { setWeight: 20 }, { kind: "shift", weightPercent: 20 }],
    ["a pause of seconds", { pause: { duration: 10 } }, { kind: "soak", durationMs: 10_000 }],
    ["a pause in words", { pause: { duration: "1h" } }, { kind: "soak", durationMs: 3_600_000 }],
    ["a pause without end", { pause: {} }, { kind: "pause", name: "step-1", isApproved: false }],
    ["an empty pause", { pause: null }, { kind: "pause", name: "step-1", isApproved: false }],
    [
      "an analysis",
      { analysis: { templates: [{ templateName: "success-rate" }] } },
      { kind: "verify", target: "service" },
    ],
    ["an experiment", { experiment: { duration: "5m", templates: [] } }, { kind: "experiment", durationMs: 300_000 }],
    ["the end of a route", { setHeaderRoute: { name: "beta" } }, { kind: "route", matches: [] }],
    ["a mirror of everything", { setMirrorRoute: { name: "copy", match: [{}] } }, { kind: "mirror", percent: 100 }],
    ["the end of a mirror", { setMirrorRoute: { name: "copy" } }, { kind: "mirror", percent: 0 }],
  ])("has a step of ours for %s", (_, step, expected) => {
    expect(stepsFromArgoRollouts(canary(step))).toMatchObject({
      strategy: "progressive",
      options: { steps: [expected] },
    });
  });

  it("names a pause after its place", () => {
    const steps = stepsOf(canary({ setWeight: 5 }, { pause: {} }, { setWeight: 50 }, { pause: {} }));
    expect(steps?.flatMap((step) => (step.kind === "pause" ? [step.name] : []))).toEqual(["step-2", "step-4"]);
  });

  it("sends the requests of all its routes, each as it was set last", () => {
    const route = (name: string, ...match: object[]) => ({ setHeaderRoute: { name, match } });
    const one = { headerName: "x-user", headerValue: { exact: "test" } };
    const other = { headerName: "agent", headerValue: { prefix: "Moz" } };
    const third = { headerName: "a", headerValue: { regex: ".*" } };
    expect(
      stepsOf(canary(route("beta", one, other), route("other", third), route("beta", one), route("other"))),
    ).toEqual([
      {
        kind: "route",
        matches: [
          { header: "x-user", exact: "test" },
          { header: "agent", prefix: "Moz" },
        ],
      },
      {
        kind: "route",
        matches: [
          { header: "x-user", exact: "test" },
          { header: "agent", prefix: "Moz" },
          { header: "a", regex: ".*" },
        ],
      },
      {
        kind: "route",
        matches: [
          { header: "x-user", exact: "test" },
          { header: "a", regex: ".*" },
        ],
      },
      { kind: "route", matches: [{ header: "x-user", exact: "test" }] },
    ]);
  });

  it("without steps has none", () => {
    expect(stepsFromArgoRollouts(canary())).toEqual({ strategy: "progressive", options: { steps: [] }, notes: [] });
  });

  it("is sized by the router that counts Pods where it has no other", () => {
    const spec = canary({ setCanaryScale: { replicas: 3 } }, { setWeight: 20 });
    expect(stepsFromArgoRollouts(spec)).toEqual({
      strategy: "progressive",
      options: { steps: [{ kind: "shift", weightPercent: 20 }] },
      notes: ["step 1: setCanaryScale has a meaning with traffic routing only"],
    });
  });

  it("names what the steps do not say", () => {
    const rollout = {
      replicas: 3,
      rollbackWindow: { revisions: 2 },
      strategy: {
        canary: {
          maxSurge: "25%",
          scaleDownDelaySeconds: 60,
          strange: true,
          steps: [
            { analysis: { templates: [{ templateName: "success-rate" }] } },
            { experiment: { duration: 60 } },
            { setMirrorRoute: { name: "copy", match: [{ path: { prefix: "/" } }] } },
          ],
        },
      },
    };
    expect(stepsFromArgoRollouts(rollout)).toMatchObject({
      options: { fastTrackChanges: 2 },
      notes: [
        "replicas: set the replicas of the component",
        "scaleDownDelaySeconds: has a meaning with traffic routing only; the hold of the plan has its default",
        "maxSurge: give it to replicaRatio(), the router that splits by the number of Pods",
        "strange: not carried over",
        "step 1: write a probe of the service for the analysis template success-rate",
        "step 2: write a comparison of the candidate with the stable version for the experiment",
        "step 3: requests are copied whatever they match, also those that write; the mirror of a ParallelDeployment leaves those out",
      ],
    });
  });

  it.each([
    [canary({ pause: { duration: "1z" } }), 'pause.duration = "1z": must be a duration'],
    [canary({ pause: { duration: "-10s" } }), "must be a duration"],
    [canary({ setWeight: 101 }), "setWeight = 101"],
    [canary({ setWeight: 5, pause: {} }), "must do exactly one thing"],
    [canary({}), "must do exactly one thing"],
    [canary({ setWeight: 50 }, { setWeight: 10 }), "steps[1].setWeight = 10: is less than the 50 before it"],
    [canary({ experiment: { templates: [] } }), "experiment.duration"],
    [canary({ setCanaryScale: {} }), "must have one of replicas, weight and matchTrafficWeight: true"],
    [canary({ plugin: { name: "x" } }), "must be replaced by a hook or a probe"],
    [
      canary({ setHeaderRoute: { name: "a", match: [{ headerName: "b", headerValue: {} }] } }),
      "must have one of exact",
    ],
    [canary({ strange: {} }), "strange is not a known field"],
    [{ strategy: {} }, "must have one of canary and blueGreen"],
    [{ strategy: { canary: {}, blueGreen: {} } }, "must have one of canary and blueGreen"],
    [{}, "strategy is missing"],
    [null, "the spec of a Rollout"],
  ])("%j is refused, and told why", (rollout, reason) => {
    expect(() => stepsFromArgoRollouts(rollout)).toThrow(BasculeError);
    expect(() => stepsFromArgoRollouts(rollout)).toThrow(reason);
  });
});

describe("a canary of Argo Rollouts with traffic routing", () => {
  const scaled = (percent: number): Step => ({ kind: "scale", size: { percent } });
  const shift = (weightPercent: number): Step => ({ kind: "shift", weightPercent });

  it.each<[string, object[], Step[]]>([
    [
      "grows before each weight",
      [{ setWeight: 10 }, { setWeight: 50 }],
      [scaled(10), shift(10), scaled(50), shift(50)],
    ],
    ["has no size for no weight", [{ setWeight: 0 }], [shift(0)]],
    [
      "keeps a size that was set",
      [{ setCanaryScale: { weight: 25 } }, { setWeight: 50 }, { setCanaryScale: { replicas: 3 } }],
      [scaled(25), shift(50), { kind: "scale", size: { replicas: 3 } }],
    ],
    [
      "follows the weight again where it is told to",
      [
        { setCanaryScale: { replicas: 3 } },
        { setWeight: 20 },
        { setCanaryScale: { matchTrafficWeight: true, replicas: 9 } },
        { setWeight: 40 },
      ],
      [{ kind: "scale", size: { replicas: 3 } }, shift(20), scaled(20), scaled(40), shift(40)],
    ],
    [
      "has a Pod where the weight to follow is 0",
      [{ setCanaryScale: { matchTrafficWeight: true } }],
      [{ kind: "scale", size: { replicas: 1 } }],
    ],
    [
      "is full-sized once it has everything",
      [{ setCanaryScale: { replicas: 1 } }, { setWeight: 100 }],
      [{ kind: "scale", size: { replicas: 1 } }, scaled(100), shift(100)],
    ],
  ])("%s", (_, steps, expected) => {
    expect(stepsFromArgoRollouts(routed(...steps)).options.steps).toEqual(expected);
  });

  it("begins with one Pod, and holds the old version for as long as it is kept there", () => {
    expect(stepsFromArgoRollouts(routed())).toMatchObject({ options: { previewReplicas: 1, holdMs: 30_000 } });
    const spec = { strategy: { canary: { trafficRouting: { nginx: {} }, scaleDownDelaySeconds: 60 } } };
    expect(stepsFromArgoRollouts(spec).options.holdMs).toBe(60_000);
  });

  it("has no use for the limits of numbers of Pods", () => {
    const spec = { strategy: { canary: { trafficRouting: { nginx: {} }, maxSurge: "25%", maxUnavailable: 0 } } };
    expect(stepsFromArgoRollouts(spec).notes).toEqual([
      "trafficRouting: choose the router of the component",
      "maxSurge: has a meaning without traffic routing only",
      "maxUnavailable: has a meaning without traffic routing only",
    ]);
  });

  it("is a plan of ours", () => {
    const { strategy, options } = stepsFromArgoRollouts(routed({ setWeight: 10 }, { pause: { duration: "1m" } }));
    expect(planOf(strategy, options).steps).toEqual([
      { kind: "scale", size: { replicas: 1 } },
      { kind: "verify", target: "candidate" },
      scaled(10),
      shift(10),
      { kind: "verify", target: "service" },
      { kind: "soak", durationMs: 60_000 },
      scaled(100),
      shift(100),
      { kind: "verify", target: "service" },
      { kind: "hold", durationMs: 30_000 },
    ]);
  });
});

describe("a blue/green of Argo Rollouts", () => {
  it.each<[object, MigratedPlan["strategy"], MigratedPlan["options"]]>([
    [{}, "blueGreen", { holdMs: 30_000 }],
    [{ scaleDownDelaySeconds: 60 }, "blueGreen", { holdMs: 60_000 }],
    [{ autoPromotionEnabled: false, autoPromotionSeconds: 10 }, "blueGreen", { promotion: "approved", holdMs: 30_000 }],
    [{ autoPromotionSeconds: 10 }, "progressive", { steps: [{ kind: "soak", durationMs: 10_000 }], holdMs: 30_000 }],
    [{ previewReplicaCount: 1 }, "blueGreen", { previewReplicas: 1, holdMs: 30_000 }],
  ])("with %j is %s", (fields, strategy, options) => {
    const migrated = stepsFromArgoRollouts(blueGreen(fields));
    expect(migrated).toMatchObject({ strategy, options });
    expect(Object.keys(migrated.options).toSorted()).toEqual(Object.keys(options).toSorted());
    expect(planOf(migrated.strategy, migrated.options).steps.at(-1)).toMatchObject({ kind: "hold" });
  });

  it("names the probes that its analyses need, and the router of a wait", () => {
    const fields = {
      autoPromotionSeconds: 10,
      prePromotionAnalysis: { templates: [{ templateName: "smoke" }] },
      postPromotionAnalysis: { templates: [{ templateName: "errors" }, { templateName: "latency" }] },
    };
    expect(stepsFromArgoRollouts(blueGreen(fields)).notes).toEqual([
      "activeService: the component makes its own",
      "autoPromotionSeconds: the wait is a step; use serviceSwitch() as the router",
      "prePromotionAnalysis: write a probe of the candidate for the analysis template smoke",
      "postPromotionAnalysis: write a probe of the service for the analysis template errors",
      "postPromotionAnalysis: write a probe of the service for the analysis template latency",
    ]);
  });
});
