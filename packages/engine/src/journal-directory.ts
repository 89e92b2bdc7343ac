import { mkdir, open, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  BasculeError,
  findBreak,
  journalEntrySchema,
  nextEntry,
  type JournalEntry,
  type JournalFact,
} from "@bascule/core";
import lockfile from "proper-lockfile";
import type { Clock, Journal } from "./ports.ts";

/** A journal in a file of JSON lines: one file a change, appended to by any number of processes, one at a time. */
export interface JournalFile extends Journal {
  readonly path: string;
}

/**
 * The journal of a change in a directory.
 *
 * @throws BasculeError `journal-damaged` at the first append when the file's chain is broken: nothing is added to a journal that
 * does not prove what it says
 */
export async function openJournal(directory: string, change: string, clock: Clock): Promise<JournalFile> {
  const path = join(directory, `${change}.jsonl`);
  await mkdir(dirname(path), { recursive: true });
  await (await open(path, "a")).close();
  let known: Tail | undefined;
  return {
    path,
    append: async (transaction, fact) => {
      const unlock = await lockfile.lock(path, {
        retries: { retries: 50, minTimeout: 5, maxTimeout: 100 },
        stale: 10_000,
      });
      try {
        known = await appendUnderLock(path, known, transaction, fact, clock);
        return known.entry;
      } finally {
        await unlock();
      }
    },
  };
}

/** Where a journal ended when this process last wrote to it. */
interface Tail {
  readonly entry: JournalEntry;
  readonly lengthBytes: number;
}

/**
 * Reads and proves a journal.
 *
 * @throws BasculeError `journal-damaged`, naming the entry where the chain breaks
 */
export async function readJournal(path: string): Promise<readonly JournalEntry[]> {
  return parseJournal(path, await readFile(path, "utf8")).entries;
}

async function appendUnderLock(
  path: string,
  known: Tail | undefined,
  transaction: string,
  fact: JournalFact,
  clock: Clock,
): Promise<Tail> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    // Only a journal that somebody else wrote to has to be read and proved again.
    const tail = known?.lengthBytes === size ? known : parseJournal(path, await file.readFile("utf8")).tail;
    const entry = nextEntry(tail?.entry, transaction, fact, clock.nowMs());
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    const start = tail?.lengthBytes ?? 0;
    // A line cut off by a crash was never acknowledged, so it is not part of the record.
    if (start < size) await file.truncate(start);
    await file.write(line, 0, line.length, start);
    await file.datasync();
    return { entry, lengthBytes: start + line.length };
  } finally {
    await file.close();
  }
}

function parseJournal(
  path: string,
  text: string,
): { readonly entries: readonly JournalEntry[]; readonly tail: Tail | undefined } {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const lines = whole.split("\n").filter((line) => line !== "");
  const entries = lines.map((line, index) => parseLine(path, line, index + 1));
  const damage = findBreak(entries);
  if (damage !== undefined) throw damaged(path, damage);
  const entry = entries.at(-1);
  return { entries, tail: entry && { entry, lengthBytes: Buffer.byteLength(whole) } };
}

function parseLine(path: string, line: string, number: number): JournalEntry {
  try {
    return journalEntrySchema.parse(JSON.parse(line));
  } catch (cause) {
    throw damaged(path, `line ${number} is not a journal entry`, cause);
  }
}

function damaged(path: string, what: string, cause?: unknown): BasculeError {
  return new BasculeError(
    "journal-damaged",
    `The journal ${path} is damaged: ${what}. Keep it as evidence, find out who changed it, and move it away to go on.`,
    { cause },
  );
}
