import { execFile } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BasculeError, type JournalFact } from "@bascule/core";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFakeClock } from "./fake-clock.ts";
import { openJournal, readJournal } from "./journal-directory.ts";

const clock = createFakeClock(Date.UTC(2026, 10, 24, 12));
const fact: JournalFact = { kind: "stepPassed", step: 0, message: "bien passé" };
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bascule-journal-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function written(count: number): Promise<string> {
  const journal = await openJournal(directory, "web-1.5", clock);
  for (let index = 0; index < count; index++) await journal.append("transaction", fact);
  return journal.path;
}

async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").slice(0, -1);
}

describe("a journal in a directory", () => {
  it("is one file of JSON lines for each change, made with its directory when it is not there", async () => {
    const journal = await openJournal(join(directory, "a", "b"), "web-1.5", clock);
    expect(journal.path).toBe(join(directory, "a", "b", "web-1.5.jsonl"));
    await journal.append("transaction", fact);
    expect(await linesOf(journal.path)).toHaveLength(1);
  });

  it("gives back what was written, in order and chained", async () => {
    const path = await written(3);
    const entries = await readJournal(path);
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(entries[0]).toMatchObject({
      transaction: "transaction",
      time: "2026-11-24T12:00:00.000Z",
      fact,
      previous: "0".repeat(64),
    });
    expect(entries[2]?.previous).toBe(entries[1]?.hash);
  });

  it("is continued by the next run", async () => {
    await written(2);
    await written(2);
    expect(await readJournal(join(directory, "web-1.5.jsonl"))).toHaveLength(4);
  });

  it("is empty before its first entry", async () => {
    const { path } = await openJournal(directory, "new", clock);
    expect(await readJournal(path)).toEqual([]);
  });
});

describe("a last line that a crash cut off", () => {
  it("is no part of the record, and makes room for the next entry", async () => {
    const path = await written(2);
    const [, second] = await linesOf(path);
    await appendFile(path, `${second?.slice(0, 40)}é`);
    expect(await readJournal(path)).toHaveLength(2);

    await written(1);
    expect((await linesOf(path)).map((line) => /"sequence":(\d)/.exec(line)?.[1])).toEqual(["1", "2", "3"]);
    expect(await readJournal(path)).toHaveLength(3);
  });

  it("may be longer than the entry that takes its place", async () => {
    const path = await written(1);
    await appendFile(path, `{"sequence":2,"fact":"${"x".repeat(10_000)}`);
    await written(1);
    expect(await linesOf(path)).toHaveLength(2);
    expect(await readFile(path, "utf8")).not.toContain("xxx");
    expect(await readJournal(path)).toHaveLength(2);
  });

  it("may be the only one", async () => {
    const { path } = await openJournal(directory, "web-1.5", clock);
    await writeFile(path, '{"sequence":1,"ti');
    await written(1);
    expect(await readJournal(path)).toHaveLength(1);
  });
});

describe("a journal that somebody changed", () => {
  const changes: [string, (lines: string[]) => string[], string][] = [
    [
      "a word",
      (lines) => lines.map((line, index) => (index === 1 ? line.replace("bien", "mal ") : line)),
      "entry 2 was changed after it was written",
    ],
    ["an entry taken out", (lines) => lines.toSpliced(1, 1), "entry 3 follows entry 1"],
    ["the first entry taken out", (lines) => lines.slice(1), "entry 2 follows entry 0"],
    [
      "two entries exchanged",
      ([first = "", second = "", third = ""]) => [first, third, second],
      "entry 3 follows entry 1",
    ],
    ["a whole line that is no entry", (lines) => [...lines, "{}"], "line 4 is not a journal entry"],
    ["a line in the middle that is not JSON", (lines) => lines.with(1, "rubbish"), "line 2 is not a journal entry"],
  ];
  it.each(changes)("by %s is not read, not added to and not touched", async (_name, change, message) => {
    const path = await written(3);
    const changed = `${change(await linesOf(path)).join("\n")}\n`;
    await writeFile(path, changed);

    await expect(readJournal(path)).rejects.toThrow(message);
    const journal = await openJournal(directory, "web-1.5", clock);
    await expect(journal.append("transaction", fact)).rejects.toSatisfy(
      (thrown) => thrown instanceof BasculeError && thrown.code === "journal-damaged" && thrown.message.includes(path),
    );
    expect(await readFile(path, "utf8")).toBe(changed);
  });

  it("while it is open is noticed at the next append", async () => {
    const journal = await openJournal(directory, "web-1.5", clock);
    await journal.append("transaction", fact);
    const [first = ""] = await linesOf(journal.path);
    await writeFile(journal.path, `${first.replace("bien passé", "pas bien du tout")}\n`);
    await expect(journal.append("transaction", fact)).rejects.toThrow("entry 1 was changed");
  });
});

describe("two that append at the same time", () => {
  it("in one process keep one whole chain", async () => {
    const [left, right] = await Promise.all([
      openJournal(directory, "web-1.5", clock),
      openJournal(directory, "web-1.5", clock),
    ]);
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? left : right).append(`${index % 2}`, fact)),
    );
    const entries = await readJournal(left.path);
    expect(entries).toHaveLength(10);
    expect(new Set(entries.map(({ transaction }) => transaction))).toEqual(new Set(["0", "1"]));
  });

  it("in two processes keep one whole chain", { timeout: 30_000 }, async () => {
    const script = join(directory, "append.cjs");
    const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));
    await build({
      stdin: {
        contents: `
          import { openJournal } from "./journal-directory.ts";
          import { systemClock } from "./clock.ts";
          const [, , directory, name, startAtMs] = process.argv;
          while (Date.now() < Number(startAtMs));
          void openJournal(directory, "web-1.5", systemClock).then(async (journal) => {
            for (let index = 0; index < 50; index++) await journal.append(name, { kind: "stepPassed", step: index, message: name });
          });`,
        resolveDir: source("."),
        loader: "ts",
      },
      bundle: true,
      platform: "node",
      format: "cjs",
      alias: { "@bascule/core": source("../../core/src/index.ts") },
      outfile: script,
    });
    const run = promisify(execFile);
    // Both begin at the same moment, however long each takes to start.
    const startAtMs = String(Date.now() + 1_000);
    await Promise.all(["one", "two"].map((name) => run(process.execPath, [script, directory, name, startAtMs])));

    const entries = await readJournal(join(directory, "web-1.5.jsonl"));
    expect(entries).toHaveLength(100);
    for (const name of ["one", "two"]) {
      const steps = entries.filter(({ transaction }) => transaction === name).map((entry) => entry.fact["step"]);
      expect(steps).toEqual(Array.from({ length: 50 }, (_, index) => index));
    }
  });
});
