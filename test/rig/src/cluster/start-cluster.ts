import { execa } from "execa";
import type { Progress } from "../progress.ts";
import type { Cluster, StartOptions } from "./cluster.ts";
import { startKindCluster, stopKindCluster } from "./kind-cluster.ts";
import { useNamedContext } from "./named-context.ts";
import { startOwnCluster, stopOwnCluster } from "./own-cluster.ts";

/**
 * A cluster for tests and the demo: the context that `BASCULE_CONTEXT` names, else kind where a Docker engine runs, else a single
 * node of our own. A user's cluster is never touched unless it was named.
 *
 * @throws Error naming the remedy where a machine can offer none
 */
export async function startCluster(options: StartOptions): Promise<Cluster> {
  const named = process.env["BASCULE_CONTEXT"];
  if (named) return useNamedContext(named, options.progress);
  if (await dockerRuns()) return startKindCluster(options);
  options.progress("no Docker engine runs here, so the cluster is a single node of our own");
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error(
      "A cluster of our own needs Linux and root. Start a Docker engine, run as root, or name a cluster with BASCULE_CONTEXT.",
    );
  }
  return startOwnCluster(options);
}

/** Stops the rig's cluster, whoever uses it. A named context is left alone. */
export async function stopCluster({ progress }: { readonly progress: Progress }): Promise<void> {
  if (process.env["BASCULE_CONTEXT"]) return;
  if (await dockerRuns()) await stopKindCluster(progress);
  else await stopOwnCluster(progress);
}

async function dockerRuns(): Promise<boolean> {
  const { exitCode } = await execa("docker", ["info"], { reject: false, timeout: 10_000 });
  return exitCode === 0;
}
