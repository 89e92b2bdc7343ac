import { versionId, type VersionId } from "@bascule/core";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { versionSelector } from "../labels.ts";
import { filesOf, objectLabels, podTemplateContent, podTemplateOf } from "./pod-template.ts";
import type { VersionSpec } from "./release-args.ts";
import { secretDigest, secretValue } from "./stack-secret.ts";

export interface VersionResourcesArgs {
  readonly release: string;
  readonly version: VersionId;
  readonly spec: VersionSpec;
  /** The size that is declared. */
  readonly replicas: number;
  /** Set where the cut-over sizes versions: the Pods that a new one begins with. */
  readonly initialReplicas?: number | undefined;
  /** The ports of a Service of its own, which a router or a reviewer reaches the version by. */
  readonly service?: { readonly port: number; readonly targetPort: number } | undefined;
  readonly namespace: pulumi.Input<string>;
  readonly readyTimeoutMs: number;
  /** What is being declared, for messages. */
  readonly subject: string;
}

/**
 * The name of a version: what runs is its content. The number of replicas is not part of it, because more Pods of the same are no
 * new version, and neither is anything that only concerns how it is released.
 *
 * @throws BasculeError `invalid-input` when the stack has no such secret
 */
export function versionOf(release: string, spec: VersionSpec, subject: string): VersionId {
  const digests = Object.entries(spec.secrets ?? {}).map(
    ([name, secret]) => [name, secretDigest(release, name, secretValue(secret, subject))] as const,
  );
  return versionId(release, {
    pod: podTemplateContent(release, spec),
    config: spec.config ?? {},
    labels: spec.labels ?? {},
    ...(spec.files ? { files: spec.files } : {}),
    ...(spec.secrets ? { secrets: Object.fromEntries(digests) } : {}),
  });
}

/** Declares all of one version, under names of its own, so that it stands beside every other version. */
export function declareVersion(args: VersionResourcesArgs, options: pulumi.CustomResourceOptions): pulumi.Resource[] {
  const { release, version, spec, replicas, initialReplicas, namespace, readyTimeoutMs } = args;
  const labels = { ...spec.labels, ...objectLabels(release, version) };
  const selector = { matchLabels: versionSelector(release, version) };
  const metadata = { name: version, namespace, labels };

  const configuration = declareConfiguration(args, metadata, options);
  const deployment = new kubernetes.apps.v1.Deployment(
    version,
    {
      metadata: { ...metadata, annotations: { "pulumi.com/timeoutSeconds": String(Math.ceil(readyTimeoutMs / 1000)) } },
      spec: {
        replicas: initialReplicas ?? replicas,
        selector,
        progressDeadlineSeconds: Math.ceil(readyTimeoutMs / 1000),
        template: podTemplateOf(release, version, spec, replicas),
      },
    },
    {
      ...options,
      dependsOn: [...dependenciesOf(options), ...configuration],
      ...(initialReplicas === undefined ? {} : { ignoreChanges: ["spec.replicas"] }),
    },
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
  return [...configuration, deployment, ...budget, ...declareService(args, metadata, options, deployment)];
}

interface Metadata {
  readonly name: string;
  readonly namespace: pulumi.Input<string>;
  readonly labels: Record<string, string>;
}

/** What the version is configured by is part of it, immutable and named after it. */
function declareConfiguration(
  { version, spec, subject }: VersionResourcesArgs,
  metadata: Metadata,
  options: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
  const { config, secrets } = spec;
  const values = Object.entries(secrets ?? {}).map(
    ([name, secret]) => [name, pulumi.secret(secretValue(secret, subject))] as const,
  );
  return [
    ...(config
      ? [new kubernetes.core.v1.ConfigMap(version, { metadata, data: { ...config }, immutable: true }, options)]
      : []),
    ...filesOf(version, spec).map(
      ({ name, content }) =>
        new kubernetes.core.v1.ConfigMap(
          name,
          { metadata: { ...metadata, name }, data: { ...content }, immutable: true },
          options,
        ),
    ),
    ...(secrets
      ? [
          new kubernetes.core.v1.Secret(
            version,
            { metadata, stringData: Object.fromEntries(values), immutable: true },
            options,
          ),
        ]
      : []),
  ];
}

function declareService(
  { release, version, service }: VersionResourcesArgs,
  metadata: Metadata,
  options: pulumi.CustomResourceOptions,
  deployment: pulumi.Resource,
): pulumi.Resource[] {
  if (!service) return [];
  const spec = {
    selector: versionSelector(release, version),
    ports: [{ name: "main", port: service.port, targetPort: service.targetPort }],
  };
  return [
    new kubernetes.core.v1.Service(
      version,
      // A version may have no Pod for a while, so there is nothing to wait for.
      { metadata: { ...metadata, annotations: { "pulumi.com/skipAwait": "true" } }, spec },
      { ...options, dependsOn: [...dependenciesOf(options), deployment] },
    ),
  ];
}

function dependenciesOf({ dependsOn }: pulumi.CustomResourceOptions): pulumi.Resource[] {
  return Array.isArray(dependsOn)
    ? dependsOn.filter((dependency): dependency is pulumi.Resource => "urn" in dependency)
    : [];
}
