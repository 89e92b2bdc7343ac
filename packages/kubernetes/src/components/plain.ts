import { BasculeError } from "@bascule/core";
import * as pulumi from "@pulumi/pulumi";

/** Stands for a value that is only known while deploying, so that everything around it can be checked before. */
const placeholder = "known when deploying";

/** The arguments with a placeholder for each output, to be checked before any resource is made. */
export function withPlaceholders(value: unknown): unknown {
  if (pulumi.Output.isInstance(value) || value instanceof Promise) return placeholder;
  if (Array.isArray(value)) return value.map(withPlaceholders);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, withPlaceholders(item)]),
  );
}

/**
 * Refuses outputs in what names a version.
 *
 * @throws BasculeError `invalid-input`, naming the field
 */
export function mustBePlain(value: unknown, field: string, subject: string): void {
  if (pulumi.Output.isInstance(value) || value instanceof Promise) {
    throw new BasculeError(
      "invalid-input",
      `${subject}: ${field} is an output, known only while deploying; a version is named by its content, so give a plain value, for example from the stack's configuration, and refer to secrets by the name of a Secret. Nothing was changed.`,
    );
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) mustBePlain(item, `${field}.${key}`, subject);
}
