import { createHash } from "node:crypto";
import { z } from "zod";
import { canonicalJson } from "../canonical-json.ts";
import type { JournalFact } from "./fact.ts";

/** One line of a journal: a fact, chained to the line before by that line's hash. */
export const journalEntrySchema = z.strictObject({
  /** From 1, without gaps. */
  sequence: z.int().positive(),
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
  transaction: z.string(),
  fact: z.looseObject({ kind: z.string() }),
  /** The hash of the entry before; 64 zeros for the first. */
  previous: z.string().length(64),
  /** SHA-256 of the RFC 8785 text of this entry without `hash`. */
  hash: z.string().length(64),
});
export type JournalEntry = z.infer<typeof journalEntrySchema>;

/** What the first entry names as its predecessor. */
export const journalRoot = "0".repeat(64);

/** Chains a fact to the last entry of a journal (`undefined`: the journal is empty). */
export function nextEntry(
  last: JournalEntry | undefined,
  transaction: string,
  fact: JournalFact,
  nowMs: number,
): JournalEntry {
  const content = {
    sequence: (last?.sequence ?? 0) + 1,
    time: new Date(nowMs).toISOString(),
    transaction,
    fact: { ...fact },
    previous: last?.hash ?? journalRoot,
  };
  return { ...content, hash: hashOf(content) };
}

/** The first thing that is wrong with a chain of entries, or `undefined` when it is whole. */
export function findBreak(entries: readonly JournalEntry[]): string | undefined {
  let last: JournalEntry | undefined;
  for (const entry of entries) {
    const { hash, ...content } = entry;
    if (entry.sequence !== (last?.sequence ?? 0) + 1)
      return `entry ${entry.sequence} follows entry ${last?.sequence ?? 0}`;
    if (entry.previous !== (last?.hash ?? journalRoot))
      return `entry ${entry.sequence} does not continue the entry before it`;
    if (hashOf(content) !== hash) return `entry ${entry.sequence} was changed after it was written`;
    last = entry;
  }
  return undefined;
}

function hashOf(content: Omit<JournalEntry, "hash">): string {
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}
