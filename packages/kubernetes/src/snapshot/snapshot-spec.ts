import { z } from "zod";

const command = z
  .array(z.string().min(1))
  .min(1, { error: 'must be a command, for example ["pg_dump", "--format=custom", "shop"]' });

/** The manifests of what the release is about to change. */
const manifestsSpecSchema = z.strictObject({ kind: z.literal("manifests") });

const databaseDumpSpecSchema = z.strictObject({
  kind: z.literal("databaseDump"),
  /** Names the dump among others of the same release. */
  name: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/, { error: "must be 1 to 22 lower-case letters, digits or dashes" }),
  /** An image with `sh`, `cat`, `wc`, `sha256sum` and `sleep` beside the database's tools, as every database's own image is. */
  image: z.string().min(1),
  /** Writes the dump to its standard output. */
  command,
  /** Proves that the dump can be restored: finds it at `$BASCULE_DUMP_FILE`, and ends with 0 when it is good. */
  restoreTest: command,
  /** Secrets in the namespace whose keys become the commands' environment; their values never pass through here. */
  environmentFromSecrets: z.array(z.string().min(1)).optional(),
  /** Plain environment of the commands. */
  environment: z.record(z.string(), z.string()).optional(),
  /** The most that the dump may take. Default 1,800,000. */
  timeoutMs: z.int().positive().optional(),
});

export const snapshotSpecSchema = z.discriminatedUnion("kind", [manifestsSpecSchema, databaseDumpSpecSchema], {
  error: "must be manifests() or databaseDump({ … })",
});
export type SnapshotSpec = z.infer<typeof snapshotSpecSchema>;
export type DatabaseDumpSpec = z.infer<typeof databaseDumpSpecSchema>;

/** Saves the manifests of the release as they are in the cluster. */
export function manifests(): SnapshotSpec {
  return { kind: "manifests" };
}

/**
 * Dumps a database by a Job in the cluster, brings the dump here, and proves that it can be restored.
 *
 * @example databaseDump({ name: "shop", image: "postgres:17.2", command: ["pg_dump", "-Fc", "shop"],
 *   restoreTest: ["sh", "-c", "pg_restore --list \"$BASCULE_DUMP_FILE\""], environmentFromSecrets: ["shop-db"] })
 */
export function databaseDump(spec: Omit<DatabaseDumpSpec, "kind">): SnapshotSpec {
  return { kind: "databaseDump", ...spec };
}
