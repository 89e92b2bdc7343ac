import { createHash } from "node:crypto";
import { BasculeError } from "@bascule/core";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/** Names a secret of the stack's configuration; see {@link stackSecret}. */
export const stackSecretSchema = z.strictObject({ stackSecret: z.string().min(1) });
export type StackSecret = z.infer<typeof stackSecretSchema>;

/**
 * A secret of the stack's configuration, by its key, for example `dbPassword` or `shop:dbPassword`. The version has a Secret of its
 * own with the value, so that a changed secret is a new version; the value is kept encrypted in the state, and the version's name
 * holds a few digits of a hash of it.
 *
 * @example new ProgressiveDeployment("web", { container, secrets: { DB_PASSWORD: stackSecret("dbPassword") } })
 */
export function stackSecret(key: string): StackSecret {
  return { stackSecret: key };
}

/**
 * The value of a secret.
 *
 * @throws BasculeError `invalid-input` when the stack has none of this name
 */
export function secretValue({ stackSecret: key }: StackSecret, subject: string): string {
  const fullKey = key.includes(":") ? key : `${pulumi.getProject()}:${key}`;
  const value = pulumi.runtime.getConfig(fullKey);
  if (value !== undefined) return value;
  throw new BasculeError(
    "invalid-input",
    `${subject}: the stack's configuration has no ${fullKey}. Set it with 'pulumi config set --secret ${key}'. Nothing was changed.`,
  );
}

/** What a secret adds to the content that names a version: a digest, bound to where it is used. */
export function secretDigest(release: string, name: string, value: string): string {
  return createHash("sha256")
    .update(JSON.stringify([release, name, value]))
    .digest("hex");
}
