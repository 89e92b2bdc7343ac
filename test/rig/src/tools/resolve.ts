import { createHash, type Hash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { cacheDirectory, cacheFolder, underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import type { Tool } from "./tool.ts";

const goModules = fileURLToPath(new URL("../../go", import.meta.url));
const downloadLimitMs = 300_000;
const connectLimitMs = 5_000;
const buildLimitMs = 1_800_000;

/** One way to get a tool: its path, or why this way is closed on this machine. */
type Attempt = { readonly path: string } | { readonly closed: string };

/**
 * The path of a tool: from the PATH, else the cache, else the official release, else built with Go. Each way that is closed is
 * said; none is skipped in silence.
 *
 * @throws Error naming each way and why it is closed, and the remedy
 */
export async function resolveTool(tool: Tool, progress: Progress): Promise<string> {
  const closed: string[] = [];
  for (const [way, attempt] of ways) {
    const result = await attempt(tool, progress);
    if ("path" in result) {
      progress(`${tool.name} ${tool.version}: ${way}`);
      return result.path;
    }
    closed.push(`${way}: ${result.closed}`);
  }
  throw new Error(
    `${tool.name} ${tool.version} cannot be had here (${closed.join("; ")}). Install it on the PATH, or install Go 1.26 or later, and run again.`,
  );
}

const ways: readonly (readonly [string, (tool: Tool, progress: Progress) => Promise<Attempt>])[] = [
  ["from the PATH", fromPath],
  ["from the cache", fromCache],
  ["from the official release", fromRelease],
  ["built with Go", fromSource],
];

async function fromPath(tool: Tool): Promise<Attempt> {
  if (!tool.versionArguments) return { closed: "it does not tell its version" };
  const path = findOnPath(tool.name);
  if (!path) return { closed: "not there" };
  const { stdout } = await execa(path, tool.versionArguments, { reject: false, timeout: 10_000 });
  if (!stdout.includes(tool.version))
    return { closed: `${path} is another version (${stdout.split("\n")[0]?.trim()})` };
  return { path };
}

/** The first program of this name on the PATH. */
export function findOnPath(name: string, path = process.env["PATH"] ?? ""): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}

async function fromCache(tool: Tool): Promise<Attempt> {
  const path = await cachedPath(tool);
  return existsSync(path) ? { path } : { closed: "not there yet" };
}

async function fromRelease(tool: Tool, progress: Progress): Promise<Attempt> {
  const { download } = tool;
  if (!download) return { closed: "there is none" };
  const host = new URL(download.url).host;
  if (unreachableHosts.has(host)) return { closed: `${host} cannot be reached` };
  return underLock("tools", async () => {
    try {
      const checksums = await fetchWithin(download.checksumUrl, connectLimitMs);
      progress(`${tool.name} ${tool.version}: downloading ${download.url}`);
      const content = await fetchWithin(download.url, downloadLimitMs);
      const actual = createHash("sha256").update(content).digest("hex");
      const expected = checksumFor(basename(download.url), checksums.toString("utf8"));
      if (actual !== expected) return { closed: `its SHA-256 is ${actual}, not ${expected ?? "published"}` };
      return { path: await install(tool, (folder) => unpack(content, download.member, folder, tool.name)) };
    } catch (thrown) {
      unreachableHosts.add(host);
      progress(`${tool.name} ${tool.version}: ${host} cannot be reached, so it will be built`);
      return { closed: `${host} cannot be reached (${thrown instanceof Error ? thrown.message : String(thrown)})` };
    }
  });
}

const unreachableHosts = new Set<string>();

/** The checksum of a file in a release's list; a list of one bare checksum is that of the only file. */
function checksumFor(file: string, list: string): string | undefined {
  const lines = list.split("\n").map((line) => line.trim().split(/\s+\*?/));
  const named = lines.find(([, name]) => name !== undefined && basename(name) === file);
  return (named ?? lines.find((parts) => parts.length === 1))?.[0]?.match(/^[0-9a-f]{64}$/)?.[0];
}

async function fromSource(tool: Tool, progress: Progress): Promise<Attempt> {
  const { build } = tool;
  if (!build) return { closed: "it has no Go module" };
  const go = findOnPath("go");
  if (!go) return { closed: "go is not on the PATH" };
  return underLock("tools", async () => {
    const path = await cachedPath(tool);
    if (existsSync(path)) return { path };
    progress(`${tool.name} ${tool.version}: building with Go (the first time takes minutes)`);
    const environment = { ...(await goEnvironment()), ...build.environment };
    const built = await install(tool, async (folder) => {
      const target = join(folder, tool.name);
      const module = join(goModules, build.module);
      const sources = build.isVendored ? await vendor(go, module, join(folder, "module"), environment) : module;
      // Without the paths of the scratch folder in it, what was compiled once is found again.
      const mode = build.isVendored ? ["-mod=vendor", "-trimpath"] : ["-mod=readonly"];
      await execa(go, ["build", ...mode, "-ldflags", build.linkerFlags, "-o", target, build.package], {
        cwd: sources,
        env: environment,
        timeout: buildLimitMs,
      });
      return target;
    });
    return { path: built };
  });
}

/** A copy of the module with its sources, which are checked against its go.sum, and what stands in `_vendor` over them. */
async function vendor(
  go: string,
  module: string,
  copy: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  await cp(module, copy, { recursive: true });
  // -e goes on where a package lacks what is yet to be put there; whatever else is missing fails the build.
  await execa(go, ["mod", "vendor", "-e"], { cwd: copy, env: environment, timeout: buildLimitMs });
  await cp(join(copy, "_vendor"), join(copy, "vendor"), { recursive: true });
  return copy;
}

/** Go with its modules and build results in our cache, so that what is cold and what is warm is ours to tell. */
export async function goEnvironment(): Promise<Record<string, string>> {
  return {
    GOMODCACHE: await cacheFolder("go", "mod"),
    GOCACHE: await cacheFolder("go", "build"),
    GOFLAGS: "-modcacherw",
  };
}

async function cachedPath(tool: Tool): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(tool));
  if (tool.build) await digestInto(hash, join(goModules, tool.build.module));
  const recipe = hash.digest("hex").slice(0, 12);
  return join(cacheDirectory(), "tools", `${tool.name}-${tool.version}-${recipe}`, tool.name);
}

/** Adds all that decides what is built: the sums of the sources, and the sources that a module has itself. */
async function digestInto(hash: Hash, module: string): Promise<void> {
  const entries = await readdir(module, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  for (const file of files.sort()) if (file !== join(module, "go.mod")) hash.update(await readFile(file));
}

/** Makes a tool in a folder of its own and moves it to its place in one step, so that a half-made one is never found. */
async function install(tool: Tool, make: (folder: string) => Promise<string>): Promise<string> {
  const path = await cachedPath(tool);
  const scratch = await mkdtemp(join(await cacheFolder("scratch"), `${tool.name}-`));
  try {
    const made = await make(scratch);
    await chmod(made, 0o755);
    await mkdir(dirname(path), { recursive: true });
    await rename(made, path);
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function unpack(content: Buffer, member: string | undefined, folder: string, name: string): Promise<string> {
  const target = join(folder, name);
  if (member === undefined) {
    await writeFile(target, content);
    return target;
  }
  const archive = join(folder, "archive.tar.gz");
  await writeFile(archive, content);
  await execa("tar", ["-xzf", archive, "-C", folder, member]);
  await copyFile(join(folder, member), target);
  return target;
}

async function fetchWithin(url: string, limitMs: number): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}
