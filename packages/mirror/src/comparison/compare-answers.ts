import type { JSONPathQuery } from "json-p3";
import type { MirrorSettings } from "../options.ts";
import type { AnswerDifference } from "../report/report.ts";
import { headerValues, type Answer } from "./answer.ts";
import { compareJson } from "./compare-json.ts";
import { decodeBody } from "./decode-body.ts";
import { compileIgnored, ignoredPlaces } from "./ignored-paths.ts";
import { parseJson, type JsonDocument } from "./json-text.ts";

/** What is compared of two answers, made ready. */
export interface ComparisonRules {
  readonly headers: readonly string[];
  readonly ignored: readonly JSONPathQuery[];
  /** Of a body without its content encoding. */
  readonly maximumDecodedBytes: number;
}

/** Places of one body that are told. */
const maximumPlaces = 20;

export function comparisonRules({
  compareHeaders,
  ignore,
  maximumBodyBytes,
}: Pick<MirrorSettings, "compareHeaders" | "ignore" | "maximumBodyBytes">): ComparisonRules {
  return {
    headers: compareHeaders,
    ignored: compileIgnored(ignore),
    maximumDecodedBytes: maximumBodyBytes,
  };
}

/** How the shadow's answer differs from the primary's. Undefined when that cannot be said: a body is too large, or nested too deeply for the paths to ignore. */
export function compareAnswers(
  primary: Answer,
  shadow: Answer,
  rules: ComparisonRules,
): readonly AnswerDifference[] | undefined {
  const body = compareBodies(primary, shadow, rules);
  if (body === undefined) return undefined;
  return [...compareStatus(primary, shadow), ...compareHeaders(primary, shadow, rules.headers), ...body];
}

function compareStatus(primary: Answer, shadow: Answer): AnswerDifference[] {
  if (primary.status === shadow.status) return [];
  return [{ what: "status", primary: String(primary.status), shadow: String(shadow.status) }];
}

function compareHeaders(primary: Answer, shadow: Answer, names: readonly string[]): AnswerDifference[] {
  return names.flatMap((name): AnswerDifference[] => {
    const values = [primary, shadow].map(({ headers }) => headerValues(headers, name));
    const [ofPrimary, ofShadow] = values.map((each) => JSON.stringify(each));
    if (ofPrimary === ofShadow) return [];
    const [primaryHas, shadowHas] = values.map((each) => (each.length === 0 ? "absent" : "present"));
    return [{ what: "header", at: name, primary: primaryHas, shadow: shadowHas }];
  });
}

function compareBodies(primary: Answer, shadow: Answer, rules: ComparisonRules): AnswerDifference[] | undefined {
  const [left, right] = [primary, shadow].map((answer) => decodeBody(answer, rules.maximumDecodedBytes));
  if (left === undefined || right === undefined) return undefined;
  if (Buffer.compare(left, right) === 0) return [];
  const expected = isJson(primary) ? parseJson(left) : undefined;
  if (expected === undefined) return [{ what: "body", primary: contentOf(left), shadow: contentOf(right) }];
  // A shadow that names another type may still give the same document; the header says so on its own.
  const measured = parseJson(right);
  if (measured === undefined) return [{ what: "body", at: "$", primary: "JSON", shadow: contentOf(right) }];
  return compareDocuments(expected, measured, rules);
}

function compareDocuments(
  expected: JsonDocument,
  measured: JsonDocument,
  { ignored }: ComparisonRules,
): AnswerDifference[] | undefined {
  try {
    const places = ignored.length === 0 ? undefined : ignoredPlaces(ignored, [expected.plain, measured.plain]);
    const found = compareJson(expected.exact, measured.exact, places, maximumPlaces);
    return found.map((difference) => ({ what: "body", ...difference }));
  } catch {
    return undefined;
  }
}

function isJson({ headers }: Answer): boolean {
  const [type = ""] = headerValues(headers, "content-type");
  return /^(?:application|text)\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type.trim());
}

function contentOf(body: Uint8Array): string {
  return body.length === 0 ? "empty" : "bytes";
}
