import type { VersionId } from "@bascule/core";

/** Labels that name what an object belongs to. */
export const releaseLabel = "bascule.dev/release";
export const versionLabel = "bascule.dev/version";

/** On the Pods that pass requests on to the version that it names, and copy them to the candidate. */
export const mirrorLabel = "bascule.dev/mirror-of";

/** On the same: the version that gets the copies. */
export const mirrorToLabel = "bascule.dev/mirror-to";

/** Where a Service's annotations keep the marker of the transaction under way. */
export const markerAnnotation = "bascule.dev/transaction";
/** Where the versions that were promoted are kept, the newest first. */
export const historyAnnotation = "bascule.dev/history";
/** Where it is kept at which pause an update ended, and how it got there. */
export const restAnnotation = "bascule.dev/rest";
/** Where a Service that two versions share keeps the weights that their sizes stand for. */
export const weightsAnnotation = "bascule.dev/weights";
/** On what stands beside the router object: the fencing number of the last transaction that wrote it. */
export const fencingAnnotation = "bascule.dev/fencing";
/** On a router object while its transaction is under way: how often traffic was put back. */
export const restoreAnnotation = "bascule.dev/restored";
/** Set by whoever wants the transaction under way to be given up. */
export const abortAnnotation = "bascule.dev/abort";

/** The labels that pick the Pods of one version. */
export function versionSelector(release: string, version: VersionId): Record<string, string> {
  return { [releaseLabel]: release, [versionLabel]: version };
}

/** The labels that pick the Pods which pass requests on to a version and copy them. */
export function mirrorSelector(release: string, version: VersionId): Record<string, string> {
  return { [releaseLabel]: release, [mirrorLabel]: version };
}

/** A label selector as the API's lists take it. */
export function selectorText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
