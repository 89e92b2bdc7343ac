import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const manifestSchema = z.object({
  name: z.string(),
  exports: z.record(z.string(), z.unknown()),
  peerDependencies: z.record(z.string(), z.string()).default({}),
});

/** A package of this workspace that users install. */
export interface PublishedPackage {
  readonly name: string;
  readonly directory: string;
  /** The specifiers by which its code is imported, such as `@bascule/kubernetes/provider`. */
  readonly entryPoints: readonly string[];
  /** The names of the packages that its user has to install beside it. */
  readonly peers: readonly string[];
}

/** Reads the manifest of every package below a directory. Throws when there is none. */
export async function readPublishedPackages(directory: string): Promise<readonly PublishedPackage[]> {
  const folders = await readdir(directory);
  if (folders.length === 0) throw new Error(`There is no package in ${directory}.`);
  return await Promise.all(folders.map((folder) => readPublishedPackage(join(directory, folder))));
}

async function readPublishedPackage(directory: string): Promise<PublishedPackage> {
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(directory, "package.json"), "utf8")));
  const codePaths = Object.keys(manifest.exports).filter((path) => path !== "./package.json");
  return {
    name: manifest.name,
    directory,
    entryPoints: codePaths.map((path) => manifest.name + path.slice(1)),
    peers: Object.keys(manifest.peerDependencies),
  };
}

const versionSchema = z.object({ version: z.string() });

/** The version of a dependency that is installed for the package. */
export async function installedVersion(owner: PublishedPackage, dependency: string): Promise<string> {
  const file = join(owner.directory, "node_modules", dependency, "package.json");
  return versionSchema.parse(JSON.parse(await readFile(file, "utf8"))).version;
}
