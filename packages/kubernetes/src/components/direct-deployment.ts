import type * as pulumi from "@pulumi/pulumi";
import { directArgsSchema, type ReleaseArgs } from "./release-args.ts";
import { Release, type ReleaseKind } from "./release.ts";
import { serviceSwitch } from "./router-input.ts";

const direct: ReleaseKind<ReleaseArgs> = {
  name: "DirectDeployment",
  strategy: "direct",
  schema: directArgsSchema,
  defaultRouter: serviceSwitch(),
  planOptions: () => ({}),
  stagesOf: () => ({}),
};

/** Arguments of a {@link DirectDeployment}: it has neither stages nor a hold. */
export type DirectDeploymentArgs = ReleaseArgs;

/**
 * Releases a small change at once: the new version gets all the traffic as soon as it is ready, and is then verified as clients
 * see it. The old version stays until that is proved, so going back is a switch here too.
 */
export class DirectDeployment extends Release {
  constructor(name: string, args: DirectDeploymentArgs, options?: pulumi.ComponentResourceOptions) {
    super(direct, name, args, options);
  }
}
