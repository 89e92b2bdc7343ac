import {
  allTo,
  assess,
  beginPlan,
  BasculeError,
  countMeasurement,
  isDone,
  nextReplicaCounts,
  noMeasurements,
  planOf,
  planReplicaCounts,
  replicaLimitsOf,
  stepsFromArgoRollouts,
  type AnalysisLimits,
  type ObservedReplicas,
  type Plan,
  type PlanOptions,
  type ReplicaCounts,
  type Step,
  type Weights,
} from "../../packages/core/src/index.ts";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accountFor } from "./case-accounting.ts";
import { atStep, simulateService, type Update } from "./simulated-service.ts";

/*
 * What Argo Rollouts' controller decides, held against what Bascule decides in the same situation: by the pure function that answers
 * the question, or by a whole release that the real engine runs over a simulated service. Argo Rollouts looks at the world again and
 * again, and keeps a state in between; here an update runs from its beginning to its end, or to a pause.
 */

const verifiedAgain =
  "the version that was in service is verified before it gets its traffic back, which takes a moment, because nobody knows what has become of it";

export const cases = accountFor("rollout-decisions.json", {
  "pause-007": {
    ours: { requiresManualAction: false },
    reason:
      "an inconclusive analysis goes back by itself, and says what was inconclusive; nothing waits without end for somebody to look",
  },
  "skipPromotionAnalysis-001": { ours: false, reason: verifiedAgain },
  "skipPromotionAnalysis-015": {
    ours: false,
    reason:
      "what clients see is measured as soon as traffic has moved; that a Pod is missing is no reason not to look, rather the contrary",
  },
  "e2eTraces-001": {
    ours: { sizes: [1, 1, 1, 3, 2, 4] },
    reason: "the candidate is verified before anything else, so it has a Pod from the start",
  },
  "e2eTraces-005": {
    ours: "refused",
    reason:
      "a plan whose weights go down again is refused by the preview: going back is what a rollback does, at once and verified",
  },
  "e2eTraces-015": {
    ours: ["Paused 1:2 2:1", "Healthy 2:0"],
    reason:
      "giving up at a pause is a commit that names the old version alone, so that what is declared is what runs; Argo Rollouts leaves the manifest at the version that was given up",
  },
});

cases.leaveOut({
  dynamicallyRollingBackToStable:
    "there is no dynamicStableScale: the stable version keeps its size, so that traffic goes back to it in one move",
  progressing: "there is no condition of progress: one deadline holds for the whole update, and nothing prolongs it",
});

/** The version in service, and the one that is to take over. */
const stable = "stable";
const candidate = "candidate";

const stepsSchema = z.array(z.looseObject({}));

function canaryOf(steps: readonly unknown[], isRouted: boolean, more: PlanOptions = {}): Plan {
  const spec = { strategy: { canary: { steps, ...(isRouted ? { trafficRouting: {} } : {}) } } };
  const { strategy, options } = stepsFromArgoRollouts(spec);
  return planOf(strategy, { ...options, ...more });
}

function blueGreenOf(fields: Readonly<Record<string, unknown>>, more: PlanOptions = {}): Plan {
  const { strategy, options } = stepsFromArgoRollouts({ strategy: { blueGreen: fields } });
  return planOf(strategy, { ...options, ...more });
}

function pauseOf({ outcome }: Update): string | undefined {
  return outcome?.phase === "committed" ? outcome.memory.rest?.pause : undefined;
}

/** The phase that Argo Rollouts would show. */
function phaseOf(update: Update): "Healthy" | "Paused" | "Progressing" | "Degraded" {
  if (update.outcome === undefined) return "Progressing";
  if (update.outcome.phase !== "committed") return "Degraded";
  return pauseOf(update) === undefined ? "Healthy" : "Paused";
}

const verifyCandidate: Step = { kind: "verify", target: "candidate" };
const verifyService: Step = { kind: "verify", target: "service" };

