import canonicalize from "canonicalize";

/**
 * The RFC 8785 text of a value: one text for one meaning, so that it can be hashed and compared.
 *
 * @throws TypeError when the value is not JSON (a function, `undefined` or a symbol at the top)
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined)
    throw new TypeError("Only JSON values have a canonical text; leave functions and undefined out.");
  return text;
}
