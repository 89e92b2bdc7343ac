import { ThinResource, type ThinProvider } from "@bascule/pulumi";
import type * as pulumi from "@pulumi/pulumi";
import type { KubernetesCutoverInputs } from "../cutover-platform.ts";
import type { HookInput } from "./hook-input.ts";
import type { ProbeInput } from "./probe-input.ts";
import type { ClusterInput } from "./release-args.ts";

// The package's name is written out because it has to resolve from the user's project.
const provider: ThinProvider = {
  module: "@bascule/kubernetes/provider",
  name: "cutover",
  methods: ["check", "diff", "create", "read", "update", "delete"],
};

type Inputs = {
  readonly [Key in keyof KubernetesCutoverInputs]: pulumi.Input<pulumi.Unwrap<KubernetesCutoverInputs[Key]>>;
};

/** Arguments of {@link Cutover}: its inputs, each possibly an output of another resource, or with outputs inside. */
export type CutoverArgs = Omit<Inputs, "probes" | "hooks" | "cluster"> & {
  readonly probes: Inputs["probes"] | readonly ProbeInput[];
  readonly hooks?: Inputs["hooks"] | Readonly<Record<string, HookInput>>;
  readonly cluster: Inputs["cluster"] | ClusterInput;
};

/** What came of a cut-over. */
export interface CutoverStatus {
  /** Who has the traffic, in per cent. */
  readonly weights: Record<string, number>;
  /** The id of the transaction that moved it there. */
  readonly transaction: string;
  /** The path of the journal. */
  readonly journal: string;
  /** `address`: where the Service is reached inside the cluster, `address:port`. */
  readonly details: Record<string, string>;
}

/** Owns a release's Service, and with it the traffic: moves it to the candidate as planned, or puts everything back. */
export class Cutover extends ThinResource<CutoverStatus> {
  constructor(name: string, args: CutoverArgs, options: pulumi.CustomResourceOptions = {}) {
    super("Cutover", provider, name, { ...args }, options);
  }
}
