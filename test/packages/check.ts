import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { inDirectory, installPacked, packAll, succeed } from "./packed-packages.ts";
import type { PublishedPackage } from "./published-package.ts";

const temporary = await mkdtemp(join(tmpdir(), "bascule-packages-"));
try {
  const packed = await packAll(temporary);
  for (const tarball of packed.tarballs.values()) await lint(tarball);
  const project = join(temporary, "project");
  await installPacked(project, packed, { name: "empty", private: true, type: "module" });
  await importEach(project, packed.packages);
  process.stdout.write(`${String(packed.packages.length)} packages: packed, linted, installed and imported\n`);
} finally {
  await rm(temporary, { recursive: true, force: true });
}

async function lint(tarball: string): Promise<void> {
  await succeed(execa("publint", ["run", tarball, "--strict"], inDirectory(process.cwd())));
  await succeed(execa("attw", [tarball, "--profile", "esm-only"], inDirectory(process.cwd())));
}

async function importEach(project: string, packages: readonly PublishedPackage[]): Promise<void> {
  for (const entryPoint of packages.flatMap((each) => each.entryPoints)) {
    const program = `
      const exported = Object.keys(await import(${JSON.stringify(entryPoint)}));
      if (exported.length === 0) throw new Error(${JSON.stringify(`${entryPoint} exports nothing.`)});
    `;
    await succeed(execa("node", ["--input-type=module", "--eval", program], inDirectory(project)));
  }
}
