import type * as pulumi from "@pulumi/pulumi";
import type { ReleaseArgs } from "./release-args.ts";
import { Release } from "./release.ts";

/**
 * Releases a service blue/green: the new version stands up beside the old one, is verified without traffic, gets all of it at
 * once, is verified as clients see it, and only then the old one goes. On any failure traffic goes back, verified, and the update
 * fails.
 *
 * @example new BlueGreenDeployment("web", { container: { image: "registry.example/web:1.5", port: 8080 }, verify: [http("/health")] })
 */
export class BlueGreenDeployment extends Release {
  constructor(name: string, args: ReleaseArgs, options?: pulumi.ComponentResourceOptions) {
    super("BlueGreenDeployment", "blueGreen", name, args, options);
  }
}