describe("a plan is shortened within the rollbackWindow", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({
      revisionsOldestFirst: z.array(z.string()),
      experimentRevisions: z.array(z.string()),
      stable: z.string(),
      new: z.string().nullable(),
      rollbackWindowRevisions: z.int(),
    }),
    expected: z.boolean(),
  });

  it.each(cases.casesOf("rollbackWindow", schema))("$id: $expected", ({ id, input, expected }) => {
    const promoted = input.revisionsOldestFirst.filter((name) => !input.experimentRevisions.includes(name));
    const plan = canaryOf([{ setWeight: 10 }, { pause: { duration: "1m" } }], true, {
      fastTrackChanges: input.rollbackWindowRevisions,
    });
    const { note, plan: begun } = beginPlan(plan, {
      candidate: input.new ?? "a version that is new",
      weights: allTo(input.stable),
      isServed: true,
      // Whoever is in service was promoted last.
      history: promoted.slice(0, promoted.indexOf(input.stable) + 1).toReversed(),
    });
    const isShort = begun.steps.every(({ kind }) => kind !== "soak");
    expect(note?.startsWith("fast track") ?? false).toBe(isShort);
    cases.compare(id, isShort, expected);
  });
});

describe("the candidate is promoted where shouldFullPromote says so", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({
      rollbackWindowRevisions: z.int().optional(),
      specReplicas: z.int(),
      newAvailable: z.int(),
      steps: stepsSchema,
      replicaProgressThreshold: z.unknown().optional(),
    }),
    expected: z.string(),
  });
  const meaningful = cases.casesOf("shouldFullPromote", schema, ({ input }) =>
    input.replicaProgressThreshold
      ? "there is no replicaProgressThreshold: all Pods of the candidate have to be available"
      : undefined,
  );

  it.each(meaningful)("$id: $expected", async ({ id, input, expected }) => {
    const { rollbackWindowRevisions, specReplicas, newAvailable } = input;
    const target = { stable: 0, candidate: specReplicas };
    const current = {
      stable: { wanted: 0, available: 0 },
      candidate: { wanted: specReplicas, available: newAvailable },
    };
    const { isReached } = nextReplicaCounts(current, target, replicaLimitsOf(specReplicas));
    if (!isReached) {
      cases.compare(id, "", expected);
      return;
    }
    const service = simulateService({
      replicas: specReplicas,
      weights: allTo(stable),
      history: rollbackWindowRevisions === undefined ? [stable] : [stable, candidate],
    });
    const plan = canaryOf(input.steps, false, { fastTrackChanges: rollbackWindowRevisions });
    const update = await service.update({ candidate, plan });
    expect(service.weights()).toEqual(allTo(candidate));
    const isFastTrack = update.moments.some(
      ({ fact }) => fact.kind === "planAdapted" && fact.note.startsWith("fast track"),
    );
    const reason = isFastTrack ? "Rollback within window" : `Completed all ${input.steps.length} canary steps`;
    cases.compare(id, phaseOf(update) === "Healthy" ? reason : "", expected);
  });
});

