import {
  affinitySchema,
  changeSchema,
  environmentSchema,
  probeSchema,
  stepSchema,
  type Step,
  type VersionId,
} from "@bascule/core";
import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { clusterAddressSchema } from "../cluster-address.ts";
import { entranceSchema, type EntranceSpec } from "../router/entrance.ts";
import { snapshotSpecSchema, type SnapshotSpec } from "../snapshot/snapshot-spec.ts";
import { autoscaleSchema, type Autoscale } from "./autoscale.ts";
import type { ProbeInput } from "./probe-input.ts";
import { routerInputSchema, type RouterInput } from "./router-input.ts";
import { stackSecretSchema, type StackSecret } from "./stack-secret.ts";

const image = z.string().refine((text) => isPinned(text), {
  error:
    "must have a tag other than latest, or a digest, for example registry.example/web:1.5: without one nobody can say what runs",
});

/** What makes up one version. All of it is part of the version's name, so all of it is plain data. */
const versionFields = {
  /** Every field of a Kubernetes container; `image` and `port` are required. */
  container: z.looseObject({ image, port: z.int().min(1).max(65_535) }),
  config: z.record(z.string(), z.string()).optional(),
  files: z
    .record(
      z.string().startsWith("/", { error: "must be an absolute directory, for example /etc/web" }),
      z.record(z.string().regex(/^[-._a-zA-Z0-9]+$/, { error: "must be a plain file name" }), z.string()),
    )
    .optional(),
  secrets: z.record(z.string(), stackSecretSchema).optional(),
  podTemplate: z.looseObject({}).optional(),
  labels: z.record(z.string(), z.string()).optional(),
};

const versionSpecSchema = z.strictObject(versionFields);

const serviceSchema = z.strictObject({
  type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]).optional(),
  port: z.int().min(1).max(65_535).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

const limitMs = z.int().positive();

const releaseFields = {
  ...versionFields,
  environment: environmentSchema,
  replicas: z.int().min(0).max(10_000).optional(),
  autoscale: autoscaleSchema.optional(),
  namespace: z.string().min(1).optional(),
  service: serviceSchema.optional(),
  router: routerInputSchema.optional(),
  entrance: entranceSchema.optional(),
  preview: z.boolean().optional(),
  verify: z.array(probeSchema).optional(),
  change: changeSchema.optional(),
  snapshot: z.array(snapshotSpecSchema).optional(),
  keepSnapshots: z.int().min(1).optional(),
  standby: versionSpecSchema.optional(),
  fastTrackChanges: z.int().min(0).optional(),
  readyTimeoutMs: limitMs.optional(),
  deadlineMs: limitMs.optional(),
  propagationLimitMs: limitMs.optional(),
  cluster: clusterAddressSchema.optional(),
  recordsDirectory: z.string().min(1).optional(),
};

export const stagedFields = {
  stable: versionSpecSchema.optional(),
  promotion: z.enum(["automatic", "approved"]).optional(),
  approved: z.record(z.string().min(1), z.string().min(1)).optional(),
  previewReplicas: z.int().min(1).optional(),
  holdMs: z.int().min(0).optional(),
  runBudgetMs: limitMs.optional(),
  scaleLimitMs: limitMs.optional(),
};

/** What a component's arguments must be: those of every release, and its own. */
export function argsSchema<Fields extends z.ZodRawShape>(fields: Fields) {
  return z
    .strictObject({ ...releaseFields, ...fields })
    .superRefine((args: { readonly environment?: unknown; readonly verify?: unknown }, context) => {
      if (args.environment !== "prod" || (Array.isArray(args.verify) && args.verify.length > 0)) return;
      context.addIssue({
        code: "custom",
        path: ["verify"],
        message:
          'must name at least one probe in the environment prod, for example http("/health"): a release that nothing verifies is not released',
      });
    });
}

export const directArgsSchema = argsSchema({});

export const blueGreenArgsSchema = argsSchema(stagedFields);

export const progressiveArgsSchema = argsSchema({
  ...stagedFields,
  steps: z.array(stepSchema).optional(),
  sizing: z.enum(["full", "matchTraffic"]).optional(),
  affinity: affinitySchema.optional(),
  background: z
    .strictObject({ startingStep: z.int().min(0).optional(), probes: z.array(z.string().min(1)).min(1).optional() })
    .optional(),
});

/** A container of a version: every field that Kubernetes knows, in plain data. */
export type ContainerSpec = Omit<
  pulumi.Unwrap<kubernetes.types.input.core.v1.Container>,
  "name" | "image" | "ports"
> & {
  /** With a tag other than `latest`, or a digest. */
  readonly image: string;
  /** What the container listens on. */
  readonly port: number;
};

/** What is merged over the Pod template; any part of it. */
export interface PodTemplateChange {
  readonly metadata?: pulumi.Unwrap<kubernetes.types.input.meta.v1.ObjectMeta>;
  readonly spec?: Partial<pulumi.Unwrap<kubernetes.types.input.core.v1.PodSpec>>;
}

