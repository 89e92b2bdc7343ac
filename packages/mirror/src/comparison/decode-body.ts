import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { headerValues, type Answer } from "./answer.ts";

const decoders: Readonly<Record<string, typeof gunzipSync>> = {
  gzip: gunzipSync,
  "x-gzip": gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
};

/**
 * The body without its content encoding, since two versions may compress the same text differently. An encoding that is not
 * known, or content that is not of it, is left as it is. Undefined when the content is longer than the limit.
 */
export function decodeBody({ headers, body }: Answer, maximumBytes: number): Uint8Array | undefined {
  let decoded = body;
  for (const encoding of encodingsOf(headers).reverse()) {
    const decode = decoders[encoding];
    if (decode === undefined || decoded.length === 0) return body;
    try {
      decoded = decode(decoded, { maxOutputLength: maximumBytes });
    } catch (thrown) {
      return isTooLarge(thrown) ? undefined : body;
    }
  }
  return decoded;
}

function encodingsOf(headers: readonly string[]): string[] {
  const names = headerValues(headers, "content-encoding").flatMap((value) => value.split(","));
  return names.map((name) => name.trim().toLowerCase()).filter((name) => name !== "" && name !== "identity");
}

function isTooLarge(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ERR_BUFFER_TOO_LARGE";
}
