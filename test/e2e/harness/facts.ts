import type { JournalEntry } from "@bascule/core";
import type { z } from "zod";

/** What a journal tells of one kind of fact. */
export function factsOf<Schema extends z.ZodType>(
  entries: readonly JournalEntry[],
  schema: Schema,
): readonly z.output<Schema>[] {
  return entries.flatMap(({ fact }) => {
    const parsed = schema.safeParse(fact);
    return parsed.success ? [parsed.data] : [];
  });
}
