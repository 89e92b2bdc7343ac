import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { BasculeError } from "@bascule/core";
import type { SnapshotTaken } from "@bascule/pulumi";
import { z } from "zod";
import type { Api } from "../api.ts";
import { markerAnnotation, releaseLabel } from "../labels.ts";
import { beginSnapshot, measureFile } from "./snapshot-store.ts";

const objectSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
});
type StoredObject = z.infer<typeof objectSchema>;

/** What a release is made of in a cluster. */
const collections = [
  { kind: "Service", apiVersion: "v1", path: (namespace: string) => `/api/v1/namespaces/${namespace}/services` },
  { kind: "ConfigMap", apiVersion: "v1", path: (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps` },
  {
    kind: "Deployment",
    apiVersion: "apps/v1",
    path: (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments`,
  },
  {
    kind: "PodDisruptionBudget",
    apiVersion: "policy/v1",
    path: (namespace: string) => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
  },
] as const;

/** Fields that the server sets, and that a restored object must not bring along. */
const serverFields = new Set([
  "resourceVersion",
  "uid",
  "creationTimestamp",
  "generation",
  "managedFields",
  "selfLink",
  "ownerReferences",
]);

export interface ManifestsRequest {
  readonly api: Api;
  readonly release: string;
  readonly namespace: string;
  readonly directory: string;
  readonly id: string;
  readonly takenAt: string;
}

/** Saves every object of the release. */
export async function snapshotManifests(request: ManifestsRequest, signal: AbortSignal): Promise<SnapshotTaken> {
  const { api, release, namespace, directory, id, takenAt } = request;
  const objects: unknown[] = [];
  for (const { kind, apiVersion, path } of collections) {
    const found = await api.list(
      path(encodeURIComponent(namespace)),
      { labelSelector: `${releaseLabel}=${release}` },
      objectSchema,
      signal,
    );
    objects.push(...found.map((object) => ({ ...cleaned(object), apiVersion, kind })));
  }
  const content = `${JSON.stringify({ release, namespace, takenAt, objects }, null, 2)}\n`;
  const draft = await beginSnapshot(directory, id, "manifests");
  try {
    await writeFile(draft.contentPath, content);
    return await draft.keep(
      { sizeBytes: Buffer.byteLength(content), sha256: createHash("sha256").update(content).digest("hex") },
      takenAt,
    );
  } catch (thrown) {
    await draft.discard();
    throw thrown;
  }
}

const storedSchema = z.strictObject({
  release: z.string(),
  namespace: z.string(),
  takenAt: z.string(),
  objects: z.array(
    z.looseObject({ apiVersion: z.string(), kind: z.string(), metadata: z.looseObject({ name: z.string() }) }),
  ),
});

/**
 * Applies the saved objects again, each with the content that it had.
 *
 * @throws BasculeError `snapshot-failed` when the file is not what was saved
 */
export async function restoreManifests(
  api: Api,
  snapshot: SnapshotTaken,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { sha256 } = await measureFile(snapshot.location);
  if (sha256 !== snapshot.sha256) {
    throw new BasculeError(
      "snapshot-failed",
      `The snapshot ${snapshot.location} has the SHA-256 ${sha256}, not ${snapshot.sha256}: it was changed since, so nothing was restored. Take an older one.`,
    );
  }
  const { namespace, objects } = storedSchema.parse(JSON.parse(await readFile(snapshot.location, "utf8")));
  const restored: string[] = [];
  for (const object of objects) {
    const collection = collections.find(({ kind }) => kind === object.kind);
    if (!collection) continue;
    const path = `${collection.path(encodeURIComponent(namespace))}/${encodeURIComponent(object.metadata.name)}?fieldManager=bascule-restore&force=true`;
    await api.send(
      { method: "PATCH", path, body: object, contentType: "application/apply-patch+yaml" },
      z.unknown(),
      signal,
    );
    restored.push(`${object.kind} ${object.metadata.name}`);
  }
  return restored;
}

function cleaned({ status: _status, ...object }: StoredObject): Record<string, unknown> {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => !serverFields.has(key)));
  const annotations = Object.fromEntries(
    Object.entries(object.metadata.annotations ?? {}).filter(([key]) => key !== markerAnnotation),
  );
  return { ...object, metadata: { ...metadata, annotations } };
}
