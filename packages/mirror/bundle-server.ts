import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const maximumBytes = 900 * 1024;

/** Bundles the mirror into one file that stands alone and fits into a ConfigMap, which holds 1 MiB. */
export async function bundleServer(outfile: string, alias: Record<string, string> = {}): Promise<void> {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL("src/server/main.ts", import.meta.url))],
    outfile,
    alias,
    bundle: true,
    minify: true,
    // Names in a stack trace are worth their few bytes.
    keepNames: true,
    format: "esm",
    platform: "node",
    target: "node22",
    metafile: true,
    logLevel: "warning",
  });
  const bytes = Object.values(metafile.outputs).reduce((total, output) => total + output.bytes, 0);
  if (bytes > maximumBytes) throw new Error(`${outfile} has ${bytes} bytes: at most ${maximumBytes} fit a ConfigMap.`);
}

const [, program, outfile] = argv;
if (program === fileURLToPath(import.meta.url) && outfile !== undefined) await bundleServer(outfile);
