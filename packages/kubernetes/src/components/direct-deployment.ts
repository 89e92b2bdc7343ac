import type * as pulumi from "@pulumi/pulumi";
import type { ReleaseArgs } from "./release-args.ts";
import { Release } from "./release.ts";

/** Arguments of a {@link DirectDeployment}: it has no hold. */
export type DirectDeploymentArgs = Omit<ReleaseArgs, "holdMs">;

/**
 * Releases a small change at once: the new version gets all the traffic as soon as it is ready, and is then verified as clients
 * see it. The old version stays until that is proved, so going back is a switch here too.
 */
export class DirectDeployment extends Release {
  constructor(name: string, args: DirectDeploymentArgs, options?: pulumi.ComponentResourceOptions) {
    super("DirectDeployment", "direct", name, args, options);
  }
}
