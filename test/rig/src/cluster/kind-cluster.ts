import { join } from "node:path";
import { execa } from "execa";
import { cacheFolder, underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import { resolveTool } from "../tools/resolve.ts";
import type { Tool } from "../tools/tool.ts";
import { versions } from "../versions.ts";
import type { Cluster, StartOptions } from "./cluster.ts";
import { useNamedGateway } from "./gateway.ts";
import { buildImages } from "./images.ts";

const name = "bascule-rig";
const createLimitMs = 600_000;

const kindUrl = `https://kind.sigs.k8s.io/dl/v${versions.kind}/kind-linux-amd64`;
const kind: Tool = {
  name: "kind",
  version: versions.kind,
  versionArguments: ["version"],
  download: { url: kindUrl, checksumUrl: `${kindUrl}.sha256sum` },
};

/** A cluster in Docker, made by kind. It is kept between runs; `down` deletes it. */
export async function startKindCluster({ progress }: StartOptions): Promise<Cluster> {
  const program = await resolveTool(kind, progress);
  const kubeconfigPath = join(await cacheFolder("run", "kind"), "kubeconfig");
  const archives = await buildImages(progress);
  await underLock("cluster", async () => {
    const { stdout } = await execa(program, ["get", "clusters"]);
    if (!stdout.split("\n").includes(name)) {
      progress("kind is creating the cluster");
      await execa(program, ["create", "cluster", "--name", name, "--image", versions.kindNodeImage, "--wait", "120s"], {
        timeout: createLimitMs,
      });
    }
    await execa(program, ["export", "kubeconfig", "--name", name, "--kubeconfig", kubeconfigPath]);
    for (const archive of archives) await execa(program, ["load", "image-archive", archive, "--name", name]);
  });
  const cluster: Cluster = {
    kubeconfigPath,
    context: `kind-${name}`,
    owner: "rig",
    description: `kind ${versions.kind}, ${versions.kindNodeImage}`,
    interruptApiServer: async (maximumMs) => {
      const node = `${name}-control-plane`;
      const send = (signal: string) =>
        execa("docker", ["exec", node, "pkill", signal, "kube-apiserver"], { reject: false });
      await send("-STOP");
      const timer = setTimeout(() => void send("-CONT"), maximumMs);
      return async () => {
        clearTimeout(timer);
        await send("-CONT");
      };
    },
    gateway: () => useNamedGateway(cluster),
    stop: async () => {},
  };
  return cluster;
}

/** Deletes the cluster that kind made. */
export async function stopKindCluster(progress: Progress): Promise<void> {
  const program = await resolveTool(kind, progress);
  await execa(program, ["delete", "cluster", "--name", name]);
}
