import type { ASTNode } from "@marcbachmann/cel-js";

/** The most that values can be at one depth. */
interface Level {
  /** Entries of the longest list or map. */
  readonly items: number;
  /** Values and characters, with everything inside. */
  readonly weight: number;
}

/** How large a value can be: itself at depth 0, what it holds at 1, and so on. */
export type Extent = readonly Level[];

/** What a part of an expression costs, and how large its value can be. */
interface Estimate {
  readonly steps: number;
  readonly extent: Extent;
}

/** What a call costs by itself and gives, from what it is given; a method's receiver comes first. */
type CallCost = (given: readonly Extent[]) => Estimate;

/** What a loop gives, from what it loops over and what its bodies give. */
type LoopExtent = (over: Extent, bodies: readonly Extent[]) => Extent;

const single: Extent = [{ items: 1, weight: 1 }];

/** No number is longer than this as a text. */
const longestNumber = 32;

const looksAtOne: CallCost = () => ({ steps: 1, extent: single });
const looksAtAll: CallCost = (given) => ({ steps: weightOf(given), extent: single });
const copies: CallCost = (given) => ({ steps: weightOf(given), extent: widestOf(given) });
const chooses: CallCost = (given) => ({ steps: 1, extent: widestOf(given) });
const writes: CallCost = (given) => {
  const weight = weightOf(given) + longestNumber;
  return { steps: weight, extent: [{ items: 1, weight }] };
};

/** What a condition may call as `name(…)`. What is not here is refused, so that nothing unbounded can be called. */
const functions = new Map<string, CallCost>([
  ["has", looksAtOne],
  ["size", looksAtAll],
  ["type", looksAtOne],
  ["string", writes],
  ["int", looksAtAll],
  ["double", looksAtAll],
  ["bool", looksAtOne],
  ["asInt", looksAtAll],
  ["asFloat", looksAtAll],
  ["isNaN", looksAtOne],
  ["isInf", looksAtOne],
  ["isNil", looksAtOne],
  ["default", chooses],
]);

/** What a condition may call as `value.name(…)`. `matches` is not here: the library's patterns can take for ever. */
const methods = new Map<string, CallCost>([
  ["size", looksAtAll],
  ["contains", looksAtAll],
  ["startsWith", looksAtAll],
  ["endsWith", looksAtAll],
  ["lowerAscii", copies],
  ["upperAscii", copies],
  ["trim", copies],
  ["orValue", chooses],
  ["hasValue", looksAtOne],
]);

const loops = new Map<string, LoopExtent>([
  ["all", () => single],
  ["exists", () => single],
  ["exists_one", () => single],
  ["filter", (over) => over],
  [
    "map",
    (over, bodies) => {
      const { items } = levelOf(over);
      const each = bodies.at(-1) ?? single;
      return [{ items, weight: items * levelOf(each).weight + 1 }, ...each];
    },
  ],
]);

export const allowedFunctions: ReadonlySet<string> = new Set(functions.keys());
export const allowedMethods: ReadonlySet<string> = new Set([...methods.keys(), ...loops.keys()]);

/**
 * The most steps that an expression of allowed calls can take over a `result` of this extent; each value and each character that
 * is looked at counts for one. The language has no endless loops, but loops within loops and texts that double are soon as bad.
 */
export function estimateSteps(expression: ASTNode, result: Extent): number {
  return estimate(expression, new Map([["result", result]])).steps;
}

