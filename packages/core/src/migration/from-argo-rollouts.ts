import { z } from "zod";
import { BasculeError } from "../errors.ts";
import { parseInput } from "../parse-input.ts";
import type { RequestMatch, Step } from "../plan/step.ts";
import { readDurationMs } from "./duration.ts";
import { notesOn, weightAfter, type MigratedPlan } from "./migrated-plan.ts";

const defaultScaleDownDelaySeconds = 30;

const percent = z.number().min(0).max(100);
const count = z.int().min(0);
const duration = z.union([z.string(), z.number()]).transform((written, context) => {
  const read = readDurationMs(written);
  if (read === undefined)
    context.addIssue({ code: "custom", message: "must be a duration: seconds, or for example 10s, 5m or 1h" });
  return read ?? 0;
});

const headerValueSchema = z.union(
  [
    z.strictObject({ exact: z.string().min(1) }),
    z.strictObject({ prefix: z.string().min(1) }),
    z.strictObject({ regex: z.string().min(1) }),
  ],
  { error: "must have one of exact, prefix and regex" },
);
const headerMatchSchema = z.strictObject({ headerName: z.string().min(1), headerValue: headerValueSchema });
const analysisTemplatesSchema = z.looseObject({
  templates: z.array(z.looseObject({ templateName: z.string() })).default([]),
});

const stepSchema = z
  .strictObject({
    setWeight: percent,
    pause: z.strictObject({ duration: duration.optional() }).nullable(),
    setCanaryScale: z
      .strictObject({
        replicas: count.optional(),
        weight: percent.optional(),
        matchTrafficWeight: z.boolean().optional(),
      })
      .refine(
        ({ replicas, weight, matchTrafficWeight }) =>
          replicas !== undefined || weight !== undefined || matchTrafficWeight === true,
        {
          error: "must have one of replicas, weight and matchTrafficWeight: true",
        },
      ),
    analysis: analysisTemplatesSchema,
    experiment: z.looseObject({ duration }, { error: "must have a duration: an experiment here has an end" }),
    setHeaderRoute: z.strictObject({ name: z.string().min(1), match: z.array(headerMatchSchema).default([]) }),
    setMirrorRoute: z.strictObject({
      name: z.string().min(1),
      percentage: percent.optional(),
      match: z.array(z.unknown()).default([]),
    }),
    plugin: z.never({ error: "must be replaced by a hook or a probe: a plugin of Argo Rollouts cannot be run here" }),
  })
  .partial()
  .refine((step) => Object.values(step).filter((value) => value !== undefined).length === 1, {
    error: "must do exactly one thing",
  });
type CanaryStep = z.output<typeof stepSchema>;

const canarySchema = z.looseObject({
  steps: z.array(stepSchema).default([]),
  trafficRouting: z.looseObject({}).nullable().optional(),
  scaleDownDelaySeconds: count.optional(),
});
type Canary = z.output<typeof canarySchema>;

const blueGreenSchema = z.looseObject({
  previewReplicaCount: count.optional(),
  autoPromotionEnabled: z.boolean().default(true),
  autoPromotionSeconds: count.default(0),
  scaleDownDelaySeconds: count.default(defaultScaleDownDelaySeconds),
  prePromotionAnalysis: analysisTemplatesSchema.optional(),
  postPromotionAnalysis: analysisTemplatesSchema.optional(),
});
type BlueGreen = z.output<typeof blueGreenSchema>;

const rolloutSchema = z.looseObject({
  strategy: z
    .strictObject({ canary: canarySchema.optional(), blueGreen: blueGreenSchema.optional() })
    .refine(({ canary, blueGreen }) => (canary === undefined) !== (blueGreen === undefined), {
      error: "must have one of canary and blueGreen",
    }),
  rollbackWindow: z.strictObject({ revisions: count }).optional(),
});

