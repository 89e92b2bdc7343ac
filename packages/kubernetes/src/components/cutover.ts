import * as pulumi from "@pulumi/pulumi";
import type { KubernetesCutoverInputs } from "../cutover-platform.ts";

// Pulumi keeps the text of this object in the state. It captures nothing and only loads our code, so that it never changes with
// our version; the package's name is written out because it has to resolve from the user's project.
const provider: pulumi.dynamic.ResourceProvider = {
  check: async (olds, news) => (await import("@bascule/kubernetes/provider")).cutover.check(olds, news),
  diff: async (id, olds, news) => (await import("@bascule/kubernetes/provider")).cutover.diff(id, olds, news),
  create: async (news) => (await import("@bascule/kubernetes/provider")).cutover.create(news),
  read: async (id, props) => (await import("@bascule/kubernetes/provider")).cutover.read(id, props),
  update: async (id, olds, news) => (await import("@bascule/kubernetes/provider")).cutover.update(id, olds, news),
  delete: async (id, props) => (await import("@bascule/kubernetes/provider")).cutover.delete(id, props),
};

/** Arguments of {@link Cutover}: its inputs, each possibly an output of another resource. */
export type CutoverArgs = {
  readonly [Key in keyof KubernetesCutoverInputs]: pulumi.Input<pulumi.Unwrap<KubernetesCutoverInputs[Key]>>;
};

/** Owns a release's Service, and with it the traffic: moves it to the candidate as planned, or puts everything back. */
export class Cutover extends pulumi.dynamic.Resource {
  /** Who has the traffic, in per cent. */
  declare readonly weights: pulumi.Output<Record<string, number>>;
  /** The id of the transaction that moved it there. */
  declare readonly transaction: pulumi.Output<string>;
  /** The path of the journal. */
  declare readonly journal: pulumi.Output<string>;
  /** `address`: where the Service is reached inside the cluster, `address:port`. */
  declare readonly details: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: CutoverArgs, options: pulumi.CustomResourceOptions = {}) {
    const outputs = { weights: undefined, transaction: undefined, journal: undefined, details: undefined };
    // Headers of probes, what hooks are told and the kubeconfig may be secret; the outputs repeat the inputs, so they are marked too.
    const merged = pulumi.mergeOptions(options, { additionalSecretOutputs: ["probes", "hooks", "cluster"] });
    super(provider, name, { ...args, ...outputs }, merged, "bascule", "Cutover");
  }
}
