import type * as pulumi from "@pulumi/pulumi";
import { blueGreenArgsSchema, type StagedReleaseArgs } from "./release-args.ts";
import { Release, type ReleaseKind } from "./release.ts";
import { serviceSwitch } from "./router-input.ts";
import { stagedPlanOptions } from "./staged.ts";

const blueGreen: ReleaseKind<StagedReleaseArgs> = {
  name: "BlueGreenDeployment",
  strategy: "blueGreen",
  schema: blueGreenArgsSchema,
  defaultRouter: serviceSwitch(),
  planOptions: stagedPlanOptions,
  stagesOf: (args) => args,
};

/** Arguments of a {@link BlueGreenDeployment}. */
export type BlueGreenDeploymentArgs = StagedReleaseArgs;

/**
 * Releases a service blue/green: the new version stands up beside the old one, is verified without traffic, gets all of it at
 * once, is verified as clients see it, and only then the old one goes. On any failure traffic goes back, verified, and the update
 * fails.
 *
 * @example new BlueGreenDeployment("web", { container: { image: "registry.example/web:1.5", port: 8080 }, verify: [http("/health")] })
 */
export class BlueGreenDeployment extends Release<StagedReleaseArgs> {
  constructor(name: string, args: BlueGreenDeploymentArgs, options?: pulumi.ComponentResourceOptions) {
    super(blueGreen, name, args, options);
  }
}
