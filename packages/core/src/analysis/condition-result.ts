import type { Extent } from "./condition-cost.ts";

/** JSON as the expression language takes it: a map has no prototype that an expression could reach. */
export type ConditionValue =
  null | boolean | number | bigint | string | readonly ConditionValue[] | ReadonlyMap<string, ConditionValue>;

const largestWeight = 1_000_000;
const deepestLevel = 64;

/**
 * Takes a measured result over into the expression language, and says how large it is. Numbers that JSON cannot say (NaN, ±Infinity)
 * stay what they are; fields without a value are left out, and no result at all is null.
 *
 * @throws Error one sentence: larger than 1,000,000 values and characters, deeper than 64 levels, or not JSON
 */
export function readResult(result: unknown): { readonly value: ConditionValue; readonly extent: Extent } {
  const levels: { items: number; weight: number }[] = [];
  let total = 0;

  const weigh = (depth: number, items: number, weight: number): number => {
    const level = (levels[depth] ??= { items: 1, weight: 1 });
    level.items = Math.max(level.items, items);
    level.weight = Math.max(level.weight, weight);
    return weight;
  };
  const spend = (weight: number): number => {
    total += weight;
    if (total > largestWeight)
      throw new Error("the result has more than 1,000,000 values and characters: let the probe take a part of it");
    return weight;
  };
  const read = (value: unknown, depth: number): { readonly value: ConditionValue; readonly weight: number } => {
    if (depth > deepestLevel)
      throw new Error(`the result is nested deeper than ${deepestLevel} levels: let the probe take a part of it`);
    switch (typeof value) {
      case "undefined":
        return { value: null, weight: weigh(depth, 1, spend(1)) };
      case "boolean":
      case "number":
      case "bigint":
        return { value, weight: weigh(depth, 1, spend(1)) };
      case "string":
        return { value, weight: weigh(depth, 1, spend(value.length + 1)) };
      case "object": {
        if (value === null) return { value, weight: weigh(depth, 1, spend(1)) };
        let weight = spend(1);
        if (Array.isArray(value)) {
          const list = value.map((entry: unknown) => {
            const item = read(entry, depth + 1);
            weight += item.weight;
            return item.value;
          });
          return { value: list, weight: weigh(depth, list.length, weight) };
        }
        if (!isPlain(value)) break;
        const map = new Map<string, ConditionValue>();
        for (const [key, entry] of Object.entries(value)) {
          if (entry === undefined) continue;
          const item = read(entry, depth + 1);
          weight += weigh(depth + 1, 1, spend(key.length + 1)) + item.weight;
          map.set(key, item.value);
        }
        return { value: map, weight: weigh(depth, map.size, weight) };
      }
      default:
        break;
    }
    throw new Error("the result is not JSON: let the probe give texts, numbers, booleans, lists and objects only");
  };

  const { value } = read(result, 0);
  return { value, extent: levels };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** What a value is, without telling more of it than a number or a boolean. */
export function describeValue(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "string" ? "a text" : "an object";
}
