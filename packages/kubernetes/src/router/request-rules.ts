import { defaultAffinitySeconds, type Affinity, type RequestMatch, type VersionId } from "@bascule/core";

/** The cookie that keeps a user at a version. */
export function affinityCookie(release: string, { cookieName }: Affinity): string {
  return cookieName ?? `bascule-${release}`;
}

/** The header that makes a browser come back to the candidate. */
export function setCookie(release: string, affinity: Affinity, candidate: VersionId): string {
  const maxAge = affinity.maxAgeSeconds ?? defaultAffinitySeconds;
  return `${affinityCookie(release, affinity)}=${candidate}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax`;
}

/** What a value has to be, without the name of what has it. */
type ValueMatch = Omit<RequestMatch, "header" | "cookie">;

/**
 * A pattern (RE2) for a whole value. It says itself where the value begins and ends: some implementations match a pattern against all of
 * it, others, such as Traefik, look for it anywhere.
 */
export function wholeValuePattern({ exact, prefix, regex }: ValueMatch): string {
  return `^(?:${exact === undefined ? (regex ?? `${escapeRegex(prefix ?? "")}.*`) : escapeRegex(exact)})$`;
}

/** A pattern (RE2) for a whole Cookie header in which a cookie has such a value. */
export function cookiePattern(cookie: string, { exact, prefix, regex }: ValueMatch): string {
  const value = exact === undefined ? (regex ?? `${escapeRegex(prefix ?? "")}[^;]*`) : escapeRegex(exact);
  return `^(.*;\\s*)?${escapeRegex(cookie)}=(?:${value})(;.*)?$`;
}

/** Text as a pattern that matches just that text. */
export function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
