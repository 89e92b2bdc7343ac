import type { VersionId } from "@bascule/core";

/** Labels that name what an object belongs to. */
export const releaseLabel = "bascule.dev/release";
export const versionLabel = "bascule.dev/version";

/** Where a Service's annotations keep the marker of the transaction under way. */
export const markerAnnotation = "bascule.dev/transaction";
/** Set by whoever wants the transaction under way to be given up. */
export const abortAnnotation = "bascule.dev/abort";

/** The labels that pick the Pods of one version. */
export function versionSelector(release: string, version: VersionId): Record<string, string> {
  return { [releaseLabel]: release, [versionLabel]: version };
}

/** A label selector as the API's lists take it. */
export function selectorText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
