import { join } from "node:path";
import { environmentOf, parseInput, planOf, tcp, type Strategy, type VersionId } from "@bascule/core";
import { protocol } from "@bascule/pulumi";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { manifests } from "../snapshot/snapshot-spec.ts";
import { Cutover } from "./cutover.ts";
import { mustBePlain, withPlaceholders } from "./plain.ts";
import { releaseArgsSchema, type ReleaseArgs } from "./release-args.ts";
import { Snapshot } from "./snapshot.ts";
import { declareVersion, versionOf } from "./version-resources.ts";

const defaults = {
  replicas: 2,
  namespace: "default",
  servicePort: 80,
  readyTimeoutMs: 300_000,
  keepSnapshots: 5,
} as const;
const namePattern = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** What the components for Kubernetes have in common: a release of one service, of which one version at a time has the traffic. */
export abstract class Release extends pulumi.ComponentResource {
  /** The version that this program declares, for example `web-3f9ac2d1`. */
  readonly version: VersionId;
  readonly serviceName: pulumi.Output<string>;
  readonly namespace: pulumi.Output<string>;
  /** Where the service is reached inside the cluster, `address:port`. */
  readonly address: pulumi.Output<string>;
  /** The path of the journal of the change that this version came with. */
  readonly journal: pulumi.Output<string>;
  /** The resource that owns the Service and its traffic. */
  readonly cutover: Cutover;

  /** @throws BasculeError `invalid-input` before any resource is registered */
  protected constructor(
    kind: string,
    strategy: Strategy,
    name: string,
    args: ReleaseArgs,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    const subject = `${kind} ${JSON.stringify(name)}`;
    const environment = args.environment ?? environmentOf(pulumi.getStack());
    checkArguments(subject, name, args, environment);
    super(`bascule:kubernetes:${kind}`, name, {}, options);

    const version = versionOf(name, args);
    const replicas = args.replicas ?? defaults.replicas;
    const namespace = pulumi.output(args.namespace ?? defaults.namespace);
    const readyTimeoutMs = args.readyTimeoutMs ?? defaults.readyTimeoutMs;
    const cluster = clusterOf(args);
    const records = args.recordsDirectory ?? join(".bascule", pulumi.getStack());
    const change = pulumi.output({ ...changeText(args), id: args.change?.id ?? version });
    const child = { parent: this, ...providerFor(name, args, options, this) };

    const snapshot = new Snapshot(
      `${version}-snapshot`,
      {
        protocol,
        release: name,
        version,
        change,
        journalDirectory: join(records, "journal"),
        directory: join(records, "snapshots"),
        cluster,
        namespace,
        specs: [...(args.snapshot ?? [manifests()])],
        keep: args.keepSnapshots ?? defaults.keepSnapshots,
      },
      { parent: this },
    );

    const standbyVersion = args.standby && versionOf(name, args.standby);
    const common = { release: name, replicas, namespace, readyTimeoutMs };
    const candidate = declareVersion({ ...common, version, spec: args }, { ...child, dependsOn: [snapshot] });
    const standby =
      args.standby && standbyVersion && standbyVersion !== version
        ? declareVersion({ ...common, version: standbyVersion, spec: args.standby }, child)
        : [];

    const probes = args.verify && args.verify.length > 0 ? [...args.verify] : [tcp()];
    this.cutover = new Cutover(
      name,
      {
        protocol,
        release: name,
        candidate: version,
        plan: planOf(strategy, {
          holdMs: args.holdMs,
          deadlineMs: args.deadlineMs,
          propagationLimitMs: args.propagationLimitMs,
          window: args.change?.window,
        }),
        probes: pulumi.output(probes),
        change,
        journalDirectory: join(records, "journal"),
        cluster,
        containerPort: args.container.port,
        router: pulumi.output({
          kind: "service" as const,
          name,
          namespace,
          type: args.service?.type ?? "ClusterIP",
          ports: [{ name: "main", port: args.service?.port ?? defaults.servicePort, targetPort: args.container.port }],
          labels: {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/managed-by": "bascule",
            ...args.service?.labels,
          },
          annotations: { ...args.service?.annotations },
        }),
      },
      { parent: this, dependsOn: [snapshot, ...candidate, ...standby] },
    );

    this.version = version;
    this.serviceName = pulumi.output(name);
    this.namespace = namespace;
    this.address = this.cutover.details.apply((details) => details["address"] ?? "");
    this.journal = this.cutover.journal;
    this.registerOutputs({ version, serviceName: name, namespace, address: this.address, journal: this.journal });
  }
}

function checkArguments(subject: string, name: string, args: ReleaseArgs, environment: string): void {
  parseInput(nameSchema, name, subject);
  for (const field of ["container", "config", "podTemplate", "labels", "standby", "replicas"] as const) {
    mustBePlain(args[field], field, subject);
  }
  parseInput(releaseArgsSchema, withPlaceholders({ ...args, environment }), subject);
}

const nameSchema = z.string().regex(namePattern, {
  error:
    "the name must be 1 to 40 lower-case letters, digits or dashes and begin with a letter, because Kubernetes objects are named after it",
});

/** What the journal says about the change, by field. */
function changeText({ change }: ReleaseArgs): Record<string, string> {
  return Object.fromEntries(
    Object.entries(change ?? {}).flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
  );
}

/** The cluster of the release: the same that the Kubernetes provider takes when nothing is said. */
function clusterOf({ cluster }: ReleaseArgs) {
  const settings = new pulumi.Config("kubernetes");
  const kubeconfig = cluster?.kubeconfig ?? settings.getSecret("kubeconfig");
  const context = cluster?.context ?? settings.get("context");
  return pulumi.output({
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ...(cluster?.reach === undefined ? {} : { reach: cluster.reach }),
  });
}

/** A named cluster is also the one that the Kubernetes resources go to, unless the user gave them a provider. */
function providerFor(
  name: string,
  { cluster }: ReleaseArgs,
  options: pulumi.ComponentResourceOptions,
  parent: pulumi.Resource,
): { provider?: kubernetes.Provider } {
  if (options.provider || options.providers || (cluster?.kubeconfig === undefined && cluster?.context === undefined))
    return {};
  const { kubeconfig, context } = cluster;
  return {
    provider: new kubernetes.Provider(
      name,
      {
        ...(kubeconfig === undefined ? {} : { kubeconfig: pulumi.output(kubeconfig).apply((text) => text ?? "") }),
        ...(context === undefined ? {} : { context: pulumi.output(context).apply((text) => text ?? "") }),
      },
      { parent },
    ),
  };
}