/** One version of a release. Its name is made from this content. */
export interface VersionSpec {
  readonly container: ContainerSpec;
  /** Environment from a ConfigMap that belongs to the version: a changed value is a new version. */
  readonly config?: Readonly<Record<string, string>>;
  /** Files by directory and name, mounted from ConfigMaps that belong to the version: a changed file is a new version. */
  readonly files?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Environment from a Secret that belongs to the version, out of the stack's secrets: a changed one is a new version. */
  readonly secrets?: Readonly<Record<string, StackSecret>>;
  /** Merged over the Pod template that Bascule makes; lists are joined. */
  readonly podTemplate?: PodTemplateChange;
  /** Added to every object of the version. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Which cluster, as a program says it: each field may be an output. */
export type ClusterInput = {
  readonly [Key in keyof z.infer<typeof clusterAddressSchema>]: pulumi.Input<z.infer<typeof clusterAddressSchema>[Key]>;
};

/** What a release on Kubernetes takes. `container` is required; everything else has a default. */
export interface ReleaseArgs extends VersionSpec {
  /** Default 2. Changing it scales the version that runs; it makes no new one. */
  readonly replicas?: number;
  /** Sizes the version that serves by load, between two numbers of Pods. Default: `replicas` Pods, always. */
  readonly autoscale?: Autoscale;
  /** Default `default`. */
  readonly namespace?: pulumi.Input<string>;
  /** Default: type ClusterIP, port 80. */
  readonly service?: z.infer<typeof serviceSchema>;
  /** What splits the traffic. Default: a switch of the Service; for progressive releases the number of Pods. */
  readonly router?: RouterInput;
  /** Where probes reach the service. Default: what the router's object says, such as the address of the Service or the Gateway. */
  readonly entrance?: EntranceSpec;
  /** Gives each version a Service of its own name, to look at the candidate before it has traffic. Default: where the router needs it. */
  readonly preview?: boolean;
  /** The probes that prove the service. Required on `prod`; elsewhere a TCP connection is the default. */
  readonly verify?: readonly ProbeInput[];
  /** The change that this deployment belongs to. Default: one named after the version. */
  readonly change?: z.infer<typeof changeSchema>;
  /** Taken and verified before anything changes. Default: the manifests. */
  readonly snapshot?: readonly SnapshotSpec[];
  /** How many snapshots of each kind are kept. Default 5. */
  readonly keepSnapshots?: number;
  /** A former version to keep running without traffic, so that going back takes about a second. */
  readonly standby?: VersionSpec;
  /** Going back to one of so many former versions is done at once, without steps, pauses and soaks. Default 0: never. */
  readonly fastTrackChanges?: number;
  /** The most that the candidate may take to be ready. Default 300,000. */
  readonly readyTimeoutMs?: number;
  /** The most that the cut-over may take before it is rolled back. Default 600,000 and all times that the plan names. */
  readonly deadlineMs?: number;
  /** The most that a switch may take to reach clients. Default 10,000. */
  readonly propagationLimitMs?: number;
  /** Which cluster. Default: that of the ambient kubeconfig, or of the stack's `kubernetes:` settings. */
  readonly cluster?: ClusterInput;
  /** `dev`, `test` or `prod`. Default: what the stack's name says, and `prod` where it says nothing. */
  readonly environment?: "dev" | "test" | "prod";
  /** Where journals and snapshots are kept. Default `.bascule/<stack>` in the Pulumi project. */
  readonly recordsDirectory?: string;
}

/** What a release in several stages takes: one that may rest between two updates, and holds at its end. */
export interface StagedReleaseArgs extends ReleaseArgs {
  /**
   * The version in service while another one is on its way. Declared as long as an update may end at a pause: whatever the program
   * does not declare is deleted when an update ends well.
   */
  readonly stable?: VersionSpec;
  /** `approved`: the candidate waits before its promotion until a later commit adds `promote` to `approved`. Default `automatic`. */
  readonly promotion?: "automatic" | "approved";
  /**
   * The pauses that are approved, each for one version, as the preview says it: `{ promote: "web-3f9ac2d1" }`. What approves another
   * version has no effect on this one.
   */
  readonly approved?: Readonly<Record<string, VersionId>>;
  /** The candidate's Pods before it has traffic. Default: full size. */
  readonly previewReplicas?: number;
  /** Time after the switch with the old version still there and the probes going on. Default 5,000. */
  readonly holdMs?: number;
  /** The most that the steps of one update may last on purpose. Default 3,600,000: pipelines end a job that goes on for long. */
  readonly runBudgetMs?: number;
  /** The most that a change of a version's size may take. Default 300,000. */
  readonly scaleLimitMs?: number;
}

/** What a progressive release takes. */
export interface ProgressiveReleaseArgs extends StagedReleaseArgs {
  /**
   * The steps between the candidate's verification and its promotion, such as `setWeight(5)`, `soak(60_000)`, `pause("office hours")`,
   * `analysis()`, `experiment(60_000)`, `scale({ replicas: 2 })`, `route([{ header: "x-beta", exact: "yes" }])`, `mirror(20)`. Each new
   * weight is verified as clients see it. Default: 5, 25 and 50 per cent, 30 s each.
   */
  readonly steps?: readonly Step[];
  /** `matchTraffic`: the candidate is as large as its weight asks for. Default `full`; with the number of Pods as router it always is. */
  readonly sizing?: "full" | "matchTraffic";
  /** Users stay with the version that they met first. Default: each request is on its own. */
  readonly affinity?: z.infer<typeof affinitySchema>;
  /** Probes that go on during all steps from one on, counted from 0 in `steps`. Default: each step verifies for itself. */
  readonly background?: { readonly startingStep?: number; readonly probes?: readonly string[] };
}

function isPinned(text: string): boolean {
  if (/@sha256:[0-9a-f]{64}$/.test(text)) return true;
  const tag = /:([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/.exec(text)?.[1];
  return tag !== undefined && tag !== "latest";
}
