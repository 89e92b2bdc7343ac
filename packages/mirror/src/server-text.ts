import { readFileSync } from "node:fs";
import { BasculeError } from "@bascule/core";

/**
 * The mirror as the text of one file that stands alone: put it into a ConfigMap as `mirror-server.js` and run it by
 * `node mirror-server.js` with Node 22.12 or later and the options as JSON in `BASCULE_MIRROR`. It is smaller than 900 KB.
 *
 * @throws BasculeError `invalid-input` when the file is missing beside this package's code
 */
export function mirrorServerText(): string {
  // The path holds from the sources and from what is published alike.
  const file = new URL("../dist/mirror-server.js", import.meta.url);
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new BasculeError(
      "invalid-input",
      `The mirror's program ${file.pathname} cannot be read: install @bascule/mirror again, or build it where it is a source.`,
      { cause },
    );
  }
}
