/** Takes secrets out of text that came from elsewhere. */
export type Redact = (text: string) => string;

const shortestPart = 8;

/**
 * Hides the values of headers that were sent, also where a target echoes them: whole, escaped for JSON or a URL, in base 64, and
 * the longer parts of a value such as the token of `Bearer …` or of a cookie.
 */
export function redactionOf(headers: Readonly<Record<string, string>>): Redact {
  const secrets = Object.values(headers).flatMap(formsOf);
  // The longest first, so that a secret within another leaves no remainder of the outer one.
  const forms = [...new Set(secrets)].filter((form) => form !== "").sort((left, right) => right.length - left.length);
  if (forms.length === 0) return (text) => text;
  const pattern = new RegExp(forms.map(escapePattern).join("|"), "gi");
  return (text) => text.replace(pattern, "[redacted]");
}

function formsOf(value: string): string[] {
  const parts = value.split(/[\s=;,]+/).filter((part) => part.length >= shortestPart);
  return [value.trim(), ...parts, ...basicCredentials(value)].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text),
    Buffer.from(text).toString("base64"),
  ]);
}

function basicCredentials(value: string): string[] {
  const encoded = /^basic\s+(\S+)$/i.exec(value.trim())?.[1];
  if (encoded === undefined) return [];
  const decoded = Buffer.from(encoded, "base64").toString("utf8");
  const password = decoded.slice(decoded.indexOf(":") + 1);
  return [decoded, ...(password.length >= shortestPart ? [password] : [])];
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
