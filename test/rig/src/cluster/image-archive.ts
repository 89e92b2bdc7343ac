import { createHash } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pack } from "tar-stream";

/** One entry of an image's only layer; its path has no leading slash. */
export type ImageFile =
  | { readonly path: string; readonly content: Buffer }
  | { readonly path: string; readonly linkTo: string }
  | { readonly path: string; readonly directory: true };

export interface Image {
  /** With its tag, for example `bascule.local/web:1`. */
  readonly name: string;
  readonly files: readonly ImageFile[];
  readonly entrypoint: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const nobody = "65532:65532";
const epoch = new Date(0);

/** Writes an image of one layer, which runs as nobody, as an archive of Docker's format. */
export async function writeArchive(path: string, image: Image): Promise<void> {
  const layer = await tarOf(image.files.map(entryOf));
  const environment = { PATH: "/bin", ...image.environment };
  const configuration = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      created: epoch.toISOString(),
      config: {
        Entrypoint: image.entrypoint,
        User: nobody,
        Env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
        WorkingDir: "/",
      },
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
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, archive);
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

function entryOf(file: ImageFile): TarEntry {
  if ("directory" in file) return { header: { name: file.path, type: "directory", mode: 0o1777, mtime: epoch } };
  if ("linkTo" in file) return { header: { name: file.path, type: "symlink", linkname: file.linkTo, mtime: epoch } };
  return { header: { name: file.path, mode: 0o755, mtime: epoch }, content: file.content };
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

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
