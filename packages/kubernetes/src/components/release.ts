import { join } from "node:path";
import {
  BasculeError,
  environmentOf,
  parseInput,
  planOf,
  tcp,
  type Plan,
  type PlanOptions,
  type Strategy,
  type VersionId,
} from "@bascule/core";
import { protocol, withoutStacks } from "@bascule/pulumi";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import type { MirrorSpec } from "../mirror/mirror-spec.ts";
import { manifests } from "../snapshot/snapshot-spec.ts";
import { autoscalerSpec } from "./autoscale.ts";
import { Cutover } from "./cutover.ts";
import type { HookInput } from "./hook-input.ts";
import { mustBePlain, withPlaceholders } from "./plain.ts";
import { checkPlan } from "./plan-checks.ts";
import type { ProbeInput } from "./probe-input.ts";
import type { ReleaseArgs, StagedReleaseArgs, VersionSpec } from "./release-args.ts";
import { hasVersionServices, labelsOf, routerShape, type RouterInput } from "./router-input.ts";
import { firstSize, isSizedByCutover } from "./sizing.ts";
import { Snapshot } from "./snapshot.ts";
import { declareVersion, versionOf } from "./version-resources.ts";

const defaults = {
  replicas: 2,
  namespace: "default",
  servicePort: 80,
  readyTimeoutMs: 300_000,
  keepSnapshots: 5,
  scaleLimitMs: 300_000,
} as const;
const namePattern = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

const componentNames = [
  "BlueGreenDeployment",
  "DirectDeployment",
  "ParallelDeployment",
  "ProgressiveDeployment",
] as const;

/** How one kind of release goes about it. */
export interface ReleaseKind<Args extends ReleaseArgs> {
  /** The component's name, for example `BlueGreenDeployment`. */
  readonly name: (typeof componentNames)[number];
  readonly strategy: Strategy;
  /** What its arguments must be. */
  readonly schema: z.ZodType;
  readonly defaultRouter: RouterInput;
  /** The plan's options, from checked arguments. */
  planOptions(args: Args): PlanOptions;
  /** The version in service that is declared beside the candidate, and what is approved of the pauses. */
  stagesOf(args: Args): Pick<StagedReleaseArgs, "stable" | "approved">;
  /** The probes; `verify` are those that the user names, or the default. */
  probesOf?(args: Args, verify: readonly ProbeInput[]): readonly ProbeInput[];
  /** What the plan's hooks run, by name. */
  hooksOf?(args: Args): Readonly<Record<string, HookInput>>;
  /** How requests are copied, where the plan copies them and the router leaves that to a mirror. */
  mirrorOf?(args: Args): MirrorSpec;
}

function typeOf(component: string): string {
  return `bascule:kubernetes:${component}`;
}

/** A release that goes on by another strategy is the same one: without this, Pulumi would delete its Service after the update. */
function aliasesOf(component: string): pulumi.Alias[] {
  return componentNames.filter((name) => name !== component).map((name) => ({ type: typeOf(name) }));
}

/** What the components for Kubernetes have in common: a release of one service, of which one version takes over from another. */
export abstract class Release<Args extends ReleaseArgs = ReleaseArgs> extends pulumi.ComponentResource {
  /** The version that this program declares, for example `web-3f9ac2d1`. */
  readonly version: VersionId;
  readonly serviceName: pulumi.Output<string>;
  readonly namespace: pulumi.Output<string>;
  /** Where the service is reached, `address:port`. */
  readonly address: pulumi.Output<string>;
  /** Where the declared version alone is reached inside the cluster, `name.namespace:port`; empty where it has no Service of its own. */
  readonly previewAddress: pulumi.Output<string>;
  /** Who has the traffic, in per cent. */
  readonly weights: pulumi.Output<Record<VersionId, number>>;
  /** The path of the journal of the change that this version came with. */
  readonly journal: pulumi.Output<string>;
  /** The resource that owns the router and its traffic. */
  readonly cutover: Cutover;

