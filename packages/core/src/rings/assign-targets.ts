import type { RingProblem } from "./ring-problem.ts";
import type { RingSpec, Target } from "./ring-options.ts";

/** Who is in which ring, or what is wrong. */
export interface Assignment {
  /** The ids of each ring's targets, in the order of ids. */
  readonly rings: readonly (readonly string[])[];
  readonly problems: readonly RingProblem[];
}

/**
 * Puts every target into exactly one ring. Rings by name and by label come first, for they say precisely whom they mean; then each
 * ring by count takes the first targets that are free, ring by ring; then rings by percentage are dealt theirs; `rest` has the others.
 *
 * Percentages are dealt out while walking along the order of ids: a target goes to the first ring that is behind its share of the
 * targets met so far. So where a target belongs depends only on those before it, and a fleet that grows at its end keeps its rings;
 * neighbours, which tend to share a rack, are spread on the way.
 */
export function assignTargets(targets: readonly Target[], specs: readonly RingSpec[]): Assignment {
  const ordered = inOrderOfIds(targets);
  const ringOf = new Map<string, number>();
  const problems = [...twiceListed(targets), ...assignByName(targets, specs, ringOf)];
  problems.push(...assignByLabel(ordered, specs, ringOf));
  assignByCount(ordered, specs, ringOf, problems);
  assignByPercent(ordered, specs, ringOf, problems);
  assignRest(ordered, specs, ringOf, problems);

  const rings: string[][] = specs.map(() => []);
  for (const { id } of ordered) rings[ringOf.get(id) ?? -1]?.push(id);
  if (problems.length === 0) problems.push(...emptyRings(rings, specs));
  return { rings, problems };
}

/** `host-9` comes before `host-10`: numbers in ids count as numbers, everything else by its characters, in no one's language. */
function inOrderOfIds(targets: readonly Target[]): Target[] {
  const keyed = targets.map((target) => ({ target, key: target.id.replaceAll(/\d+/g, sortableNumber) }));
  keyed.sort((one, other) => compare(one.key, other.key) || compare(one.target.id, other.target.id));
  return keyed.map(({ target }) => target);
}

