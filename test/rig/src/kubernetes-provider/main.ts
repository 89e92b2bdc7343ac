import { createRequire } from "node:module";
import { main } from "@pulumi/pulumi/provider/index.js";
import { z } from "zod";
import { standIn } from "./provider.ts";

const { version } = z
  .object({ version: z.string() })
  .parse(createRequire(import.meta.url)("@pulumi/kubernetes/package.json"));

// Standard output carries the plugin's port to the engine, so this goes to standard error.
console.error(`The Kubernetes provider v${version} is the rig's stand-in; it serves the cluster of KUBECONFIG.`);

// Nobody tells a plugin that its engine was killed; without this it would wait for it for ever.
const engine = process.ppid;
const engineWatchMs = 500;
setInterval(() => {
  if (process.ppid !== engine) process.exit(1);
}, engineWatchMs).unref();

await main(standIn(version), process.argv.slice(2));
