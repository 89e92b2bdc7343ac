import { readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { execa } from "execa";
import { z } from "zod";
import type { PulumiEngine } from "./prepare-pulumi.ts";

/** What one run of the CLI gave. A run that fails is a result, not an exception. */
export interface RunResult {
  readonly exitCode: number;
  /** Standard output and error, in the order in which they came. */
  readonly output: string;
  readonly durationMs: number;
}

/** A run that goes on. */
export interface RunningUpdate {
  readonly cliProcessId: number;
  /** The Node processes that run dynamic resources for this update. */
  providerProcessIds(): readonly number[];
  interrupt(signal: NodeJS.Signals): void;
  readonly done: Promise<RunResult>;
}

export interface StackOptions {
  readonly engine: PulumiEngine;
  readonly projectDirectory: string;
  readonly stack: string;
  /** Where the file backend keeps the state. */
  readonly backendDirectory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

const resourceSchema = z.looseObject({
  urn: z.string(),
  type: z.string(),
  id: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  outputs: z.record(z.string(), z.unknown()).optional(),
  delete: z.boolean().optional(),
});

const exportSchema = z.looseObject({
  deployment: z.looseObject({
    resources: z.array(resourceSchema).default([]),
    pending_operations: z.array(z.unknown()).optional(),
  }),
});
export type ExportedResource = z.infer<typeof resourceSchema>;

export type Stack = Awaited<ReturnType<typeof openStack>>;

const runLimitMs = 600_000;

/** Opens a stack (made when it is not there) that the real CLI drives, as its users do. */
export async function openStack(options: StackOptions) {
  const { engine, projectDirectory, stack, onLine } = options;
  await mkdir(options.backendDirectory, { recursive: true });
  const environment = {
    ...engine.environment,
    PULUMI_BACKEND_URL: `file://${options.backendDirectory}`,
    ...options.environment,
  };

  const launch = (parameters: readonly string[], overrides: Readonly<Record<string, string>> = {}) => {
    const startedAtMs = performance.now();
    const child = execa(engine.command, [...parameters, "--non-interactive", "--color", "never"], {
      cwd: projectDirectory,
      env: { ...environment, ...overrides },
      reject: false,
      all: true,
      timeout: runLimitMs,
      stdin: "ignore",
    });
    if (onLine) child.all.on("data", lineSplitter(onLine));
    const done = child.then((result): RunResult => ({
      exitCode: result.exitCode ?? 255,
      output: result.all,
      durationMs: performance.now() - startedAtMs,
    }));
    return { child, done };
  };
  const run = (...parameters: string[]) => launch([...parameters, "--stack", stack]).done;

  const selected = await launch(["stack", "select", stack, "--create"]).done;
  if (selected.exitCode !== 0) throw new Error(`The stack ${stack} cannot be opened: ${selected.output}`);

  return {
    up: () => run("up", "--yes", "--skip-preview"),
    preview: () => run("preview", "--diff"),
    refresh: () => run("refresh", "--yes", "--skip-preview", "--diff"),
    destroy: () => run("destroy", "--yes", "--skip-preview"),
    cancel: () => run("cancel", "--yes"),
    setConfig: (key: string, value: string, secret = false) =>
      run("config", "set", key, value, secret ? "--secret" : "--plaintext"),
    /** What Pulumi believes. */
    async exportResources(): Promise<readonly ExportedResource[]> {
      const { output } = await run("stack", "export");
      return exportSchema.parse(JSON.parse(output)).deployment.resources;
    },
    /** The state as text, to look for what must not be in it. */
    exportText: async () => (await run("stack", "export")).output,
    startUp(overrides: Readonly<Record<string, string>> = {}): RunningUpdate {
      const { child, done } = launch(["up", "--yes", "--skip-preview", "--stack", stack], overrides);
      const cliProcessId = child.pid ?? 0;
      return {
        cliProcessId,
        providerProcessIds: () =>
          descendantsOf(cliProcessId).filter((id) => commandOf(id).includes("cmd/dynamic-provider")),
        interrupt: (signal) => process.kill(cliProcessId, signal),
        done,
      };
    },
  };
}

function lineSplitter(onLine: (line: string) => void): (chunk: Buffer | string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  };
}

function descendantsOf(processId: number): number[] {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const stat = readOrEmpty(`/proc/${name}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
  }
  const children = (parent: number): number[] =>
    (parents.get(parent) ?? []).flatMap((child) => [child, ...children(child)]);
  return children(processId);
}

function commandOf(processId: number): string {
  return readOrEmpty(`/proc/${processId}/cmdline`).replaceAll("\0", " ");
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
