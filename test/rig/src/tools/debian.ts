import { existsSync } from "node:fs";
import { execa } from "execa";
import { underLock } from "../cache.ts";
import type { Progress } from "../progress.ts";
import { findOnPath } from "./resolve.ts";

/** A program of the system, and Debian's package of it. */
interface SystemProgram {
  readonly package: string;
  /** Any of these files proves that it is there. */
  readonly files: readonly string[];
}

const systemPrograms: readonly SystemProgram[] = [
  { package: "runc", files: ["/usr/sbin/runc", "/usr/bin/runc"] },
  { package: "containernetworking-plugins", files: ["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"] },
  { package: "iptables", files: ["/usr/sbin/iptables", "/sbin/iptables"] },
  { package: "conntrack", files: ["/usr/sbin/conntrack", "/sbin/conntrack"] },
  { package: "iproute2", files: ["/usr/sbin/ip", "/sbin/ip", "/bin/ip"] },
  { package: "util-linux", files: ["/usr/bin/nsenter", "/bin/nsenter"] },
  { package: "openssl", files: ["/usr/bin/openssl"] },
  { package: "busybox-static", files: ["/bin/busybox", "/usr/bin/busybox"] },
];

const installLimitMs = 300_000;

/**
 * Installs what is missing of the system's programs, as root on a Debian-like system, after saying so.
 *
 * @throws Error naming the packages to install where this process may not
 */
export async function ensureSystemPrograms(progress: Progress): Promise<void> {
  if (missing().length === 0) return;
  await underLock("apt", async () => {
    const packages = missing();
    if (packages.length === 0) return;
    if (process.getuid?.() !== 0 || !findOnPath("apt-get")) {
      throw new Error(
        `These programs are missing: ${packages.join(", ")}. Install their packages, for example with 'apt-get install ${packages.join(" ")}' as root, and run again.`,
      );
    }
    progress(`installing Debian packages: ${packages.join(", ")}`);
    const options = { timeout: installLimitMs, env: { DEBIAN_FRONTEND: "noninteractive" } };
    await execa("apt-get", ["update", "-qq"], options);
    await execa("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], options);
  });
}

function missing(): string[] {
  return systemPrograms
    .filter(({ files }) => !files.some((file) => existsSync(file)))
    .map((program) => program.package);
}
