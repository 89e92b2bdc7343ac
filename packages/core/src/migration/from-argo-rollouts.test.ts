import { describe, expect, it } from "vitest";
import { BasculeError } from "../errors.ts";
import { stepsFromArgoRollouts } from "./from-argo-rollouts.ts";
import type { MigratedStep } from "./migrated-plan.ts";

const candidate: MigratedStep = { kind: "verify", target: "candidate" };
const service: MigratedStep = { kind: "verify", target: "service" };
const promotion: MigratedStep[] = [{ kind: "shift", weightPercent: 100 }, service];
const canary = (...steps: unknown[]) => ({ strategy: { canary: { steps } } });
const blueGreen = (fields: object) => ({ strategy: { blueGreen: { activeService: "web", ...fields } } });

describe("a canary of Argo Rollouts", () => {
  it.each<[string, object, MigratedStep]>([
    ["setWeight", { setWeight: 20 }, { kind: "shift", weightPercent: 20 }],
    ["a pause of seconds", { pause: { duration: 10 } }, { kind: "soak", durationMs: 10_000 }],
    ["a pause in words", { pause: { duration: "1h" } }, { kind: "soak", durationMs: 3_600_000 }],
    ["a pause without end", { pause: {} }, { kind: "pause", name: "step-1" }],
    ["an empty pause", { pause: null }, { kind: "pause", name: "step-1" }],
    ["a number of replicas", { setCanaryScale: { replicas: 3 } }, { kind: "scale", replicas: 3 }],
    ["a share of replicas", { setCanaryScale: { weight: 25 } }, { kind: "scale", percent: 25 }],
    ["the weight's own size", { setCanaryScale: { matchTrafficWeight: true } }, { kind: "scale", matchTraffic: true }],
    ["an analysis", { analysis: { templates: [{ templateName: "success-rate" }] } }, service],
    ["an experiment", { experiment: { duration: "5m", templates: [] } }, { kind: "experiment", durationMs: 300_000 }],
    ["an endless experiment", { experiment: { templates: [] } }, { kind: "experiment" }],
    ["the end of a route", { setHeaderRoute: { name: "beta" } }, { kind: "route", name: "beta", matches: [] }],
    ["the end of a mirror", { setMirrorRoute: { name: "copy" } }, { kind: "mirror", percent: 0 }],
  ])("has a step of ours for %s", (_, step, expected) => {
    expect(stepsFromArgoRollouts(canary(step)).steps).toEqual([candidate, expected, ...promotion]);
  });

  it("names a pause after its place", () => {
    const { steps } = stepsFromArgoRollouts(canary({ setWeight: 5 }, { pause: {} }, { setWeight: 50 }, { pause: {} }));
    expect(steps.filter(({ kind }) => kind === "pause")).toEqual([
      { kind: "pause", name: "step-2" },
      { kind: "pause", name: "step-4" },
    ]);
  });

  it("ends the routes that it left", () => {
    const rollout = canary(
      {
        setHeaderRoute: {
          name: "beta",
          match: [
            { headerName: "x-user", headerValue: { exact: "test" } },
            { headerName: "agent", headerValue: { prefix: "Moz" } },
          ],
        },
      },
      { setMirrorRoute: { name: "copy", percentage: 35, match: [{ method: { exact: "GET" } }] } },
      { setHeaderRoute: { name: "other", match: [{ headerName: "a", headerValue: { regex: ".*" } }] } },
      { setHeaderRoute: { name: "other" } },
    );
    expect(stepsFromArgoRollouts(rollout).steps).toEqual([
      candidate,
      {
        kind: "route",
        name: "beta",
        matches: [
          { header: "x-user", exact: "test" },
          { header: "agent", prefix: "Moz" },
        ],
      },
      { kind: "mirror", percent: 35 },
      { kind: "route", name: "other", matches: [{ header: "a", regex: ".*" }] },
      { kind: "route", name: "other", matches: [] },
      ...promotion,
      { kind: "route", name: "beta", matches: [] },
      { kind: "mirror", percent: 0 },
    ]);
  });

  it.each<[string, object[], MigratedStep[]]>([
    ["without steps is promoted at once", [], promotion],
    ["that ends at full weight is verified there", [{ setWeight: 100 }], promotion],
    ["that ends with an analysis at full weight is verified once", [{ setWeight: 100 }, { analysis: {} }], promotion],
    [
      "that goes back to a smaller weight is promoted at the end",
      [{ setWeight: 100 }, { setWeight: 10 }],
      [{ kind: "shift", weightPercent: 100 }, { kind: "shift", weightPercent: 10 }, ...promotion],
    ],
  ])("%s", (_, steps, expected) => {
    expect(stepsFromArgoRollouts(canary(...steps)).steps).toEqual([candidate, ...expected]);
  });

  it("names what the steps do not say", () => {
    const rollout = {
      replicas: 3,
      rollbackWindow: { revisions: 2 },
      strategy: {
        canary: {
          maxSurge: "25%",
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
      fastTrackChanges: 2,
      notes: [
        "replicas: set the replicas of the component",
        "maxSurge: set the surge of the component",
        "strange: not carried over",
        "step 1: write a probe of the service for the analysis template success-rate",
        "step 2: write a comparison of the candidate with the stable version for the experiment",
        "step 3: requests are copied whatever they match, but only those with a safe method",
      ],
    });
  });

  it.each([
    [canary({ pause: { duration: "1z" } }), 'pause.duration = "1z": must be a duration'],
    [canary({ pause: { duration: "-10s" } }), "must be a duration"],
    [canary({ setWeight: 101 }), "setWeight = 101"],
    [canary({ setWeight: 5, pause: {} }), "must do exactly one thing"],
    [canary({}), "must do exactly one thing"],
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

describe("a blue/green of Argo Rollouts", () => {
  it.each<[object, MigratedStep[]]>([
    [{}, [candidate, ...promotion, { kind: "hold", durationMs: 30_000 }]],
    [{ scaleDownDelaySeconds: 60 }, [candidate, ...promotion, { kind: "hold", durationMs: 60_000 }]],
    [
      { autoPromotionEnabled: false, autoPromotionSeconds: 10 },
      [candidate, { kind: "pause", name: "promote" }, ...promotion, { kind: "hold", durationMs: 30_000 }],
    ],
    [
      { autoPromotionSeconds: 10 },
      [candidate, { kind: "soak", durationMs: 10_000 }, ...promotion, { kind: "hold", durationMs: 30_000 }],
    ],
    [
      { previewReplicaCount: 1 },
      [
        { kind: "scale", replicas: 1 },
        candidate,
        { kind: "scale", percent: 100 },
        ...promotion,
        { kind: "hold", durationMs: 30_000 },
      ],
    ],
  ])("with %j", (fields, expected) => {
    expect(stepsFromArgoRollouts(blueGreen(fields))).toMatchObject({ strategy: "blueGreen", steps: expected });
  });

  it("names the probes that its analyses need", () => {
    const fields = {
      prePromotionAnalysis: { templates: [{ templateName: "smoke" }] },
      postPromotionAnalysis: { templates: [{ templateName: "errors" }, { templateName: "latency" }] },
    };
    expect(stepsFromArgoRollouts(blueGreen(fields)).notes).toEqual([
      "activeService: the component makes its own",
      "prePromotionAnalysis: write a probe of the candidate for the analysis template smoke",
      "postPromotionAnalysis: write a probe of the service for the analysis template errors",
      "postPromotionAnalysis: write a probe of the service for the analysis template latency",
    ]);
  });
});
