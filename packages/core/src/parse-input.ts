import type { z } from "zod";
import { BasculeError } from "./errors.ts";

/**
 * Checks what a user wrote, and gives it back typed.
 *
 * @param subject what is being checked, for example `BlueGreenDeployment "web"`
 * @throws BasculeError `invalid-input`: one message with every wrong field, its value and the remedy
 */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  subject: string,
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => describeIssue(issue, input));
  throw new BasculeError("invalid-input", `${subject}: ${problems.join("; ")}. Nothing was changed.`);
}

function describeIssue(issue: z.core.$ZodIssue, input: unknown): string {
  if (issue.code === "unrecognized_keys") {
    const fields = issue.keys.map((key) => fieldName([...issue.path, key])).join(", ");
    return `${fields} is not a known field: remove it or correct its spelling`;
  }
  const value = valueAt(input, issue.path);
  const remedy = issue.message.replace(/^Invalid input: /, "").replace(/\.$/, "");
  if (value === undefined) {
    const type = /^expected (.+), received undefined$/.exec(remedy)?.[1];
    return `${fieldName(issue.path)} is missing: ${type === undefined ? remedy : `give it a value of type ${type}`}`;
  }
  return `${fieldName(issue.path)} = ${shorten(value)}: ${remedy}`;
}

function fieldName(path: readonly PropertyKey[]): string {
  const name = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return name.replace(/^\./, "") || "the arguments";
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), input);
}

function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
