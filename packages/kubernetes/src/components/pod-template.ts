import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { deepmerge } from "deepmerge-ts";
import { versionSelector } from "../labels.ts";
import type { VersionSpec } from "./release-args.ts";
import { restrictedContainer, restrictedPod } from "./restricted.ts";

export type PodTemplate = pulumi.Unwrap<kubernetes.types.input.core.v1.PodTemplateSpec>;

/** What the Pods of a version are made of, before the version has its name. */
export function podSpecOf(release: string, { container, podTemplate }: VersionSpec) {
  const { port, ...fields } = container;
  const defaults = {
    spec: {
      ...restrictedPod,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 30,
      containers: [
        deepmerge(
          {
            name: release,
            ports: [{ name: "main", containerPort: port }],
            securityContext: restrictedContainer,
            resources: { requests: { cpu: "50m", memory: "64Mi" } },
            ...(fields.readinessProbe ? {} : { readinessProbe: { tcpSocket: { port }, periodSeconds: 1 } }),
          },
          fields,
        ),
      ],
    },
  };
  return podTemplate ? deepmerge(defaults, podTemplate) : defaults;
}

/** The Pod template of a named version: labelled, told its own name, and spread over nodes when there are several. */
export function podTemplateOf(release: string, version: string, spec: VersionSpec, replicas: number): PodTemplate {
  const labels = { ...spec.labels, ...objectLabels(release, version) };
  const own = {
    metadata: { labels },
    spec: {
      ...(replicas > 1 ? { topologySpreadConstraints: [spread(release, version)] } : {}),
    },
  };
  const merged = deepmerge(podSpecOf(release, spec), own);
  const [first, ...others] = merged.spec.containers;
  if (!first) return merged;
  const told = deepmerge(first, {
    env: [{ name: "BASCULE_VERSION", value: version }],
    ...(spec.config ? { envFrom: [{ configMapRef: { name: version } }] } : {}),
  });
  return { ...merged, spec: { ...merged.spec, containers: [told, ...others] } };
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
