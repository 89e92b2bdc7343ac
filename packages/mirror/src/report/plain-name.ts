const longestName = 40;

/**
 * Whether a name reads like one that a programmer gave, rather than like the name, number or address of somebody: letters with
 * one or two digits at most. A map may have customers as keys, and a path their numbers.
 */
export function isPlainName(name: string): boolean {
  return name.length <= longestName && /^[A-Za-z_$][A-Za-z_$-]*(?:\d{1,2}[A-Za-z_$-]*)?$/.test(name);
}

/** The path of a request's target, without its query, with `{…}` for the segments that are no plain names. */
export function describePath(target: string): string {
  const path = /^[^?#]*/.exec(target)?.[0] ?? "";
  const shown = path.split("/").map((segment) => (segment === "" || isPlainSegment(segment) ? segment : "{…}"));
  return shown.join("/");
}

function isPlainSegment(segment: string): boolean {
  return segment === "*" || segment.split(".").every(isPlainName);
}
