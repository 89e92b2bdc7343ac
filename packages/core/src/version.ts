import { createHash } from "node:crypto";
import { canonicalJson } from "./canonical-json.ts";

/** Names one immutable version of a release, for example `web-3f9ac2d1`: the release's name and a digest of the content. */
export type VersionId = string;

/**
 * The id of the version that has this content. The same content always has the same id, whatever the order of its keys, so a
 * revert names the version that is still running.
 *
 * @param release the release's name, the part before the dash
 * @param content plain JSON that describes all that the version runs
 */
export function versionId(release: string, content: unknown): VersionId {
  const digest = createHash("sha256").update(canonicalJson(content)).digest("hex");
  return `${release}-${digest.slice(0, 8)}`;
}
