import { EvaluationError, ParseError, TypeError as CelTypeError } from "@marcbachmann/cel-js";
import { messageOf } from "../errors.ts";
import { allowedFunctions, allowedMethods } from "./condition-cost.ts";

/** Characters of a condition that a message quotes. */
const longestQuote = 200;

/** What those who come from other languages write, and how CEL says it. */
const otherSpellings: Readonly<Record<string, string>> = {
  nil: "null",
  None: "null",
  undefined: "null",
  len: "size(…)",
  all: "list.all(x, …)",
  any: "list.exists(x, …)",
  one: "list.exists_one(x, …)",
  none: "!list.exists(x, …)",
  filter: "list.filter(x, …)",
  map: "list.map(x, …)",
  count: "list.filter(x, …).size()",
  and: "&&",
  or: "||",
  not: "!",
  matches: "startsWith(…), endsWith(…) or contains(…)",
  bind: "the expression in its place",
};

type LanguageError = ParseError | EvaluationError | CelTypeError;

/** The library's errors that quote a value. */
const quotesValues: ReadonlySet<string> = new Set(["no_such_key", "bool_conversion_error"]);

const remedies: Readonly<Record<string, string>> = {
  unknown_call: `there are ${[...new Set([...allowedFunctions, ...allowedMethods])].join(", ")}`,
  unknown_variable: "the measured value is called result",
  no_such_key: "write has(result.name) && … or result.?name.orValue(…) for what may be missing",
  index_out_of_bounds: "ask size(…) first, or write result[?0].orValue(…)",
  no_such_overload: "compare values of one kind; asFloat(…) makes a number of a text",
  no_matching_overload: "give it values of the kind that it takes; asFloat(…) makes a number of a text",
  limit_exceeded: "write a smaller expression",
};

/** The problem of a condition in one sentence, with its place in the text and a remedy where one is known. */
export function describeProblem(thrown: unknown, text: string): string {
  if (!isLanguageError(thrown)) return messageOf(thrown);
  const place = thrown.range === undefined ? "" : `${describePlace(text, thrown.range.start)}: `;
  const remedy = remedyFor(thrown.code, thrown.summary, text);
  return `${place}${quote(withoutValues(thrown, text))}${remedy === undefined ? "" : `; ${remedy}`}`;
}

/** The library's words, without what they quote of the result. */
function withoutValues({ code, summary }: LanguageError, text: string): string {
  const [, problem, detail] = /^(.+?): (.+)$/s.exec(summary) ?? [];
  const isFromResult = detail !== undefined && quotesValues.has(code) && !text.includes(detail);
  return isFromResult ? (problem ?? "") : summary;
}

/** Whether the expression language itself says what is wrong. */
export function isLanguageError(thrown: unknown): thrown is LanguageError {
  return thrown instanceof ParseError || thrown instanceof EvaluationError || thrown instanceof CelTypeError;
}

function remedyFor(code: string, summary: string, text: string): string | undefined {
  const name = /^Unknown (?:variable|function): (\w+)/.exec(summary)?.[1];
  if (name !== undefined && Object.hasOwn(otherSpellings, name)) return `write ${otherSpellings[name]}`;
  if (code !== "unexpected_character") return remedies[code];
  if (text.includes("#")) return "write list.all(x, x < 5) for all(list, {# < 5})";
  if (/[^=!<>]=[^=]/.test(text)) return "write == to compare";
  const word = /\b(?:and|or|not)\b/.exec(text)?.[0];
  return word === undefined ? undefined : `write ${otherSpellings[word]} for ${word}`;
}

/** The beginning of a text, on one line, for a message. */
export function quote(text: string | undefined): string {
  const characters = [
    ...(text ?? "")
      .trim()
      .replace(/\s+/gu, " ")
      .replace(/\p{Cc}/gu, "�"),
  ];
  return characters.length > longestQuote ? `${characters.slice(0, longestQuote).join("")}…` : characters.join("");
}

function describePlace(text: string, position: number): string {
  const lines = text.slice(0, position).split("\n");
  const column = (lines.at(-1)?.length ?? 0) + 1;
  return lines.length > 1 ? `line ${lines.length}, column ${column}` : `column ${column}`;
}
