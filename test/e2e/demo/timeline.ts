import { readJournal } from "@bascule/engine";

/** The journal of a change as lines to read: when, and what. Measurements are counted, not listed. */
export async function timelineOf(path: string): Promise<readonly string[]> {
  const entries = await readJournal(path);
  const startMs = Date.parse(entries[0]?.time ?? "");
  const lines: string[] = [];
  let measured = 0;
  for (const { time, fact } of entries) {
    if (fact.kind === "measured") {
      measured++;
      continue;
    }
    const seconds = ((Date.parse(time) - startMs) / 1000).toFixed(2).padStart(6);
    lines.push(`${seconds} s  ${describe(fact)}${measured > 0 ? `  (${measured} measurements)` : ""}`);
    measured = 0;
  }
  return lines;
}

function describe(fact: { readonly kind: string } & Readonly<Record<string, unknown>>): string {
  const reason =
    typeof fact["reason"] === "object" && fact["reason"] !== null && "message" in fact["reason"]
      ? String(fact["reason"].message)
      : "";
  const detail = [fact["description"], fact["message"], reason].find(
    (text): text is string => typeof text === "string" && text !== "",
  );
  const weights =
    fact["weights"] === undefined || fact["weights"] === null ? "" : ` ${JSON.stringify(fact["weights"])}`;
  return `${fact.kind}${weights}${detail === undefined ? "" : `: ${detail}`}`;
}