  /** @throws BasculeError `invalid-input` before any resource is registered */
  protected constructor(
    kind: ReleaseKind<Args>,
    name: string,
    args: Args,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    const subject = `${kind.name} ${JSON.stringify(name)}`;
    const environment = args.environment ?? environmentOf(pulumi.getStack());
    checkArguments(kind, subject, name, args, environment);
    const router = args.router ?? kind.defaultRouter;
    const declared = { router, probes: probesOf(kind, args), hooks: kind.hooksOf?.(args) ?? {} };
    const version = versionOf(name, args, subject);
    const { stable, approved } = kind.stagesOf(args);
    const plan = planFor(kind, subject, args, { ...declared, approved: pausesApprovedFor(version, approved) });
    const others = otherVersions(name, version, { stable, standby: args.standby }, subject);
    super(typeOf(kind.name), name, {}, { ...options, aliases: [...(options.aliases ?? []), ...aliasesOf(kind.name)] });

    const replicas = args.replicas ?? defaults.replicas;
    const servicePort = args.service?.port ?? defaults.servicePort;
    const namespaceInput = args.namespace ?? defaults.namespace;
    const namespace = pulumi.output(namespaceInput);
    const readyTimeoutMs = args.readyTimeoutMs ?? defaults.readyTimeoutMs;
    const cluster = clusterOf(args);
    const records = args.recordsDirectory ?? join(".bascule", pulumi.getStack());
    const change = { ...changeText(args), id: args.change?.id ?? version };
    const child = { parent: this, ...providerFor(name, args, options, this) };

    const snapshot = withoutStacks(
      () =>
        new Snapshot(
          `${version}-snapshot`,
          {
            protocol,
            release: name,
            version,
            change,
            journalDirectory: join(records, "journal"),
            directory: join(records, "snapshots"),
            cluster,
            namespace: namespaceInput,
            specs: [...(args.snapshot ?? [manifests()])],
            keep: args.keepSnapshots ?? defaults.keepSnapshots,
          },
          { parent: this },
        ),
    );

    const isSized = isSizedByCutover(plan, router, args);
    const hasServices = args.preview === true || hasVersionServices(router);
    const common = {
      release: name,
      replicas,
      namespace: namespaceInput,
      readyTimeoutMs,
      subject,
      ...(hasServices ? { service: { port: servicePort, targetPort: args.container.port } } : {}),
    };
    const candidate = withoutStacks(() =>
      declareVersion(
        { ...common, version, spec: args, ...(isSized ? { initialReplicas: firstSize(plan, router, replicas) } : {}) },
        { ...child, dependsOn: [snapshot] },
      ),
    );
    const besides = others.all.flatMap((other) =>
      withoutStacks(() =>
        declareVersion({ ...common, ...other, ...(isSized ? { initialReplicas: replicas } : {}) }, child),
      ),
    );

    const shapeIn = (text: string) =>
      routerShape(router, {
        name,
        namespace: text,
        servicePort,
        containerPort: args.container.port,
        replicas,
        service: {
          type: args.service?.type ?? "ClusterIP",
          labels: { ...labelsOf(name), ...args.service?.labels },
          annotations: { ...args.service?.annotations },
        },
        mirror: kind.mirrorOf?.(args),
      });

    this.cutover = withoutStacks(
      () =>
        new Cutover(
          name,
          {
            protocol,
            release: name,
            candidate: version,
            ...(others.stable === undefined ? {} : { stable: others.stable }),
            plan,
            probes: declared.probes,
            change,
            journalDirectory: join(records, "journal"),
            cluster,
            containerPort: args.container.port,
            router: typeof namespaceInput === "string" ? shapeIn(namespaceInput) : namespace.apply(shapeIn),
            ...(isSized
              ? {
                  sizes: pulumi.output({
                    replicas,
                    ...(args.autoscale ? { autoscaler: autoscalerSpec(args.autoscale, replicas) } : {}),
                  }),
                }
              : {}),
            ...(args.entrance ? { entrance: { ...args.entrance } } : {}),
            ...(Object.keys(declared.hooks).length > 0 ? { hooks: declared.hooks } : {}),
          },
          { parent: this, dependsOn: [snapshot, ...candidate, ...besides] },
        ),
    );

    this.version = version;
    this.serviceName = pulumi.output(name);
    this.namespace = namespace;
    this.address = this.cutover.status.apply(({ details }) => details["address"] ?? "");
    this.previewAddress = namespace.apply((text) => (hasServices ? `${version}.${text}:${servicePort}` : ""));
    this.weights = this.cutover.status.apply(({ weights }) => weights);
    this.journal = this.cutover.status.apply(({ journal }) => journal);
    withoutStacks(() =>
      this.registerOutputs({
        version,
        serviceName: name,
        namespace,
        address: this.address,
        previewAddress: this.previewAddress,
        weights: this.weights,
        journal: this.journal,
      }),
    );
  }
}

