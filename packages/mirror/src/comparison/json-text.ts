import type { JSONValue } from "json-p3";

/** A JSON document, once as it is and once with the whole numbers exact that a number cannot hold, as bigint. */
export interface JsonDocument {
  readonly plain: JSONValue;
  readonly exact: unknown;
}

const mayHoldLongNumbers = /\d{16}/;

/** Reads JSON from UTF-8. Undefined when it is none. */
export function parseJson(bytes: Uint8Array): JsonDocument | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const plain: unknown = JSON.parse(text);
    if (!isJson(plain)) return undefined;
    return { plain, exact: mayHoldLongNumbers.test(text) ? JSON.parse(text, exactly) : plain };
  } catch {
    return undefined;
  }
}

function isJson(value: unknown): value is JSONValue {
  // JSON.parse gives nothing else.
  return value !== undefined;
}

/** Two long identifiers may be the same number once they are rounded. */
function exactly(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isRounded = typeof value === "number" && !Number.isSafeInteger(value);
  return isRounded && context?.source !== undefined && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
}
