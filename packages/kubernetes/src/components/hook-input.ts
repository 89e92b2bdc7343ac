import type * as pulumi from "@pulumi/pulumi";
import type { Hook } from "../hooks.ts";

/** A hook of which the values of the environment may be outputs. What is secret belongs into `environmentFromSecrets`. */
export type HookInput = Omit<Hook, "environment"> & {
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
};