function checkArguments<Args extends ReleaseArgs>(
  { schema }: ReleaseKind<Args>,
  subject: string,
  name: string,
  args: Args,
  environment: string,
): void {
  parseInput(nameSchema, name, subject);
  for (const [field, value] of Object.entries(args)) {
    if (plainFields.has(field)) mustBePlain(value, field, subject);
  }
  parseInput(schema, withPlaceholders({ ...args, environment }), subject);
}

/** What names a version, or decides how it is released, has to be known before anything is declared. */
const plainFields = new Set([
  "container",
  "config",
  "files",
  "secrets",
  "podTemplate",
  "labels",
  "standby",
  "stable",
  "replicas",
  "autoscale",
  "router",
  "steps",
  "approved",
  "mirror",
]);

/** What a program declares for its plan. */
interface DeclaredBeside {
  readonly router: RouterInput;
  readonly probes: readonly ProbeInput[];
  readonly hooks: Readonly<Record<string, HookInput>>;
}

/** The plan; a plan that the router cannot follow is refused here, before anything is touched. */
function planFor<Args extends ReleaseArgs>(
  kind: ReleaseKind<Args>,
  subject: string,
  args: Args,
  { router, probes, hooks, approved }: DeclaredBeside & { readonly approved: readonly string[] },
): Plan {
  try {
    const options = kind.planOptions(args);
    const plan = planOf(kind.strategy, {
      deadlineMs: args.deadlineMs,
      propagationLimitMs: args.propagationLimitMs,
      fastTrackChanges: args.fastTrackChanges,
      window: args.change?.window,
      ...options,
      approved,
      scaleLimitMs: options.scaleLimitMs ?? (waitsForPods(router, options) ? defaults.scaleLimitMs : undefined),
    });
    checkPlan(plan, { args, router, probes, hooks: Object.keys(hooks) });
    return plan;
  } catch (thrown) {
    if (!(thrown instanceof BasculeError)) throw thrown;
    throw new BasculeError(thrown.code, `${subject}: ${thrown.message}. Nothing was changed.`, { cause: thrown });
  }
}

/** Where sizes split the traffic, or a mirror has to stand up, a shift takes as long as Pods take to be ready, and not as long as one write. */
function waitsForPods({ kind }: RouterInput, { steps = [] }: PlanOptions): boolean {
  return kind === "replicas" || (kind === "service" && steps.some((step) => step.kind === "mirror"));
}

/** The names of the pauses that are approved for this version; what approves another one has no effect here. */
function pausesApprovedFor(version: VersionId, approved: StagedReleaseArgs["approved"] = {}): string[] {
  return Object.entries(approved).flatMap(([pause, approvedVersion]) => (approvedVersion === version ? [pause] : []));
}

/** The other versions that the program declares, each once. */
function otherVersions(
  name: string,
  version: VersionId,
  { stable, standby }: { readonly stable: VersionSpec | undefined; readonly standby: VersionSpec | undefined },
  subject: string,
) {
  const specs = [stable, standby].flatMap((spec) => (spec ? [[versionOf(name, spec, subject), spec] as const] : []));
  const others = new Map(specs.filter(([other]) => other !== version));
  return {
    stable: stable && versionOf(name, stable, subject),
    all: [...others].map(([other, spec]) => ({ version: other, spec })),
  };
}

const nameSchema = z.string().regex(namePattern, {
  error:
    "the name must be 1 to 40 lower-case letters, digits or dashes and begin with a letter, because Kubernetes objects are named after it",
});

/** The probes of the release; a service is always asked whether it takes a connection. */
function probesOf<Args extends ReleaseArgs>(kind: ReleaseKind<Args>, args: Args): ProbeInput[] {
  const { verify = [] } = args;
  const probes = verify.length > 0 ? verify : [tcp()];
  return [...(kind.probesOf?.(args, probes) ?? probes)];
}

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
  return {
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ...(cluster?.reach === undefined ? {} : { reach: cluster.reach }),
  };
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
