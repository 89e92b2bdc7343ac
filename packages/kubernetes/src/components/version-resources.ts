import { versionId, type VersionId } from "@bascule/core";
import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { versionSelector } from "../labels.ts";
import { objectLabels, podTemplateContent, podTemplateOf } from "./pod-template.ts";
import type { VersionSpec } from "./release-args.ts";

export interface VersionResourcesArgs {
  readonly release: string;
  readonly version: VersionId;
  readonly spec: VersionSpec;
  readonly replicas: number;
  readonly namespace: pulumi.Input<string>;
  readonly readyTimeoutMs: number;
}

/**
 * The name of a version: what runs is its content. The number of replicas is not part of it, because more Pods of the same are no
 * new version, and neither is anything that only concerns how it is released.
 */
export function versionOf(release: string, spec: VersionSpec): VersionId {
  return versionId(release, {
    pod: podTemplateContent(release, spec),
    config: spec.config ?? {},
    labels: spec.labels ?? {},
  });
}

/** Declares all of one version, under names of its own, so that it stands beside every other version. */
export function declareVersion(args: VersionResourcesArgs, options: pulumi.CustomResourceOptions): pulumi.Resource[] {
  const { release, version, spec, replicas, namespace } = args;
  const labels = { ...spec.labels, ...objectLabels(release, version) };
  const selector = { matchLabels: versionSelector(release, version) };
  const metadata = { name: version, namespace, labels };

  const config = spec.config
    ? [new kubernetes.core.v1.ConfigMap(version, { metadata, data: { ...spec.config }, immutable: true }, options)]
    : [];
  const deployment = new kubernetes.apps.v1.Deployment(
    version,
    {
      metadata: {
        ...metadata,
        annotations: { "pulumi.com/timeoutSeconds": String(Math.ceil(args.readyTimeoutMs / 1000)) },
      },
      spec: {
        replicas,
        selector,
        progressDeadlineSeconds: Math.ceil(args.readyTimeoutMs / 1000),
        template: podTemplateOf(release, version, spec, replicas),
      },
    },
    { ...options, dependsOn: [...dependenciesOf(options), ...config] },
  );
  const budget =
    replicas > 1
      ? [
          new kubernetes.policy.v1.PodDisruptionBudget(
            version,
            { metadata, spec: { maxUnavailable: 1, selector } },
            options,
          ),
        ]
      : [];
  return [...config, deployment, ...budget];
}

function dependenciesOf({ dependsOn }: pulumi.CustomResourceOptions): pulumi.Resource[] {
  return Array.isArray(dependsOn)
    ? dependsOn.filter((dependency): dependency is pulumi.Resource => "urn" in dependency)
    : [];
}