describe("a pause ends, and asks for somebody, as pause says", () => {
  const pauseSchema = z.strictObject({ duration: z.number().optional() });
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({
      strategy: z.string().optional(),
      pause: pauseSchema.optional(),
      scaleUpPreviewCheckPoint: z.boolean().optional(),
      addPauseReasons: z.array(z.string()).optional(),
      reason: z.string().optional(),
      autoPromotionEnabled: z.boolean().optional(),
    }),
    expected: z.union([
      z.strictObject({ completed: z.boolean() }),
      z.strictObject({ controllerPause: z.boolean(), pauseConditions: z.array(z.string()) }),
      z.strictObject({ requiresManualAction: z.boolean() }),
    ]),
  });

  async function releaseOf({ input }: z.infer<typeof schema>): Promise<Update> {
    const service = simulateService({ replicas: 2, weights: allTo(stable) });
    const request = { candidate, stable };
    if (input.reason === "InconclusiveAnalysisRun") {
      const inconclusive = assess({}, countMeasurement(noMeasurements, "inconclusive"));
      expect(inconclusive).toBe("inconclusive");
      return service.update({ ...request, plan: planOf("blueGreen"), isHealthy: () => inconclusive === "pass" });
    }
    // The preview is scaled up once its promotion has been approved.
    if (input.scaleUpPreviewCheckPoint) {
      const fields = { autoPromotionEnabled: false, previewReplicaCount: 1 };
      return service.update({ ...request, plan: blueGreenOf(fields, { approved: ["promote"] }) });
    }
    if (input.reason === "BlueGreenPause") {
      return service.update({ ...request, plan: blueGreenOf({ autoPromotionEnabled: input.autoPromotionEnabled }) });
    }
    return service.update({ ...request, plan: canaryOf([{ setWeight: 10 }, { pause: input.pause ?? {} }], true) });
  }

  it.each(cases.casesOf("pause", schema))("$id: $expected", async (read) => {
    const { id, expected } = read;
    const update = await releaseOf(read);
    if ("completed" in expected) {
      cases.compare(id, { completed: phaseOf(update) === "Healthy" }, expected);
    } else if ("requiresManualAction" in expected) {
      cases.compare(id, { requiresManualAction: phaseOf(update) === "Paused" }, expected);
    } else {
      const isPaused = phaseOf(update) === "Paused";
      const answer = { controllerPause: isPaused, pauseConditions: isPaused ? ["CanaryPauseStep"] : [] };
      cases.compare(id, answer, expected);
      expect(pauseOf(update)).toBe("step-2");
    }
  });
});

describe("stepsFromArgoRollouts reads a pause as pauseDurationSeconds does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({ duration: z.string().nullable() }),
    expected: z.number(),
  });

  /** What Argo Rollouts reads from a duration that it then refuses. */
  const invalid = -1;

  function secondsOf(duration: string | null): number {
    const pause = duration === null ? {} : { duration };
    try {
      const { steps = [] } = stepsFromArgoRollouts({ strategy: { canary: { steps: [{ pause }] } } }).options;
      const soak = steps.find((step) => step.kind === "soak");
      // Without a duration, Argo Rollouts reads 0 and waits until somebody goes on.
      if (soak === undefined) expect(steps).toEqual([{ kind: "pause", name: "step-1", isApproved: false }]);
      return (soak?.durationMs ?? 0) / 1_000;
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "invalid-input" });
      return invalid;
    }
  }

  it.each(cases.casesOf("pauseDurationSeconds", schema))("$id: $input.duration", ({ id, input, expected }) => {
    cases.compare(id, secondsOf(input.duration), expected);
  });
});

describe("the verifications before and after the switch are left out, or not begun yet, where skipPromotionAnalysis says so", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({
      kind: z.enum(["prePromotion", "postPromotion"]),
      stable: z.enum(["new", "other"]),
      active: z.enum(["new", "other"]),
      newPods: z.string(),
      newHash: z.string().optional(),
      previewReplicaCount: z.int().optional(),
      runExists: z.boolean(),
      specReplicas: z.int(),
    }),
    expected: z.boolean(),
  });

  async function isLeftOut({ input }: z.infer<typeof schema>): Promise<boolean> {
    const { kind, active, newPods, previewReplicaCount, runExists, specReplicas } = input;
    const plan = blueGreenOf(previewReplicaCount === undefined ? {} : { previewReplicaCount });
    // Nothing is left to do where the version that has the traffic was accepted, so that no update begins.
    if (input.stable === active && isDone(plan, { candidate: "new" }, allTo(active), undefined)) return true;

    const service = simulateService({ replicas: specReplicas, weights: allTo("other"), history: [input.stable] });
    const update = await service.update({ candidate: "new", plan });
    const verification = kind === "prePromotion" ? verifyCandidate : verifyService;
    const [first] = plan.steps;
    const [available, wanted] = newPods.split("/");
    // A size is a step of its own: while the candidate still grows, its verification has not begun.
    if (first?.kind === "scale" && !runExists && available !== wanted)
      return timeOf(update, first) < timeOf(update, verification);
    const begun = update.moments[timeOf(update, verification)];
    return begun?.weights[active] !== 100;
  }

  function timeOf(update: Update, step: Step): number {
    const moment = atStep(update, step);
    return moment ? update.moments.indexOf(moment) : Number.POSITIVE_INFINITY;
  }

  it.each(cases.casesOf("skipPromotionAnalysis", schema))("$id: $expected", async (read) => {
    cases.compare(read.id, await isLeftOut(read), read.expected);
  });
});

