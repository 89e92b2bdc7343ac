import { messageOf } from "@bascule/core";
import { compile } from "json-p3";
import { z } from "zod";

const mebibyte = 1024 * 1024;

const origin = z.string().refine(isOrigin, {
  error: "must be the address of a Service over plain HTTP and without a path, for example http://web-3f9ac2.shop:8080",
});

const portNumber = z.int().min(0).max(65_535);

const ignoredPath = z.string().superRefine((path, context) => {
  try {
    compile(path);
  } catch (thrown) {
    context.addIssue({
      code: "custom",
      message: `must be a JSON path of RFC 9535, for example $.items[*].updatedAt (${messageOf(thrown)})`,
    });
  }
});

/** What a mirror is told, as JSON in its environment variable `BASCULE_MIRROR`. */
export const mirrorOptionsSchema = z
  .strictObject({
    /** Answers every request: the stable version's Service, for example `http://web-3f9ac2.shop:8080`. */
    primary: origin,
    /** Gets copies, and its answers are only compared: the candidate's Service. */
    shadow: origin,
    /** The share of the requests that may be copied of which a copy is made, in per cent, by counting. Default 100. */
    sharePercent: z.number().min(0).max(100).default(100),
    /** Methods copied beside GET, HEAD and OPTIONS: only where a candidate that does the work a second time does no harm. Default none. */
    unsafeMethods: z
      .array(
        z.enum(["POST", "PUT", "PATCH", "DELETE"], {
          error: "must be POST, PUT, PATCH or DELETE; GET, HEAD and OPTIONS are always copied",
        }),
      )
      .default([]),
    /** Names of the headers of the answer that are compared. Default `content-type` and `location`. */
    compareHeaders: z.array(z.string().min(1).toLowerCase()).default(["content-type", "location"]),
    /** JSON paths (RFC 9535) of what may differ in a body, for example `$.host` or `$.items[*].updatedAt`. Default none. */
    ignore: z.array(ignoredPath).default([]),
    /** A request or an answer with a longer body is not compared, nor one that is longer once it is decompressed. In bytes, default 1 MiB, at most 4 MiB. */
    maximumBodyBytes: z
      .int()
      .min(0)
      .max(4 * mebibyte)
      .default(mebibyte),
    /** How long a copy may take, from sending it to the last byte of the answer. In milliseconds, default 5,000. */
    shadowTimeoutMs: z.int().min(1).max(60_000).default(5_000),
    /** Copies under way at once; a request beyond that is answered as ever, and not compared. Default 32. */
    maximumConcurrency: z.int().min(1).max(1_000).default(32),
    /** Where requests come in; 0 takes a free port. Default 8080. */
    port: portNumber.default(8080),
    /** Where readiness and the report are asked for; 0 takes a free port. Default 8081. */
    adminPort: portNumber.default(8081),
    /** How long it goes on serving after SIGTERM, until no new request comes to it. In milliseconds, default 5,000. */
    drainMs: z.int().min(0).max(300_000).default(5_000),
  })
  .superRefine(({ port, adminPort }, context) => {
    if (port !== 0 && port === adminPort) {
      context.addIssue({ code: "custom", path: ["adminPort"], message: "must be another port than the field port" });
    }
  });

/** What a user writes; what is left out has the default. */
export type MirrorOptions = z.input<typeof mirrorOptionsSchema>;

/** The options, checked and complete. */
export type MirrorSettings = z.output<typeof mirrorOptionsSchema>;

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === "http:" && url.hostname !== "" && url.href === `${url.origin}/`;
}
