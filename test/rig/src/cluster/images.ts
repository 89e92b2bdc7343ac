import { createHash, type Hash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { cacheFolder, underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import { findOnPath, goEnvironment } from "../tools/resolve.ts";
import { writeArchive, type Image } from "./image-archive.ts";

/** The images that the rig makes and every cluster of its own has. */
export const images = {
  web: "bascule.local/web:1",
  busybox: "bascule.local/busybox:1",
  /** The Node that runs the rig, named by its major version. */
  node: `bascule.local/node:${process.versions.node.split(".")[0]}`,
} as const;

/** The image that keeps a Pod's namespaces. */
export const pauseImage = "bascule.local/pause:1";

const sample = fileURLToPath(new URL("../../sample", import.meta.url));

/** How an image is made. */
interface Recipe {
  readonly name: string;
  readonly make: () => Promise<Image>;
  /** Adds whatever the image is made of, so that it is made again when that changes. */
  readonly digestInto: (hash: Hash) => Promise<unknown>;
}

const recipes: readonly Recipe[] = [
  goRecipe("web", images.web),
  goRecipe("pause", pauseImage),
  { name: images.busybox, make: busyboxImage, digestInto: async (hash) => digestOfFile(hash, busyboxProgram()) },
  { name: images.node, make: nodeImage, digestInto: (hash) => digestOfFile(hash, process.execPath) },
];

/**
 * Builds the images that are not built yet, without any container engine, as archives of Docker's format. Gives their paths, which
 * name their content.
 */
export async function buildImages(progress: Progress): Promise<readonly string[]> {
  return underLock("images", async () => {
    const folder = await cacheFolder("images");
    const paths: string[] = [];
    for (const { name, make, digestInto } of recipes) {
      const hash = await digestOfBuilder();
      await digestInto(hash);
      const path = join(folder, `${name.replace(/[/:]/g, "-")}-${hash.digest("hex").slice(0, 12)}.tar`);
      if (!existsSync(path)) {
        progress(`building the image ${name}`);
        await writeArchive(path, await make());
      }
      paths.push(path);
    }
    return paths;
  });
}

function goRecipe(command: "web" | "pause", name: string): Recipe {
  return {
    name,
    make: () => goImage(command, name),
    digestInto: async (hash) => {
      for (const file of ["go.mod", ...(await goFiles(command))]) hash.update(await readFile(join(sample, file)));
    },
  };
}

async function goFiles(folder: string): Promise<readonly string[]> {
  const names = (await readdir(join(sample, folder))).filter((name) => name.endsWith(".go")).sort();
  return names.map((name) => join(folder, name));
}

async function goImage(command: "web" | "pause", name: string): Promise<Image> {
  const go = findOnPath("go");
  if (!go) throw new Error("go is not on the PATH: install Go 1.24 or later to build the sample images.");
  const scratch = await mkdtemp(join(await cacheFolder("scratch"), `sample-${command}-`));
  try {
    const target = join(scratch, command);
    await execa(go, ["build", "-trimpath", "-ldflags", "-s -w", "-o", target, `./${command}`], {
      cwd: sample,
      env: { ...(await goEnvironment()), CGO_ENABLED: "0" },
      timeout: 600_000,
    });
    return { name, files: [{ path: command, content: await readFile(target) }], entrypoint: [`/${command}`] };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function busyboxProgram(): string {
  const program = ["/bin/busybox", "/usr/bin/busybox"].find((file) => existsSync(file));
  if (!program) throw new Error("busybox is missing: install the Debian package busybox-static.");
  return program;
}

async function busyboxImage(): Promise<Image> {
  const program = busyboxProgram();
  const { stdout } = await execa(program, ["--list"]);
  const applets = stdout.split("\n").filter((applet) => applet !== "" && applet !== "busybox");
  return {
    name: images.busybox,
    files: [
      { path: "bin", directory: true },
      { path: "tmp", directory: true },
      { path: "bin/busybox", content: await readFile(program) },
      ...applets.map((applet) => ({ path: `bin/${applet}`, linkTo: "busybox" })),
    ],
    entrypoint: ["/bin/sh"],
  };
}

/** The Node that runs now, with the shared libraries that it was linked with, and nothing else. */
async function nodeImage(): Promise<Image> {
  const { stdout } = await execa("ldd", [process.execPath], { timeout: 10_000 });
  const lacking = /^\s*(\S+) => not found/m.exec(stdout)?.[1];
  if (lacking) throw new Error(`${process.execPath} lacks its library ${lacking}: install Node anew.`);
  const libraries = [...new Set([...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path))];
  const program = { path: "bin/node", content: await readFile(process.execPath) };
  return {
    name: images.node,
    files: [
      program,
      ...(await Promise.all(
        libraries.map(async (path) => ({ path: path.replace(/^\//, ""), content: await readFile(path) })),
      )),
    ],
    entrypoint: ["/bin/node"],
    environment: { LD_LIBRARY_PATH: [...new Set(libraries.map((path) => dirname(path)))].join(":") },
  };
}

async function digestOfBuilder(): Promise<Hash> {
  const hash = createHash("sha256");
  for (const file of ["images.ts", "image-archive.ts"]) {
    hash.update(await readFile(new URL(file, import.meta.url)));
  }
  return hash;
}

/** A program is known by its place, its size and its time: reading a hundred megabytes at each start would be felt. */
async function digestOfFile(hash: Hash, path: string): Promise<void> {
  const { size, mtimeMs } = await stat(path);
  hash.update(JSON.stringify([path, process.version, size, mtimeMs]));
}