describe("an update is over time where timedOut says so", () => {
  const schema = z.object({
    id: z.string(),
    input: z.strictObject({
      progressDeadlineSeconds: z.number().nullable(),
      progressingReason: z.enum(["ReplicaSetUpdated", "RolloutPaused"]).nullable(),
      lastUpdateSecondsAgo: z.number().nullable(),
    }),
    expected: z.boolean(),
  });

  it.each(cases.casesOf("timedOut", schema))("$id: $expected", async ({ id, input, expected }) => {
    const { progressDeadlineSeconds, progressingReason, lastUpdateSecondsAgo } = input;
    const wait =
      progressingReason === "RolloutPaused" ? { pause: {} } : { pause: { duration: lastUpdateSecondsAgo ?? 0 } };
    const deadline = progressDeadlineSeconds === null ? {} : { deadlineMs: progressDeadlineSeconds * 1_000 };
    const plan = canaryOf([{ setWeight: 10 }, wait], true, { holdMs: 0, ...deadline });
    const service = simulateService({ replicas: 10, weights: allTo(stable) });
    const { outcome } = await service.update({ candidate, stable, plan });
    const isOver = outcome?.phase === "rolledBack" && outcome.reason.code === "deadline-passed";
    cases.compare(id, isOver, expected);
  });

  it("and where there is no time left", async () => {
    const plan = canaryOf([{ setWeight: 10 }, { pause: { duration: 40 } }], true, { deadlineMs: 30_000 });
    const { outcome } = await simulateService({ replicas: 10, weights: allTo(stable) }).update({ candidate, plan });
    expect(outcome).toMatchObject({ phase: "rolledBack", reason: { code: "deadline-passed" } });
  });
});

describe("a release has the phase of rolloutPhase", () => {
  const phase = z.enum(["Healthy", "Paused", "Progressing", "Degraded"]);
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({
      strategy: z.enum(["canary", "blueGreen"]),
      progressing: z.looseObject({ reason: z.literal("ProgressDeadlineExceeded") }).optional(),
      postPromotionAnalysis: z.boolean().optional(),
      controllerPause: z.boolean().optional(),
      restartAtSecondsAgo: z.number().optional(),
      replicas: z.int().optional(),
      stable: z.string().optional(),
      current: z.string().optional(),
      available: z.int().optional(),
    }),
    expected: z.strictObject({ phase, message: z.string() }),
  });
  const meaningful = cases.casesOf("rolloutPhase", schema, ({ input }) => {
    if (input.restartAtSecondsAgo !== undefined) return "there is no restartAt: a changed declaration is a new version";
    if (input.progressing || input.postPromotionAnalysis || input.controllerPause) return undefined;
    if (input.stable !== undefined && input.stable === input.current && input.available !== undefined) return undefined;
    return "Pods that are updated or ended are told by the Deployments, which Pulumi waits for before and after the cut-over";
  });

  it.each(meaningful)("$id: $expected.phase", async ({ id, input, expected }) => {
    const service = simulateService({ replicas: 5, weights: allTo(stable) });
    if (input.progressing) {
      const plan = canaryOf([{ setWeight: 10 }, { pause: { duration: 40 } }], true, { deadlineMs: 30_000 });
      const update = await service.update({ candidate, plan });
      expect(update.outcome).toMatchObject({ reason: { code: "deadline-passed" } });
      cases.compare(id, phaseOf(update), expected.phase);
    } else if (input.postPromotionAnalysis) {
      const update = await service.update({ candidate, plan: blueGreenOf({}), dieAt: verifyService });
      expect(service.weights()).toEqual(allTo(candidate));
      cases.compare(id, phaseOf(update), expected.phase);
    } else if (input.controllerPause) {
      const steps = [{ setWeight: 10 }, { pause: {} }, { setWeight: 20 }];
      await service.update({ candidate, stable, plan: canaryOf(steps, true) });
      const plan = canaryOf(steps, true, { approved: ["step-2"] });
      const update = await service.update({ candidate, stable, plan, dieAt: { kind: "shift", weightPercent: 20 } });
      cases.compare(id, phaseOf(update), expected.phase);
    } else {
      cases.compare(id, phaseOf(await service.update({ candidate, plan: blueGreenOf({}) })), expected.phase);
    }
  });
});

