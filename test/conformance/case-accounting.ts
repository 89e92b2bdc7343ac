import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";

type Standing = "agreed" | "differs" | "not applicable" | "decided elsewhere";
const standings: readonly Standing[] = ["agreed", "differs", "not applicable", "decided elsewhere"];

/** What Bascule answers otherwise on purpose, and why that is better. */
export interface Difference {
  readonly ours: unknown;
  readonly reason: string;
}

interface Row {
  readonly id: string;
  readonly standing: Standing;
  readonly reason: string;
}

interface Case {
  readonly id: string;
}

const fileSchema = z.object({
  source: z.object({ project: z.string(), commit: z.string() }),
  groups: z.array(z.object({ group: z.string(), cases: z.array(z.looseObject({ id: z.string() })) })),
});

/** The cases of a file, each of which has to be accounted for once. */
export interface Accounting {
  /** The cases of a group that have a meaning here; those for which there is a reason are accounted for with it. */
  readonly casesOf: <Schema extends z.ZodType<Case>>(
    group: string,
    schema: Schema,
    reasonWithoutMeaning?: (read: z.output<Schema>) => string | undefined,
  ) => z.output<Schema>[];
  /** Holds the answer against the expected one; a known difference has to be exactly that. */
  readonly compare: (id: string, answer: unknown, expected: unknown) => void;
  /** Accounts for whole groups, by the reason of each. */
  readonly leaveOut: (
    groups: Readonly<Record<string, string>>,
    standing: "not applicable" | "decided elsewhere",
  ) => void;
  /** Declares the test that every case is accounted for, and prints the table. To be called last. */
  readonly close: () => void;
}

/** Opens the accounts of a file of cases. */
export function accountFor(fileName: string, differences: Readonly<Record<string, Difference>>): Accounting {
  const file = fileSchema.parse(JSON.parse(readFileSync(new URL(`cases/${fileName}`, import.meta.url), "utf8")));
  const rows: Row[] = [];
  const ofGroup = (name: string) => {
    const found = file.groups.find(({ group }) => group === name);
    if (!found) throw new Error(`${fileName} has no group ${name}.`);
    return found.cases;
  };

  return {
    casesOf: (group, schema, reasonWithoutMeaning = () => undefined) =>
      ofGroup(group).flatMap((raw) => {
        const read = schema.parse(raw);
        const reason = reasonWithoutMeaning(read);
        if (reason === undefined) return [read];
        rows.push({ id: read.id, standing: "not applicable", reason });
        return [];
      }),
    compare: (id, answer, expected) => {
      const difference = differences[id];
      if (difference === undefined) {
        expect(answer).toEqual(expected);
        rows.push({ id, standing: "agreed", reason: "" });
      } else {
        expect(difference.ours, `${id} is listed as a difference, but agrees`).not.toEqual(expected);
        expect(answer).toEqual(difference.ours);
        rows.push({ id, standing: "differs", reason: difference.reason });
      }
    },
    leaveOut: (groups, standing) => {
      for (const [group, reason] of Object.entries(groups))
        rows.push(...ofGroup(group).map(({ id }) => ({ id, standing, reason })));
    },
    close: () => {
      describe("every case of the file", () => {
        it("is accounted for, each once", () => {
          const all = file.groups.flatMap(({ cases }) => cases.map(({ id }) => id));
          expect(all.length).toBeGreaterThan(0);
          expect(rows.map(({ id }) => id).toSorted()).toEqual(all.toSorted());
          expect(all).toEqual(expect.arrayContaining(Object.keys(differences)));
        });
      });
      afterAll(() => {
        console.log(`${file.source.project} at ${file.source.commit.slice(0, 8)}`);
        console.table(
          file.groups.map(({ group, cases }) => ({ group, cases: cases.length, ...countsOf(rows, cases) })),
        );
        const byReason = Map.groupBy(
          rows.filter(({ reason }) => reason !== ""),
          ({ standing, reason }) => `${standing}: ${reason}`,
        );
        for (const [reason, of] of byReason) console.log(`${reason}\n  ${of.map(({ id }) => id).join(", ")}`);
      });
    },
  };
}

function countsOf(rows: readonly Row[], cases: readonly Case[]): Record<string, number> {
  const ids = new Set(cases.map(({ id }) => id));
  return Object.fromEntries(
    standings.map((standing) => [standing, rows.filter((row) => ids.has(row.id) && row.standing === standing).length]),
  );
}
