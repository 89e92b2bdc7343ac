import {
  allTo,
  BasculeError,
  nextReplicaCounts,
  planOf,
  planReplicaCounts,
  podsOf,
  replicaLimitsOf,
  stepsFromArgoRollouts,
  type Plan,
  type ReplicaCounts,
  type Step,
} from "../../packages/core/src/index.ts";
import { describe, it } from "vitest";
import { z } from "zod";
import { accountFor } from "./case-accounting.ts";
import { atStep, simulateService } from "./simulated-service.ts";

/*
 * How many Pods each version has. Without a weighted router the ratio of the Pods is the weight, and the sizes go there step by step
 * within a surge and an unavailability; with one, the candidate's size is a step of the plan, and the stable version keeps its own.
 */

export const cases = accountFor("replica-counts.json", {
  "trafficRoutedCanary-005": {
    ours: { canary: 1, stable: 1 },
    reason:
      "a candidate that failed keeps its Pods, without traffic, until an update does not name it, so that it can be looked at; Argo Rollouts removes it after a delay",
  },
});

const limit = z.union([z.int(), z.string()]);
const countsSchema = z.strictObject({ canary: z.int(), stable: z.int() });
const replicaSet = z.strictObject({ specReplicas: z.int(), availableReplicas: z.int() });
const canarySchema = z.object({
  id: z.string(),
  input: z.looseObject({
    specReplicas: z.int(),
    maxSurge: limit,
    maxUnavailable: limit,
    canary: replicaSet,
    stable: replicaSet.nullable(),
    older: replicaSet.nullable(),
    promoteFull: z.boolean(),
    abort: z.boolean(),
    step: z.looseObject({ setWeight: z.number() }),
  }),
  expected: countsSchema,
});

function inTheirWords({ stable, candidate }: ReplicaCounts): z.infer<typeof countsSchema> {
  return { canary: candidate, stable };
}

describe("nextReplicaCounts asks for the sizes of a canary without a router", () => {
  const observed = ({ specReplicas, availableReplicas }: z.infer<typeof replicaSet>) => ({
    wanted: specReplicas,
    available: availableReplicas,
  });
  const thirdVersion =
    "no third version is counted: what was left of an earlier candidate is emptied before the next one is sized";

  for (const group of ["basicCanary", "docExamples"]) {
    const meaningful = cases.casesOf(group, canarySchema, ({ input }) => (input.older ? thirdVersion : undefined));
    it.each(meaningful)("$id", ({ id, input, expected }) => {
      const limits = { maxSurge: input.maxSurge, maxUnavailable: input.maxUnavailable };
      // Whoever is promoted, and whoever there is nobody beside, has everything.
      const weightPercent = input.promoteFull || input.stable === null ? 100 : input.step.setWeight;
      const target = planReplicaCounts({ total: input.specReplicas, weightPercent, ...limits });
      const current = {
        stable: input.stable ? observed(input.stable) : { wanted: 0, available: 0 },
        candidate: observed(input.canary),
      };
      const { sizes } = nextReplicaCounts(current, target, replicaLimitsOf(input.specReplicas, limits));
      cases.compare(id, inTheirWords(sizes), expected);
    });
  }
});

describe("planReplicaCounts approximates a weight as approximateWeights does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({
      replicas: z.int(),
      weight: z.number(),
      maxWeight: z.literal(100),
      maxSurge: z.int(),
    }),
    expected: countsSchema,
  });

  it.each(cases.casesOf("approximateWeights", schema))(
    "$id: $input.weight % of $input.replicas",
    ({ id, input, expected }) => {
      const { replicas: total, weight: weightPercent, maxSurge } = input;
      cases.compare(id, inTheirWords(planReplicaCounts({ total, weightPercent, maxSurge })), expected);
    },
  );
});

describe("replicaLimitsOf reads limits as resolveFenceposts does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({ maxSurge: limit.nullable(), maxUnavailable: limit.nullable(), desired: z.int() }),
    expected: z.strictObject({ surge: z.int(), unavailable: z.int(), error: z.boolean() }),
  });

  it.each(cases.casesOf("resolveFenceposts", schema))("$id", ({ id, input, expected }) => {
    const resolve = () => {
      try {
        // A limit that is not given is 0 for this function; the default of a Rollout is 25 %, as it is here.
        const options = { maxSurge: input.maxSurge ?? 0, maxUnavailable: input.maxUnavailable ?? 0 };
        const { surge, unavailable } = replicaLimitsOf(input.desired, options);
        return { surge, unavailable, error: false };
      } catch (thrown) {
        if (!(thrown instanceof BasculeError)) throw thrown;
        return { surge: 0, unavailable: 0, error: true };
      }
    };
    cases.compare(id, resolve(), expected);
  });
});

