import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SnapshotTaken } from "@bascule/pulumi";
import { z } from "zod";

const describedSchema = z.strictObject({
  id: z.string(),
  kind: z.string(),
  location: z.string(),
  sizeBytes: z.int().positive(),
  sha256: z.string().length(64),
  takenAt: z.iso.datetime(),
});

/** Where a snapshot's content is being written. */
export interface Draft {
  readonly contentPath: string;
  /** Checks what was written against what was sent, and only then gives it its place. */
  keep(expected: Measure, takenAt: string): Promise<SnapshotTaken>;
  discard(): Promise<void>;
}

export interface Measure {
  readonly sizeBytes: number;
  readonly sha256: string;
}

const contentFile = "content";
const descriptionFile = "snapshot.json";

/** Begins a snapshot in a folder of its own, which counts only once it was verified. */
export async function beginSnapshot(directory: string, id: string, kind: string): Promise<Draft> {
  const place = join(directory, id);
  const draft = `${place}.part`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true, mode: 0o700 });
  const contentPath = join(draft, contentFile);
  return {
    contentPath,
    discard: () => rm(draft, { recursive: true, force: true }),
    keep: async (expected, takenAt) => {
      const found = await measureFile(contentPath);
      if (found.sizeBytes === 0) throw new Error("It is empty.");
      if (found.sizeBytes !== expected.sizeBytes || found.sha256 !== expected.sha256) {
        throw new Error(
          `It arrived damaged: ${found.sizeBytes} bytes with SHA-256 ${found.sha256}, not ${expected.sizeBytes} bytes with ${expected.sha256}.`,
        );
      }
      const taken = { id, kind, location: join(place, contentFile), ...found, takenAt };
      await writeFile(join(draft, descriptionFile), JSON.stringify(taken, null, 2), { flush: true });
      await flush(contentPath);
      await rm(place, { recursive: true, force: true });
      await rename(draft, place);
      return taken;
    },
  };
}

/** The verified snapshots of a directory, newest first. */
async function listSnapshots(directory: string): Promise<readonly SnapshotTaken[]> {
  const names = await readdir(directory).catch(() => []);
  const found = await Promise.all(names.map((name) => readDescription(join(directory, name))));
  return found
    .filter((snapshot) => snapshot !== undefined)
    .sort((left, right) => right.takenAt.localeCompare(left.takenAt));
}

/**
 * Removes the oldest snapshots of each kind beyond the number to keep. Those in `spare` stay whatever their age.
 *
 * @param keep how many of each kind stay, at least 1
 */
export async function pruneSnapshots(directory: string, keep: number, spare: readonly string[]): Promise<void> {
  const byKind = Map.groupBy(await listSnapshots(directory), ({ kind }) => kind);
  const surplus = [...byKind.values()].flatMap((snapshots) => snapshots.slice(Math.max(1, keep)));
  for (const { id } of surplus.filter((snapshot) => !spare.includes(snapshot.id))) {
    await rm(join(directory, id), { recursive: true, force: true });
  }
}

/** Size and SHA-256 of a file. */
export async function measureFile(path: string): Promise<Measure> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(z.instanceof(Buffer).parse(chunk));
  return { sizeBytes: (await stat(path)).size, sha256: hash.digest("hex") };
}

async function readDescription(folder: string): Promise<SnapshotTaken | undefined> {
  if (folder.endsWith(".part")) return undefined;
  try {
    return describedSchema.parse(JSON.parse(await readFile(join(folder, descriptionFile), "utf8")));
  } catch {
    return undefined;
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
