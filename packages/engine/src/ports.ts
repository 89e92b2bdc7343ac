import type {
  JournalEntry,
  JournalFact,
  Marker,
  Measurement,
  Origin,
  Probe,
  RouterObservation,
  VersionId,
  Weights,
} from "@bascule/core";

/**
 * What splits traffic. An adapter's writes are compare-and-swap on the object's version, read back, and retried by nobody but the
 * adapter. Our marker is the one with our transaction and our fencing number: an object that carries another, or none, belongs to
 * a run that came later, and a writer that is late is refused.
 */
export interface Router {
  /** What the router object says now. */
  observe(signal: AbortSignal): Promise<RouterObservation>;
  /**
   * Writes the marker; creates the router object, without traffic, where there is none.
   *
   * @throws RouterConflict when the marker on the object is not `expects`; and where that is `null`, also when the object is not what
   * the marker names as its origin (there or not, the weights): another run may have come and gone since the router was observed
   */
  claim(marker: Marker, expects: Marker | null, signal: AbortSignal): Promise<void>;
  /**
   * Gives the object its declared shape, these weights and this marker in one write, and reads it back.
   *
   * @throws RouterConflict when the object does not carry our marker
   */
  shift(weights: Weights, marker: Marker, signal: AbortSignal): Promise<void>;
  /**
   * Puts the object back to what it was, marker kept; makes it anew if somebody deleted it. With `null`, removes the object.
   * Depends on nothing but the router: never on the health of a version.
   *
   * @throws RouterConflict when there is an object and it does not carry our marker
   */
  restore(origin: Origin | null, marker: Marker, signal: AbortSignal): Promise<void>;
  /**
   * Extends the lease of our marker, and says whether somebody asked for an abort.
   *
   * @throws RouterConflict when the object does not carry our marker
   */
  renew(marker: Marker, signal: AbortSignal): Promise<{ readonly abortRequested: boolean }>;
  /**
   * Removes our marker.
   *
   * @throws RouterConflict when the object does not carry our marker: only the engine can tell whether it was removed by an
   * earlier attempt or by a run that came later
   */
  release(marker: Marker, signal: AbortSignal): Promise<void>;
}

/** Thrown by a {@link Router} when another run owns the router object. */
export class RouterConflict extends Error {
  override readonly name = "RouterConflict";
}

/** What a measurement asks: the version without traffic, or the service that clients use. */
export interface ProbeRequest {
  readonly probe: Probe;
  readonly target: "candidate" | "service" | "stable";
  /** Who should answer. */
  readonly expected: Weights;
  /** Counts the measurements of this probe in this verification, from 0; a candidate's Pods are asked in turn. */
  readonly sequence: number;
}

/** Takes single measurements. Never throws for what the target does: that is a failed measurement. */
export interface Prober {
  measure(request: ProbeRequest, signal: AbortSignal): Promise<Measurement>;
  /** How many places a target is made of; each of them must be measured. Default 1. */
  places?(target: ProbeRequest["target"], signal: AbortSignal): Promise<number>;
}

/** What can be done to the workload of a version. */
export interface Workload {
  /** Ends the connections that clients keep to a version that has lost its traffic, without losing a request in flight. */
  disconnect(version: VersionId, signal: AbortSignal): Promise<void>;
}

/** Where the journal of a change is kept. */
export interface Journal {
  /** Appends durably: when it resolves, the entry survives a crash. */
  append(transaction: string, fact: JournalFact): Promise<JournalEntry>;
}

/** Time. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves after the time, or as soon as the signal is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** Tells whether the process that a marker names is still there. */
export interface Ownership {
  /** `true` only when the owner is known to be gone; a lease that has run out counts. */
  isGone(marker: Marker, nowMs: number): boolean;
}