const stable = "stable";
const candidate = "candidate";

/** The plan of a canary with traffic routing that stays at its last step for a while. */
function planStayingAfter(steps: readonly unknown[]): Plan {
  const spec = { strategy: { canary: { trafficRouting: {}, steps: [...steps, { pause: { duration: 60 } }] } } };
  const { strategy, options } = stepsFromArgoRollouts(spec);
  return planOf(strategy, options);
}

describe("a plan sizes the candidate as trafficRoutedCanary does, and leaves the stable version its size", () => {
  const stay: Step = { kind: "soak", durationMs: 60_000 };

  it.each(cases.casesOf("trafficRoutedCanary", canarySchema))("$id", async ({ id, input, expected }) => {
    const { setWeight, ...others } = input.step;
    const weight = { setWeight: input.promoteFull ? 100 : setWeight };
    const plan = planStayingAfter([weight, ...("setCanaryScale" in others ? [others] : [])]);
    const service = simulateService({ replicas: input.specReplicas, weights: allTo(stable) });
    const request = { candidate, stable, plan, firstSize: 1 };
    const update = await service.update(input.abort ? { ...request, abortAt: stay } : request);
    const sizes = input.abort ? service.sizes() : atStep(update, stay)?.sizes;
    cases.compare(id, { canary: sizes?.[candidate], stable: sizes?.[stable] }, expected);
  });
});

describe("podsOf sizes a share as trafficWeightToReplicas does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({ replicas: z.int(), weight: z.number(), maxWeight: z.number() }),
    expected: z.int(),
  });

  it.each(cases.casesOf("trafficWeightToReplicas", schema))("$id: $expected", ({ id, input, expected }) => {
    const { replicas, weight, maxWeight } = input;
    cases.compare(id, podsOf({ percent: (weight / maxWeight) * 100 }, replicas), expected);
  });
});

cases.leaveOut({
  abortWeightWithDynamicStableScale:
    "there is no dynamicStableScale: the stable version keeps its size, so that traffic goes back to it in one move",
});

describe("a preview has the size of blueGreenPreviewReplicaCount", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({
      specReplicas: z.int(),
      previewReplicaCount: z.int(),
      activeSelector: z.string(),
    }),
    expected: z.int(),
  });

  it.each(cases.casesOf("blueGreenPreviewReplicaCount", schema))("$id: $expected", async ({ id, input, expected }) => {
    const { specReplicas, previewReplicaCount, activeSelector } = input;
    const { strategy, options } = stepsFromArgoRollouts({ strategy: { blueGreen: { previewReplicaCount } } });
    const weights = activeSelector === "" ? {} : allTo(activeSelector);
    const service = simulateService({ replicas: specReplicas, weights });
    const update = await service.update({ candidate, plan: planOf(strategy, options), firstSize: 1 });
    cases.compare(id, atStep(update, { kind: "verify", target: "candidate" })?.sizes[candidate], expected);
  });
});

describe("a weight waits for the Pods that checkReplicasAvailable wants", () => {
  const schema = z.object({
    id: z.string(),
    input: z.object({
      totalReplicas: z.int(),
      desiredWeight: z.number(),
      maxTrafficWeight: z.number(),
      rs: replicaSet,
      replicaProgressThreshold: z.unknown().optional(),
    }),
    expected: z.boolean(),
  });
  const meaningful = cases.casesOf("checkReplicasAvailable", schema, ({ input }) =>
    input.replicaProgressThreshold
      ? "there is no replicaProgressThreshold: all Pods of the candidate have to be available"
      : undefined,
  );

  it.each(meaningful)("$id: $expected", ({ id, input, expected }) => {
    const { totalReplicas, desiredWeight, maxTrafficWeight, rs } = input;
    const { steps } = planStayingAfter([{ setWeight: (desiredWeight / maxTrafficWeight) * 100 }]);
    const shift = steps.findIndex(({ kind }) => kind === "shift");
    // The size before the weight has to be there; the first one is that of the verification.
    const wanted = steps.slice(1, shift).findLast((step) => step.kind === "scale");
    const isAvailable = wanted === undefined || rs.availableReplicas >= podsOf(wanted.size, totalReplicas);
    cases.compare(id, isAvailable, expected);
  });
});

cases.close();
