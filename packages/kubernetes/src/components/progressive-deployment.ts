import { setWeight, soak, type Step } from "@bascule/core";
import type * as pulumi from "@pulumi/pulumi";
import { progressiveArgsSchema, type ProgressiveReleaseArgs } from "./release-args.ts";
import { Release, type ReleaseKind } from "./release.ts";
import { replicaRatio } from "./router-input.ts";
import { stagedPlanOptions } from "./staged.ts";

const soakMs = 30_000;
const defaultSteps: readonly Step[] = [5, 25, 50].flatMap((weight) => [setWeight(weight), soak(soakMs)]);

const progressive: ReleaseKind<ProgressiveReleaseArgs> = {
  name: "ProgressiveDeployment",
  strategy: "progressive",
  schema: progressiveArgsSchema,
  defaultRouter: replicaRatio(),
  planOptions: (args) => ({
    ...stagedPlanOptions(args),
    steps: args.steps ?? defaultSteps,
    sizing: args.sizing,
    affinity: args.affinity,
    background: args.background && { startingStep: args.background.startingStep ?? 0, ...probesOf(args.background) },
  }),
  stagesOf: (args) => args,
};

function probesOf({ probes }: { readonly probes?: readonly string[] }): { readonly probes?: string[] } {
  return probes ? { probes: [...probes] } : {};
}

/** Arguments of a {@link ProgressiveDeployment}. */
export type ProgressiveDeploymentArgs = ProgressiveReleaseArgs;

/**
 * Releases a service step by step: the new version gets a growing share of the requests, is verified at each step as clients see
 * it, and takes over at the end; or, for A/B, the requests of chosen users first. On any failure the old version has everything
 * again, verified, and the update fails. A plan may pause until a later commit approves it; both versions then stay declared.
 *
 * @example new ProgressiveDeployment("web", {
 *   container: { image: "registry.example/web:1.5", port: 8080 },
 *   router: httpRoute({ parentRefs: [{ name: "public", namespace: "gateways" }], hostnames: ["shop.example"] }),
 *   steps: [setWeight(10), soak(60_000), setWeight(50), soak(60_000)],
 *   verify: [http("/health")],
 * })
 */
export class ProgressiveDeployment extends Release<ProgressiveReleaseArgs> {
  constructor(name: string, args: ProgressiveDeploymentArgs, options?: pulumi.ComponentResourceOptions) {
    super(progressive, name, args, options);
  }
}
