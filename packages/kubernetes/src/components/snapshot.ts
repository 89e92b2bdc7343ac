import { ThinResource, type SnapshotTaken, type ThinProvider } from "@bascule/pulumi";
import type * as pulumi from "@pulumi/pulumi";
import type { KubernetesSnapshotInputs } from "../snapshot/take-snapshots.ts";
import type { ClusterInput } from "./release-args.ts";

const provider: ThinProvider = {
  module: "@bascule/kubernetes/provider",
  name: "snapshot",
  methods: ["check", "diff", "create", "delete"],
};

type Inputs = {
  readonly [Key in keyof KubernetesSnapshotInputs]: pulumi.Input<pulumi.Unwrap<KubernetesSnapshotInputs[Key]>>;
};

/** Arguments of {@link Snapshot}. */
export type SnapshotArgs = Omit<Inputs, "cluster"> & { readonly cluster: Inputs["cluster"] | ClusterInput };

/** The backups that are taken and verified before a version is deployed. What it saved outlives the resource. */
export class Snapshot extends ThinResource<SnapshotStatus> {
  constructor(name: string, args: SnapshotArgs, options: pulumi.CustomResourceOptions = {}) {
    super("Snapshot", provider, name, { ...args }, options);
  }
}

/** What was taken: where it is, its size and its checksum. */
export interface SnapshotStatus {
  readonly taken: readonly SnapshotTaken[];
}
