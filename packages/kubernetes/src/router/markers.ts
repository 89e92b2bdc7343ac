import { canonicalJson, markerSchema, restSchema, type Marker, type RouterMemory } from "@bascule/core";
import { RouterConflict } from "@bascule/engine";
import { z } from "zod";
import {
  abortAnnotation,
  fencingAnnotation,
  historyAnnotation,
  markerAnnotation,
  restAnnotation,
  restoreAnnotation,
} from "../labels.ts";

/** The annotations of an object. */
export type Annotations = Readonly<Record<string, string>>;

const historySchema = z.array(z.string());

/** The annotation that holds a marker. */
export function markerNote(marker: Marker): Annotations {
  return { [markerAnnotation]: canonicalJson(marker) };
}

/** The marker on an object, if there is one. */
export function markerIn(annotations: Annotations): Marker | null {
  const text = annotations[markerAnnotation];
  return text === undefined ? null : markerSchema.parse(JSON.parse(text));
}

/** What the last transaction left: the versions that were promoted, and where traffic rests. */
export function memoryIn(annotations: Annotations): RouterMemory {
  const history = annotations[historyAnnotation];
  const rest = annotations[restAnnotation];
  return {
    history: history === undefined ? [] : historySchema.catch([]).parse(JSON.parse(history)),
    ...(rest === undefined ? {} : { rest: restSchema.parse(JSON.parse(rest)) }),
  };
}

/** The annotations with this memory in place of the one that they have. */
export function remembering(annotations: Annotations, { history, rest }: RouterMemory): Annotations {
  return {
    ...withoutRest(annotations),
    [historyAnnotation]: JSON.stringify(history),
    ...(rest ? { [restAnnotation]: canonicalJson(rest) } : {}),
  };
}

/** All annotations but the note of a pause. */
export function withoutRest(annotations: Annotations): Annotations {
  return without(annotations, [restAnnotation]);
}

/** How often traffic was put back in the transaction under way. */
export function restoreCount(annotations: Annotations = {}): number {
  return Number(annotations[restoreAnnotation] ?? 0);
}

/** The annotation that counts how often traffic was put back, which makes each time a write of its own. */
export function restoreNote(count: number): Annotations {
  return { [restoreAnnotation]: String(count) };
}

/**
 * What a transaction leaves on an object that stands beside the router object, whose annotations these are. It makes every claim and
 * every going back a write of its own there too, so that whatever is still on its way is refused.
 */
export function fenceNote({ transaction, fencing }: Marker, annotations: Annotations = {}): Annotations {
  return { [fencingAnnotation]: `${transaction}/${fencing}/${restoreCount(annotations)}` };
}

/** All annotations but those of a transaction under way. */
export function withoutTransaction(annotations: Annotations): Annotations {
  return without(annotations, [markerAnnotation, abortAnnotation, restoreAnnotation]);
}

/** All annotations but an abort mark. */
export function withoutAbort(annotations: Annotations): Annotations {
  return without(annotations, [abortAnnotation]);
}

function without(annotations: Annotations, keys: readonly string[]): Annotations {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !keys.includes(key)));
}

/** The marker to write when ours is renewed: that of a later step stays, with the new lease. */
export function renewed(found: Marker | null, marker: Marker): Marker {
  return found && found.step > marker.step ? { ...found, leaseUntilMs: marker.leaseUntilMs } : marker;
}

/** Whether two markers are of one claim; a renewed lease is still the same claim. */
export function isSameClaim(left: Marker | null, right: Marker | null): boolean {
  return left?.transaction === right?.transaction && left?.fencing === right?.fencing;
}

/** The error that tells who has an object that is not ours. */
export function notOurs(found: Marker | null, what: string): RouterConflict {
  const holder = found
    ? `transaction ${found.transaction} of process ${found.owner.processId} on ${found.owner.host} has it`
    : "its marker was removed by somebody";
  return new RouterConflict(`The ${what} is not ours to change: ${holder}.`);
}
