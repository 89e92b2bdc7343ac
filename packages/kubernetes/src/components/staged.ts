import type { PlanOptions } from "@bascule/core";
import type { StagedReleaseArgs } from "./release-args.ts";

/** What a plan in stages takes from its arguments. */
export function stagedPlanOptions(args: StagedReleaseArgs): PlanOptions {
  const { holdMs, promotion, runBudgetMs, scaleLimitMs } = args;
  return { holdMs, promotion, runBudgetMs, scaleLimitMs, previewReplicas: previewSize(args) };
}

/** An autoscaled release is sized by what serves; so a candidate begins small, and grows to that before it is promoted. */
function previewSize({ previewReplicas, autoscale, replicas = 2 }: StagedReleaseArgs): number | undefined {
  if (previewReplicas !== undefined || autoscale === undefined) return previewReplicas;
  return Math.max(1, autoscale.minReplicas ?? replicas);
}
