import type { TargetObservation } from "@bascule/core";
import type { Clock, RingTarget } from "@bascule/engine";

/** How long the calls to a target take, in simulated milliseconds. */
const callMs = { observe: 20, apply: 4_000, rollBack: 3_000, verify: 250 };

/** What goes wrong on which targets. */
export interface FleetTroubles {
  /** The candidate does not work there. */
  readonly broken: ReadonlySet<string>;
  /** The first attempt to apply fails there, before anything was written. */
  readonly shaky: ReadonlySet<string>;
}

/** Targets in memory that keep the contract of {@link RingTarget}: so many hosts or switches as the benchmark needs. */
export function createFleet(
  ids: readonly string[],
  stable: string,
  candidate: string,
  { broken, shaky }: FleetTroubles,
  clock: Clock,
): RingTarget {
  const found = new Map<string, TargetObservation>(
    ids.map((id) => [id, { version: stable, marker: null, revision: "0" }]),
  );
  const left = new Set(shaky);
  let revisions = 0;

  const at = (id: string): TargetObservation => {
    const target = found.get(id);
    if (!target) throw new Error(`there is no target ${id}`);
    return target;
  };
  const spend = async (durationMs: number, signal: AbortSignal) => {
    await clock.sleep(durationMs, signal);
    if (signal.aborted) throw new Error("given up");
  };
  const write = (id: string, target: Omit<TargetObservation, "revision">) => {
    found.set(id, { ...target, revision: String(++revisions) });
  };

  return {
    observe: async (id, signal) => {
      await spend(callMs.observe, signal);
      return at(id);
    },
    apply: async (id, marker, expects, signal) => {
      if (left.delete(id)) throw new Error("connection reset");
      if (at(id).revision !== expects.revision) throw new Error("it is not as expected");
      write(id, { version: null, marker });
      await spend(callMs.apply, signal);
      write(id, { version: marker.candidate, marker });
    },
    rollBack: async (id, marker, expects, signal) => {
      const target = at(id);
      if (target.marker?.run !== marker.run && target.revision !== expects.revision) throw new Error("it is not ours");
      write(id, { version: null, marker });
      await spend(callMs.rollBack, signal);
      write(id, { version: marker.origin, marker: null });
    },
    verify: async (id, version, signal) => {
      await spend(callMs.verify, signal);
      const passed = at(id).version === version && !(version === candidate && broken.has(id));
      return { passed, message: passed ? "answers 200" : "answers 500" };
    },
  };
}