describe("a manifest that says nothing has the defaults", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({
      strategy: z.enum(["canary", "blueGreen"]).nullable().optional(),
      scaleDownDelaySeconds: z.number().optional(),
      consecutiveErrorLimit: z.int().optional(),
      trafficRouting: z.boolean().optional(),
    }),
    expected: z.union([z.number(), z.boolean(), z.looseObject({ explicitlySet: z.boolean() })]),
  });
  const meaningful = cases.casesOf("defaults", schema, ({ expected }) =>
    typeof expected === "object"
      ? "there is no abortScaleDownDelaySeconds: a candidate that failed keeps its Pods, without traffic, until an update does not name it"
      : undefined,
  );

  function answerTo({ input, expected }: z.infer<typeof schema>): number | boolean {
    const { scaleDownDelaySeconds, consecutiveErrorLimit } = input;
    const given = scaleDownDelaySeconds === undefined ? {} : { scaleDownDelaySeconds };
    if (consecutiveErrorLimit !== undefined) return errorsBorne({ consecutiveErrorLimit });
    if (typeof expected === "boolean") return blueGreenOf({}).steps.every(({ kind }) => kind !== "pause");
    const plan =
      input.strategy === "blueGreen"
        ? blueGreenOf(given)
        : planOf(
            "progressive",
            stepsFromArgoRollouts({ strategy: { canary: { steps: [], trafficRouting: {}, ...given } } }).options,
          );
    const hold = plan.steps.find((step) => step.kind === "hold");
    return (hold?.durationMs ?? 0) / 1_000;
  }

  function errorsBorne(limits: AnalysisLimits): number {
    const endless = { ...limits, intervalMs: 1_000 };
    let counters = noMeasurements;
    for (let errors = 0; ; errors += 1) {
      counters = countMeasurement(counters, "error");
      if (assess(endless, counters) === "error") return errors;
    }
  }

  it.each(meaningful)("$id", (read) => {
    cases.compare(read.id, answerTo(read), read.expected);
  });

  it("and of errors", () => {
    expect(errorsBorne({})).toBe(4);
  });
});

describe("the router has the weight of trafficWeight", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({
      specReplicas: z.int(),
      steps: stepsSchema.optional(),
      promoteFull: z.boolean().optional(),
      abort: z.boolean().optional(),
      currentCanaryWeight: z.number().optional(),
      canary: z.strictObject({ spec: z.int(), available: z.int() }),
    }),
    expected: z.strictObject({ setWeight: z.number() }),
  });
  const meaningful = cases.casesOf("trafficWeight", schema, ({ input }) =>
    input.abort && (input.currentCanaryWeight ?? 0) > 0
      ? "there is no dynamicStableScale: the stable version keeps its size, so that traffic goes back to it in one move"
      : undefined,
  );

  /** The weight while the candidate still grows to the size that this step asks for. */
  async function weightWhileGrowing(plan: Plan, step: Step, replicas: number): Promise<number> {
    const service = simulateService({ replicas, weights: allTo(stable) });
    const moment = atStep(await service.update({ candidate, plan }), step);
    return moment?.weights[candidate] ?? 0;
  }

  it.each(meaningful)("$id: $expected.setWeight", async ({ id, input, expected }) => {
    const { specReplicas, steps = [], currentCanaryWeight = 0 } = input;
    const sized = (percent: number): Step => ({ kind: "scale", size: { percent } });
    if (input.abort) {
      const service = simulateService({ replicas: specReplicas, weights: allTo(stable) });
      const plan = canaryOf([{ pause: { duration: 60 } }, ...steps], true);
      const soak: Step = { kind: "soak", durationMs: 60_000 };
      expect((await service.update({ candidate, stable, plan, abortAt: soak })).outcome?.phase).toBe("rolledBack");
      cases.compare(id, { setWeight: service.weights()[candidate] ?? 0 }, expected);
    } else if (input.promoteFull) {
      const plan = canaryOf([{ setWeight: currentCanaryWeight }], true);
      cases.compare(id, { setWeight: await weightWhileGrowing(plan, sized(100), specReplicas) }, expected);
    } else {
      // One of two Pods is there for 20 % of 10.
      expect(input.canary.available).toBeLessThan(2);
      cases.compare(
        id,
        { setWeight: await weightWhileGrowing(canaryOf(steps, true), sized(20), specReplicas) },
        expected,
      );
    }
  });
});

