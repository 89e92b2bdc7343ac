import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Marker, Owner } from "@bascule/core";
import type { Ownership } from "./ports.ts";

/** This process, as a marker names it. */
export function thisProcess(): Owner {
  return { host: hostname(), processId: process.pid, processStart: startOf(process.pid) ?? "unknown" };
}

/** On the owner's own host the process itself is looked for; elsewhere only the lease tells. */
export const processOwnership: Ownership = {
  isGone: (marker, nowMs) => nowMs > marker.leaseUntilMs || isDeadHere(marker),
};

function isDeadHere({ owner }: Marker): boolean {
  if (owner.host !== hostname()) return false;
  const start = startOf(owner.processId);
  if (start === undefined) return !exists(owner.processId);
  return start !== owner.processStart;
}

function exists(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (thrown) {
    return !(thrown instanceof Error && "code" in thrown && thrown.code === "ESRCH");
  }
}

/** Boot id and start time of a process: the same process id is given out again after a while. `undefined` where /proc is not there. */
function startOf(processId: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${processId}/stat`, "utf8");
    // The command's name may hold spaces and brackets, so fields are counted after its closing bracket; field 22 is the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return `${boot}/${fields[19] ?? ""}`;
  } catch {
    return undefined;
  }
}
