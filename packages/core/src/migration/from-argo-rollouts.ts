import { z } from "zod";
import { parseInput } from "../parse-input.ts";
import { readDurationMs } from "./duration.ts";
import {
  notesOn,
  promote,
  verifyCandidate,
  verifyService,
  type HeaderMatch,
  type MigratedPlan,
  type MigratedStep,
} from "./migrated-plan.ts";

/** What a Rollout means here. */
export interface MigratedRollout extends MigratedPlan {
  /** Going back to one of so many former versions skips the steps. */
  readonly fastTrackChanges?: number;
}

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
    experiment: z.looseObject({ duration: duration.optional() }),
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

const canarySchema = z.looseObject({ steps: z.array(stepSchema).default([]) });
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
  maxSurge: "set the surge of the component",
  maxUnavailable: "set the unavailability of the component",
  dynamicStableScale: "let the component's sizes follow the weights",
  abortScaleDownDelaySeconds: "a failed candidate stays until the next update that does not name it",
  scaleDownDelayRevisionLimit: "an old version is there for as long as the program names it",
  scaleDownDelaySeconds: "set the hold of the plan",
};

/**
 * Turns the `spec` of a Rollout (Argo Rollouts, argoproj.io/v1alpha1) into a plan of ours. Beside its own steps, the candidate is
 * verified before it has traffic, and the service after it has everything; header and mirror routes end with the last step.
 *
 * @throws BasculeError `invalid-input` for a step that cannot mean what it says here
 */
export function stepsFromArgoRollouts(spec: unknown): MigratedRollout {
  const { strategy, rollbackWindow, ...others } = parseInput(rolloutSchema, spec, "the spec of a Rollout");
  const { canary, blueGreen } = strategy;
  const fastTrack = rollbackWindow === undefined ? {} : { fastTrackChanges: rollbackWindow.revisions };
  const migrated = blueGreen ? fromBlueGreen(blueGreen) : fromCanary(canary ?? { steps: [] });
  return { ...migrated, ...fastTrack, notes: [...notesOn(others, [], explanations), ...migrated.notes] };
}

function fromCanary(canary: z.output<typeof canarySchema>): MigratedPlan {
  const steps = canary.steps.flatMap(stepsOf);
  const lastShift = steps.findLast((step) => step.kind === "shift");
  const isPromoted = lastShift?.weightPercent === 100;
  const isVerified = isPromoted && steps.at(-1)?.kind === "verify";
  return {
    strategy: "progressive",
    steps: [
      verifyCandidate,
      ...steps,
      ...(isPromoted ? [] : [promote]),
      ...(isVerified ? [] : [verifyService]),
      ...endsOf(steps),
    ],
    notes: [
      ...notesOn(canary, ["steps"], explanations),
      ...canary.steps.flatMap((step, index) => notesOnStep(step, `step ${index + 1}`)),
    ],
  };
}

function fromBlueGreen(blueGreen: BlueGreen): MigratedPlan {
  const { previewReplicaCount, autoPromotionEnabled, autoPromotionSeconds, scaleDownDelaySeconds } = blueGreen;
  const hasPreviewSize = previewReplicaCount !== undefined;
  const isWaiting = autoPromotionEnabled && autoPromotionSeconds > 0;
  return {
    strategy: "blueGreen",
    steps: [
      ...(hasPreviewSize ? [{ kind: "scale", replicas: previewReplicaCount } as const] : []),
      verifyCandidate,
      ...(autoPromotionEnabled ? [] : [{ kind: "pause", name: "promote" } as const]),
      ...(isWaiting ? [{ kind: "soak", durationMs: autoPromotionSeconds * 1_000 } as const] : []),
      ...(hasPreviewSize ? [{ kind: "scale", percent: 100 } as const] : []),
      promote,
      verifyService,
      { kind: "hold", durationMs: scaleDownDelaySeconds * 1_000 },
    ],
    notes: [
      ...notesOn(blueGreen, Object.keys(blueGreenSchema.shape), explanations),
      ...notesOnTemplates("prePromotionAnalysis", "candidate", blueGreen.prePromotionAnalysis),
      ...notesOnTemplates("postPromotionAnalysis", "service", blueGreen.postPromotionAnalysis),
    ],
  };
}

function stepsOf(step: CanaryStep, index: number): MigratedStep[] {
  if (step.setWeight !== undefined) return [{ kind: "shift", weightPercent: step.setWeight }];
  if (step.setCanaryScale) return [scaleOf(step.setCanaryScale)];
  if (step.analysis) return [verifyService];
  if (step.experiment) {
    const durationMs = step.experiment.duration;
    return [durationMs === undefined ? { kind: "experiment" } : { kind: "experiment", durationMs }];
  }
  if (step.setHeaderRoute) {
    const { name, match } = step.setHeaderRoute;
    return [{ kind: "route", name, matches: match.map(matchOf) }];
  }
  if (step.setMirrorRoute) {
    const { percentage, match } = step.setMirrorRoute;
    return [{ kind: "mirror", percent: match.length === 0 ? 0 : (percentage ?? 100) }];
  }
  const durationMs = step.pause?.duration;
  if (durationMs === undefined) return [{ kind: "pause", name: `step-${index + 1}` }];
  return [{ kind: "soak", durationMs }];
}

function scaleOf({ replicas, weight }: NonNullable<CanaryStep["setCanaryScale"]>): MigratedStep {
  if (replicas !== undefined) return { kind: "scale", replicas };
  return weight === undefined ? { kind: "scale", matchTraffic: true } : { kind: "scale", percent: weight };
}

function matchOf({ headerName, headerValue }: z.output<typeof headerMatchSchema>): HeaderMatch {
  return { header: headerName, ...headerValue };
}

/** Argo Rollouts takes the routes away that its steps left. */
function endsOf(steps: readonly MigratedStep[]): MigratedStep[] {
  const lastOfRoute = new Map(steps.flatMap((step) => (step.kind === "route" ? [[step.name, step] as const] : [])));
  const open = [...lastOfRoute.values()].filter(({ matches }) => matches.length > 0);
  const isMirroring = (steps.findLast((step) => step.kind === "mirror")?.percent ?? 0) > 0;
  return [
    ...open.map(({ name }): MigratedStep => ({ kind: "route", name, matches: [] })),
    ...(isMirroring ? [{ kind: "mirror", percent: 0 } as const] : []),
  ];
}

function notesOnStep(step: CanaryStep, name: string): string[] {
  if (step.analysis) return notesOnTemplates(name, "service", step.analysis);
  if (step.experiment)
    return [`${name}: write a comparison of the candidate with the stable version for the experiment`];
  if ((step.setMirrorRoute?.match.length ?? 0) > 0)
    return [`${name}: requests are copied whatever they match, but only those with a safe method`];
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
