import { BasculeError, type Plan } from "@bascule/core";
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
  return "replicas" in first.size ? first.size.replicas : Math.ceil((replicas * first.size.percent) / 100);
}

/**
 * Refuses what a router cannot do.
 *
 * @throws BasculeError `invalid-input`
 */
export function checkRouter(plan: Plan, router: RouterInput, args: ReleaseArgs): void {
  if (router.kind !== "replicas") return;
  const refuse = (field: string, why: string): never => {
    throw new BasculeError("invalid-input", `${field} does not go with replicaRatio(): ${why}`);
  };
  if (args.standby)
    refuse("standby", "every Pod of the release gets its share of the traffic; use a router with weights");
  if (args.autoscale) refuse("autoscale", "the number of Pods is what splits the traffic; use a router with weights");
  if (args.replicas === 0) refuse("replicas = 0", "without Pods there is nothing to split; declare one at the least");
  if (plan.steps.some(({ kind }) => kind === "scale")) {
    refuse("sizing", "sizes follow the weights there; leave out scale(), sizing and previewReplicas");
  }
}
