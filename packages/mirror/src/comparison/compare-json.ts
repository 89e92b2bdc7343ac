import { isPlainName } from "../report/plain-name.ts";
import type { IgnoredPlaces } from "./ignored-paths.ts";

/** A place where two documents differ, by kinds: the values stay unsaid. */
export interface JsonDifference {
  /** For example `$.items[*].price`, with `[*]` for every index and for every name that is no plain one. */
  readonly at: string;
  readonly primary: JsonKind;
  readonly shadow: JsonKind;
}

type JsonKind = "absent" | "null" | "boolean" | "number" | "string" | "array" | "object";

interface Place {
  readonly parent: Place | undefined;
  readonly step: string;
}

interface Pair {
  readonly place: Place;
  readonly primary: unknown;
  readonly shadow: unknown;
  readonly ignored: IgnoredPlaces | undefined;
}

const longestPathSteps = 20;

/**
 * Compares two JSON documents by structure: the order of an object's fields means nothing, that of an array's items does. Each
 * place is given once, at most so many. An absent value is `undefined`.
 */
export function compareJson(
  primary: unknown,
  shadow: unknown,
  ignored: IgnoredPlaces | undefined,
  maximum: number,
): JsonDifference[] {
  const found = new Map<string, JsonDifference>();
  // A list of its own rather than recursion: a body may be nested deeper than the stack.
  const open: Pair[] = [];
  if (primary !== shadow && ignored?.isIgnored !== true) {
    open.push({ place: { parent: undefined, step: "$" }, primary, shadow, ignored });
  }
  for (let pair = open.pop(); pair !== undefined && found.size < maximum; pair = open.pop()) {
    if (isContainer(pair.primary) && isContainer(pair.shadow) && kindOf(pair.primary) === kindOf(pair.shadow)) {
      // The last is taken first.
      for (const child of childrenOf(pair, pair.primary, pair.shadow).reverse()) open.push(child);
    } else {
      const difference = { at: pathOf(pair.place), primary: kindOf(pair.primary), shadow: kindOf(pair.shadow) };
      found.set(`${difference.primary} ${difference.shadow} ${difference.at}`, difference);
    }
  }
  return [...found.values()];
}

type Container = readonly unknown[] | Readonly<Record<string, unknown>>;

/** The pairs within a pair that may differ: neither the same nor ignored. */
function childrenOf({ place, ignored }: Pair, primary: Container, shadow: Container): Pair[] {
  const children: Pair[] = [];
  const add = (key: string | number, step: string, left: unknown, right: unknown) => {
    const below = ignored?.below?.get(key);
    if (left === right || below?.isIgnored === true) return;
    children.push({ place: { parent: place, step }, primary: left, shadow: right, ignored: below });
  };
  if (Array.isArray(primary) && Array.isArray(shadow)) {
    const length = Math.max(primary.length, shadow.length);
    for (let index = 0; index < length; index++) add(index, "[*]", primary.at(index), shadow.at(index));
    return children;
  }
  for (const name of new Set([...Object.keys(primary), ...Object.keys(shadow)])) {
    add(name, isPlainName(name) ? `.${name}` : "[*]", fieldOf(primary, name), fieldOf(shadow, name));
  }
  return children;
}

function fieldOf(container: Container, name: string): unknown {
  return Object.getOwnPropertyDescriptor(container, name)?.value;
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}

function kindOf(value: unknown): JsonKind {
  if (value === undefined) return "absent";
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  switch (typeof value) {
    case "boolean":
      return "boolean";
    case "string":
      return "string";
    case "object":
      return "object";
    default:
      // A whole number beyond the safe ones is a bigint here.
      return "number";
  }
}

function pathOf(place: Place): string {
  const steps: string[] = [];
  for (let each: Place | undefined = place; each !== undefined; each = each.parent) steps.push(each.step);
  const path = steps.reverse();
  return path.length <= longestPathSteps ? path.join("") : `${path.slice(0, longestPathSteps).join("")}…`;
}
