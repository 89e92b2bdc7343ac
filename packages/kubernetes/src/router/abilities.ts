import { BasculeError, type Traffic, type VersionId } from "@bascule/core";

/** What a kind of router can do with requests, beside sending all of them to one version. */
export interface RouterAbilities {
  /** For messages, for example `a Service`. */
  readonly title: string;
  /** Part of the requests to one version, the rest to another. */
  readonly weights: boolean;
  /** Requests with a header or a cookie to the candidate. */
  readonly matches: boolean;
  /** Copies of requests to the candidate. */
  readonly mirror: boolean;
  /** Users stay with the version that they met. */
  readonly affinity: boolean;
  /** What it can do and what not, in words. */
  readonly sentence: string;
  /** What it cannot do of this very traffic, although it can in general; `undefined` where there is nothing. */
  limitOf?(traffic: Traffic, candidate: VersionId): string | undefined;
}

/** What a kind of router cannot do of this traffic, and what to do about it; `undefined`: it can do all of it. */
export function trafficProblem(abilities: RouterAbilities, traffic: Traffic, candidate: VersionId): string | undefined {
  const asked = [
    ...(isSplit(traffic) && !abilities.weights ? ["traffic is split by weight"] : []),
    ...(traffic.matches && !abilities.matches ? ["requests are picked by a header or a cookie"] : []),
    ...(traffic.mirrorPercent !== undefined && !abilities.mirror ? ["requests are copied to the candidate"] : []),
    ...(traffic.affinity && !abilities.affinity ? ["users are kept at the version that they met"] : []),
  ];
  if (asked.length > 0) {
    return `${asked.join(", and ")}, which ${abilities.title} cannot do. ${abilities.sentence} Take a router that can, or leave it out of the plan`;
  }
  return abilities.limitOf?.(traffic, candidate);
}

/**
 * Refuses what a kind of router cannot do, before anything is written.
 *
 * @throws BasculeError `invalid-input`
 */
export function mustBeAble(abilities: RouterAbilities, traffic: Traffic, candidate: VersionId): void {
  const problem = trafficProblem(abilities, traffic, candidate);
  if (problem !== undefined) throw new BasculeError("invalid-input", `The traffic cannot be routed: ${problem}.`);
}

/** The versions that have traffic by weight. */
export function weighted({ weights }: Traffic): readonly VersionId[] {
  return Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .map(([version]) => version);
}

function isSplit(traffic: Traffic): boolean {
  const [only, ...others] = weighted(traffic);
  return only !== undefined && (others.length > 0 || traffic.weights[only] !== 100);
}
