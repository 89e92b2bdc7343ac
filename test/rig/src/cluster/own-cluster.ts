import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { execa } from "execa";
import { z } from "zod";
import { cacheDirectory, underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import { clusterTools } from "../tools/catalogue.ts";
import { ensureSystemPrograms } from "../tools/debian.ts";
import { resolveTool } from "../tools/resolve.ts";
import { versions } from "../versions.ts";
import { addresses } from "./addresses.ts";
import { makeCertificates } from "./certificates.ts";
import type { Cluster, StartOptions } from "./cluster.ts";
import { layout, writeConfiguration, type Layout } from "./configuration.ts";
import { buildImages } from "./images.ts";
import {
  closeIsolation,
  inside,
  openIsolation,
  processesInside,
  removeTraces,
  waitFor,
  type Isolation,
} from "./isolation.ts";
import { startOwnGateway } from "./own-gateway.ts";
import { identify, isAlive, processSchema, type ProcessIdentity } from "./process-identity.ts";
import {
  apiServer,
  containerd,
  controllerManager,
  etcd,
  kubelet,
  proxy,
  scheduler,
  start,
  tailOf,
  type ProgramPaths,
} from "./programs.ts";

/** What is written down about a running cluster, so that the next process can join, leave or clean it up. */
const stateSchema = z.strictObject({
  first: processSchema,
  users: z.array(processSchema),
  keep: z.boolean(),
  /** The archives of the images that it has; their names tell their content. */
  images: z.array(z.string()).default([]),
});
type State = z.infer<typeof stateSchema>;

const startLimitMs = 60_000;
const joinLimitMs = 10_000;

/** Starts the single-node cluster that runs in namespaces of its own, or joins it when it runs already. */
export async function startOwnCluster({ progress, keep = false }: StartOptions): Promise<Cluster> {
  const files = layout(join(cacheDirectory(), "run", "cluster"));
  await ensureSystemPrograms(progress);
  const paths = await resolvePrograms(progress);
  const archives = await buildImages(progress);
  await underLock("cluster", async () => {
    const running = await readState(files);
    if (running && isAlive(running.first) && (await isUsable(running, files))) {
      progress("joining the cluster that runs already");
      const isolation = { processId: running.first.processId };
      const changed = archives.filter((archive) => !running.images.includes(archive));
      await importImages(files, paths.ctr, changed, isolation);
      await writeState(files, {
        ...running,
        users: [...running.users.filter(isAlive), thisProcess()],
        keep: running.keep || keep,
        images: [...running.images, ...changed],
      });
      return;
    }
    await clear(files, running, progress);
    const isolation = await openIsolation();
    await writeState(files, {
      first: identify(isolation.processId),
      users: [thisProcess()],
      keep,
      images: [...archives],
    });
    try {
      await bringUp(files, paths, archives, isolation, progress);
    } catch (thrown) {
      await closeIsolation(isolation);
      await rm(stateFile(files), { force: true });
      throw thrown;
    }
  });
  const cluster: Cluster = {
    kubeconfigPath: files.kubeconfig("admin"),
    context: "bascule-rig",
    owner: "rig",
    description: `single node of its own, Kubernetes v${versions.kubernetes}`,
    interruptApiServer: (maximumMs) => interrupt(files, maximumMs),
    gateway: async () =>
      startOwnGateway(cluster, files, { processId: (await runningState(files)).first.processId }, progress),
    stop: () => leave(files, progress),
  };
  return cluster;
}

/** Stops the cluster whoever uses it. */
export async function stopOwnCluster(progress: Progress): Promise<void> {
  const files = layout(join(cacheDirectory(), "run", "cluster"));
  await underLock("cluster", async () => clear(files, await readState(files), progress));
}

/** Whether the cluster runs, and who uses it. */
export async function describeOwnCluster(): Promise<string> {
  const files = layout(join(cacheDirectory(), "run", "cluster"));
  const state = await readState(files);
  if (!state || !isAlive(state.first)) return "No cluster runs.";
  const users = state.users.filter(isAlive).map(({ processId }) => processId);
  return `A cluster runs${state.keep ? ", to be kept" : ""}; used by ${users.length === 0 ? "nobody" : `process ${users.join(", ")}`}.\nexport KUBECONFIG=${files.kubeconfig("admin")}`;
}

async function resolvePrograms(progress: Progress): Promise<ProgramPaths & { readonly ctr: string }> {
  const found: [string, string][] = [];
  // One at a time: a build uses every core by itself.
  for (const [key, tool] of Object.entries(clusterTools)) found.push([key, await resolveTool(tool, progress)]);
  const keys = [
    "etcd",
    "containerd",
    "shim",
    "ctr",
    "apiServer",
    "controllerManager",
    "scheduler",
    "kubelet",
    "proxy",
  ] as const;
  return z.record(z.enum(keys), z.string()).parse(Object.fromEntries(found));
}

async function bringUp(
  files: Layout,
  paths: ProgramPaths & { readonly ctr: string },
  archives: readonly string[],
  isolation: Isolation,
  progress: Progress,
): Promise<void> {
  const cniPlugins =
    ["/usr/lib/cni", "/opt/cni/bin"].find((folder) => existsSync(join(folder, "bridge"))) ?? "/usr/lib/cni";
  await writeConfiguration(files, cniPlugins);
  const launch = (program: Parameters<typeof start>[0]) => start(program, files, isolation);
  const until = (what: string, name: string, isDone: () => Promise<boolean>) =>
    waitFor(what, startLimitMs, isDone, () => tailOf(name, files));

  launch(etcd(paths, files));
  launch(containerd(paths, files));
  await makeCertificates(files.certificates, addresses.nodeName, [
    addresses.node,
    addresses.kubernetesService,
    "127.0.0.1",
  ]);
  launch(apiServer(paths, files));
  progress("etcd, containerd and the API server are starting");

  const importing = importImages(files, paths.ctr, archives, isolation);
  const api = coreApi(files);
  await until("the API server", "kube-apiserver", () => succeeds(() => api.getAPIResources()));
  progress("the API server answers");
  launch(controllerManager(paths, files));
  launch(scheduler(paths, files));
  launch(proxy(paths, files));
  await importing;
  launch(kubelet(paths, files));
  await until("the node to be ready", "kubelet", () => isNodeReady(api));
  await until("the default service account", "kube-controller-manager", () =>
    succeeds(() => api.readNamespacedServiceAccount({ name: "default", namespace: "default" })),
  );
  progress(`the cluster is up: Kubernetes v${versions.kubernetes}`);
}

async function importImages(
  files: Layout,
  ctr: string,
  archives: readonly string[],
  isolation: Isolation,
): Promise<void> {
  const command = (...parameters: string[]) =>
    inside(isolation, [ctr, "--address", files.containerdSocket, "--namespace", "k8s.io", ...parameters]);
  const execute = ([program, ...parameters]: readonly string[], reject: boolean) =>
    execa(program ?? "nsenter", parameters, { reject, timeout: 30_000 });
  await waitFor(
    "containerd",
    startLimitMs,
    async () => (await execute(command("version"), false)).exitCode === 0,
    () => tailOf("containerd", files),
  );
  for (const archive of archives) await execute(command("images", "import", "--local", archive), true);
}

async function isNodeReady(api: CoreV1Api): Promise<boolean> {
  try {
    const node = await api.readNode({ name: addresses.nodeName });
    return node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  } catch {
    return false;
  }
}

function coreApi(files: Layout): CoreV1Api {
  const configuration = new KubeConfig();
  configuration.loadFromFile(files.kubeconfig("admin"));
  return configuration.makeApiClient(CoreV1Api);
}

async function succeeds(attempt: () => Promise<unknown>): Promise<boolean> {
  try {
    await attempt();
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether a cluster that runs can be joined. One that nobody uses and whose API server does not answer was left so by a process
 * that was killed while it held the API server interrupted; one that somebody uses is theirs to interrupt.
 */
async function isUsable(running: State, files: Layout): Promise<boolean> {
  if (running.users.some(isAlive)) return true;
  const api = coreApi(files);
  return Promise.race([succeeds(() => api.getAPIResources()), sleep(joinLimitMs, false, { ref: false })]);
}

async function interrupt(files: Layout, maximumMs: number): Promise<() => Promise<void>> {
  const { first } = await runningState(files);
  const processIds = processesInside(first, "kube-apiserver");
  const send = (signal: NodeJS.Signals) => processIds.forEach((processId) => process.kill(processId, signal));
  send("SIGSTOP");
  const timer = setTimeout(() => send("SIGCONT"), maximumMs);
  return async () => {
    clearTimeout(timer);
    send("SIGCONT");
  };
}

async function runningState(files: Layout): Promise<State> {
  const state = await readState(files);
  if (!state || !isAlive(state.first)) throw new Error("The rig's cluster does not run any more: start it again.");
  return state;
}

async function leave(files: Layout, progress: Progress): Promise<void> {
  await underLock("cluster", async () => {
    const state = await readState(files);
    if (!state) return;
    const own = thisProcess();
    const users = state.users.filter((user) => isAlive(user) && user.processId !== own.processId);
    if (users.length === 0 && !state.keep) await clear(files, state, progress);
    else await writeState(files, { ...state, users });
  });
}

async function clear(files: Layout, state: State | undefined, progress: Progress): Promise<void> {
  if (state) {
    progress("stopping the cluster");
    if (isAlive(state.first)) await closeIsolation({ processId: state.first.processId });
  }
  await removeTraces();
  await rm(files.folder, { recursive: true, force: true, maxRetries: 5 });
}

function stateFile(files: Layout): string {
  return join(files.folder, "cluster.json");
}

async function readState(files: Layout): Promise<State | undefined> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(stateFile(files), "utf8")));
  } catch {
    return undefined;
  }
}

async function writeState(files: Layout, state: State): Promise<void> {
  await mkdir(files.folder, { recursive: true });
  await writeFile(stateFile(files), JSON.stringify(state));
}

function thisProcess(): ProcessIdentity {
  return identify(process.pid);
}
