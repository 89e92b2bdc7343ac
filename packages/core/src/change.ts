import { z } from "zod";
import { changeWindowSchema } from "./window.ts";

const person = z.string().trim().min(1, { error: "must name a person, for example ada@example.org" });

/** The change that a deployment belongs to, as its journal cites it. */
export const changeSchema = z.strictObject({
  /** Names the journal; letters, digits, dot, dash and underscore. */
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error: "must be 1 to 100 letters, digits, dots, dashes or underscores, for example web-1.5",
  }),
  type: z.enum(["standard", "normal", "emergency"]).optional(),
  reason: z.string().min(1).optional(),
  requester: person.optional(),
  implementer: person.optional(),
  /** The named person who answers for the verification's result. */
  validator: person.optional(),
  window: changeWindowSchema.optional(),
});
export type Change = z.infer<typeof changeSchema>;

/** Where a stack is on the way to production. What is not known to be `dev` or `test` is treated as `prod`. */
export const environmentSchema = z.enum(["dev", "test", "prod"]);
export type Environment = z.infer<typeof environmentSchema>;

/** The environment that a stack's name tells; a name that tells nothing means `prod`. */
export function environmentOf(stackName: string): Environment {
  const parsed = environmentSchema.safeParse(stackName.split("/").at(-1));
  return parsed.success ? parsed.data : "prod";
}
