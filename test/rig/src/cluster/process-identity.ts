import { readFileSync } from "node:fs";
import { z } from "zod";

/** A process, told from a later one with the same id by when it started, in ticks since boot. */
export const processSchema = z.strictObject({ processId: z.int(), start: z.string() });
export type ProcessIdentity = z.infer<typeof processSchema>;

/** PF_EXITING of the Linux kernel: the process has been killed or has ended, and is only not yet gone. */
const exitingFlag = 0x4;

/** The identity of a process that runs. */
export function identify(processId: number): ProcessIdentity {
  return { processId, start: readStat(processId)?.start ?? "gone" };
}

/** Whether this very process still does anything. One that is ending is not alive, however long its end takes. */
export function isAlive({ processId, start }: ProcessIdentity): boolean {
  const stat = readStat(processId);
  return stat?.start === start && !stat.isExiting;
}

function readStat(processId: number): { readonly start: string; readonly isExiting: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { start: fields[19] ?? "unknown", isExiting: (Number(fields[6]) & exitingFlag) !== 0 };
  } catch {
    return undefined;
  }
}
