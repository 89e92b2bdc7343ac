import { createHash } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { pack } from "tar-stream";
import { cacheFolder, underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import { findOnPath, goEnvironment } from "../tools/resolve.ts";

/** The images that the rig makes and every cluster of its own has. */
export const images = { web: "bascule.local/web:1", busybox: "bascule.local/busybox:1" } as const;

/** The image that keeps a Pod's namespaces. */
export const pauseImage = "bascule.local/pause:1";

const sample = fileURLToPath(new URL("../../sample", import.meta.url));
const nobody = "65532:65532";
const epoch = new Date(0);

/** Builds the images, without any container engine, as archives of Docker's format; gives their paths. */
export async function buildImages(progress: Progress): Promise<readonly string[]> {
  return underLock("images", async () => {
    const digest = await digestOfSources();
    const folder = await cacheFolder("images", digest);
    const archives = [
      { image: images.web, path: join(folder, "web.tar"), make: () => goImage("web", images.web) },
      { image: pauseImage, path: join(folder, "pause.tar"), make: () => goImage("pause", pauseImage) },
      { image: images.busybox, path: join(folder, "busybox.tar"), make: () => busyboxImage() },
    ];
    for (const { image, path, make } of archives) {
      if (existsSync(path)) continue;
      progress(`building the image ${image}`);
      await make().then((content) => writeArchive(path, content));
    }
    return archives.map(({ path }) => path);
  });
}

interface Image {
  readonly name: string;
  readonly files: readonly {
    readonly path: string;
    readonly content?: Buffer;
    readonly linkTo?: string;
    readonly directory?: true;
  }[];
  readonly entrypoint: readonly string[];
}

async function goImage(command: "web" | "pause", name: string): Promise<Image> {
  const go = findOnPath("go");
  if (!go) throw new Error("go is not on the PATH: install Go 1.24 or later to build the sample images.");
  const target = join(await cacheFolder("scratch"), `sample-${command}-${process.pid}`);
  await execa(go, ["build", "-trimpath", "-ldflags", "-s -w", "-o", target, `./${command}`], {
    cwd: sample,
    env: { ...(await goEnvironment()), CGO_ENABLED: "0" },
    timeout: 600_000,
  });
  return { name, files: [{ path: command, content: await readFile(target) }], entrypoint: [`/${command}`] };
}

async function busyboxImage(): Promise<Image> {
  const program = ["/bin/busybox", "/usr/bin/busybox"].find((file) => existsSync(file));
  if (!program) throw new Error("busybox is missing: install the Debian package busybox-static.");
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

async function writeArchive(path: string, image: Image): Promise<void> {
  const layer = await tarOf(
    image.files.map((file) =>
      file.directory
        ? { header: { name: file.path, type: "directory" as const, mode: 0o1777, mtime: epoch } }
        : file.linkTo === undefined
          ? { header: { name: file.path, mode: 0o755, mtime: epoch }, content: file.content ?? Buffer.alloc(0) }
          : { header: { name: file.path, type: "symlink" as const, linkname: file.linkTo, mtime: epoch } },
    ),
  );
  const configuration = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      created: epoch.toISOString(),
      config: { Entrypoint: image.entrypoint, User: nobody, Env: ["PATH=/bin"], WorkingDir: "/" },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const configurationName = `${sha256(configuration)}.json`;
  const manifest = [{ Config: configurationName, RepoTags: [image.name], Layers: ["layer.tar"] }];
  const archive = await tarOf([
    { header: { name: configurationName, mtime: epoch }, content: configuration },
    { header: { name: "layer.tar", mtime: epoch }, content: layer },
    { header: { name: "manifest.json", mtime: epoch }, content: Buffer.from(JSON.stringify(manifest)) },
  ]);
  await mkdir(join(path, ".."), { recursive: true });
  await pipeline([archive], createWriteStream(`${path}.part`));
  await rename(`${path}.part`, path);
}

interface TarEntry {
  readonly header: {
    readonly name: string;
    readonly mtime: Date;
    readonly mode?: number;
    readonly type?: "directory" | "symlink";
    readonly linkname?: string;
  };
  readonly content?: Buffer;
}

async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { header, content } of entries) archive.entry({ ...header }, content ?? "");
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) {
    if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

/** The images are made again when a source of theirs changes. */
async function digestOfSources(): Promise<string> {
  const hash = createHash("sha256").update(await readFile(fileURLToPath(import.meta.url)));
  const names = (await readdir(sample, { recursive: true })).filter((name) => name.endsWith(".go")).sort();
  for (const name of names) hash.update(name).update(await readFile(join(sample, name)));
  return hash.digest("hex").slice(0, 12);
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
