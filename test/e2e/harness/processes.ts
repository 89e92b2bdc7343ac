import { readFileSync, readdirSync, readlinkSync } from "node:fs";

const providerPrograms = ["cmd/dynamic-provider", "kubernetes-provider/main.ts", "pulumi-resource-"];

/** The processes of this machine that run Pulumi's providers for a project: they must not outlive its engine. */
export function providersOf(projectDirectory: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((processId) => isProviderOf(projectDirectory, processId));
}

function isProviderOf(projectDirectory: string, processId: number): boolean {
  try {
    const command = readFileSync(`/proc/${processId}/cmdline`, "utf8");
    const directory = readlinkSync(`/proc/${processId}/cwd`);
    return directory === projectDirectory && providerPrograms.some((program) => command.includes(program));
  } catch {
    // It ended in the meantime.
    return false;
  }
}
