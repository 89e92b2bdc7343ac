import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  images,
  openStack,
  preparePulumi,
  startCluster,
  type Progress,
  type PulumiEngine,
  type RunResult,
  type Stack,
} from "@bascule/rig";
import { median } from "../statistics.ts";
import { openStage, type Stage } from "./stage.ts";

/** The two ways to deploy the same application. */
export const kinds = ["plain", "bascule"] as const;
export type Kind = (typeof kinds)[number];

/** What is run when nothing has changed. `up` is without the preview that it would begin with. */
export const operations = ["preview", "up"] as const;
export type Operation = (typeof operations)[number];

/** How long the real CLI took for a no-op. */
export interface StackMeasurement {
  readonly kind: Kind;
  readonly operation: Operation;
  /** How many releases, or Deployments with their Services, the stack has. */
  readonly count: number;
  readonly bestMs: number;
  readonly medianMs: number;
}

/** The stacks that were measured, and on what. */
export interface StackResult {
  readonly measurements: readonly StackMeasurement[];
  readonly rounds: number;
  readonly cluster: string;
  readonly engine: string;
}

export interface StackPlan {
  /** In ascending order: the stacks grow from one to the next. */
  readonly counts: readonly number[];
  /** How often each operation is measured. */
  readonly rounds: number;
}

interface MeasuredStack {
  readonly kind: Kind;
  readonly stack: Stack;
  readonly remove: () => Promise<void>;
}

const program = fileURLToPath(new URL("../../program", import.meta.url));
const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Measures the real CLI on stacks of so many releases, with and without Bascule, in alternation. */
export async function measureStack({ counts, rounds }: StackPlan, progress: Progress): Promise<StackResult> {
  const engine = await preparePulumi({ progress });
  const cluster = await startCluster({ progress });
  const stacks: MeasuredStack[] = [];
  try {
    const stage = await openStage(cluster, progress);
    try {
      for (const kind of kinds) stacks.push(await openMeasured(kind, engine, stage, cluster.kubeconfigPath));
      const measurements: StackMeasurement[] = [];
      let deployed = 0;
      for (const count of counts) {
        for (const measured of stacks) await deploy(measured, deployed, count, progress);
        deployed = count;
        measurements.push(...(await measureCount(stacks, count, rounds, progress)));
      }
      return { measurements, rounds, cluster: cluster.description, engine: engine.description };
    } finally {
      progress("removing what was deployed");
      await stage.close();
    }
  } finally {
    await Promise.all(stacks.map(({ remove }) => remove()));
    await cluster.stop();
  }
}

async function openMeasured(
  kind: Kind,
  engine: PulumiEngine,
  { node, makeNamespace }: Stage,
  kubeconfigPath: string,
): Promise<MeasuredStack> {
  const directory = await mkdtemp(join(tmpdir(), "bascule-bench-"));
  const projectDirectory = join(directory, "project");
  await cp(program, projectDirectory, { recursive: true });
  await symlink(modules, join(projectDirectory, "node_modules"));
  const namespace = `${node}-${kind}`;
  await makeNamespace(namespace);
  const stack = await openStack({
    engine,
    projectDirectory,
    stack: "dev",
    backendDirectory: join(directory, "state"),
    environment: { KUBECONFIG: kubeconfigPath },
  });
  for (const [key, value] of Object.entries({ kind, namespace, node, image: images.web })) {
    await stack.setConfig(`benchmark:${key}`, value);
  }
  return { kind, stack, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** An update of more than that would come near the time that a run may take. */
const deployedAtOnce = 100;

/** Pulumi would write the whole state after each of thousands of steps. */
const withoutCheckpoints = { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" };

/** Grows a stack. */
async function deploy({ kind, stack }: MeasuredStack, from: number, count: number, progress: Progress): Promise<void> {
  for (let size = from; size < count;) {
    size = Math.min(size + deployedAtOnce, count);
    await stack.setConfig("benchmark:count", String(size));
    const result = await stack.startUp(withoutCheckpoints).done;
    mustSucceed(result);
    progress(`${kind}: ${size} deployed, in ${(result.durationMs / 1_000).toFixed(0)} s`);
  }
}

async function measureCount(
  stacks: readonly MeasuredStack[],
  count: number,
  rounds: number,
  progress: Progress,
): Promise<readonly StackMeasurement[]> {
  const cases = operations.flatMap((operation) =>
    stacks.map(({ kind, stack }) => ({ kind, operation, run: () => stack[operation](), durationsMs: [0].slice(1) })),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const { kind, operation, run, durationsMs } of cases) {
      const result = await run();
      mustBeNoOp(result);
      durationsMs.push(result.durationMs);
      const seconds = (result.durationMs / 1_000).toFixed(2);
      progress(`${String(count).padStart(4)} × ${kind}, ${operation} ${round} of ${rounds}: ${seconds} s`);
    }
  }
  return cases.map(({ kind, operation, durationsMs }) => ({
    kind,
    operation,
    count,
    bestMs: Math.min(...durationsMs),
    medianMs: median(durationsMs),
  }));
}

/** What is measured is a no-op, so one that changes something would be no measurement. */
function mustBeNoOp(result: RunResult): void {
  mustSucceed(result);
  const [, resources = ""] = /Resources:\n((?: {4}.*\n?)+)/.exec(result.output) ?? [];
  if (!/^ {4}\d+ unchanged\s*$/.test(resources)) {
    throw new Error(`Nothing had changed, and yet something was to be done:\n${result.output.slice(-4_000)}`);
  }
}

function mustSucceed({ exitCode, output }: RunResult): void {
  if (exitCode !== 0) throw new Error(`pulumi ended with exit code ${exitCode}:\n${output.slice(-4_000)}`);
}
