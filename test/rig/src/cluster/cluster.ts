import type { Progress } from "../progress.ts";

/** A Kubernetes cluster that tests and the demo may use. */
export interface Cluster {
  readonly kubeconfigPath: string;
  readonly context: string;
  /** Whose it is. In a user's own cluster the rig changes nothing beside the namespaces of the tests. */
  readonly owner: "rig" | "user";
  /** In words, for example `single node built from source, Kubernetes v1.36.3`. */
  readonly description: string;
  /** Makes the API server unreachable until the returned function is called, for `maximumMs` at the most. */
  interruptApiServer(maximumMs: number): Promise<() => Promise<void>>;
  /**
   * A Gateway of the Gateway API with a data plane: Traefik beside the rig's own node, started when it is first asked for; elsewhere
   * the one that `BASCULE_GATEWAY` names. Rejects with the remedy where there is none.
   */
  gateway(): Promise<Gateway>;
  /** Leaves the cluster; the last user stops it, unless it was started to be kept. */
  stop(): Promise<void>;
}

/** A Gateway of the Gateway API that routes of every namespace may use, and where its clients come in. */
export interface Gateway {
  readonly name: string;
  readonly namespace: string;
  /** Reached from this host. */
  readonly host: string;
  readonly port: number;
}

export interface StartOptions {
  readonly progress: Progress;
  /** Leave the cluster running after its last user has left. Default false. */
  readonly keep?: boolean;
}
