import { podsOf, type Plan } from "@bascule/core";
import type { ReleaseArgs } from "./release-args.ts";
import type { RouterInput } from "./router-input.ts";

/** A version that the router sizes is verified with one Pod before it has traffic. */
const smallestSize = 1;

/** Whether the cut-over, and not the declaration alone, says how many Pods a version has. */
export function isSizedByCutover(plan: Plan, router: RouterInput, { autoscale }: ReleaseArgs): boolean {
  return router.kind === "replicas" || autoscale !== undefined || plan.steps.some(({ kind }) => kind === "scale");
}

/** The Pods that a new version begins with. */
export function firstSize(plan: Plan, router: RouterInput, replicas: number): number {
  if (router.kind === "replicas") return smallestSize;
  const [first] = plan.steps;
  if (first?.kind !== "scale") return replicas;
  return podsOf(first.size, replicas);
}
