import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa, type ResultPromise } from "execa";
import { installedVersion, readPublishedPackages, type PublishedPackage } from "./published-package.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const commandLimitMs = 300_000;

/** Every package as it would be published. */
export interface PackedPackages {
  readonly packages: readonly PublishedPackage[];
  /** The path of each package's tarball, by its name. */
  readonly tarballs: ReadonlyMap<string, string>;
}

/** Packs every package of the workspace into the directory. */
export async function packAll(directory: string): Promise<PackedPackages> {
  const packages = await readPublishedPackages(join(root, "packages"));
  const tarballs = new Map<string, string>();
  for (const { name, directory: source } of packages) {
    const tarball = join(directory, `${name.replaceAll(/[@/]/g, "-").slice(1)}.tgz`);
    await succeed(execa("pnpm", ["pack", "--out", tarball], inDirectory(source)));
    tarballs.set(name, tarball);
  }
  return { packages, tarballs };
}

/**
 * Installs packed packages, and all that they ask their user for, as a user would: in a project of its own, where nothing of the
 * workspace can be found.
 */
export async function installPacked(
  project: string,
  { packages, tarballs }: PackedPackages,
  manifest: Readonly<Record<string, unknown>> & { readonly dependencies?: Readonly<Record<string, string>> },
): Promise<void> {
  await mkdir(project, { recursive: true });
  const dependencies: Record<string, string> = { ...manifest.dependencies };
  for (const each of packages) {
    for (const peer of each.peers) dependencies[peer] = await installedVersion(each, peer);
  }
  const overrides: Record<string, string> = {};
  for (const [name, tarball] of tarballs) dependencies[name] = overrides[name] = `file:${tarball}`;
  await writeJson(join(project, "package.json"), { ...manifest, dependencies });
  // JSON is YAML. The packages ask the registry for each other until the overrides name the tarballs.
  await writeJson(join(project, "pnpm-workspace.yaml"), {
    packages: ["."],
    overrides,
    allowBuilds: { "@pulumi/kubernetes": false, protobufjs: false, esbuild: false },
  });
  await succeed(execa("pnpm", ["install", "--prefer-offline", "--no-frozen-lockfile"], inDirectory(project)));
}

/** How a command of the toolchain runs in a directory. */
export function inDirectory(cwd: string) {
  return {
    cwd,
    preferLocal: true,
    localDir: root,
    stdin: "ignore",
    all: true,
    reject: false,
    timeout: commandLimitMs,
  } as const;
}

type Command = ResultPromise<ReturnType<typeof inDirectory>>;

/** Waits for a command. @throws Error with all that it printed when it fails */
export async function succeed(command: Command): Promise<void> {
  const result = await command;
  if (result.failed) {
    throw new Error(`${result.shortMessage ?? result.command} (in ${result.cwd})\n${result.all}`);
  }
}

async function writeJson(file: string, content: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
}
