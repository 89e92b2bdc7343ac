import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import lockfile from "proper-lockfile";

/** The folder of all that the rig makes once and keeps: `$BASCULE_CACHE`, else `bascule` in the user's cache folder. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return environment["BASCULE_CACHE"] || join(environment["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "bascule");
}

/** A folder inside the cache; made when it is not there. */
export async function cacheFolder(...parts: readonly string[]): Promise<string> {
  const path = join(cacheDirectory(), ...parts);
  await mkdir(path, { recursive: true });
  return path;
}

/** Runs the work while no other process holds the lock of this name; waits at most half an hour, as long as a cold build takes. */
export async function underLock<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const folder = await cacheFolder("locks", name);
  const release = await lockfile.lock(folder, {
    stale: 20_000,
    retries: { retries: 3_600, minTimeout: 500, maxTimeout: 500 },
  });
  try {
    return await work();
  } finally {
    await release();
  }
}
