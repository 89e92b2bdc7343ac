import { describe, expect, it } from "vitest";
import { findBreak, journalEntrySchema, journalRoot, nextEntry, type JournalEntry } from "./entry.ts";

const noon = Date.UTC(2026, 10, 24, 12);

function chain(length: number): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (let index = 0; index < length; index++) {
    entries.push(nextEntry(entries.at(-1), "t", { kind: "stepPassed", step: index, message: "é" }, noon + index));
  }
  return entries;
}

describe("an entry", () => {
  it("begins or continues the chain", () => {
    const [first, second] = chain(2);
    expect(first).toMatchObject({
      sequence: 1,
      time: "2026-11-24T12:00:00.000Z",
      transaction: "t",
      previous: journalRoot,
    });
    expect(second).toMatchObject({ sequence: 2, previous: first?.hash });
    expect(first?.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it("hashes the meaning, not the order in which it is written", () => {
    const [entry] = chain(1);
    if (!entry) throw new Error("There is no entry.");
    const turned = journalEntrySchema.parse(Object.fromEntries(Object.entries(entry).reverse()));
    expect(findBreak([turned])).toBeUndefined();
  });

  it("survives being written and read", () => {
    const entries = chain(3).map((entry) => journalEntrySchema.parse(JSON.parse(JSON.stringify(entry))));
    expect(findBreak(entries)).toBeUndefined();
  });
});

describe("a chain", () => {
  it("that is whole, or empty, has no break", () => {
    expect(findBreak(chain(5))).toBeUndefined();
    expect(findBreak([])).toBeUndefined();
  });

  const change = (entries: JournalEntry[], index: number, fields: Partial<JournalEntry>) =>
    entries.map((entry, at) => (at === index ? { ...entry, ...fields } : entry));

  it.each<[string, (entries: JournalEntry[]) => JournalEntry[], string]>([
    [
      "a fact that was changed",
      (all) => change(all, 1, { fact: { kind: "stepPassed", step: 1, message: "e" } }),
      "entry 2 was changed after it was written",
    ],
    [
      "a time that was changed",
      (all) => change(all, 2, { time: "2026-11-24T13:00:00.000Z" }),
      "entry 3 was changed after it was written",
    ],
    ["another transaction", (all) => change(all, 0, { transaction: "u" }), "entry 1 was changed after it was written"],
    ["an entry taken out", (all) => all.toSpliced(1, 1), "entry 3 follows entry 1"],
    ["the first entry taken out", (all) => all.slice(1), "entry 2 follows entry 0"],
    ["an entry written twice", (all) => [...all.slice(0, 2), ...all.slice(1)], "entry 2 follows entry 2"],
    [
      "an entry of another chain",
      (all) => [
        ...all.slice(0, 1),
        ...[
          nextEntry(
            nextEntry(undefined, "x", { kind: "refused", reason: { code: "taken-over", message: "" } }, 0),
            "x",
            { kind: "committed", weights: {} },
            0,
          ),
        ],
      ],
      "entry 2 does not continue the entry before it",
    ],
    ["a hash made up", (all) => change(all, 4, { hash: "f".repeat(64) }), "entry 5 was changed after it was written"],
  ])("with %s is broken, and says where", (_name, tamper, message) => {
    expect(findBreak(tamper(chain(5)))).toBe(message);
  });

  it("that was changed and hashed anew breaks at the next entry", () => {
    const entries = chain(3);
    const forged = nextEntry(entries[0], "t", { kind: "stepPassed", step: 1, message: "forged" }, noon + 1);
    expect(findBreak(entries.with(1, forged))).toBe("entry 3 does not continue the entry before it");
  });
});
