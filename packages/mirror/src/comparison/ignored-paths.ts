import { compile, type JSONPathQuery, type JSONValue } from "json-p3";

/** The places of a document that are not compared. */
export interface IgnoredPlaces {
  isIgnored: boolean;
  below?: Map<string | number, IgnoredPlaces>;
}

/**
 * Makes JSON paths (RFC 9535) ready.
 *
 * @throws Error when one is none
 */
export function compileIgnored(paths: readonly string[]): readonly JSONPathQuery[] {
  return paths.map((path) => compile(path));
}

/**
 * The places that the paths select in any of the documents, so that what one of them lacks is ignored too.
 *
 * @throws Error when a document is nested deeper than a path can be followed
 */
export function ignoredPlaces(queries: readonly JSONPathQuery[], documents: readonly JSONValue[]): IgnoredPlaces {
  const root: IgnoredPlaces = { isIgnored: false };
  for (const query of queries) {
    for (const document of documents) {
      for (const { location } of query.lazyQuery(document)) ignore(root, location);
    }
  }
  return root;
}

function ignore(root: IgnoredPlaces, location: readonly (string | number)[]): void {
  let place = root;
  for (const step of location) {
    place.below ??= new Map();
    const next = place.below.get(step) ?? { isIgnored: false };
    place.below.set(step, next);
    place = next;
  }
  place.isIgnored = true;
}
