import { canonicalJson, messageOf, type HttpProbe } from "@bascule/core";
import { compile, type JSONPathQuery, type JSONValue } from "json-p3";
import { z } from "zod";
import type { HttpAnswer } from "./http-answer.ts";
import type { Redact } from "./redaction.ts";

const excerptLength = 200;

/** What is asked of an answer, made ready: its JSON paths are compiled. */
export interface Expectations {
  readonly expect: HttpProbe["expect"];
  readonly json: readonly { readonly path: string; readonly query: JSONPathQuery; readonly equals: JSONValue }[];
}

/**
 * Makes a probe's expectations ready.
 *
 * @throws Error when a JSON path is not one of RFC 9535
 */
export function prepareExpectations(probe: HttpProbe): Expectations {
  const json = (probe.expect.json ?? []).map(({ path, equals }) => ({ path, equals, query: compilePath(path) }));
  return { expect: probe.expect, json };
}

/** What the answer lacks, each as "expected …, measured …"; empty when it is as expected. What came from the target is redacted. */
export function findDifferences(
  { expect, json }: Expectations,
  answer: HttpAnswer,
  durationMs: number,
  maxBodyBytes: number,
  redact: Redact,
): string[] {
  return [
    ...statusDifference(expect.status, answer.status),
    ...(answer.isCut
      ? [`expected a body of at most ${maxBodyBytes} bytes, measured a longer one; probe a smaller page`]
      : []),
    ...Object.entries(expect.headers ?? {}).flatMap(([name, value]) => headerDifference(name, value, answer, redact)),
    ...(expect.bodyContains === undefined || answer.body.includes(expect.bodyContains)
      ? []
      : [`expected a body that contains ${quote(expect.bodyContains)}, measured ${excerptOf(answer.body, redact)}`]),
    ...(answer.isCut ? [] : jsonDifferences(json, answer.body, redact)),
    ...(expect.latencyMs === undefined || durationMs <= expect.latencyMs
      ? []
      : [`expected an answer within ${expect.latencyMs} ms, measured ${durationMs} ms`]),
  ];
}

/** The beginning of a body, for a message. */
export function excerptOf(body: string, redact: Redact): string {
  if (body === "") return "an empty body";
  const text = redact(body).replace(/\p{Cc}+/gu, " ");
  const characters = [...text];
  return quote(characters.length > excerptLength ? `${characters.slice(0, excerptLength - 1).join("")}…` : text);
}

function statusDifference(expected: number | undefined, measured: number): string[] {
  if (expected === undefined)
    return measured >= 200 && measured <= 299 ? [] : [`expected a status of 200 to 299, measured ${measured}`];
  return measured === expected ? [] : [`expected status ${expected}, measured ${measured}`];
}

function headerDifference(name: string, expected: string, answer: HttpAnswer, redact: Redact): string[] {
  const found = answer.headers[name.toLowerCase()];
  const measured = Array.isArray(found) ? found.join(", ") : found;
  if (measured === expected) return [];
  return [
    `expected header ${name} ${quote(expected)}, measured ${measured === undefined ? "none" : excerptOf(measured, redact)}`,
  ];
}

function jsonDifferences(wanted: Expectations["json"], body: string, redact: Redact): string[] {
  if (wanted.length === 0) return [];
  const document = parseJson(body);
  if (document === undefined) return [`expected a JSON body, measured ${excerptOf(body, redact)}`];
  return wanted.flatMap(({ path, query, equals }) => {
    const expected = `expected ${path} = ${JSON.stringify(equals)}`;
    const values = select(query, document);
    if (typeof values === "string") return [`${expected}, measured nothing: ${redact(values)}`];
    if (values.length === 0) return [`${expected}, measured no such value in ${excerptOf(body, redact)}`];
    // A path may select several values; each of them is held to the expectation.
    const wrong = values.find((value) => canonicalJson(value) !== canonicalJson(equals));
    return wrong === undefined ? [] : [`${expected}, measured ${excerptOf(JSON.stringify(wrong), redact)}`];
  });
}

function parseJson(body: string): JSONValue | undefined {
  try {
    return z.json().parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}

function select(query: JSONPathQuery, document: JSONValue): JSONValue[] | string {
  try {
    return query.query(document).values();
  } catch (thrown) {
    return messageOf(thrown);
  }
}

function compilePath(path: string): JSONPathQuery {
  try {
    return compile(path);
  } catch (cause) {
    throw new Error(`expect.json path ${quote(path)} is not a JSON path of RFC 9535: ${messageOf(cause)}`, { cause });
  }
}

function quote(text: string): string {
  return `“${text}”`;
}
