import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";

/** What Bascule answers otherwise on purpose, and why that is better. */
export interface Difference {
  readonly ours: unknown;
  readonly reason: string;
}

/** What became of one case. */
export type Row = { readonly id: string } & (
  | { readonly standing: "agreed" }
  | { readonly standing: "differs"; readonly ours: unknown; readonly theirs: unknown; readonly reason: string }
  | { readonly standing: "not applicable"; readonly reason: string }
);

const caseSchema = z.looseObject({ id: z.string(), source: z.string() });
const fileSchema = z.object({
  source: z.object({ project: z.string(), commit: z.string(), commitDate: z.string() }),
  groups: z.array(z.object({ group: z.string(), cases: z.array(caseSchema) })),
});

interface Case {
  readonly id: string;
}

/** The cases of a file, each of which has to be accounted for once. */
export interface Accounting {
  readonly file: z.infer<typeof fileSchema> & { readonly name: string };
  readonly rows: readonly Row[];
  /** The cases of a group that have a meaning here; those for which there is a reason are accounted for with it. */
  readonly casesOf: <Schema extends z.ZodType<Case>>(
    group: string,
    schema: Schema,
    reasonWithoutMeaning?: (read: z.output<Schema>) => string | undefined,
  ) => z.output<Schema>[];
  /** Holds the answer against the expected one; a known difference has to be exactly that. */
  readonly compare: (id: string, answer: unknown, expected: unknown) => void;
  /** Accounts for whole groups that have no meaning here, by the reason of each. */
  readonly leaveOut: (groups: Readonly<Record<string, string>>) => void;
  /** Declares the test that every case is accounted for. To be called last. */
  readonly close: () => void;
}

/** Opens the accounts of a file of cases. */
export function accountFor(name: string, differences: Readonly<Record<string, Difference>>): Accounting {
  const file = {
    name,
    ...fileSchema.parse(JSON.parse(readFileSync(new URL(`cases/${name}`, import.meta.url), "utf8"))),
  };
  const rows: Row[] = [];
  const ofGroup = (group: string) => {
    const found = file.groups.find((candidate) => candidate.group === group);
    if (!found) throw new Error(`${name} has no group ${group}.`);
    return found.cases;
  };

  return {
    file,
    rows,
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
        rows.push({ id, standing: "agreed" });
      } else {
        expect(difference.ours, `${id} is listed as a difference, but agrees`).not.toEqual(expected);
        expect(answer).toEqual(difference.ours);
        rows.push({ id, standing: "differs", ours: answer, theirs: expected, reason: difference.reason });
      }
    },
    leaveOut: (groups) => {
      for (const [group, reason] of Object.entries(groups))
        rows.push(...ofGroup(group).map(({ id }): Row => ({ id, standing: "not applicable", reason })));
    },
    close: () => {
      describe(`every case of ${name}`, () => {
        it("is accounted for, each once", () => {
          const all = file.groups.flatMap(({ cases }) => cases.map(({ id }) => id));
          expect(all.length).toBeGreaterThan(0);
          expect(rows.map(({ id }) => id).toSorted()).toEqual(all.toSorted());
          expect(all).toEqual(expect.arrayContaining(Object.keys(differences)));
        });
      });
    },
  };
}
