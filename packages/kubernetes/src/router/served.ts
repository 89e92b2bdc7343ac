import type { VersionId } from "@bascule/core";
import { z } from "zod";
import { ApiError, type Api } from "../api.ts";
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

const serviceSchema = z.looseObject({ spec: z.looseObject({ selector: selectorSchema.optional() }) });
const serviceName = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Tells the same where a router sends to Services that are named as the versions. Only what is known counts as not served: a Service
 * that is not there, or whose Pods are not ready; not what lies outside the namespace, nor a Service that picks no Pods itself.
 */
export function servedByServices(api: Api, namespace: string) {
  const core = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const isServed = async (version: VersionId, signal: AbortSignal): Promise<boolean> => {
    if (!serviceName.test(version)) return true;
    const selector = await selectorOfService(api, `${core}/services/${version}`, signal);
    if (selector === null) return false;
    if (Object.keys(selector).length === 0) return true;
    const pods = await api.list(`${core}/pods`, { labelSelector: selectorText(selector) }, podSchema, signal);
    return pods.some(isReady);
  };
  return async (versions: readonly VersionId[], signal: AbortSignal): Promise<boolean> => {
    for (const version of versions) if (await isServed(version, signal)) return true;
    return versions.length === 0;
  };
}

async function selectorOfService(
  api: Api,
  path: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>> | null> {
  try {
    const { spec } = await api.send({ method: "GET", path }, serviceSchema, signal);
    return spec.selector ?? {};
  } catch (thrown) {
    if (thrown instanceof ApiError && thrown.status === 404) return null;
    throw thrown;
  }
}

function selectorOf(release: string, version: VersionId): Readonly<Record<string, string>> {
  if (!version.startsWith(foreignSelectorPrefix)) return versionSelector(release, version);
  return selectorSchema.parse(JSON.parse(version.slice(foreignSelectorPrefix.length)));
}
