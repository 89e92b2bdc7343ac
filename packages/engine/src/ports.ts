import type {
  CandidateSize,
  Expected,
  JournalEntry,
  JournalFact,
  Marker,
  Measurement,
  Origin,
  Probe,
  RouterMemory,
  RouterObservation,
  Traffic,
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
   * @throws RouterConflict when the marker on the object is not the expected one; and where that is `null`, also when the object is
   * not as expected (there or not, the weights, the pause where it rests): another run may have come and gone since the router was
   * observed
   */
  claim(marker: Marker, expects: Expected, signal: AbortSignal): Promise<void>;
  /**
   * Gives the object its declared shape, this traffic and this marker, and reads it back. Where one write cannot do it, clients
   * are served all the while, and the marker is there from the first write on.
   *
   * @throws RouterConflict when the object does not carry our marker
   */
  shift(traffic: Traffic, marker: Marker, signal: AbortSignal): Promise<void>;
  /**
   * Puts the object back to its former shape with the origin's weights, marker kept; makes it anew if somebody deleted it. An origin
   * that leaves a rest gets no rules for requests, no copies and no affinity, and the object's memory has no rest any more. With
   * `null`, removes the object. Depends on nothing but the router: never on the health of a version.
   *
   * @throws RouterConflict when there is an object and it does not carry our marker
   */
  restore(origin: Origin | null, marker: Marker, signal: AbortSignal): Promise<void>;
  /**
   * Replaces our marker by this one, unless the one on the object is of a later step, of which only the lease is extended; and says
   * whether somebody asked for an abort.
   *
   * @throws RouterConflict when the object does not carry our marker
   */
  renew(marker: Marker, signal: AbortSignal): Promise<{ readonly abortRequested: boolean }>;
  /**
   * Removes our marker. A memory replaces the one on the object, in the same write; without one, that stays as it is.
   *
   * @throws RouterConflict when the object does not carry our marker: only the engine can tell whether it was removed by an
   * earlier attempt or by a run that came later
   */
  release(marker: Marker, memory: RouterMemory | undefined, signal: AbortSignal): Promise<void>;
}

/** Thrown by a {@link Router} when another run owns the router object. */
export class RouterConflict extends Error {
  override readonly name = "RouterConflict";
}

/** What a measurement asks: the version without traffic, or the service that clients use. */
export interface ProbeRequest {
  readonly probe: Probe;
  /** `baseline`: the stable version itself, beside the candidate, whoever has the traffic. */
  readonly target: "candidate" | "baseline" | "service" | "stable";
  /** Who should answer. */
  readonly expected: Weights;
  /** Counts the measurements of this probe in this verification, from 0; a version's Pods are asked in turn. */
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
  /** Gives the version this size, and comes back when so many places are ready. */
  scale(version: VersionId, size: CandidateSize, signal: AbortSignal): Promise<void>;
}

/** Runs what the user declared by name, to its end. A hook may run twice after a crash, so it has to bear that. */
export interface Hooks {
  /** @throws Error when there is no such hook, or it failed */
  run(name: string, signal: AbortSignal): Promise<void>;
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
