import { BasculeError, planProblems, type Plan, type Probe } from "@bascule/core";
import { planProblem } from "../router/router-abilities.ts";
import type { ReleaseArgs } from "./release-args.ts";
import type { RouterInput } from "./router-input.ts";

/** What a release declares beside its plan. */
export interface Declared {
  readonly args: ReleaseArgs;
  readonly router: RouterInput;
  readonly probes: readonly Pick<Probe, "name" | "targets" | "kind">[];
  /** The names of the hooks. */
  readonly hooks: readonly string[];
}

/**
 * Refuses a plan that asks for what is not declared, or for what its router cannot do.
 *
 * @throws BasculeError `invalid-input`
 */
export function checkPlan(plan: Plan, { args, router, probes, hooks }: Declared): void {
  const [problem] = planProblems(plan, { probes, hooks });
  if (problem !== undefined) throw invalid(problem);
  const unable = planProblem(router.kind, plan);
  if (unable !== undefined) throw invalid(`the router cannot follow the plan: ${unable}`);
  if (args.autoscale && plan.strategy === "direct") {
    throw invalid(
      "autoscale does not go with a direct release, which would switch to a version that was not grown to the load: use a BlueGreenDeployment",
    );
  }
  if (router.kind === "replicas") checkRatio(plan, args);
  if (router.kind !== "istio" && router.kind !== "smi") return;
  if (args.entrance === undefined && probes.some(({ targets }) => targets?.includes("service") !== false)) {
    throw invalid(
      `entrance is missing: only you know where clients of the mesh come in, and the probes have to ask there; give host and port`,
    );
  }
}

function checkRatio(plan: Plan, args: ReleaseArgs): void {
  const refuse = (field: string, why: string): never => {
    throw invalid(`${field} does not go with replicaRatio(): ${why}`);
  };
  if (args.standby) {
    refuse("standby", "every Pod of the release gets its share of the traffic; use a router with weights");
  }
  if (args.autoscale) refuse("autoscale", "the number of Pods is what splits the traffic; use a router with weights");
  if (args.replicas === 0) refuse("replicas = 0", "without Pods there is nothing to split; declare one at the least");
  if (plan.steps.some(({ kind }) => kind === "scale")) {
    refuse("sizing", "sizes follow the weights there; leave out scale(), sizing and previewReplicas");
  }
}

function invalid(message: string): BasculeError {
  return new BasculeError("invalid-input", message);
}
