import { BasculeError, messageOf } from "@bascule/core";
import { openJournal, systemClock } from "@bascule/engine";
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { protocol } from "./cutover-inputs.ts";

/** What every platform's Snapshot resource takes; a platform extends it with what is to be saved and where it is. */
export const snapshotInputsSchema = z.strictObject({
  protocol: z.literal(protocol),
  release: z.string().min(1),
  /** The version that is about to be deployed; a snapshot is taken once for each. */
  version: z.string().min(1),
  change: z.record(z.string(), z.string()).and(z.object({ id: z.string() })),
  journalDirectory: z.string().min(1),
});
export type SnapshotInputs = z.infer<typeof snapshotInputsSchema>;

/** One verified backup. */
export interface SnapshotTaken {
  readonly id: string;
  readonly kind: string;
  readonly location: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** ISO 8601, UTC. */
  readonly takenAt: string;
}

/** How one platform takes its snapshots. */
export interface SnapshotPlatform<Inputs extends SnapshotInputs> {
  readonly inputs: z.ZodType<Inputs>;
  /** Takes and verifies all of them, or throws and leaves nothing half-made. */
  take(inputs: Inputs, signal: AbortSignal): Promise<readonly SnapshotTaken[]>;
}

/** The property that a snapshot adds to what was declared. */
export const snapshotOutputs = new Set(["taken"]);

const takeLimitMs = 3_600_000;

/**
 * The behaviour of a Snapshot resource: taken when a version is first declared, before anything of it exists. Deleting the
 * resource keeps the backup, which has its own retention: a backup that went with what it protects would be none.
 */
export function defineSnapshotProvider<Inputs extends SnapshotInputs>(
  platform: SnapshotPlatform<Inputs>,
): Required<Pick<pulumi.dynamic.ResourceProvider, "check" | "diff" | "create" | "delete">> {
  const parse = (inputs: unknown) => platform.inputs.safeParse(withoutProvider(inputs));
  return {
    check: async (_olds: unknown, news: unknown) => {
      const parsed = parse(news);
      const issues = parsed.success ? [] : parsed.error.issues;
      return {
        inputs: news,
        failures: issues.map((issue) => ({ property: issue.path.join("."), reason: issue.message })),
      };
    },
    diff: async () => ({ changes: false }),
    create: async (news: unknown) => {
      const inputs = platform.inputs.parse(withoutProvider(news));
      const journal = await openJournal(inputs.journalDirectory, inputs.change.id, systemClock);
      const transaction = `snapshot-${inputs.version}`;
      try {
        const taken = await platform.take(inputs, AbortSignal.timeout(takeLimitMs));
        for (const { id, location, sizeBytes, sha256 } of taken) {
          await journal.append(transaction, { kind: "snapshotTaken", snapshot: id, location, sizeBytes, sha256 });
        }
        return {
          id: transaction,
          outs: { ...withoutProvider(news), taken: taken.map((snapshot) => ({ ...snapshot })) },
        };
      } catch (cause) {
        await journal.append(transaction, { kind: "snapshotFailed", message: messageOf(cause) });
        const message = `${inputs.release}: the snapshot before ${inputs.version} failed, so nothing was deployed. ${messageOf(cause)} The journal is ${journal.path}.`;
        throw new BasculeError("snapshot-failed", message, { cause });
      }
    },
    delete: async () => {},
  };
}

function withoutProvider(inputs: unknown): Record<string, unknown> {
  const record = typeof inputs === "object" && inputs !== null ? { ...inputs } : {};
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== "__provider"));
}