describe("a switch waits as blueGreenPause does", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({
      autoPromotionEnabled: z.boolean().optional(),
      autoPromotionSeconds: z.number().optional(),
      newPods: z.string(),
      controllerPause: z.boolean().optional(),
      specPaused: z.boolean().optional(),
    }),
    expected: z.strictObject({ paused: z.boolean().optional(), activeSwitched: z.boolean() }),
  });
  const meaningful = cases.casesOf("blueGreenPause", schema, ({ input }) =>
    input.specPaused
      ? "there is no spec.paused: who wants to wait declares a pause before the update, or asks for an abort in it"
      : undefined,
  );

  it.each(meaningful)("$id: $expected", async ({ id, input, expected }) => {
    const { autoPromotionEnabled, autoPromotionSeconds, controllerPause } = input;
    const [available, wanted] = input.newPods.split("/").map(Number);
    const replicas = wanted ?? 1;
    const fields = {
      ...(autoPromotionEnabled === undefined ? {} : { autoPromotionEnabled }),
      ...(autoPromotionSeconds === undefined ? {} : { autoPromotionSeconds }),
      ...(available === wanted ? {} : { previewReplicaCount: wanted }),
    };
    const plan = blueGreenOf(fields, controllerPause ? { approved: ["promote"] } : {});
    const service = simulateService({ replicas, weights: allTo(stable) });
    // While the candidate grows, or the wait lasts, nothing is switched; the process that stands still there is as good as one that looks.
    const waiting = plan.steps.find(({ kind }) => kind === "soak") ?? plan.steps.find(({ kind }) => kind === "scale");
    const update = await service.update({ candidate, stable, plan, ...(waiting ? { dieAt: waiting } : {}) });
    const answer = {
      ...(expected.paused === undefined ? {} : { paused: phaseOf(update) === "Paused" }),
      activeSwitched: service.weights()[candidate] === 100,
    };
    cases.compare(id, answer, expected);
  });
});

