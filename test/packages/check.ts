import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { installedVersion, readPublishedPackages, type PublishedPackage } from "./published-package.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const commandLimitMs = 300_000;

const temporary = await mkdtemp(join(tmpdir(), "bascule-packages-"));
try {
  const packages = await readPublishedPackages(join(root, "packages"));
  const tarballs = new Map<string, string>();
  for (const each of packages) tarballs.set(each.name, await pack(each));
  for (const tarball of tarballs.values()) await lint(tarball);
  const project = await install(packages, tarballs);
  await importEach(project, packages);
  process.stdout.write(`${String(packages.length)} packages: packed, linted, installed and imported\n`);
} finally {
  await rm(temporary, { recursive: true, force: true });
}

async function pack(source: PublishedPackage): Promise<string> {
  const tarball = join(temporary, `${source.name.replaceAll(/[@/]/g, "-").slice(1)}.tgz`);
  await run("pnpm", ["pack", "--out", tarball], source.directory);
  return tarball;
}

async function lint(tarball: string): Promise<void> {
  await run("publint", ["run", tarball, "--strict"], root);
  await run("attw", [tarball, "--profile", "esm-only"], root);
}

/** Installs the tarballs as a user would: in a project of its own, where nothing of the workspace can be found. */
async function install(
  packages: readonly PublishedPackage[],
  tarballs: ReadonlyMap<string, string>,
): Promise<string> {
  const project = join(temporary, "project");
  await mkdir(project);
  const dependencies: Record<string, string> = {};
  for (const each of packages)
    for (const peer of each.peers) dependencies[peer] = await installedVersion(each, peer);
  const overrides: Record<string, string> = {};
  for (const [name, tarball] of tarballs) dependencies[name] = overrides[name] = `file:${tarball}`;
  await writeJson(join(project, "package.json"), { name: "empty", private: true, type: "module", dependencies });
  // JSON is YAML. The packages ask the registry for each other until the overrides name the tarballs.
  await writeJson(join(project, "pnpm-workspace.yaml"), {
    packages: ["."],
    overrides,
    allowBuilds: { "@pulumi/kubernetes": false, protobufjs: false },
  });
  await run("pnpm", ["install", "--prefer-offline", "--no-frozen-lockfile"], project);
  return project;
}

async function importEach(project: string, packages: readonly PublishedPackage[]): Promise<void> {
  for (const entryPoint of packages.flatMap((each) => each.entryPoints)) {
    const program = `
      const exported = Object.keys(await import(${JSON.stringify(entryPoint)}));
      if (exported.length === 0) throw new Error(${JSON.stringify(`${entryPoint} exports nothing.`)});
    `;
    await run("node", ["--input-type=module", "--eval", program], project);
  }
}

async function writeJson(file: string, content: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
}

async function run(program: string, parameters: readonly string[], directory: string): Promise<void> {
  const result = await execa(program, parameters, {
    cwd: directory,
    preferLocal: true,
    localDir: root,
    stdin: "ignore",
    all: true,
    reject: false,
    timeout: commandLimitMs,
  });
  if (result.failed) {
    const command = [program, ...parameters].join(" ");
    throw new Error(`\`${command}\` failed in ${directory}: ${result.shortMessage ?? ""}\n${result.all}`);
  }
}
