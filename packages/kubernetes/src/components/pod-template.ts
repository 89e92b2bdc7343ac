import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { deepmerge } from "deepmerge-ts";
import { versionSelector } from "../labels.ts";
import type { VersionSpec } from "./release-args.ts";
import { restrictedContainer, restrictedPod } from "./restricted.ts";

export type PodTemplate = pulumi.Unwrap<kubernetes.types.input.core.v1.PodTemplateSpec>;

type PodSpec = pulumi.Unwrap<kubernetes.types.input.core.v1.PodSpec>;

/** What the Pods of a version are made of, before the version has its name. */
export function podTemplateContent(release: string, { container, podTemplate }: VersionSpec) {
  const { port, ...fields } = container;
  const main = deepmerge(
    {
      name: release,
      ports: [{ name: "main", containerPort: port }],
      securityContext: restrictedContainer,
      resources: { requests: { cpu: "50m", memory: "64Mi" } },
      ...(fields.readinessProbe ? {} : { readinessProbe: { tcpSocket: { port }, periodSeconds: 1 } }),
    },
    fields,
  );
  const defaults: PodSpec = {
    ...restrictedPod,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 30,
    containers: [main],
  };
  return { metadata: podTemplate?.metadata ?? {}, spec: mergePodSpec(defaults, podTemplate?.spec ?? {}) };
}

/** The Pod template of a named version: labelled, told its own name, and spread over nodes when there are several. */
export function podTemplateOf(release: string, version: string, spec: VersionSpec, replicas: number): PodTemplate {
  const content = podTemplateContent(release, spec);
  const labels = { ...content.metadata.labels, ...spec.labels, ...objectLabels(release, version) };
  const [main, ...others] = content.spec.containers;
  if (!main) throw new RangeError("A version has at least its main container; this is a defect.");
  const told = {
    ...main,
    env: [...(main.env ?? []), { name: "BASCULE_VERSION", value: version }],
    ...withItems("envFrom", main.envFrom, [
      ...(spec.config ? [{ configMapRef: { name: version } }] : []),
      ...(spec.secrets ? [{ secretRef: { name: version } }] : []),
    ]),
    ...withItems(
      "volumeMounts",
      main.volumeMounts,
      filesOf(version, spec).map(({ name, directory }) => ({ name, mountPath: directory, readOnly: true })),
    ),
  };
  const constraints = content.spec.topologySpreadConstraints ?? [];
  return {
    metadata: { ...content.metadata, labels },
    spec: {
      ...content.spec,
      containers: [told, ...others],
      ...withItems(
        "volumes",
        content.spec.volumes,
        filesOf(version, spec).map(({ name }) => ({ name, configMap: { name } })),
      ),
      ...(replicas > 1 ? { topologySpreadConstraints: [...constraints, spread(release, version)] } : {}),
    },
  };
}

/** The files of a version: one ConfigMap for each directory. */
export function filesOf(version: string, { files = {} }: VersionSpec) {
  return Object.entries(files).map(([directory, content], index) => ({
    name: `${version}-files-${index}`,
    directory,
    content,
  }));
}

/** A list with more items; no field at all where there is none. */
function withItems<Field extends string, Item>(
  field: Field,
  items: readonly Item[] | undefined,
  more: readonly Item[],
): Partial<Record<Field, Item[]>> {
  const all = [...(items ?? []), ...more];
  const list: Partial<Record<Field, Item[]>> = {};
  if (all.length > 0) list[field] = all;
  return list;
}

/** Merges at any depth, and joins lists. Without the types, which the Pod's are too deep for. */
function mergePodSpec(base: PodSpec, change: Partial<PodSpec>): PodSpec {
  const merged = deepmerge<[unknown, unknown]>(base, change);
  if (!isPodSpec(merged)) throw new TypeError("podTemplate.spec.containers must be a list of containers.");
  return merged;
}

function isPodSpec(value: unknown): value is PodSpec {
  return typeof value === "object" && value !== null && "containers" in value && Array.isArray(value.containers);
}

/** The labels of every object of a version. */
export function objectLabels(release: string, version: string): Record<string, string> {
  return {
    "app.kubernetes.io/name": release,
    "app.kubernetes.io/managed-by": "bascule",
    ...versionSelector(release, version),
  };
}

function spread(release: string, version: string) {
  return {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: versionSelector(release, version) },
  };
}
