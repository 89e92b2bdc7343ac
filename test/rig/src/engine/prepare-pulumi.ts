import { chmod, copyFile, lstat, mkdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { z } from "zod";
import { cacheFolder, underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import { engineTools } from "../tools/catalogue.ts";
import { findOnPath, goEnvironment, resolveTool } from "../tools/resolve.ts";
import { versions } from "../versions.ts";

/** A real Pulumi engine with a home of its own. */
export interface PulumiEngine {
  /** The path of the `pulumi` program. */
  readonly command: string;
  readonly home: string;
  readonly description: string;
  /** What every run of it needs; no backend. */
  readonly environment: Readonly<Record<string, string>>;
}

const kubernetesPackage = fileURLToPath(import.meta.resolve("@pulumi/kubernetes/package.json"));
const standIn = fileURLToPath(new URL("../kubernetes-provider/main.ts", import.meta.url));
const pluginInstallLimitMs = 30_000;

/** Gives the Pulumi engine, its Node language host and the Kubernetes provider, from wherever this machine can have them. */
export async function preparePulumi({ progress }: { readonly progress: Progress }): Promise<PulumiEngine> {
  const command = await withCompanions(await resolveTool(engineTools.pulumi, progress), progress);
  const home = await cacheFolder("pulumi-home");
  const environment = {
    PATH: [dirname(command), dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter),
    PULUMI_HOME: home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_CONFIG_PASSPHRASE: "bascule-rig",
  };
  await ensureKubernetesProvider(command, environment, home, progress);
  return { command, home, environment, description: `Pulumi v${versions.pulumi}` };
}

const dynamicProvider = "pulumi-resource-pulumi-nodejs";

/**
 * The CLI with its language host and the script for dynamic providers beside it, as in an official release, where the engine
 * looks first. A CLI that has them already is used where it is.
 */
async function withCompanions(command: string, progress: Progress): Promise<string> {
  const search = `${dirname(command)}${delimiter}${process.env["PATH"] ?? ""}`;
  if (findOnPath("pulumi-language-nodejs", search) && findOnPath(dynamicProvider, search)) return command;
  const languageHost = await resolveTool(engineTools.languageHost, progress);
  const folder = await cacheFolder("tools", `pulumi-bundle-${versions.pulumi}-${versions.pulumiLanguageNodejs}`);
  await underLock("tools", async () => {
    await place(() => Promise.resolve(languageHost), join(folder, "pulumi-language-nodejs"));
    await place(dynamicProviderScript, join(folder, dynamicProvider));
    await place(() => Promise.resolve(command), join(folder, "pulumi"));
  });
  return join(folder, "pulumi");
}

async function place(source: () => Promise<string>, target: string): Promise<void> {
  if (await exists(target)) return;
  await copyFile(await source(), `${target}.part`);
  await chmod(`${target}.part`, 0o755);
  await rename(`${target}.part`, target);
}

/** The script is part of the SDK's Go module of the engine's own version. */
async function dynamicProviderScript(): Promise<string> {
  const { stdout } = await execa("go", ["list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"], {
    cwd: fileURLToPath(new URL("../../go/pulumi", import.meta.url)),
    env: await goEnvironment(),
    timeout: 600_000,
  });
  return join(stdout.trim(), "nodejs", "dist", dynamicProvider);
}

async function ensureKubernetesProvider(
  command: string,
  environment: Readonly<Record<string, string>>,
  home: string,
  progress: Progress,
): Promise<void> {
  const { default: manifest } = z
    .object({ default: z.object({ version: z.string() }) })
    .parse(await import(kubernetesPackage, { with: { type: "json" } }));
  const { version } = manifest;
  const folder = join(home, "plugins", `resource-kubernetes-v${version}`);
  await underLock("kubernetes-provider", async () => {
    const program = join(folder, "pulumi-resource-kubernetes");
    if ((await exists(program)) && !(await isStandIn(folder))) return;
    if (!(await exists(program))) {
      const installed = await execa(command, ["plugin", "install", "resource", "kubernetes", `v${version}`], {
        env: { ...environment },
        reject: false,
        timeout: pluginInstallLimitMs,
      });
      if (installed.exitCode === 0) {
        progress(`Kubernetes provider v${version}: the official plugin`);
        return;
      }
      progress(`Kubernetes provider v${version}: the official plugin cannot be had here, so the rig's own stands in`);
    }
    await installStandIn(folder, program);
  });
}

/** A plugin folder whose program starts the stand-in, straight from this repository, with the Node that runs now. */
async function installStandIn(folder: string, program: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(
    `${program}.part`,
    `#!/bin/sh\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${standIn}" "$@"\n`,
    { mode: 0o755 },
  );
  await rename(`${program}.part`, program);
  const note = join(folder, "STAND-IN");
  await rm(note, { force: true });
  await symlink(standIn, note);
}

async function isStandIn(folder: string): Promise<boolean> {
  try {
    return (await readlink(join(folder, "STAND-IN"))) !== "";
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}
