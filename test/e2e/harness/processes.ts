import { readFileSync, readdirSync } from "node:fs";

/** The processes of this machine that run Pulumi's dynamic resources for a project. */
export function dynamicProvidersOf(projectDirectory: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(
      (processId) =>
        commandOf(processId).includes("cmd/dynamic-provider") && workingDirectoryOf(processId) === projectDirectory,
    );
}

function commandOf(processId: number): string {
  return attempt(() => readFileSync(`/proc/${processId}/cmdline`, "utf8").replaceAll("\0", " "));
}

function workingDirectoryOf(processId: number): string {
  return attempt(() => /PWD=([^\0]*)/.exec(readFileSync(`/proc/${processId}/environ`, "utf8"))?.[1] ?? "");
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
