import { lookup, type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";

const freshMs = 5_000;
const usableMs = 60_000;

type Answered = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void;
type Resolve = (hostname: string, answered: Answered) => void;

interface Remembered {
  readonly addresses: readonly LookupAddress[];
  readonly atMs: number;
}

/**
 * Resolves names as the system does, and remembers them: a connection does not wait for a name that was known a moment ago, and
 * a name server that is slow or away for a minute is not noticed. A Service keeps its address as long as it exists.
 */
export function rememberedLookup(resolve: Resolve = askSystem, now: () => number = Date.now): LookupFunction {
  const remembered = new Map<string, Remembered>();
  const waiting = new Map<string, Answered[]>();

  const ask = (hostname: string, answered: Answered) => {
    const others = waiting.get(hostname);
    if (others !== undefined) {
      others.push(answered);
      return;
    }
    waiting.set(hostname, [answered]);
    resolve(hostname, (error, addresses) => {
      if (error === null) remembered.set(hostname, { addresses, atMs: now() });
      const all = waiting.get(hostname) ?? [];
      waiting.delete(hostname);
      for (const each of all) each(error, addresses);
    });
  };

  return (hostname, options, callback) => {
    const answer: Answered = (error, addresses) => {
      const [first] = addresses;
      if (error !== null || first === undefined) callback(error ?? new Error(`${hostname} has no address`), []);
      else if (options.all === true) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    };
    const known = remembered.get(hostname);
    const ageMs = known === undefined ? Infinity : now() - known.atMs;
    if (known === undefined || ageMs > usableMs) {
      ask(hostname, answer);
      return;
    }
    if (ageMs > freshMs) ask(hostname, () => {});
    // The caller expects to be called back later.
    process.nextTick(answer, null, known.addresses);
  };
}

function askSystem(hostname: string, answered: Answered): void {
  lookup(hostname, { all: true }, (error, addresses) => {
    answered(error, addresses ?? []);
  });
}