function estimate(node: ASTNode, scope: ReadonlyMap<string, Extent>): Estimate {
  const of = (part: ASTNode) => estimate(part, scope);
  switch (node.op) {
    case "value":
      return { steps: 1, extent: [{ items: 1, weight: lengthOf(node.args) + 1 }] };
    case "id":
      return { steps: 1, extent: scope.get(node.args) ?? single };
    case ".":
    case ".?": {
      const whole = of(node.args[0]);
      return sumOf([whole], 1, below(whole.extent));
    }
    case "[]":
    case "[?]": {
      const whole = of(node.args[0]);
      return sumOf([whole, of(node.args[1])], 1, below(whole.extent));
    }
    case "!_":
    case "-_":
      return sumOf([of(node.args)], 1, single);
    case "?:": {
      const [condition, left, right] = [of(node.args[0]), of(node.args[1]), of(node.args[2])];
      return sumOf([condition, left, right], 1, widestOf([left.extent, right.extent]));
    }
    case "list":
      return holding(node.args.map(of));
    case "map":
      return holding(node.args.flat().map(of));
    case "call": {
      const [name, given] = node.args;
      return called(functions.get(name), given.map(of));
    }
    case "rcall": {
      const [name, receiver, given] = node.args;
      const loop = loops.get(name);
      return loop ? looped(loop, of(receiver), given, scope) : called(methods.get(name), [receiver, ...given].map(of));
    }
    case "+":
      return added(of(node.args[0]), of(node.args[1]));
    case "in": {
      const list = of(node.args[1]);
      return sumOf([of(node.args[0]), list], levelOf(list.extent).weight, single);
    }
    default: {
      // A comparison ends with the smaller of the two.
      const [left, right] = [of(node.args[0]), of(node.args[1])];
      return sumOf([left, right], Math.min(levelOf(left.extent).weight, levelOf(right.extent).weight), single);
    }
  }
}

function looped(
  loop: LoopExtent,
  over: Estimate,
  [variable, ...bodies]: readonly ASTNode[],
  scope: ReadonlyMap<string, Extent>,
): Estimate {
  const inside = variable?.op === "id" ? new Map(scope).set(variable.args, below(over.extent)) : scope;
  const each = bodies.map((body) => estimate(body, inside));
  const once = each.reduce((sum, { steps }) => sum + steps, 1);
  const extent = loop(over.extent, extentsOf(each));
  return sumOf([over], levelOf(over.extent).items * once + 1, extent);
}

function called(cost: CallCost | undefined, given: readonly Estimate[]): Estimate {
  // What is not allowed was refused before; should it come here, no budget is enough for it.
  const own = cost?.(extentsOf(given)) ?? { steps: Number.POSITIVE_INFINITY, extent: single };
  return sumOf(given, own.steps, own.extent);
}

function added(left: Estimate, right: Estimate): Estimate {
  const [first, second] = [levelOf(left.extent), levelOf(right.extent)];
  const both = { items: first.items + second.items, weight: first.weight + second.weight };
  return sumOf([left, right], both.weight, [both, ...widestOf([left.extent, right.extent]).slice(1)]);
}

function holding(parts: readonly Estimate[]): Estimate {
  const extents = extentsOf(parts);
  return sumOf(parts, 1, [{ items: parts.length, weight: weightOf(extents) + 1 }, ...widestOf(extents)]);
}

function sumOf(parts: readonly Estimate[], ownSteps: number, extent: Extent): Estimate {
  return { steps: parts.reduce((sum, { steps }) => sum + steps, ownSteps), extent };
}

function lengthOf(literal: unknown): number {
  return typeof literal === "string" || literal instanceof Uint8Array ? literal.length : 0;
}

function below(extent: Extent): Extent {
  return extent.length > 1 ? extent.slice(1) : single;
}

function extentsOf(estimates: readonly Estimate[]): Extent[] {
  return estimates.map(({ extent }) => extent);
}

function levelOf(extent: Extent): Level {
  return extent[0] ?? { items: 1, weight: 1 };
}

function weightOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, extent) => sum + levelOf(extent).weight, 0);
}

function widestOf(extents: readonly Extent[]): Extent {
  const depth = Math.max(1, ...extents.map(({ length }) => length));
  return Array.from({ length: depth }, (_, index) => ({
    items: Math.max(1, ...extents.map((extent) => extent[index]?.items ?? 1)),
    weight: Math.max(1, ...extents.map((extent) => extent[index]?.weight ?? 1)),
  }));
}
