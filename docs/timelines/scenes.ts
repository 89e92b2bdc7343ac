import {
  analysis,
  mirror,
  pause,
  promotionPause,
  route,
  runHook,
  setWeight,
  soak,
} from "../../packages/core/src/index.ts";
import type { Scene } from "./recording.ts";
import type { RingScene } from "./ring-recording.ts";

/*
 * The releases of the pages in docs/strategies. Their pictures are drawn from these, their previews are printed from these, and a
 * test compares the plan of each with that of an example on its page.
 */

const probes = ["http /healthz"];
const release = "web:1.5";

export const direct: Scene = {
  strategy: "direct",
  replicas: 2,
  router: "weights",
  updates: [{ commit: release, options: {} }],
  probes,
};

export const blueGreen: Scene = {
  strategy: "blueGreen",
  replicas: 2,
  router: "weights",
  updates: [{ commit: release, options: {} }],
  probes,
};

const approved = { promotion: "approved", previewReplicas: 1, holdMs: 300_000, fastTrackChanges: 3 } as const;

export const blueGreenApproved: Scene = {
  strategy: "blueGreen",
  replicas: 4,
  router: "weights",
  updates: [
    { commit: `${release} beside web:1.4`, options: approved },
    { commit: "approved: promote", options: { ...approved, approved: ["promote"] } },
  ],
  probes,
};

const weights = [5, 25, 50].flatMap((weight) => [setWeight(weight), soak(30_000)]);

export const progressive: Scene = {
  strategy: "progressive",
  replicas: 4,
  router: "weights",
  updates: [{ commit: release, options: { steps: weights } }],
  probes,
};

export const progressiveByPods: Scene = {
  ...progressive,
  replicas: 8,
  router: "pods",
  updates: [{ commit: release, options: { steps: weights, scaleLimitMs: 300_000 } }],
};

const betaFirst = {
  previewReplicas: 1,
  sizing: "matchTraffic",
  steps: [
    route([{ header: "x-beta", exact: "yes" }]),
    pause("beta users"),
    setWeight(10),
    soak(60_000),
    setWeight(50),
    soak(300_000),
  ],
} as const;

export const progressivePaused: Scene = {
  ...progressive,
  updates: [
    { commit: `${release} beside web:1.4`, options: betaFirst },
    { commit: "approved: beta users", options: { ...betaFirst, approved: ["beta users"] } },
  ],
};

export const parallel: Scene = {
  strategy: "parallel",
  replicas: 2,
  router: "weights",
  updates: [
    {
      commit: "web:2.0",
      options: { steps: [mirror(100), soak(60_000), analysis()], closing: [], scaleLimitMs: 300_000 },
    },
  ],
  probes: [...probes, "difference"],
};

const limitMs = 300_000;
const withData = {
  steps: [
    runHook("data-start", { limitMs, undo: "data-stop", keepsInStep: true }),
    mirror(25),
    soak(600_000),
    pause(promotionPause),
    analysis(),
    runHook("data-cut-over", { limitMs, undo: "data-go-back", startsReadOnly: true }),
    setWeight(100),
    analysis(),
    runHook("data-reverse", { limitMs }),
  ],
  closing: [runHook("data-finish", { limitMs })],
  holdMs: 600_000,
  readOnlyLimitMs: 30_000,
  scaleLimitMs: limitMs,
} as const;

export const parallelWithData: Scene = {
  ...parallel,
  replicas: 4,
  updates: [
    { commit: "web:2.0 beside web:1.9", options: withData },
    { commit: "approved: promote", options: { ...withData, approved: ["promote"] } },
  ],
  probes: [...probes, "difference", "lag"],
};

const rings = [
  { count: 1, pilot: true, soakMs: 180_000 },
  { percent: 25, concurrency: 2, soakMs: 180_000 },
  { rest: true, concurrency: 4, failureBudget: 1 },
] as const;

export const ringsThatPass: RingScene = { targets: 12, options: { rings: [...rings] }, broken: [] };

export const ringsThatGoBack: RingScene = { ...ringsThatPass, broken: [6, 8] };