const explanations = {
  replicas: "set the replicas of the component",
  template: "give the component its container or Pod template",
  selector: "the component makes its own",
  workloadRef: "give the component its container or Pod template",
  minReadySeconds: "part of the workload",
  revisionHistoryLimit: "the journal keeps all versions",
  progressDeadlineSeconds: "set the plan's deadline; it goes back by itself when it is over",
  progressDeadlineAbort: "a plan always goes back when its deadline is over",
  analysis: "write the background probes of the plan",
  trafficRouting: "choose the router of the component",
  stableService: "the component makes its own",
  canaryService: "the component makes its own",
  activeService: "the component makes its own",
  previewService: "the component makes its own",
  maxSurge: "give it to replicaRatio(), the router that splits by the number of Pods",
  maxUnavailable: "give it to replicaRatio(), the router that splits by the number of Pods",
  dynamicStableScale: "the stable version keeps its size, so that traffic can go back to it in one move",
  abortScaleDownDelaySeconds: "a failed candidate stays until the next update that does not name it",
  scaleDownDelayRevisionLimit: "an old version is there for as long as the program names it",
  scaleDownDelaySeconds: "has a meaning with traffic routing only; the hold of the plan has its default",
};

/** Argo Rollouts takes no notice of these beside traffic routing. */
const ofRouted = {
  maxSurge: "has a meaning without traffic routing only",
  maxUnavailable: "has a meaning without traffic routing only",
};

/**
 * Turns the `spec` of a Rollout (Argo Rollouts, argoproj.io/v1alpha1) into options of ours. The plan that is made of them verifies
 * the candidate before it has traffic, and the service at each weight. With traffic routing the candidate's size follows its weight,
 * as it does there, except that it has one Pod from the start, since it is verified first. Header and mirror routes end with the
 * promotion.
 *
 * @throws BasculeError `invalid-input` for a step that cannot mean what it says here
 */
export function stepsFromArgoRollouts(spec: unknown): MigratedPlan {
  const { strategy, rollbackWindow, ...others } = parseInput(rolloutSchema, spec, subject);
  const { canary, blueGreen } = strategy;
  const migrated = blueGreen ? fromBlueGreen(blueGreen) : fromCanary(canary ?? { steps: [] });
  const fastTrack = rollbackWindow === undefined ? {} : { fastTrackChanges: rollbackWindow.revisions };
  return {
    strategy: migrated.strategy,
    options: { ...migrated.options, ...fastTrack },
    notes: [...notesOn(others, [], explanations), ...migrated.notes],
  };
}

const subject = "the spec of a Rollout";

function fromCanary(canary: Canary): MigratedPlan {
  const isRouted = canary.trafficRouting !== undefined && canary.trafficRouting !== null;
  const { scaleDownDelaySeconds = defaultScaleDownDelaySeconds } = canary;
  const steps = canary.steps.reduce<Step[]>(
    (before, _step, index) => [...before, ...stepsAt(canary.steps, index, before, isRouted)],
    [],
  );
  return {
    strategy: "progressive",
    options: { steps, ...(isRouted ? { previewReplicas: 1, holdMs: scaleDownDelaySeconds * 1_000 } : {}) },
    notes: [
      ...notesOn(
        canary,
        isRouted ? ["steps", "scaleDownDelaySeconds"] : ["steps"],
        isRouted ? { ...explanations, ...ofRouted } : explanations,
      ),
      ...canary.steps.flatMap((step, index) => notesOnStep(step, `step ${index + 1}`, isRouted)),
    ],
  };
}

/** The switch of `blueGreen` has no steps before it, so that a wait there makes a progressive plan that has only this step. */
function fromBlueGreen(blueGreen: BlueGreen): MigratedPlan {
  const { previewReplicaCount, autoPromotionEnabled, autoPromotionSeconds, scaleDownDelaySeconds } = blueGreen;
  const isWaiting = autoPromotionEnabled && autoPromotionSeconds > 0;
  return {
    strategy: isWaiting ? "progressive" : "blueGreen",
    options: {
      ...(isWaiting ? { steps: [{ kind: "soak", durationMs: autoPromotionSeconds * 1_000 }] } : {}),
      ...(autoPromotionEnabled ? {} : { promotion: "approved" }),
      ...(previewReplicaCount === undefined ? {} : { previewReplicas: previewReplicaCount }),
      holdMs: scaleDownDelaySeconds * 1_000,
    },
    notes: [
      ...notesOn(blueGreen, Object.keys(blueGreenSchema.shape), explanations),
      ...(isWaiting ? ["autoPromotionSeconds: the wait is a step; use serviceSwitch() as the router"] : []),
      ...notesOnTemplates("prePromotionAnalysis", "candidate", blueGreen.prePromotionAnalysis),
      ...notesOnTemplates("postPromotionAnalysis", "service", blueGreen.postPromotionAnalysis),
    ],
  };
}

