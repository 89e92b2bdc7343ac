import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { NamespaceView } from "./namespace-view.ts";

/** What the Pods of one version have answered. */
export interface VersionStatistics {
  readonly ok: number;
  /** Of these, requests with the method POST. */
  readonly posts: number;
  /** Of these, copies that a mirror has sent. */
  readonly mirrored: number;
}

const statsSchema = z.object({ ok: z.number(), posts: z.number(), mirrored: z.number() });

const pollMs = 250;
const askLimitMs = 1_000;

/** Looks at what reaches each version until it is stopped; counts of Pods that have ended are kept. */
export function watchVersions(namespace: NamespaceView) {
  const latest = new Map<string, VersionStatistics & { readonly version: string }>();
  let isStopped = false;
  const look = async () => {
    for (const { name, version, address } of await namespace.versionPods()) {
      try {
        const response = await fetch(`http://${address}:8080/stats`, { signal: AbortSignal.timeout(askLimitMs) });
        latest.set(name, { version, ...statsSchema.parse(await response.json()) });
      } catch {
        // It is not there yet, or not any more.
      }
    }
  };
  const watching = (async () => {
    while (!isStopped) {
      await look();
      await sleep(pollMs);
    }
  })();
  const sums = (): ReadonlyMap<string, VersionStatistics> => {
    const byVersion = new Map<string, VersionStatistics>();
    for (const { version, ok, posts, mirrored } of latest.values()) {
      const sum = byVersion.get(version) ?? { ok: 0, posts: 0, mirrored: 0 };
      byVersion.set(version, { ok: sum.ok + ok, posts: sum.posts + posts, mirrored: sum.mirrored + mirrored });
    }
    return byVersion;
  };
  return {
    /** What was seen so far. */
    latest: sums,
    stop: async () => {
      isStopped = true;
      await watching;
      await look();
      return sums();
    },
  };
}
