import {
  analysis,
  difference,
  lag,
  mirror,
  pause,
  promotionPause,
  runHook,
  setWeight,
  soak,
  type LagProbe,
  type PlanOptions,
  type Step,
} from "@bascule/core";
import type * as pulumi from "@pulumi/pulumi";
import { mirrorSpecSchema, type MirrorSpec } from "../mirror/mirror-spec.ts";
import type { HookInput } from "./hook-input.ts";
import { parallelArgsSchema, type DataArgs, type LagArgs, type ParallelReleaseArgs } from "./parallel-args.ts";
import type { ProbeInput } from "./probe-input.ts";
import { Release, type ReleaseKind } from "./release.ts";
import { serviceSwitch } from "./router-input.ts";
import { stagedPlanOptions } from "./staged.ts";

const defaults = {
  percent: 100,
  durationMs: 60_000,
  replicas: 2,
  hookLimitMs: 300_000,
  scaleLimitMs: 300_000,
} as const;

/** The names of the hooks that bring data over, as plan and journal have them. */
const names = {
  start: "data-start",
  stop: "data-stop",
  lag: "data-lag",
  cutOver: "data-cut-over",
  goBack: "data-go-back",
  reverse: "data-reverse",
  finish: "data-finish",
} as const;

const parallel: ReleaseKind<ParallelReleaseArgs> = {
  name: "ParallelDeployment",
  strategy: "parallel",
  schema: parallelArgsSchema,
  defaultRouter: serviceSwitch(),
  planOptions,
  stagesOf: (args) => args,
  probesOf,
  hooksOf,
  mirrorOf,
};

function planOptions(args: ParallelReleaseArgs): PlanOptions {
  const { mirror: mirroring = {}, data, promotion, steps = [], readOnlyLimitMs } = args;
  const { promotion: _promotion, ...staged } = stagedPlanOptions(args);
  return {
    ...staged,
    // The mirror's Pods have to be ready before the Service is led to them.
    scaleLimitMs: args.scaleLimitMs ?? Math.max(defaults.scaleLimitMs, 2 * mirrorOf(args).readyLimitMs),
    readOnlyLimitMs,
    steps: [
      ...startOf(data),
      mirror(mirroring.percent ?? defaults.percent),
      soak(mirroring.durationMs ?? defaults.durationMs),
      ...steps,
      ...(promotion === "approved" ? [pause(promotionPause)] : []),
      analysis(),
      ...cutOverOf(data),
    ],
    closing: data?.finish ? [runHook(names.finish, { limitMs: limitOf(data) })] : [],
  };
}

function startOf(data: DataArgs | undefined): Step[] {
  if (!data?.start) return [];
  return [runHook(names.start, { limitMs: limitOf(data), undo: names.stop, keepsInStep: true })];
}

function cutOverOf(data: DataArgs | undefined): Step[] {
  if (!data) return [];
  const limitMs = limitOf(data);
  return [
    runHook(names.cutOver, { limitMs, undo: names.goBack, startsReadOnly: true }),
    setWeight(100),
    analysis(),
    ...(data.reverse ? [runHook(names.reverse, { limitMs })] : []),
  ];
}

function limitOf({ hookLimitMs }: DataArgs): number {
  return hookLimitMs ?? defaults.hookLimitMs;
}

function probesOf({ mirror: mirroring = {}, data }: ParallelReleaseArgs, verify: readonly ProbeInput[]): ProbeInput[] {
  const { maximumDifferencePercent, minimumCompared, compareLatency } = mirroring;
  const compared = difference({
    ...(maximumDifferencePercent === undefined ? {} : { maximumPercent: maximumDifferencePercent }),
    ...(minimumCompared === undefined ? {} : { minimumCompared }),
    ...(compareLatency ? { compare: compareLatency } : {}),
  });
  const isOwn = verify.some(({ kind }) => kind === "difference");
  return [...verify, ...(isOwn ? [] : [compared]), ...(data?.lag ? [lagProbe(data.lag)] : [])];
}

function lagProbe({ hook, attempts, ...told }: LagArgs): LagProbe {
  return lag({
    // A Job takes a while to start.
    ...(hook ? { hook: names.lag, intervalMs: 5_000 } : {}),
    ...(attempts === undefined ? {} : { count: attempts, failureLimit: attempts - 1 }),
    ...told,
  });
}

function hooksOf({ data, hooks = {} }: ParallelReleaseArgs): Readonly<Record<string, HookInput>> {
  if (!data) return hooks;
  const { start, stop, lag: behind, cutOver, goBack, reverse, finish } = data;
  return {
    ...hooks,
    ...named(names.start, start),
    ...named(names.stop, stop),
    ...named(names.lag, behind?.hook),
    ...named(names.cutOver, cutOver),
    ...named(names.goBack, goBack),
    ...named(names.reverse, reverse),
    ...named(names.finish, finish),
  };
}

function named(name: string, hook: HookInput | undefined): Readonly<Record<string, HookInput>> {
  return hook ? { [name]: hook } : {};
}

function mirrorOf({ mirror: mirroring = {}, replicas }: ParallelReleaseArgs): MirrorSpec {
  const { percent, durationMs, maximumDifferencePercent, minimumCompared, compareLatency, ...spec } = mirroring;
  return mirrorSpecSchema.parse({ replicas: Math.max(defaults.replicas, replicas ?? 0), ...spec });
}

/** Arguments of a {@link ParallelDeployment}. */
export type ParallelDeploymentArgs = ParallelReleaseArgs;

/**
 * Releases a service with the old and the new version at work side by side: the new one gets copies of requests whose answers nobody
 * sees, they are compared with the old one's, and its data is kept in step. Only when that is proved, all traffic moves at once,
 * after a last synchronisation in which nobody can write. On any failure traffic goes back, what was written meanwhile too, and the
 * update fails. A plan may pause for days in between; both versions then stay declared, and the mirror goes on.
 *
 * @example new ParallelDeployment("web", {
 *   container: { image: "registry.example/web:2.0", port: 8080 },
 *   mirror: { durationMs: 60_000, ignore: ["$.requestId"] },
 *   verify: [http("/health")],
 * })
 */
export class ParallelDeployment extends Release<ParallelReleaseArgs> {
  constructor(name: string, args: ParallelDeploymentArgs, options?: pulumi.ComponentResourceOptions) {
    super(parallel, name, args, options);
  }
}
