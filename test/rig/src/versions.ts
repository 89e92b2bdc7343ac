import { readFileSync } from "node:fs";
import { z } from "zod";

const version = z.string().regex(/^\d+\.\d+\.\d+$/, { error: "must be three numbers, such as 1.36.3" });

const versionsSchema = z.strictObject({
  kubernetes: version,
  etcd: version,
  containerd: version,
  /** The data plane of the Gateway API. */
  traefik: version,
  pulumi: version,
  /** The last version of the Node language host that the Go module proxy serves. */
  pulumiLanguageNodejs: version,
  kind: version,
  kindNodeImage: z.string().includes(":"),
});

/** Every version that the rig builds or downloads; the Go modules' checksums are in `go/<tool>/go.sum`. */
export const versions = versionsSchema.parse(
  JSON.parse(readFileSync(new URL("../versions.json", import.meta.url), "utf8")),
);