/** Of two numbers without leading zeros the longer one is greater. */
function sortableNumber(digits: string): string {
  const significant = digits.replace(/^0+(?=\d)/, "");
  return `${String(significant.length).padStart(5, "0")}${significant}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function twiceListed(targets: readonly Target[]): RingProblem[] {
  const first = new Map<string, number>();
  return targets.flatMap(({ id }, index) => {
    const before = first.get(id);
    if (before === undefined) {
      first.set(id, index);
      return [];
    }
    return [{ field: `targets[${index}].id`, value: id, remedy: `targets[${before}] has this id too: list it once` }];
  });
}

function assignByName(
  targets: readonly Target[],
  specs: readonly RingSpec[],
  ringOf: Map<string, number>,
): RingProblem[] {
  const known = new Set(targets.map(({ id }) => id));
  return specs.flatMap(({ targets: names = [] }, ring) =>
    names.flatMap((id, index) => {
      const field = `rings[${ring}].targets[${index}]`;
      if (!known.has(id)) {
        return [{ field, value: id, remedy: "there is no such target: correct the name, or add it to targets" }];
      }
      const other = ringOf.get(id);
      ringOf.set(id, other ?? ring);
      if (other === undefined) return [];
      return [{ field, value: id, remedy: `rings[${other}] names it already: keep it in one place` }];
    }),
  );
}

function assignByLabel(
  ordered: readonly Target[],
  specs: readonly RingSpec[],
  ringOf: Map<string, number>,
): RingProblem[] {
  return specs.flatMap(({ label }, ring): RingProblem[] => {
    if (!label) return [];
    const wanted = Object.entries(label);
    const chosen = ordered.filter(({ labels }) => wanted.every(([key, value]) => labels?.[key] === value));
    const field = `rings[${ring}].label`;
    if (chosen.length === 0) {
      return [{ field, value: label, remedy: "no target has this label: correct it, or remove the ring" }];
    }
    const taken = chosen.find(({ id }) => ringOf.has(id));
    for (const { id } of chosen) if (!ringOf.has(id)) ringOf.set(id, ring);
    if (!taken) return [];
    const remedy = `${JSON.stringify(taken.id)} has it, and is in rings[${ringOf.get(taken.id)}] already: choose labels and names that do not overlap`;
    return [{ field, value: label, remedy }];
  });
}

function assignByCount(
  ordered: readonly Target[],
  specs: readonly RingSpec[],
  ringOf: Map<string, number>,
  problems: RingProblem[],
): void {
  let position = 0;
  specs.forEach(({ count }, ring) => {
    if (count === undefined) return;
    let left = count;
    for (; left > 0 && position < ordered.length; position++) {
      const id = ordered[position]?.id;
      if (id === undefined || ringOf.has(id)) continue;
      ringOf.set(id, ring);
      left--;
    }
    if (left === 0) return;
    const remedy = `only ${count - left} of the ${ordered.length} targets are left for it: lower it, or remove the ring`;
    problems.push({ field: `rings[${ring}].count`, value: count, remedy });
  });
}

function assignByPercent(
  ordered: readonly Target[],
  specs: readonly RingSpec[],
  ringOf: Map<string, number>,
  problems: RingProblem[],
): void {
  const shares = specs.flatMap(({ percent }, ring) => (percent === undefined ? [] : [{ ring, percent, taken: 0 }]));
  if (shares.length === 0) return;
  const total = shares.reduce((sum, { percent }) => sum + percent, 0);
  if (total > 100 + tolerance) {
    const fields = shares.map(({ ring }) => `rings[${ring}].percent`).join(" + ");
    problems.push({ field: fields, value: total, remedy: "this is more than all: lower them to 100 in sum" });
    return;
  }
  ordered.forEach(({ id }, index) => {
    if (ringOf.has(id)) return;
    const share = shares.find(({ percent, taken }) => taken < Math.ceil(((index + 1) * percent) / 100 - tolerance));
    if (!share) return;
    share.taken++;
    ringOf.set(id, share.ring);
  });
}

/** Sums and shares of decimal fractions are off by far less, and no share of a target counts as one. */
const tolerance = 1e-6;

function assignRest(
  ordered: readonly Target[],
  specs: readonly RingSpec[],
  ringOf: Map<string, number>,
  problems: RingProblem[],
): void {
  const rests = specs.flatMap(({ rest }, ring) => (rest ? [ring] : []));
  for (const ring of rests.slice(1)) {
    const remedy = `rings[${rests[0]}] takes the rest already: keep one of them`;
    problems.push({ field: `rings[${ring}].rest`, value: true, remedy });
  }
  const left = ordered.filter(({ id }) => !ringOf.has(id));
  const [ring] = rests;
  if (ring !== undefined) {
    for (const { id } of left) ringOf.set(id, ring);
  } else if (left.length > 0 && problems.length === 0) {
    const ids = left.slice(0, 3).map(({ id }) => id);
    problems.push({
      field: "targets",
      value: left.length > ids.length ? [...ids, "…"] : ids,
      remedy: `${left.length} of the ${ordered.length} targets are in no ring: add a ring { rest: true }, or name them in one`,
    });
  }
}

function emptyRings(rings: readonly (readonly string[])[], specs: readonly RingSpec[]): RingProblem[] {
  return specs.flatMap(({ percent, rest }, ring) => {
    if ((rings[ring]?.length ?? 0) > 0) return [];
    const [selector, value] = rest ? ["rest", true] : ["percent", percent];
    const remedy = "no target is left for this ring: remove it, or make the others smaller";
    return [{ field: `rings[${ring}].${selector}`, value, remedy }];
  });
}
