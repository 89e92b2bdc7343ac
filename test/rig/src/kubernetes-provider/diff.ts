import { isDeepStrictEqual } from "node:util";
import type { Manifest } from "./manifest.ts";
import { isRecord } from "./secrets.ts";

/** Fields that Kubernetes does not let change, by kind; their change replaces the object. */
const immutable: Readonly<Record<string, readonly string[]>> = {
  Deployment: ["spec.selector"],
  ReplicaSet: ["spec.selector"],
  DaemonSet: ["spec.selector"],
  StatefulSet: ["spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"],
  Job: ["spec.selector", "spec.template", "spec.completions"],
  Service: ["spec.clusterIP"],
  PersistentVolumeClaim: ["spec.accessModes", "spec.storageClassName", "spec.volumeName", "spec.selector"],
  Pod: ["spec.containers", "spec.nodeName", "spec.restartPolicy"],
};

const identity = ["apiVersion", "kind", "metadata.name", "metadata.namespace"];

/** Whether an object changes, and by which fields it has to be replaced. */
export function diffOf(old: Manifest, declared: Manifest): { readonly changes: boolean; readonly replaces: string[] } {
  const frozen = isFrozen(old) ? ["data", "binaryData", "stringData"] : [];
  const fields = [...identity, ...(immutable[declared.kind] ?? []), ...frozen];
  const replaces = fields.filter((field) => !isDeepStrictEqual(valueAt(old, field), valueAt(declared, field)));
  return { changes: !isDeepStrictEqual(old, declared), replaces };
}

/** What of the live object the declaration speaks of: fields that Kubernetes added are not a difference. */
export function projectOnto(declared: unknown, live: unknown): unknown {
  if (live === undefined) return undefined;
  if (Array.isArray(declared)) {
    if (!Array.isArray(live)) return live;
    return live.map((item: unknown, index) => (index < declared.length ? projectOnto(declared[index], item) : item));
  }
  if (!isRecord(declared)) return live;
  if (!isRecord(live)) return live;
  const kept = Object.keys(declared)
    .map((key) => [key, projectOnto(declared[key], live[key])] as const)
    .filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept);
}

function isFrozen(manifest: Manifest): boolean {
  return (manifest.kind === "ConfigMap" || manifest.kind === "Secret") && manifest["immutable"] === true;
}

function valueAt(manifest: Manifest, field: string): unknown {
  return field.split(".").reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), manifest);
}
