import { availableParallelism, cpus, loadavg, totalmem, type } from "node:os";
import { createRequire } from "node:module";
import { z } from "zod";

/** What was measured on. Names no host and no path. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Versions of the packages that are measured with, by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** The load average of the minute before: what else it did. */
  readonly loadBefore: number;
}

const packages = ["@pulumi/pulumi", "@pulumi/kubernetes"] as const;

/** Looks at this machine; to be called before it is given work. */
export function describeMachine(): Machine {
  const load = createRequire(import.meta.url);
  const versionOf = (name: string): string =>
    z.object({ version: z.string() }).parse(load(`${name}/package.json`)).version;
  return {
    processor: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: type(),
    node: process.versions.node,
    loadBefore: loadavg()[0] ?? 0,
    packages: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  };
}
