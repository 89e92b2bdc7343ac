import { parseArgs } from "node:util";
import { z } from "zod";

/** What a run of the benchmark measures. */
export interface BenchmarkPlan {
  readonly parts: ReadonlySet<Part>;
  /** How many releases the stacks have, in ascending order. */
  readonly counts: readonly number[];
  /** How often each operation on a stack is measured. */
  readonly rounds: number;
  /** Whether it measures all that the documentation shows. */
  readonly isWhole: boolean;
}

const parts = ["engine", "stack"] as const;
type Part = (typeof parts)[number];

const defaults = { counts: [1, 50, 500], rounds: 3 };

const positive = z
  .string()
  .regex(/^[1-9]\d*$/, { error: "must be made of whole numbers from 1" })
  .transform(Number);
const optionsSchema = z.object({
  only: z.enum(parts, { error: `must be one of ${parts.join(", ")}` }).optional(),
  count: z.array(positive).optional(),
  rounds: positive.optional(),
});

/**
 * Reads the command line: `--only engine|stack`, `--count 1,50`, `--rounds 5`.
 *
 * @throws Error that names the wrong option
 */
export function planOf(parameters: readonly string[]): BenchmarkPlan {
  const { values } = parseArgs({
    args: [...parameters],
    options: { only: { type: "string" }, count: { type: "string" }, rounds: { type: "string" } },
  });
  const options = optionsSchema.safeParse({ ...values, count: values.count?.split(",") });
  if (!options.success) {
    const wrong = options.error.issues.map(({ path, message }) => `--${String(path[0])}: ${message}`);
    throw new Error(`${wrong.join("; ")}. Use --only engine|stack, --count 1,50 and --rounds 3.`);
  }
  const { only, count, rounds = defaults.rounds } = options.data;
  const counts = [...new Set(count ?? defaults.counts)].sort((one, other) => one - other);
  return {
    parts: new Set(only === undefined ? parts : [only]),
    counts,
    rounds,
    isWhole: only === undefined && count === undefined,
  };
}
