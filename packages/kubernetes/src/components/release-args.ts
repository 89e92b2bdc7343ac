import { changeSchema, environmentSchema, probeSchema } from "@bascule/core";
import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { clusterAddressSchema } from "../cluster-address.ts";
import type { ProbeInput } from "./probe-input.ts";
import { snapshotSpecSchema, type SnapshotSpec } from "../snapshot/snapshot-spec.ts";

const image = z.string().refine((text) => isPinned(text), {
  error:
    "must have a tag other than latest, or a digest, for example registry.example/web:1.5: without one nobody can say what runs",
});

/** What makes up one version. All of it is part of the version's name, so all of it is plain data. */
const versionFields = {
  /** Every field of a Kubernetes container; `image` and `port` are required. */
  container: z.looseObject({ image, port: z.int().min(1).max(65_535) }),
  config: z.record(z.string(), z.string()).optional(),
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

export const releaseArgsSchema = z
  .strictObject({
    ...versionFields,
    environment: environmentSchema,
    replicas: z.int().min(0).max(10_000).optional(),
    namespace: z.string().min(1).optional(),
    service: serviceSchema.optional(),
    verify: z.array(probeSchema).optional(),
    change: changeSchema.optional(),
    snapshot: z.array(snapshotSpecSchema).optional(),
    keepSnapshots: z.int().min(1).optional(),
    standby: versionSpecSchema.optional(),
    holdMs: z.int().min(0).optional(),
    readyTimeoutMs: limitMs.optional(),
    deadlineMs: limitMs.optional(),
    propagationLimitMs: limitMs.optional(),
    cluster: clusterAddressSchema.optional(),
    recordsDirectory: z.string().min(1).optional(),
  })
  .refine(({ environment, verify }) => environment !== "prod" || (verify !== undefined && verify.length > 0), {
    path: ["verify"],
    error:
      'must name at least one probe in the environment prod, for example http("/health"): a release that nothing verifies is not released',
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
  /** Merged over the Pod template that Bascule makes; lists are joined. */
  readonly podTemplate?: PodTemplateChange;
  /** Added to every object of the version. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a release on Kubernetes takes. `container` is required; everything else has a default. */
export interface ReleaseArgs extends VersionSpec {
  /** Default 2. Changing it scales the version that runs; it makes no new one. */
  readonly replicas?: number;
  /** Default `default`. */
  readonly namespace?: pulumi.Input<string>;
  /** Default: type ClusterIP, port 80. */
  readonly service?: z.infer<typeof serviceSchema>;
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
  /** Time after the switch with the old version still there and the probes going on. Default 5,000. Blue/green only. */
  readonly holdMs?: number;
  /** The most that the candidate may take to be ready. Default 300,000. */
  readonly readyTimeoutMs?: number;
  /** The most that the cut-over may take before it is rolled back. Default 600,000 and the hold. */
  readonly deadlineMs?: number;
  /** The most that a switch may take to reach clients. Default 10,000. */
  readonly propagationLimitMs?: number;
  /** Which cluster. Default: that of the ambient kubeconfig, or of the stack's `kubernetes:` settings. */
  readonly cluster?: {
    readonly [Key in keyof z.infer<typeof clusterAddressSchema>]: pulumi.Input<
      z.infer<typeof clusterAddressSchema>[Key]
    >;
  };
  /** `dev`, `test` or `prod`. Default: what the stack's name says, and `prod` where it says nothing. */
  readonly environment?: "dev" | "test" | "prod";
  /** Where journals and snapshots are kept. Default `.bascule/<stack>` in the Pulumi project. */
  readonly recordsDirectory?: string;
}

function isPinned(text: string): boolean {
  if (/@sha256:[0-9a-f]{64}$/.test(text)) return true;
  const tag = /:([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/.exec(text)?.[1];
  return tag !== undefined && tag !== "latest";
}
