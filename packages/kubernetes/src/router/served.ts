import type { VersionId } from "@bascule/core";
import { z } from "zod";
import type { Api } from "../api.ts";
import { selectorText, versionSelector } from "../labels.ts";
import { isReady, podSchema } from "../workload.ts";

/** Names who has the traffic of a selector that is not one of ours. */
export const foreignSelectorPrefix = "selector ";

const selectorSchema = z.record(z.string(), z.string());

/** Tells whether any of the versions has a Pod that gets traffic. */
export function servedBy(api: Api, release: string, namespace: string) {
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  return async (versions: readonly VersionId[], signal: AbortSignal): Promise<boolean> => {
    for (const version of versions) {
      const labelSelector = selectorText(selectorOf(release, version));
      const pods = await api.list(collection, { labelSelector }, podSchema, signal);
      if (pods.some(isReady)) return true;
    }
    return versions.length === 0;
  };
}

function selectorOf(release: string, version: VersionId): Readonly<Record<string, string>> {
  if (!version.startsWith(foreignSelectorPrefix)) return versionSelector(release, version);
  return selectorSchema.parse(JSON.parse(version.slice(foreignSelectorPrefix.length)));
}