describe("whole releases go as e2eTraces", () => {
  const schema = z.object({
    id: z.string(),
    input: z.looseObject({ specReplicas: z.int(), maxSurge: z.unknown().optional(), steps: stepsSchema.default([]) }),
    expected: z.strictObject({ trace: z.array(z.looseObject({ do: z.string() })) }),
  });
  const reasons: Readonly<Record<string, string>> = {
    "e2eTraces-007":
      "there is no abortScaleDownDelaySeconds, and at a pause nothing runs that could be aborted: the commit that gives up names the old version alone, and Pulumi deletes the other",
    "e2eTraces-009":
      "there is no dynamicStableScale: the stable version keeps its size, so that traffic goes back to it in one move",
    "e2eTraces-013":
      "there is no scaleDownDelayRevisionLimit: an old version is there for as long as the program names it",
  };
  const meaningful = new Map(
    cases.casesOf("e2eTraces", schema, ({ id }) => reasons[id]).map((read) => [read.id, read] as const),
  );
  const caseOf = (id: string) => {
    const read = meaningful.get(id);
    if (!read) throw new Error(`${id} is not among the cases.`);
    return { ...read.input, trace: read.expected.trace };
  };
  const podsOf = (sizes: Readonly<Record<string, number>>, names: Readonly<Record<string, string>>) =>
    Object.entries(names).flatMap(([name, revision]) => (name in sizes ? [`${revision}:${sizes[name]}`] : []));

  it("e2eTraces-001: the sizes of a candidate that are set, and follow the weight again", async () => {
    const { specReplicas, steps, trace } = caseOf("e2eTraces-001");
    const service = simulateService({ replicas: specReplicas, weights: allTo(stable) });
    const sizes: number[] = [];
    const release = async (approved: string[]) => {
      const plan = canaryOf(steps, true, { approved });
      const update = await service.update({ candidate, stable, plan, firstSize: 1 });
      for (const { fact, sizes: now } of update.moments) {
        if (fact.kind === "stepStarted" && fact.description.startsWith("stay there")) sizes.push(now[candidate] ?? 0);
      }
      sizes.push(service.sizes()[candidate] ?? 0);
      return pauseOf(update);
    };
    expect(await release([])).toBe("step-1");
    expect(await release(["step-1"])).toBe("step-7");
    expect(await release(["step-1", "step-7"])).toBeUndefined();
    cases.compare("e2eTraces-001", { sizes }, { sizes: trace.map(({ canary }) => canary) });
  });

  it("e2eTraces-003: the sizes while the declared replicas change", () => {
    const { maxSurge, trace } = caseOf("e2eTraces-003");
    const surge = z.string().parse(maxSurge);
    const nothing: ObservedReplicas = { wanted: 0, available: 0 };
    let current = { stable: { wanted: 4, available: 4 }, candidate: nothing };
    const answer = [4, 8, 4].map((total, index) => {
      const { sizes } = nextReplicaCounts(
        current,
        { stable: 0, candidate: total },
        replicaLimitsOf(total, { maxSurge: surge }),
      );
      // The new version never becomes available.
      current = {
        stable: { wanted: sizes.stable, available: sizes.stable },
        candidate: { wanted: sizes.candidate, available: 0 },
      };
      return { do: trace[index]?.do, canary: sizes.candidate, stable: sizes.stable };
    });
    cases.compare("e2eTraces-003", answer, trace);
  });

  it("e2eTraces-005: weights that go down again", () => {
    const { steps, trace } = caseOf("e2eTraces-005");
    const analysed = steps.map((step) => ("analysis" in step ? { analysis: {} } : step));
    const read = () => {
      try {
        return canaryOf(analysed, false).steps;
      } catch (thrown) {
        if (!(thrown instanceof BasculeError)) throw thrown;
        expect(thrown.message).toContain("weights only grow");
        return "refused";
      }
    };
    cases.compare("e2eTraces-005", read(), trace);
    // The sizes on the way back, while no Pod of the stable version becomes available, are the same.
    const limits = replicaLimitsOf(3, { maxSurge: 2, maxUnavailable: 0 });
    const current = { stable: { wanted: 0, available: 0 }, candidate: { wanted: 3, available: 3 } };
    expect(nextReplicaCounts(current, { stable: 3, candidate: 0 }, limits).sizes).toEqual({ stable: 2, candidate: 3 });
  });

  it("e2eTraces-011: an abort, and the same version again", async () => {
    const { specReplicas, steps, trace } = caseOf("e2eTraces-011");
    const service = simulateService({ replicas: specReplicas, weights: allTo(stable) });
    const soak: Step = { kind: "soak", durationMs: 10_000 };
    // Long enough for an abort to be seen in it; what its length is decides nothing here.
    const plan = canaryOf(
      steps.map((step) => ("pause" in step ? { pause: { duration: 10 } } : step)),
      false,
    );
    const podsAt = (weights: Weights): ReplicaCounts =>
      planReplicaCounts({ total: specReplicas, weightPercent: weights[candidate] ?? 0 });
    const seen = (phase: string, weights: Weights | undefined) => {
      const { stable: old, candidate: other } = podsAt(weights ?? {});
      return { phase, revisionPods: { 1: old, 2: other } };
    };

    const aborted = await service.update({ candidate, stable, plan, abortAt: soak });
    const again = await service.update({ candidate, stable, plan });
    const answer = [
      { do: "update", ...seen("Paused", atStep(aborted, soak)?.weights) },
      { do: "abort", phase: phaseOf(aborted) },
      { do: "retry", ...seen("Paused", atStep(again, soak)?.weights) },
      { do: "wait", ...seen(phaseOf(again), service.weights()) },
    ];
    cases.compare("e2eTraces-011", answer, trace);
  });

  it("e2eTraces-015: a preview that is given up at its pause", async () => {
    const { specReplicas, trace } = caseOf("e2eTraces-015");
    const plan = blueGreenOf({ previewReplicaCount: 1, autoPromotionEnabled: false });
    const service = simulateService({ replicas: specReplicas, weights: allTo(stable) });
    const names = { [stable]: "1", [candidate]: "2" };
    const show = (update: Update, pods: readonly string[]) => [phaseOf(update), ...pods].join(" ");

    const first = await service.update({ candidate, stable, plan, firstSize: 1 });
    const answer = [show(first, podsOf(service.sizes(), names))];
    const givenUp = await service.update({ candidate: stable, plan: blueGreenOf({}) });
    expect(service.weights()).toEqual(allTo(stable));
    answer.push(show(givenUp, podsOf({ [candidate]: 0, ...service.sizes() }, { [candidate]: "2" })));
    const expected = trace.map(({ phase, revisionPods }) => {
      const pods = z.record(z.string(), z.int()).parse(revisionPods);
      return [phase, ...Object.entries(pods).map(([revision, count]) => `${revision}:${count}`)].join(" ");
    });
    cases.compare("e2eTraces-015", answer, expected);
  });

  it("e2eTraces-017: a preview that fails, and is tried again", async () => {
    const { specReplicas, trace } = caseOf("e2eTraces-017");
    const plan = blueGreenOf({ previewReplicaCount: 1 });
    const service = simulateService({ replicas: specReplicas, weights: allTo(stable) });
    const analysisRuns = (updates: readonly Update[]) =>
      updates.filter((update) => atStep(update, verifyCandidate)).length;
    const revisions: Readonly<Record<string, string>> = { [stable]: "1", [candidate]: "2" };
    const activeOf = () => Object.keys(service.weights()).flatMap((version) => revisions[version] ?? []);

    const failed = await service.update({ candidate, plan, isHealthy: (_version, target) => target !== "candidate" });
    const [firstActive] = activeOf();
    const retried = await service.update({ candidate, plan });
    const [secondActive] = activeOf();
    const answer = [
      { phase: phaseOf(failed), active: firstActive, analysisRuns: analysisRuns([failed]) },
      { phase: phaseOf(retried), active: secondActive, analysisRuns: analysisRuns([failed, retried]) },
    ];
    const expected = trace.map(({ phase, active, analysisRuns: runs }) => ({ phase, active, analysisRuns: runs }));
    cases.compare("e2eTraces-017", answer, expected);
  });

  it("e2eTraces-019: a switch that fails, and the next version, which waits", async () => {
    const { specReplicas, trace } = caseOf("e2eTraces-019");
    const service = simulateService({ replicas: specReplicas, weights: allTo("1") });
    const activeOf = () => Object.keys(service.weights())[0];
    const failed = await service.update({
      candidate: "2",
      plan: blueGreenOf({}),
      isHealthy: (version, target) => !(version === "2" && target === "service"),
    });
    const answer: unknown[] = [{ phase: phaseOf(failed), active: activeOf() }];
    const request = { candidate: "3", stable: "1" };
    const waiting = await service.update({ ...request, plan: blueGreenOf({ autoPromotionEnabled: false }) });
    answer.push({ phase: phaseOf(waiting), active: activeOf() });
    const plan = blueGreenOf({ autoPromotionEnabled: false }, { approved: ["promote"] });
    const promoted = await service.update({ ...request, plan });
    answer.push({ phase: phaseOf(promoted), active: activeOf() });
    expect(service.sizes()).toEqual({ 1: 1, 3: 1 });
    const expected = trace.map(({ phase, active }) => ({ phase, active }));
    cases.compare("e2eTraces-019", answer, expected);
  });
});

cases.close();