function stepsAt(all: readonly CanaryStep[], index: number, before: readonly Step[], isRouted: boolean): Step[] {
  const step = all[index];
  if (step?.setWeight !== undefined)
    return shiftTo(step.setWeight, index, before, isRouted && isSizedByWeight(all, index));
  if (step?.setCanaryScale) return isRouted ? [scaleOf(step.setCanaryScale, weightAfter(before))] : [];
  if (step?.analysis) return [{ kind: "verify", target: "service" }];
  if (step?.experiment) return [{ kind: "experiment", durationMs: step.experiment.duration }];
  if (step?.setHeaderRoute) return [{ kind: "route", matches: matchesAt(all, index) }];
  if (step?.setMirrorRoute) {
    const { percentage, match } = step.setMirrorRoute;
    return [{ kind: "mirror", percent: match.length === 0 ? 0 : (percentage ?? 100) }];
  }
  const durationMs = step?.pause?.duration;
  if (durationMs === undefined) return [{ kind: "pause", name: `step-${index + 1}`, isApproved: false }];
  return [{ kind: "soak", durationMs }];
}

function shiftTo(weightPercent: number, index: number, before: readonly Step[], isSized: boolean): Step[] {
  const present = weightAfter(before);
  if (weightPercent < present) {
    throw new BasculeError(
      "invalid-input",
      `${subject}: strategy.canary.steps[${index}].setWeight = ${weightPercent}: is less than the ${present} before it; weights only grow here, because going back is what a rollback does. Remove the step. Nothing was changed.`,
    );
  }
  const shift: Step = { kind: "shift", weightPercent };
  return isSized && weightPercent > 0 ? [{ kind: "scale", size: { percent: weightPercent } }, shift] : [shift];
}

/** A size that was set stays until the next one, or until it is to match the weight again; whoever has everything is full-sized. */
function isSizedByWeight(all: readonly CanaryStep[], index: number): boolean {
  const scale = all.slice(0, index).findLast(({ setCanaryScale }) => setCanaryScale !== undefined)?.setCanaryScale;
  return scale === undefined || scale.matchTrafficWeight === true || all[index]?.setWeight === 100;
}

function scaleOf(
  { replicas, weight, matchTrafficWeight }: NonNullable<CanaryStep["setCanaryScale"]>,
  present: number,
): Step {
  if (matchTrafficWeight === true) return { kind: "scale", size: present > 0 ? { percent: present } : { replicas: 1 } };
  return { kind: "scale", size: replicas === undefined ? { percent: weight ?? 0 } : { replicas } };
}

/** The matches of all routes that are there after a step, each as it was set last. */
function matchesAt(all: readonly CanaryStep[], index: number): RequestMatch[] {
  const routes = all.slice(0, index + 1).flatMap(({ setHeaderRoute }) => setHeaderRoute ?? []);
  const latest = new Map(routes.map(({ name, match }) => [name, match]));
  return [...latest.values()].flat().map(({ headerName, headerValue }) => ({ header: headerName, ...headerValue }));
}

function notesOnStep(step: CanaryStep, name: string, isRouted: boolean): string[] {
  if (step.setCanaryScale && !isRouted) return [`${name}: setCanaryScale has a meaning with traffic routing only`];
  if (step.analysis) return notesOnTemplates(name, "service", step.analysis);
  if (step.experiment)
    return [`${name}: write a comparison of the candidate with the stable version for the experiment`];
  if ((step.setMirrorRoute?.match.length ?? 0) > 0)
    return [
      `${name}: requests are copied whatever they match, also those that write; the mirror of a ParallelDeployment leaves those out`,
    ];
  return [];
}

function notesOnTemplates(
  name: string,
  target: "candidate" | "service",
  analysis: z.output<typeof analysisTemplatesSchema> | undefined,
): string[] {
  return (analysis?.templates ?? []).map(
    ({ templateName }) => `${name}: write a probe of the ${target} for the analysis template ${templateName}`,
  );
}
