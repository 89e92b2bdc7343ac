/** How the engine marks a secret in what it sends to a provider that accepts secrets. */
const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

/** A value's place: the keys that lead to it. */
export type Path = readonly string[];

/** The value without its secret envelopes, and where they were. */
export function unwrapSecrets(value: unknown): { readonly value: unknown; readonly secrets: readonly Path[] } {
  const secrets: Path[] = [];
  return { value: unwrap(value, [], secrets), secrets };
}

function unwrap(value: unknown, path: Path, secrets: Path[]): unknown {
  if (Array.isArray(value)) return value.map((item, index) => unwrap(item, [...path, String(index)], secrets));
  if (!isRecord(value)) return value;
  if (value[signatureKey] === secretSignature) {
    secrets.push(path);
    return unwrap(value["value"], path, []);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unwrap(item, [...path, key], secrets)]));
}

/** The value with an envelope around each of these places that it has. */
export function wrapSecrets(value: unknown, secrets: readonly Path[]): unknown {
  if (secrets.some((path) => path.length === 0)) return { [signatureKey]: secretSignature, value };
  const below = (key: string) => secrets.filter(([first]) => first === key).map(([, ...rest]) => rest);
  if (Array.isArray(value)) return value.map((item, index) => wrapSecrets(item, below(String(index))));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wrapSecrets(item, below(key))]));
}

/** Whether a value is a plain object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
