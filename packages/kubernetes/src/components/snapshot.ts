import type { SnapshotTaken } from "@bascule/pulumi";
import * as pulumi from "@pulumi/pulumi";
import type { KubernetesSnapshotInputs } from "../snapshot/take-snapshots.ts";

// Kept in the state as text; see the note at the Cutover's provider.
const provider: pulumi.dynamic.ResourceProvider = {
  check: async (olds, news) => (await import("@bascule/kubernetes/provider")).snapshot.check(olds, news),
  diff: async (id, olds, news) => (await import("@bascule/kubernetes/provider")).snapshot.diff(id, olds, news),
  create: async (news) => (await import("@bascule/kubernetes/provider")).snapshot.create(news),
  delete: async (id, props) => (await import("@bascule/kubernetes/provider")).snapshot.delete(id, props),
};

/** Arguments of {@link Snapshot}. */
export type SnapshotArgs = {
  readonly [Key in keyof KubernetesSnapshotInputs]: pulumi.Input<pulumi.Unwrap<KubernetesSnapshotInputs[Key]>>;
};

/** The backups that are taken and verified before a version is deployed. What it saved outlives the resource. */
export class Snapshot extends pulumi.dynamic.Resource {
  /** What was taken: where it is, its size and its checksum. */
  declare readonly taken: pulumi.Output<SnapshotTaken[]>;

  constructor(name: string, args: SnapshotArgs, options: pulumi.CustomResourceOptions = {}) {
    const merged = pulumi.mergeOptions(options, { additionalSecretOutputs: ["cluster"] });
    super(provider, name, { ...args, taken: undefined }, merged, "bascule", "Snapshot");
  }
}
