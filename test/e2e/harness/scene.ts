import { existsSync } from "node:fs";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readJournal } from "@bascule/engine";
import {
  openStack,
  preparePulumi,
  startCluster,
  startLoad,
  type Cluster,
  type Load,
  type Progress,
  type RunResult,
  type Stack,
} from "@bascule/rig";
import type { JournalEntry } from "@bascule/core";
import { z } from "zod";
import { openNamespace, type NamespaceView } from "./namespace-view.ts";

const stacks = fileURLToPath(new URL("../../../stacks/", import.meta.url));

/** A reference stack; its release and its service have its name. */
export type ReferenceStack = "web" | "orders";

/** How a version of the sample application is released. */
export interface ReleaseOptions {
  readonly version: string;
  /** Environment of the sample application; see the rig's README. */
  readonly behaviour?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A copy of the reference stack with a real engine, on a real cluster, in a namespace of its own. */
export interface Scene {
  readonly cluster: Cluster;
  readonly stack: Stack;
  readonly namespace: NamespaceView;
  readonly projectDirectory: string;
  /** Writes a version's settings into the stack, as a commit would. */
  configure(release: ReleaseOptions): Promise<void>;
  /** Configures and runs `pulumi up`. */
  release(release: ReleaseOptions): Promise<RunResult>;
  /** The same project with a state of its own, as a second pipeline would have it. */
  secondStack(): Promise<Stack>;
  /** What the state says about the traffic. */
  cutoverOutputs(): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** The version that the state says was released last. */
  candidate(): Promise<string>;
  journalPath(version: string): string;
  /** The journal of a version's change, proved; empty while there is none. */
  journal(version: string): Promise<readonly JournalEntry[]>;
  /** Starts a load: 200 requests a second on new connections to the Service, unless told otherwise. */
  load(options?: SceneLoad): Promise<Load>;
  close(): Promise<void>;
}

/** What a load on a scene is. */
export interface SceneLoad {
  readonly ratePerSecond?: number;
  readonly connections?: "new" | "keptAlive";
  /** Where clients come in, and what they ask for there. Default: the Service. */
  readonly entrance?: Entrance;
}

/** An address, and the name that clients ask for there. */
export interface Entrance {
  readonly host: string;
  readonly port: number;
  readonly hostHeader: string;
}

export interface SceneOptions {
  readonly progress: Progress;
  /** Default `web`. */
  readonly project?: ReferenceStack;
  /** Leave everything where it is. Default false. */
  readonly keep?: boolean;
  readonly onLine?: (line: string) => void;
}

const stackName = "dev";
const recordSchema = z.record(z.string(), z.unknown());
const specSchema = z.looseObject({ declared: z.string() });

export async function openScene({ progress, project = "web", keep = false, onLine }: SceneOptions): Promise<Scene> {
  const engine = await preparePulumi({ progress });
  const cluster = await startCluster({ progress, keep });
  const workDirectory = await mkdtemp(join(tmpdir(), "bascule-"));
  const projectDirectory = join(workDirectory, "project");
  const source = join(stacks, project);
  const parts = ["Pulumi.yaml", "package.json", "index.ts", "Pulumi.dev.yaml", "app"];
  for (const part of parts.filter((each) => existsSync(join(source, each)))) {
    await cp(join(source, part), join(projectDirectory, part), { recursive: true });
  }
  await symlink(join(source, "node_modules"), join(projectDirectory, "node_modules"));

  const namespaceName = `${project}-${workDirectory.slice(-6).toLowerCase()}`;
  const open = (backendDirectory: string) =>
    openStack({
      engine,
      projectDirectory,
      stack: stackName,
      backendDirectory,
      environment: { KUBECONFIG: cluster.kubeconfigPath },
      ...(onLine ? { onLine } : {}),
    });
  const stack = await open(join(workDirectory, "state"));
  await stack.setConfig(`${project}:namespace`, namespaceName);
  const namespace = openNamespace(cluster, namespaceName, project);
  const journalPath = (version: string) =>
    join(projectDirectory, ".bascule", stackName, "journal", `${project}-${version}.jsonl`);

  const configure: Scene["configure"] = async ({ version, behaviour = {}, settings = {} }) => {
    const all = { version, behaviour: JSON.stringify(behaviour), ...settings };
    for (const [key, value] of Object.entries(all)) await stack.setConfig(`${project}:${key}`, value);
  };

  const cutoverOutputs: Scene["cutoverOutputs"] = async () => {
    const resources = await stack.exportResources();
    const outputs = resources.find(({ type }) => type === "pulumi-nodejs:dynamic/bascule:Cutover")?.outputs;
    if (!outputs) return undefined;
    const { declared, ...spec } = specSchema.parse(outputs["spec"]);
    return { ...recordSchema.parse(JSON.parse(declared)), ...spec, ...recordSchema.parse(outputs["status"]) };
  };

  return {
    cluster,
    stack,
    namespace,
    projectDirectory,
    configure,
    release: async (options) => {
      await configure(options);
      return stack.up();
    },
    secondStack: () => open(join(workDirectory, "second-state")),
    cutoverOutputs,
    candidate: async () => String((await cutoverOutputs())?.["candidate"]),
    journalPath,
    journal: (version) => readJournal(journalPath(version)).catch(() => []),
    load: async ({ ratePerSecond = 200, connections = "new", entrance } = {}) =>
      startLoad(
        entrance
          ? {
              url: `http://${entrance.host}:${entrance.port}/`,
              headers: { host: entrance.hostHeader },
              ratePerSecond,
              connections,
            }
          : { url: `http://${await namespace.serviceAddress()}/`, ratePerSecond, connections },
      ),
    close: async () => {
      if (keep) return;
      await stack.cancel();
      await stack.destroy();
      await namespace.remove();
      await cluster.stop();
      await rm(workDirectory, { recursive: true, force: true });
    },
  };
}
